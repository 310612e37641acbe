//! Activations, what may be deleted, and what changed.

use super::*;

pub(super) fn id(number: u8) -> ReleaseId {
    ReleaseId::parse(&format!("{number:016x}")).expect("a release")
}

/// Midnight of a day.
pub(super) fn day(day: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + day * 86_400).expect("a time")
}

pub(super) fn record(number: u8, uploaded: i64) -> ReleaseRecord {
    ReleaseRecord { release: id(number), origin: Origin::default(), at: day(uploaded), files: Vec::new() }
}

pub(super) fn activation(number: u8, at: i64) -> Activation {
    Activation {
        release: id(number),
        way: Way::Push,
        origin: Origin { commit: "c0ffee".into(), ..Origin::default() },
        by: "ci".into(),
        reason: String::new(),
        at: day(at),
        attempt: 0,
        invalidation: None,
    }
}

pub(super) fn live(activations: &[(u8, i64)]) -> Live {
    let mut live = Live::default();
    for (number, at) in activations {
        live.begin(activation(*number, *at));
        live.finish(None);
    }
    live
}

#[test]
fn a_release_is_named_by_its_hash() {
    assert!(ReleaseId::parse("0123456789abcdef").is_ok());
    for wrong in
        ["", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF", "../../etc/passwd", "é23456789abcde"]
    {
        assert!(ReleaseId::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn an_interrupted_activation_goes_on_as_the_same() {
    let mut live = live(&[(1, 0)]);
    assert_eq!(live.settled().map(|live| &live.release), Some(&id(1)));
    live.begin(activation(2, 1));
    assert_eq!(live.settled(), None, "nobody knows which page is there");
    let reference = live.under_way.as_ref().map(Activation::caller_reference);
    assert_eq!(reference.as_deref(), Some("0000000000000002-c0ffee-1"));
    live.begin(activation(2, 2));
    assert_eq!(live.under_way.as_ref().map(Activation::caller_reference), reference);
    live.finish(Some("I1".into()));
    assert_eq!(live.settled().and_then(|live| live.invalidation.as_deref()), Some("I1"));
    // Live once more, later: another invalidation.
    live.begin(activation(1, 3));
    assert_eq!(live.under_way.as_ref().map(|again| again.attempt), Some(2));
    // Another push took over.
    live.begin(activation(3, 3));
    assert_eq!(live.under_way.as_ref().map(|other| (other.release.clone(), other.attempt)), Some((id(3), 1)));
}

#[test]
fn a_rollback_leads_to_the_release_before() {
    assert_eq!(live(&[]).previous(), None);
    assert_eq!(live(&[(1, 0), (1, 1)]).previous(), None);
    assert_eq!(live(&[(1, 0), (2, 1), (2, 2)]).previous().map(|one| &one.release), Some(&id(1)));
    assert_eq!(live(&[(1, 0), (2, 1), (1, 2)]).previous().map(|one| &one.release), Some(&id(2)));
}

#[test]
fn the_history_does_not_grow_for_ever() {
    let many: Vec<(u8, i64)> = (0..250).map(|number| (number, i64::from(number))).collect();
    let live = live(&many);
    assert_eq!(live.history.len(), HISTORY);
    assert_eq!(live.history.last().map(|one| &one.release), Some(&id(249)));
}

#[test]
fn what_somebody_may_still_load_is_not_deleted() {
    let records: Vec<ReleaseRecord> = (1..=6).map(|number| record(number, i64::from(number))).collect();
    let names = |live: &Live, keep, since| -> Vec<ReleaseId> {
        prunable(&records, live, keep, day(since)).into_iter().map(|record| record.release.clone()).collect()
    };
    let history = live(&[(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6)]);
    assert_eq!(
        names(&history, 0, 100),
        [id(1), id(2), id(3), id(4)],
        "the live one and the one before it stay"
    );
    assert_eq!(names(&history, 4, 100), [id(1), id(2)]);
    assert_eq!(names(&history, 0, 4), [id(1), id(2)], "3 was live until day 4");
    assert_eq!(names(&history, 0, 1), []);
    // Rolled back: 2 is live, 6 the one before it, however old.
    let back = live(&[(1, 1), (2, 2), (6, 6), (2, 7)]);
    assert_eq!(names(&back, 0, 100), [id(1), id(3), id(4), id(5)]);
    let mut begun = live(&[(5, 5), (6, 6)]);
    begun.begin(activation(1, 7));
    assert_eq!(names(&begun, 0, 100), [id(2), id(3), id(4)], "what is about to be live stays");
    assert_eq!(names(&Live::default(), 0, 3), [id(1), id(2)], "uploaded and never live");
}

#[test]
fn releases_are_compared_by_content() {
    let file = |release: u8, name: &str, sha256: &str| ReleaseFile {
        path: if name.contains('.') { format!("pkg/{}/{name}", id(release)) } else { name.to_owned() },
        sha256: sha256.into(),
        bytes: 10,
        stored_bytes: 5,
        content_type: "text/css".into(),
        content_encoding: None,
    };
    let with = |release: u8, files: &[(&str, &str)]| ReleaseRecord {
        files: files.iter().map(|(name, sha256)| file(release, name, sha256)).collect(),
        ..record(release, 0)
    };
    let before = with(1, &[("a.css", "1"), ("b.css", "1"), ("c.css", "1"), ("shell", "1")]);
    let after = with(2, &[("a.css", "1"), ("b.css", "2"), ("d.css", "1"), ("shell", "2")]);
    let changes = diff(&before, &after);
    let names: Vec<&str> = changes.keys().map(String::as_str).collect();
    assert_eq!(names, ["b.css", "c.css", "d.css", "shell"]);
    assert_eq!(changes["c.css"], FileChange::Removed { bytes: 5 });
    assert_eq!(changes["d.css"], FileChange::Added { bytes: 5 });
    assert!(diff(&before, &before).is_empty());
}

#[test]
fn a_page_is_outdated_by_any_other_release_and_by_its_own_never() {
    let live = |release: &str, api| LiveRelease { release: release.into(), api };
    assert_eq!(live("0000000000000002", 1).outdates("0000000000000001", 1), Some(Outdated::Release));
    assert_eq!(
        live("0000000000000001", 1).outdates("0000000000000002", 1),
        Some(Outdated::Release),
        "a rollback"
    );
    assert_eq!(live("0000000000000001", 1).outdates("0000000000000001", 1), None, "after it");
    assert_eq!(live("0000000000000002", 2).outdates("0000000000000001", 1), Some(Outdated::Api));
}
