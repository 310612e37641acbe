//! Personal access tokens: valid until they expire or are revoked, by their owner or by whoever may revoke any.

use domain::access::{Access, Grant, Role, Scope};
use jiff::SignedDuration;
use store::{NewToken, StoreError, StoredToken};

use crate::database::Database;
use crate::sample::{at, new_token, start};

crate::on_both_databases!(
    a_token_is_read_back_as_written,
    a_token_ends_at_its_expiry,
    a_token_was_never_used_before_it_was,
    tokens_are_listed_newest_first,
    a_token_is_revoked_by_its_owner_alone,
    any_token_can_be_revoked,
    a_limit_of_a_later_version_closes_the_token,
);

const ISSUER: &str = "https://id.example";

async fn a_token_is_read_back_as_written(database: &Database) {
    let store = database.store().await;
    let scope = Scope { accounts: vec!["prod".into()], regions: vec!["eu-*".into()], ..Scope::default() };
    let narrow = Access { grants: vec![Grant { role: Role::Operator, scope }] };
    // One that may do nothing is not one without limits.
    for (hash, access) in [("h1", None), ("h2", Some(narrow)), ("h3", Some(Access::default()))] {
        let new = NewToken { access, ..new_token(hash, "ada") };
        let id = store.create_token(&new).await.expect("it is made");
        assert_eq!(uuid::Uuid::parse_str(&id).expect("it is a UUID").get_version_num(), 4);
        let expected = StoredToken {
            id: id.clone(),
            issuer: new.issuer,
            subject: new.subject,
            owner_name: new.owner_name,
            groups: new.groups,
            name: new.name,
            access: new.access,
            created_at: start(),
            last_used_at: None,
            expires_at: at(3_600),
        };
        assert_eq!(store.token(hash, start()).await.expect("it is read"), Some(expected));
        assert_eq!(store.token(&id, start()).await.expect("it is read"), None);
    }
    store.create_token(&new_token("h1", "bob")).await.expect_err("the hash is taken");
    for wrong in ["h", "H1", "", "%"] {
        assert_eq!(store.token(wrong, start()).await.expect("it is read"), None, "{wrong:?}");
    }
}

async fn a_token_ends_at_its_expiry(database: &Database) {
    let store = database.store().await;
    let id = store.create_token(&new_token("h1", "ada")).await.expect("it is made");
    let millisecond = SignedDuration::from_millis(1);
    store.touch_token(&id, at(3_600) - millisecond).await.expect("it is there");
    assert!(store.token("h1", at(3_600) - millisecond).await.expect("it is read").is_some());
    assert_eq!(store.token("h1", at(3_600)).await.expect("it is read"), None);
    assert_eq!(store.token("h1", at(3_600) + millisecond).await.expect("it is read"), None);
    // Its owner is still shown it, to see why it no longer works.
    assert_eq!(store.tokens_of(ISSUER, "ada").await.expect("they are read").len(), 1);
}

async fn a_token_was_never_used_before_it_was(database: &Database) {
    let store = database.store().await;
    let id = store.create_token(&new_token("h1", "ada")).await.expect("it is made");
    let other = store.create_token(&new_token("h2", "ada")).await.expect("it is made");
    store.touch_token(&id, at(60)).await.expect("it is there");
    // Another replica, whose clock is behind.
    store.touch_token(&id, at(30)).await.expect("it is there");
    let used =
        async |hash| store.token(hash, at(61)).await.expect("it is read").expect("it is valid").last_used_at;
    assert_eq!((used("h1").await, used("h2").await), (Some(at(60)), None));
    store.touch_token(&other, at(61)).await.expect("it is there");
    assert_eq!(used("h2").await, Some(at(61)));
}

async fn tokens_are_listed_newest_first(database: &Database) {
    let store = database.store().await;
    for (hash, seconds) in [("second", 2), ("first", 1), ("third", 3)] {
        let new = NewToken { name: hash.into(), created_at: at(seconds), ..new_token(hash, "ada") };
        store.create_token(&new).await.expect("it is made");
    }
    store.create_token(&new_token("other", "bob")).await.expect("it is made");
    // The same subject at another issuer is somebody else.
    let elsewhere = NewToken { issuer: "https://other.example".into(), ..new_token("elsewhere", "ada") };
    store.create_token(&elsewhere).await.expect("it is made");
    let tokens = store.tokens_of(ISSUER, "ada").await.expect("they are read");
    let names: Vec<_> = tokens.iter().map(|token| token.name.as_str()).collect();
    assert_eq!(names, ["third", "second", "first"]);
}

async fn a_token_is_revoked_by_its_owner_alone(database: &Database) {
    let (store, replica) = (database.store().await, database.store().await);
    let id = store.create_token(&new_token("h1", "ada")).await.expect("it is made");
    assert!(!store.revoke_token(&id, ISSUER, "bob").await.expect("it answers"));
    assert!(!store.revoke_token(&id, "https://other.example", "ada").await.expect("it answers"));
    assert!(replica.token("h1", start()).await.expect("it is read").is_some());
    assert!(store.revoke_token(&id, ISSUER, "ada").await.expect("it answers"));
    assert_eq!(replica.token("h1", start()).await.expect("it is read"), None);
    assert!(!store.revoke_token(&id, ISSUER, "ada").await.expect("it answers"));
    // Being used by a request that was under way does not bring it back.
    replica.touch_token(&id, at(1)).await.expect("it answers");
    assert!(store.tokens_of(ISSUER, "ada").await.expect("they are read").is_empty());
}

async fn any_token_can_be_revoked(database: &Database) {
    let store = database.store().await;
    let id = store.create_token(&new_token("h1", "ada")).await.expect("it is made");
    store.create_token(&new_token("h2", "bob")).await.expect("it is made");
    assert!(store.revoke_any_token(&id).await.expect("it answers"));
    assert!(!store.revoke_any_token(&id).await.expect("it answers"));
    assert_eq!(store.token("h1", start()).await.expect("it is read"), None);
    assert!(store.token("h2", start()).await.expect("it is read").is_some());
}

async fn a_limit_of_a_later_version_closes_the_token(database: &Database) {
    let store = database.store().await;
    let new = NewToken { access: Some(Access::everything()), ..new_token("h1", "ada") };
    store.create_token(&new).await.expect("it is made");
    let later = r#"{"grants":[{"role":"administrator","scope":{"namespaces":["web"]}}]}"#;
    database.execute(&format!("UPDATE tokens SET access = '{later}'")).await;
    let error = store.token("h1", start()).await.expect_err("it would reach too far");
    assert!(matches!(&error, StoreError::Unreadable { column, .. } if column == "access"), "{error}");
}
