//! Sign-ins under way: given back once, to one, in time.

use jiff::SignedDuration;

use crate::database::Database;
use crate::sample::{at, start};

crate::on_both_databases!(
    a_login_is_taken_once,
    a_login_is_taken_by_one_of_many,
    a_login_expires,
    a_state_is_not_used_again,
);

async fn a_login_is_taken_once(database: &Database) {
    let store = database.store().await;
    store.put_login("s1", r#"{"nonce":"é"}"#, at(600)).await.expect("it is kept");
    store.put_login("s2", "two", at(600)).await.expect("it is kept");
    for wrong in ["s", "s11", "S1", "", "%"] {
        assert_eq!(store.take_login(wrong, start()).await.expect("it answers"), None, "{wrong:?}");
    }
    let taken = store.take_login("s1", start()).await.expect("it answers");
    assert_eq!(taken.as_deref(), Some(r#"{"nonce":"é"}"#));
    assert_eq!(store.take_login("s1", start()).await.expect("it answers"), None);
    // The other is untouched, and survives a restart.
    store.close().await;
    let taken = database.store().await.take_login("s2", start()).await.expect("it answers");
    assert_eq!(taken.as_deref(), Some("two"));
}

async fn a_login_is_taken_by_one_of_many(database: &Database) {
    let stores = [database.store().await, database.store().await];
    for round in 0..5 {
        let state = format!("s{round}");
        stores[0].put_login(&state, "payload", at(600)).await.expect("it is kept");
        let takers: Vec<_> = (0..16)
            .map(|number| {
                let store = stores[number % stores.len()].clone();
                let state = state.clone();
                tokio::spawn(async move { store.take_login(&state, start()).await })
            })
            .collect();
        let mut taken = Vec::new();
        for taker in takers {
            taken.extend(taker.await.expect("it does not panic").expect("it answers"));
        }
        assert_eq!(taken, ["payload"], "in round {round}");
    }
}

async fn a_login_expires(database: &Database) {
    let store = database.store().await;
    for state in ["early", "exact", "late"] {
        store.put_login(state, state, at(600)).await.expect("it is kept");
    }
    let millisecond = SignedDuration::from_millis(1);
    let early = store.take_login("early", at(600) - millisecond).await.expect("it answers");
    assert_eq!(early.as_deref(), Some("early"));
    assert_eq!(store.take_login("exact", at(600)).await.expect("it answers"), None);
    assert_eq!(store.take_login("late", at(600) + millisecond).await.expect("it answers"), None);
    // Who was too late once is too late for good.
    assert_eq!(store.take_login("exact", start()).await.expect("it answers"), None);
    assert_eq!(database.number("SELECT COUNT(*) FROM logins").await, 0);
}

async fn a_state_is_not_used_again(database: &Database) {
    let store = database.store().await;
    store.put_login("s1", "first", at(600)).await.expect("it is kept");
    store.put_login("s1", "second", at(600)).await.expect_err("it is under way");
    let taken = store.take_login("s1", start()).await.expect("it answers");
    assert_eq!(taken.as_deref(), Some("first"));
}
