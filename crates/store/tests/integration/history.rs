//! History, vanished instances and the trend.

use domain::instance::{HttpTokens, InstanceState};
use jiff::Timestamp;
use store::{HistoryEntry, HistoryKind, ObservedState, TrendPoint, VanishedInstance};

use crate::database::Database;
use crate::sample::{at, instance, key, options, source, start};

crate::on_both_databases!(
    the_newest_comes_first,
    many_entries_are_written_at_once,
    a_vanished_instance_is_read_back_as_written,
    the_last_counts_of_an_hour_stay,
);

fn entry(instance_id: &str, at: Timestamp, kind: HistoryKind) -> HistoryEntry {
    let before = ObservedState { state: InstanceState::Stopped, metadata_options: None };
    let after = ObservedState {
        state: InstanceState::Running,
        metadata_options: Some(options(HttpTokens::Required)),
    };
    HistoryEntry { key: key(instance_id), at, kind, before: Some(before), after: Some(after) }
}

async fn the_newest_comes_first(database: &Database) {
    let store = database.store().await;
    let appeared = entry("i-1", start(), HistoryKind::Appeared);
    // Of the same instant: what was written later is newer.
    let options = entry("i-1", at(5), HistoryKind::OptionsChanged);
    let state = entry("i-1", at(5), HistoryKind::StateChanged);
    let other = entry("i-2", at(3), HistoryKind::Returned);
    store.append_history(&[]).await.expect("nothing is written");
    store
        .append_history(&[appeared.clone(), options.clone(), state.clone(), other.clone()])
        .await
        .expect("it writes");
    let of_one = store.history_of(&key("i-1"), 10).await.expect("it is read");
    assert_eq!(of_one, [state.clone(), options.clone(), appeared]);
    assert_eq!(store.history_of(&key("i-1"), 1).await.expect("it is read"), std::slice::from_ref(&state));
    assert_eq!(store.history_since(at(3), 10).await.expect("it is read"), [state, options, other]);
    assert!(store.history_of(&key("i-\0"), 10).await.expect("it is read").is_empty());
}

async fn many_entries_are_written_at_once(database: &Database) {
    let store = database.store().await;
    let entries: Vec<_> =
        (0..1_234).map(|number| entry(&format!("i-{number}"), at(number), HistoryKind::Appeared)).collect();
    store.append_history(&entries).await.expect("it writes");
    store.append_history(&entries[..1]).await.expect("it writes");
    let mut stored = store.history_since(start(), 2_000).await.expect("it is read");
    stored.reverse();
    assert_eq!(stored[0], stored[1]);
    assert_eq!(stored[1..], entries);
}

async fn a_vanished_instance_is_read_back_as_written(database: &Database) {
    let store = database.store().await;
    assert_eq!(store.vanished(&key("i-1")).await.expect("it is read"), None);
    let mut vanished = VanishedInstance { last_seen: start(), instance: instance("i-1") };
    store.put_vanished(std::slice::from_ref(&vanished)).await.expect("it writes");
    vanished.last_seen = at(9);
    store.put_vanished(std::slice::from_ref(&vanished)).await.expect("it writes");
    assert_eq!(store.vanished(&key("i-1")).await.expect("it is read"), Some(vanished));
    store.delete_vanished(&[key("i-1"), key("i-2")]).await.expect("it deletes");
    assert_eq!(store.vanished(&key("i-1")).await.expect("it is read"), None);
}

async fn the_last_counts_of_an_hour_stay(database: &Database) {
    let store = database.store().await;
    let time = |text: &str| -> Timestamp { text.parse().expect("it is a time") };
    for (at, region, counts) in [
        ("2026-03-01T11:59:59.999Z", "us-east-1", "0"),
        ("2026-03-01T12:00:00Z", "us-east-1", "1"),
        ("2026-03-01T12:59:59Z", "us-east-1", "2"),
        ("2026-03-01T12:10:00Z", "eu-west-1", "3"),
        ("2026-03-01T13:00:00Z", "us-east-1", "4"),
    ] {
        store.put_trend(time(at), &source(region), counts).await.expect("it writes");
    }
    let point = |hour: &str, region: &str, counts: &str| TrendPoint {
        hour: time(hour),
        key: source(region),
        counts: counts.into(),
    };
    assert_eq!(
        store.trend_since(time("2026-03-01T12:30:00Z")).await.expect("it is read"),
        [
            point("2026-03-01T12:00:00Z", "eu-west-1", "3"),
            point("2026-03-01T12:00:00Z", "us-east-1", "2"),
            point("2026-03-01T13:00:00Z", "us-east-1", "4"),
        ]
    );
}
