//! Which form a hold takes, that it is read so, and that nothing is left of it.

use super::settings::EVERYTHING;
use super::*;
use crate::gitops::edit::edit;

const APPLICATION: &str = "\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: users-dev
  namespace: argocd
  labels: {tier: web}
  annotations:
    # dev follows the newest
    argocd-image-updater.argoproj.io/image-list: users=r.io/acme/users:0.x, proxy=r.io/proxy
    argocd-image-updater.argoproj.io/users.update-strategy: semver
spec:
  project: dev
";

const UPDATER: &str = "\
# who is updated
apiVersion: argocd-image-updater.argoproj.io/v1alpha1
kind: ImageUpdater
metadata:
  name: shop
  namespace: argocd
spec:
  applicationRefs:
    - namePattern: \"*-prod\"
      images: []
    - namePattern: users-*
      images:
        - alias: proxy
          imageName: r.io/proxy:1.x
        - alias: users
          imageName: r.io/acme/users:1.x # majors by hand
";

fn files(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

fn with<T>(seen: Option<UpdaterMode>, then: impl FnOnce(Who<'_>) -> T) -> T {
    let service = ServiceName::parse("users").unwrap();
    then(Who {
        service: &service,
        application: "users-dev",
        namespace: None,
        labels: None,
        seen,
        unseen: false,
    })
}

fn held_in(texts: &BTreeMap<String, String>, bypass: Option<&str>) -> Held {
    with(None, |who| hold(texts, who, bypass)).unwrap()
}

/// The files with changes of one.
fn changed(texts: &BTreeMap<String, String>, path: &str, changes: &[Change]) -> BTreeMap<String, String> {
    let mut texts = texts.clone();
    let text = texts.get_mut(path).unwrap();
    *text = edit(text, changes).unwrap();
    texts
}

fn problem(texts: &BTreeMap<String, String>, bypass: Option<&str>) -> NotHeld {
    with(None, |who| hold(texts, who, bypass)).unwrap_err()
}

/// What the updater reads of the service's image: what is ignored, and what is allowed.
fn read(texts: &BTreeMap<String, String>) -> (Vec<String>, Option<String>) {
    with(None, |who| {
        let files = Files::read(texts).unwrap();
        let application = files.application(who).unwrap();
        let steered = steering(who, application, &files.updaters(who, application)).unwrap();
        let image = steered.images.into_iter().find(|image| image.is_of(who.service)).unwrap();
        (image.update.ignore_tags.clone().unwrap_or_default(), image.update.allowed())
    })
}

/// Holds, checks what is read then, lets go, and gives the file as it was while held.
fn round(texts: &BTreeMap<String, String>, bypass: Option<&str>) -> (Held, String) {
    let before = read(texts);
    let held = held_in(texts, bypass);
    let during = changed(texts, &held.path, &held.changes);
    match bypass {
        None => assert!(read(&during).0.contains(&EVERYTHING.to_owned())),
        Some(_) => assert!(read(&during).1.is_some()),
    }
    let again = with(None, |who| hold(&during, who, None));
    if bypass.is_none() {
        assert_eq!(again.unwrap().changes, [], "held already");
    }
    let released = with(None, |who| release(&during, who, &held.before)).unwrap();
    assert_eq!(released.path, held.path);
    let after = changed(&during, &released.path, &released.changes);
    assert_eq!(read(&after), before);
    assert_eq!(&after, texts, "byte for byte");
    (held.clone(), during[&held.path].clone())
}

#[test]
fn annotations_are_written_where_they_are_read() {
    let texts = files(&[("envs/dev/users/application.yaml", APPLICATION), ("README.md", "argoproj.io/ {{")]);
    let (held, during) = round(&texts, None);
    assert_eq!(
        (held.form, held.path.as_str()),
        (UpdaterMode::Annotations, "envs/dev/users/application.yaml")
    );
    let line = "    argocd-image-updater.argoproj.io/users.ignore-tags: \"*\"\n";
    assert_eq!(during, APPLICATION.replace("spec:\n", &format!("{line}spec:\n")));
    // What was ignored before stays so.
    for ignored in ["latest", "'*-rc, latest'", "\"latest,\"", "latest, v0-*"] {
        let text =
            APPLICATION.replace("spec:\n", &format!("    {PREFIX}users.ignore-tags: {ignored}\nspec:\n"));
        let (held, during) = round(&files(&[("a.yaml", &text)]), None);
        assert!(held.before[0].was.is_some());
        assert!(during.contains("latest, *") || during.contains("v0-*, *"), "{during}");
    }
    // A resource that leaves it to annotations.
    let leaves =
        UPDATER.replace("namePattern: users-*\n", "namePattern: users-*\n      useAnnotations: true\n");
    let texts = files(&[("a.yaml", APPLICATION), ("u.yaml", &leaves)]);
    assert_eq!(round(&texts, None).0.path, "a.yaml");
    // In a file of several, with an alias that has a slash, and where the whole Application ignores something.
    let other = APPLICATION.replace("users-dev", "users-test");
    let slash = APPLICATION
        .replace("users=", "acme/users=")
        .replace("users.update", "acme_users.update")
        .replace("  annotations:\n", &format!("  annotations:\n    {PREFIX}ignore-tags: latest\n"));
    let (held, during) = round(&files(&[("apps.yaml", &format!("{other}---\n{slash}"))]), None);
    assert_eq!(held.before[0].alias, "acme_users");
    assert!(during.ends_with("acme_users.ignore-tags: \"*\"\nspec:\n  project: dev\n"), "{during}");
}

#[test]
fn a_resource_is_written_where_it_is_read() {
    let texts = files(&[("a.yaml", APPLICATION), ("updaters/shop.yaml", UPDATER)]);
    let (held, during) = round(&texts, None);
    assert_eq!((held.form, held.path.as_str()), (UpdaterMode::Resource, "updaters/shop.yaml"));
    let lines = "          commonUpdateSettings:\n            ignoreTags: [\"*\"]\n";
    assert_eq!(during, format!("{UPDATER}{lines}"));
    assert_eq!(
        held.before,
        [Before {
            form: UpdaterMode::Resource,
            alias: "users".into(),
            setting: Setting::IgnoreTags,
            was: None
        }]
    );
    for settings in [
        "          commonUpdateSettings:\n            ignoreTags: [latest] # c\n",
        "          commonUpdateSettings:\n            ignoreTags:\n            - latest\n            - '*-rc'\n            allowTags: any\n",
        "          commonUpdateSettings: {updateStrategy: digest}\n",
        "          commonUpdateSettings: {ignoreTags: []}\n",
    ] {
        round(&files(&[("a.yaml", APPLICATION), ("u.yaml", &format!("{UPDATER}{settings}"))]), None);
    }
    // What is set further out does not get through.
    let outer = UPDATER.replace("spec:\n", "spec:\n  commonUpdateSettings: {ignoreTags: [latest]}\n");
    round(&files(&[("a.yaml", APPLICATION), ("u.yaml", &outer)]), None);
    // Of a generated Application the name, and the labels that were seen, are enough.
    let selecting = UPDATER.replace(
        "namePattern: users-*\n",
        "namePattern: users-*\n      labelSelectors: {matchLabels: {tier: web}}\n",
    );
    let texts = files(&[("u.yaml", &selecting)]);
    let labels = BTreeMap::from([("tier".to_owned(), "web".to_owned())]);
    let seen =
        with(Some(UpdaterMode::Resource), |who| hold(&texts, Who { labels: Some(&labels), ..who }, None));
    assert_eq!(seen.unwrap().path, "u.yaml");
    assert!(matches!(problem(&texts, None), NotHeld::NotUpdated(_)));
}

#[test]
fn one_tag_is_let_through_by_allowing_it_alone() {
    let texts = files(&[("a.yaml", APPLICATION)]);
    let (held, during) = round(&texts, Some("1.4.2"));
    assert_eq!(held.before[0].setting, Setting::AllowTags);
    assert!(during.contains(&format!("    {PREFIX}users.allow-tags: 'regexp:^1\\.4\\.2$'\n")), "{during}");
    let texts = files(&[("a.yaml", APPLICATION), ("u.yaml", UPDATER)]);
    let (_, during) = round(&texts, Some("1.4.2"));
    assert!(
        during.ends_with("          commonUpdateSettings:\n            allowTags: 'regexp:^1\\.4\\.2$'\n"),
        "{during}"
    );
    let any = APPLICATION.replace("spec:\n", &format!("    {PREFIX}users.allow-tags: 'any'\nspec:\n"));
    assert_eq!(
        round(&files(&[("a.yaml", &any)]), Some("v1")).0.before[0].was,
        Some(Content::Text("any".into()))
    );
    for (setting, part) in [
        ("users.allow-tags: regexp:^v", "are allowed already"),
        ("allow-tags: regexp:^v", "are allowed already"),
        ("users.ignore-tags: '*'", "is ignored already (*)"),
        ("ignore-tags: 'x, 1.*'", "is ignored already (1.*)"),
    ] {
        let text = APPLICATION.replace("spec:\n", &format!("    {PREFIX}{setting}\nspec:\n"));
        let problem = problem(&files(&[("a.yaml", &text)]), Some("1.4.2")).to_string();
        assert!(problem.contains(part), "{problem}");
        assert!(problem.contains("by hand: of Application users-dev"), "{problem}");
    }
}

#[test]
fn what_would_not_take_effect_is_refused() {
    let other = UPDATER.replace("name: shop", "name: other").replace("users-*", "\"*\"");
    let elsewhere = other.replace("namespace: argocd", "namespace: elsewhere");
    let text_list = format!("{UPDATER}          commonUpdateSettings: {{ignoreTags: '*'}}\n");
    let cases: [(&[(&str, &str)], &str); 7] = [
        (
            &[("a.yaml", APPLICATION), ("u.yaml", UPDATER), ("o.yaml", &other)],
            "several ImageUpdaters match Application users-dev (shop, other)",
        ),
        (&[("a.yaml", APPLICATION), ("b.yaml", APPLICATION)], "written twice, in a.yaml and in b.yaml"),
        (
            &[("x.yaml", "kind: ApplicationSet\napiVersion: argoproj.io/v1alpha1\n")],
            "users-dev (an ApplicationSet may generate it) is in none of the files",
        ),
        (
            &[
                ("a.yaml", APPLICATION),
                (
                    "u.yaml",
                    "apiVersion: argocd-image-updater.argoproj.io/v1alpha1\nkind: ImageUpdater\nspec: {{ .Values.x",
                ),
            ],
            "u.yaml mentions an ImageUpdater and cannot be read",
        ),
        (&[("a.yaml", APPLICATION), ("u.yaml", &text_list)], "is no list of texts"),
        (
            &[
                ("a.yaml", APPLICATION),
                (
                    "u.yaml",
                    "apiVersion: argocd-image-updater.argoproj.io/v1alpha1\nkind: ImageUpdater\nspec: {}\n",
                ),
            ],
            "an ImageUpdater that cannot be read",
        ),
        (&[], "Application users-dev is in none of the files"),
    ];
    for (texts, part) in cases {
        let refusal = problem(&files(texts), None);
        assert!(matches!(refusal, NotHeld::Refused(_)) && refusal.to_string().contains(part), "{refusal}");
    }
    let texts = files(&[("a.yaml", APPLICATION), ("u.yaml", UPDATER), ("o.yaml", &elsewhere)]);
    assert_eq!(held_in(&texts, None).path, "u.yaml");
    let seen = with(Some(UpdaterMode::Annotations), |who| hold(&texts, who, None)).unwrap_err().to_string();
    assert!(
        seen.contains(
            "seen to read its annotations for Application users-dev, and the files say an ImageUpdater"
        ),
        "{seen}"
    );
}

#[test]
fn what_nothing_updates_needs_no_hold() {
    let bare = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: users-dev}\n";
    let others = APPLICATION.replace("users=r.io/acme/users:0.x", "a=r.io/a");
    let unmatched = UPDATER.replace("users-*", "pay-*");
    let cases: [(&[(&str, &str)], &str); 3] = [
        (&[("a.yaml", bare)], "has no image that is updated"),
        (
            &[("a.yaml", &others)],
            "no image of users is among those that are updated for Application users-dev (a, proxy)",
        ),
        (
            &[("a.yaml", APPLICATION), ("u.yaml", &unmatched)],
            "there are ImageUpdaters (shop), and none matches Application users-dev",
        ),
    ];
    for (texts, part) in cases {
        let why = problem(&files(texts), None);
        assert!(matches!(why, NotHeld::NotUpdated(_)) && why.to_string().contains(part), "{why}");
    }
}

#[test]
fn what_is_not_there_any_more_is_not_released() {
    let texts = files(&[("a.yaml", APPLICATION), ("u.yaml", UPDATER)]);
    let held = held_in(&texts, None);
    let without = files(&[("a.yaml", APPLICATION)]);
    let refusal = with(None, |who| release(&without, who, &held.before)).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "what held users of Application users-dev is in none of the files any more; by hand: of Application users-dev, remove \
         ignoreTags of users"
    );
}
