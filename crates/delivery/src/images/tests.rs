//! Which commits tags name, and what an image tells of them.

use domain::delivery::ServiceName;

use super::*;

const SHA: &str = "6113728f27ae82c7b1a177c8d03f9e96e0adf246";
const DIGITS: &str = "1234567890123456789012345678901234567890";

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn image(tags: &[&str]) -> RegistryImage {
    RegistryImage {
        service: ServiceName::parse("users").unwrap(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        revision: None,
        pushed: Some("2026-11-21T11:00:00Z".parse().unwrap()),
        detail: ImageDetail {
            repository: Some("111122223333.dkr.ecr.eu-central-1.amazonaws.com/team/users".into()),
            digest: Some(format!("sha256:{}", "a".repeat(64))),
            state: Some(ImageState::Active),
            ..ImageDetail::default()
        },
        platform_digests: Vec::new(),
        since: None,
        link: Some("https://eu-central-1.console.aws.amazon.com/ecr/".into()),
    }
}

fn named(image: &RegistryImage) -> Vec<String> {
    commits(image).into_iter().map(String::from).collect()
}

#[test]
fn commits_are_found_in_tags_as_pipelines_write_them() {
    for (tag, commit) in [
        ("abc1234", "abc1234"),
        (SHA, SHA),
        (DIGITS, DIGITS),
        ("sha-abc1234", "abc1234"),
        ("sha-1234567", "1234567"),
        ("git-0123abc", "0123abc"),
        ("commit_0123abc", "0123abc"),
        ("main-abc1234-1700000000", "abc1234"),
        ("main-abc1234-20261121", "abc1234"),
        ("20261121-abc1234", "abc1234"),
        ("20261121.101500-0123abc", "0123abc"),
        ("1.4.2-abc1234", "abc1234"),
        ("v1.4.2-3-gabc1234", "abc1234"),
        ("1.4.2_0123456789ab", "0123456789ab"),
        (&format!("deadbeef-{SHA}"), SHA),
        (&format!("main-{SHA}-amd64"), SHA),
    ] {
        assert_eq!(commit_in_tag(tag).map(String::from).as_deref(), Some(commit), "{tag}");
    }
}

#[test]
fn dates_versions_and_names_are_no_commits() {
    for tag in [
        "",
        "latest",
        "main",
        "20261121",
        "20261121101500",
        "git-20261121",
        "1700000000",
        "1.4.2",
        "1.4.2-1234567",
        "v2",
        "abc123",
        "ABC1234",
        "feature-payments",
        "550e8400-e29b-41d4-a716-446655440000",
        // Two that may be meant.
        "abc1234-def5678",
        // What cosign attaches to an image.
        &format!("sha256-{}.sig", "ab".repeat(32)),
        &"a".repeat(41),
    ] {
        assert_eq!(commit_in_tag(tag), None, "{tag}");
    }
}

#[test]
fn an_image_is_of_the_commits_of_its_tags_or_else_of_its_annotation() {
    assert_eq!(named(&image(&["latest", "1.4.2", "sha-6113728", "main-6113728f27ae"])), ["6113728f27ae"]);
    assert_eq!(named(&image(&["sha-abc1234", "sha-def5678"])), ["abc1234", "def5678"]);
    assert_eq!(named(&image(&["latest"])), Vec::<String>::new());
    let annotated =
        |tags: &[&str], revision: &str| RegistryImage { revision: Some(revision.into()), ..image(tags) };
    assert_eq!(named(&annotated(&["latest"], &SHA.to_uppercase())), [SHA]);
    assert_eq!(named(&annotated(&["sha-6113728"], SHA)), [SHA]);
    assert_eq!(named(&annotated(&["sha-abc1234"], SHA)), ["abc1234"], "the tag was given to this image");
    assert_eq!(named(&annotated(&["latest"], "v1.4.2")), Vec::<String>::new());
}

#[test]
fn the_tag_that_is_shown_is_the_most_exact_version() {
    for (tags, shown) in [
        (&["latest", "abc1234", "1", "1.4", "1.4.2"][..], Some("1.4.2")),
        (&["1.4.2-abc1234", "1.4.2"], Some("1.4.2")),
        (&["1.4.2", "1.4.10"], Some("1.4.10")),
        (&["1.4.2-abc1234", "abc1234"], Some("1.4.2-abc1234")),
        (&["latest", "sha-abc1234"], Some("sha-abc1234")),
        (&["20261121", "abc1234"], Some("abc1234")),
        (&["main", "latest"], Some("latest")),
        (&[], None),
    ] {
        assert_eq!(shown_tag(&image(tags).tags), shown, "{tags:?}");
    }
}

#[test]
fn an_image_is_one_fact_until_something_of_it_changes() {
    let commit = CommitSha::parse(SHA).unwrap();
    let first = image(&["1.4.2", "sha-6113728"]);
    let told = fact(&first, &commit, now());
    assert_eq!(told.check(), Ok(()));
    assert_eq!((told.stage, told.status, told.finished), (Stage::Image, Status::Succeeded, first.pushed));
    let Some(Detail::Image(detail)) = &told.detail else { panic!("{told:?}") };
    assert_eq!((detail.tag.as_deref(), detail.state), (Some("1.4.2"), Some(ImageState::Active)));
    assert_eq!(told.link, first.link);

    let id = |image: &RegistryImage| fact(image, &commit, now()).source_id;
    // The same again, later, and of a commit that was not known in full before.
    assert_eq!(
        fact(&first, &CommitSha::parse("6113728").unwrap(), Timestamp::now()).source_id,
        told.source_id
    );
    let with = |change: fn(&mut RegistryImage)| {
        let mut other = first.clone();
        change(&mut other);
        other
    };
    let others = [
        with(|image| image.tags.push("1.4.3".into())),
        with(|image| image.detail.scan = Some(ScanCounts { high: 1, ..ScanCounts::default() })),
        with(|image| image.detail.scan = Some(ScanCounts { low: 1, ..ScanCounts::default() })),
        with(|image| image.detail.state = Some(ImageState::Archived)),
        with(|image| image.detail.digest = Some(format!("sha256:{}", "b".repeat(64)))),
        with(|image| image.since = Some(Timestamp::UNIX_EPOCH)),
        with(|image| image.service = ServiceName::parse("orders").unwrap()),
    ];
    let mut ids: Vec<String> = others.iter().map(id).collect();
    ids.push(told.source_id);
    ids.push(fact(&first, &CommitSha::parse("abc1234").unwrap(), now()).source_id);
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all);
}
