//! Sessions: valid until they expire, stand idle or are ended, and seen by whoever may end them.

use jiff::{SignedDuration, Timestamp};
use store::{NewSession, Store, StoredSession};

use crate::database::Database;
use crate::sample::{at, new_session, start};

crate::on_both_databases!(
    a_session_is_read_back_as_written,
    a_session_ends_at_its_expiry,
    a_session_ends_when_it_was_not_seen,
    a_session_is_never_seen_in_the_past,
    sessions_are_listed_by_when_they_were_seen,
    a_session_that_was_ended_is_gone_everywhere,
    all_sessions_of_one_are_ended,
    a_token_opens_one_session,
);

const ISSUER: &str = "https://id.example";
const MILLISECOND: SignedDuration = SignedDuration::from_millis(1);
const IDLE: SignedDuration = SignedDuration::from_mins(10);

async fn session(store: &Store, token_hash: &str, now: Timestamp) -> Option<StoredSession> {
    store.session(token_hash, now, IDLE).await.expect("it is read")
}

async fn create(store: &Store, token_hash: &str, subject: &str) -> String {
    store.create_session(&new_session(token_hash, subject)).await.expect("it begins")
}

fn ids(sessions: Vec<StoredSession>) -> Vec<String> {
    sessions.into_iter().map(|session| session.id).collect()
}

async fn a_session_is_read_back_as_written(database: &Database) {
    let store = database.store().await;
    let new = new_session("h1", "ada");
    let id = store.create_session(&new).await.expect("it begins");
    assert_eq!(uuid::Uuid::parse_str(&id).expect("it is a UUID").get_version_num(), 4);
    let expected = StoredSession {
        id: id.clone(),
        issuer: new.issuer,
        subject: new.subject,
        name: new.name,
        groups: new.groups,
        address: new.address,
        user_agent: "Browser/1.0 (\u{fffd})".into(),
        created_at: start(),
        last_seen_at: start(),
        expires_at: at(3_600),
    };
    assert_eq!(session(&store, "h1", start()).await, Some(expected.clone()));
    assert_eq!(store.sessions(start(), 9).await.expect("they are read"), std::slice::from_ref(&expected));
    let own = store.sessions_of(ISSUER, "ada", start()).await.expect("they are read");
    assert_eq!(own, std::slice::from_ref(&expected));

    // Neither its id nor a part of the hash is the hash.
    for wrong in [id.as_str(), "h", "h11", "H1", "", "%"] {
        assert_eq!(session(&store, wrong, start()).await, None, "{wrong:?}");
    }
}

async fn a_session_ends_at_its_expiry(database: &Database) {
    let store = database.store().await;
    let id = create(&store, "h1", "ada").await;
    let end = at(3_600);
    // However recently it was seen.
    store.touch_session(&id, end - MILLISECOND).await.expect("it is there");
    let counts = async |now: Timestamp| {
        let all = store.sessions(now, 9).await.expect("they are read").len();
        let own = store.sessions_of(ISSUER, "ada", now).await.expect("they are read").len();
        (session(&store, "h1", now).await.iter().count(), own, all)
    };
    assert_eq!(counts(end - MILLISECOND).await, (1, 1, 1));
    assert_eq!(counts(end).await, (0, 0, 0));
    assert_eq!(counts(end + MILLISECOND).await, (0, 0, 0));
    store.touch_session(&id, end + MILLISECOND).await.expect("it answers");
    assert_eq!(counts(end).await, (0, 0, 0));
}

async fn a_session_ends_when_it_was_not_seen(database: &Database) {
    let store = database.store().await;
    let id = create(&store, "h1", "ada").await;
    assert!(session(&store, "h1", start() + IDLE - MILLISECOND).await.is_some());
    assert_eq!(session(&store, "h1", start() + IDLE).await, None);

    let seen = start() + IDLE - MILLISECOND;
    store.touch_session(&id, seen).await.expect("it is there");
    let session_then = session(&store, "h1", seen + IDLE - MILLISECOND).await.expect("it is valid");
    assert_eq!((session_then.last_seen_at, session_then.created_at), (seen, start()));
    assert_eq!(session(&store, "h1", seen + IDLE).await, None);
    // Asking is not being seen, and any length of time can be asked for.
    assert!(store.session("h1", seen + IDLE, SignedDuration::MAX).await.expect("it is read").is_some());
    assert!(store.session("h1", seen, SignedDuration::ZERO).await.expect("it is read").is_none());
}

async fn a_session_is_never_seen_in_the_past(database: &Database) {
    let store = database.store().await;
    let id = create(&store, "h1", "ada").await;
    store.touch_session(&id, at(60)).await.expect("it is there");
    // Another replica, whose clock is behind.
    store.touch_session(&id, at(30)).await.expect("it is there");
    assert_eq!(session(&store, "h1", at(61)).await.expect("it is valid").last_seen_at, at(60));
    assert!(session(&store, "h1", at(59)).await.is_some());
}

async fn sessions_are_listed_by_when_they_were_seen(database: &Database) {
    let store = database.store().await;
    let (first, second, other) = (
        create(&store, "h1", "ada").await,
        create(&store, "h2", "ada").await,
        create(&store, "h3", "bob").await,
    );
    // The same subject at another issuer is somebody else.
    let elsewhere = NewSession { issuer: "https://other.example".into(), ..new_session("h4", "ada") };
    let elsewhere = store.create_session(&elsewhere).await.expect("it begins");
    for (id, seconds) in [(&second, 10), (&other, 20), (&first, 30), (&elsewhere, 40)] {
        store.touch_session(id, at(seconds)).await.expect("it is there");
    }
    let own = store.sessions_of(ISSUER, "ada", at(50)).await.expect("they are read");
    assert_eq!(ids(own), [first.clone(), second.clone()]);
    let all = store.sessions(at(50), 9).await.expect("they are read");
    assert_eq!(ids(all), [elsewhere.clone(), first.clone(), other, second]);
    assert_eq!(ids(store.sessions(at(50), 2).await.expect("they are read")), [elsewhere, first]);
    assert!(store.sessions_of(ISSUER, "nobody", at(50)).await.expect("they are read").is_empty());
}

async fn a_session_that_was_ended_is_gone_everywhere(database: &Database) {
    let (store, replica) = (database.store().await, database.store().await);
    let id = create(&store, "h1", "ada").await;
    let kept = create(&store, "h2", "ada").await;
    assert!(session(&replica, "h1", start()).await.is_some());
    assert!(store.end_session(&id).await.expect("it answers"));
    assert_eq!(session(&replica, "h1", start()).await, None);
    assert!(!replica.end_session(&id).await.expect("it answers"), "it has ended");
    // Being seen by a request that was under way does not bring it back.
    replica.touch_session(&id, at(1)).await.expect("it answers");
    assert_eq!(session(&store, "h1", at(1)).await, None);
    assert_eq!(ids(store.sessions(at(1), 9).await.expect("they are read")), [kept.as_str()]);
    assert!(!store.end_session("").await.expect("it answers"));
    for (issuer, subject) in [(ISSUER, "bob"), ("https://other.example", "ada"), (ISSUER, "")] {
        let ended = store.end_own_session(&kept, issuer, subject).await.expect("it answers");
        assert!(!ended, "{subject} at {issuer} is somebody else");
    }
    assert!(store.end_own_session(&kept, ISSUER, "ada").await.expect("it answers"));
    assert!(!store.end_own_session(&kept, ISSUER, "ada").await.expect("it answers"));
}

async fn all_sessions_of_one_are_ended(database: &Database) {
    let store = database.store().await;
    create(&store, "h1", "ada").await;
    create(&store, "h2", "ada").await;
    let other = create(&store, "h3", "bob").await;
    let elsewhere = NewSession { issuer: "https://other.example".into(), ..new_session("h4", "ada") };
    let elsewhere = store.create_session(&elsewhere).await.expect("it begins");
    assert_eq!(store.end_sessions_of(ISSUER, "ada").await.expect("it answers"), 2);
    assert_eq!(store.end_sessions_of(ISSUER, "ada").await.expect("it answers"), 0);
    let mut left = ids(store.sessions(start(), 9).await.expect("they are read"));
    left.sort();
    let mut expected = [other, elsewhere];
    expected.sort();
    assert_eq!(left, expected);
}

async fn a_token_opens_one_session(database: &Database) {
    let store = database.store().await;
    create(&store, "h1", "ada").await;
    store.create_session(&new_session("h1", "bob")).await.expect_err("the hash is taken");
    assert_eq!(session(&store, "h1", start()).await.expect("it is valid").subject, "ada");
}
