//! The audit log: read back as written, and found by every field of the filter.

use domain::audit::{AuditAction, AuditEntry, AuditFilter, NewAuditEntry};
use store::Store;

use crate::database::Database;
use crate::sample::{at, audit_entry, start};

crate::on_both_databases!(
    entries_are_read_back_as_written,
    an_entry_of_nobody_and_nothing_is_an_entry,
    each_field_of_the_filter_counts,
    text_is_found_in_each_of_its_fields,
    text_is_taken_literally,
    pages_follow_each_other,
);

fn any() -> AuditFilter {
    AuditFilter { limit: 1_000, ..AuditFilter::default() }
}

async fn seqs(store: &Store, filter: AuditFilter) -> Vec<i64> {
    store.audit(&filter).await.expect("it is read").into_iter().map(|entry| entry.seq).collect()
}

async fn entries_are_read_back_as_written(database: &Database) {
    let store = database.store().await;
    let plain = audit_entry(AuditAction::ChangeRefused, "i-1");
    let full = NewAuditEntry {
        change_id: Some(7),
        aws_request_id: Some("request 1".into()),
        reason: "two\nlines, a \"quote\" and \u{1f512}".into(),
        ..audit_entry(AuditAction::ChangeApplied, "i-2")
    };
    let first = store.append_audit(&plain).await.expect("it writes");
    let second = store.append_audit(&full).await.expect("it writes");
    assert_eq!(second, first + 1);
    assert_eq!(
        store.audit(&any()).await.expect("it is read"),
        [AuditEntry { seq: second, entry: full }, AuditEntry { seq: first, entry: plain }]
    );
}

async fn an_entry_of_nobody_and_nothing_is_an_entry(database: &Database) {
    let store = database.store().await;
    for action in AuditAction::ALL {
        let entry = NewAuditEntry {
            actor: String::new(),
            address: String::new(),
            account: String::new(),
            region: String::new(),
            reason: String::new(),
            policy_revision: String::new(),
            differences: Vec::new(),
            detail: String::new(),
            ..audit_entry(action, "")
        };
        let seq = store.append_audit(&entry).await.expect("it writes");
        let found = store.audit(&AuditFilter { action: Some(action), ..any() }).await.expect("it is read");
        assert_eq!(found, [AuditEntry { seq, entry }]);
    }
}

async fn each_field_of_the_filter_counts(database: &Database) {
    let store = database.store().await;
    let mut first = audit_entry(AuditAction::EnforceRequested, "i-1");
    first.account = "444455556666".into();
    let mut second = audit_entry(AuditAction::ChangeFailed, "i-1");
    second.at = at(10);
    let mut third = audit_entry(AuditAction::ChangeFailed, "i-2");
    third.at = at(20);
    for entry in [&first, &second, &third] {
        store.append_audit(entry).await.expect("it writes");
    }
    assert_eq!(seqs(&store, any()).await, [3, 2, 1]);
    assert_eq!(seqs(&store, AuditFilter { action: Some(AuditAction::ChangeFailed), ..any() }).await, [3, 2]);
    assert_eq!(seqs(&store, AuditFilter { account: "444455556666".into(), ..any() }).await, [1]);
    // Accounts and instances are named in full.
    assert!(seqs(&store, AuditFilter { account: "4444".into(), ..any() }).await.is_empty());
    assert_eq!(seqs(&store, AuditFilter { instance_id: "i-1".into(), ..any() }).await, [2, 1]);
    assert_eq!(seqs(&store, AuditFilter { since: Some(at(10)), ..any() }).await, [3, 2]);
    assert_eq!(seqs(&store, AuditFilter { until: Some(at(10)), ..any() }).await, [1]);
    assert_eq!(seqs(&store, AuditFilter { before_seq: Some(3), ..any() }).await, [2, 1]);
    let all_at_once = AuditFilter {
        text: "TICKET".into(),
        action: Some(AuditAction::ChangeFailed),
        account: "111122223333".into(),
        instance_id: "i-2".into(),
        since: Some(start()),
        until: Some(at(21)),
        before_seq: Some(100),
        limit: 5,
    };
    assert_eq!(seqs(&store, all_at_once.clone()).await, [3]);
    assert!(seqs(&store, AuditFilter { until: Some(at(20)), ..all_at_once }).await.is_empty());
}

async fn text_is_found_in_each_of_its_fields(database: &Database) {
    let store = database.store().await;
    let entry = NewAuditEntry {
        actor: "Ada".into(),
        address: "2001:DB8::7".into(),
        reason: "\u{c4}nderung".into(),
        instance_id: "i-0abc".into(),
        account: "777788889999".into(),
        aws_request_id: Some("2b1c".into()),
        detail: "Applied".into(),
        ..audit_entry(AuditAction::ChangeApplied, "")
    };
    store.append_audit(&entry).await.expect("it writes");
    store.append_audit(&audit_entry(AuditAction::ChangeApplied, "i-1")).await.expect("it writes");
    for text in ["ADA", "db8::7", "\u{e4}NDER", "0abc", "8888", "2B1c", "pplie"] {
        let expected: &[i64] = if text == "ADA" { &[2, 1] } else { &[1] };
        assert_eq!(seqs(&store, AuditFilter { text: text.into(), ..any() }).await, expected, "{text}");
    }
    // Not across two fields, and not in others.
    for text in ["ada\u{e4}nderung", "eu-west-1", "http_tokens"] {
        assert!(seqs(&store, AuditFilter { text: text.into(), ..any() }).await.is_empty(), "{text}");
    }
}

async fn text_is_taken_literally(database: &Database) {
    let store = database.store().await;
    for reason in ["100% done", "100 done", "a_b", "axb", r"c\d", "c/d", "o'neil", "nul\0nul"] {
        let entry = NewAuditEntry { reason: reason.into(), ..audit_entry(AuditAction::ChangeApplied, "i-1") };
        store.append_audit(&entry).await.expect("it writes");
    }
    let everything = [8, 7, 6, 5, 4, 3, 2, 1];
    for (text, expected) in [
        ("0% d", vec![1]),
        ("%", vec![1]),
        ("a_b", vec![3]),
        ("_", vec![3]),
        (r"c\d", vec![5]),
        (r"\", vec![5]),
        (r"\%", vec![]),
        ("'", vec![7]),
        ("nul\0nul", vec![8]),
        ("'; DROP TABLE audit; --", vec![]),
        ("", everything.to_vec()),
    ] {
        assert_eq!(seqs(&store, AuditFilter { text: text.into(), ..any() }).await, expected, "{text}");
    }
}

async fn pages_follow_each_other(database: &Database) {
    let store = database.store().await;
    for _ in 0..5 {
        store.append_audit(&audit_entry(AuditAction::ChangeApplied, "i-1")).await.expect("it writes");
    }
    assert_eq!(seqs(&store, AuditFilter { limit: 2, ..any() }).await, [5, 4]);
    assert_eq!(seqs(&store, AuditFilter { limit: 2, before_seq: Some(4), ..any() }).await, [3, 2]);
    // No limit would be no page: at least one entry is answered.
    assert_eq!(seqs(&store, AuditFilter { limit: 0, ..any() }).await, [5]);
}
