//! Programs that wait to be let in: shown by their user code, decided once, told once.

use jiff::SignedDuration;
use store::{Approver, DeviceAnswer, DeviceDecision, DeviceLogin, NewDeviceLogin, Store};

use crate::database::Database;
use crate::sample::{at, new_device_login, start};

crate::on_both_databases!(
    a_program_is_told_once,
    a_program_waits_its_turn,
    one_of_many_decides_and_one_is_told,
    nobody_waits_too_long,
    no_two_wait_under_one_code,
);

const INTERVAL: SignedDuration = SignedDuration::from_secs(5);

fn approved() -> DeviceDecision {
    DeviceDecision::Approved(Approver {
        issuer: "Okta".into(),
        subject: "ada".into(),
        name: "Ada é".into(),
        groups: vec!["hands".into(), "\"odd\"".into()],
    })
}

fn shown(new: NewDeviceLogin) -> DeviceLogin {
    DeviceLogin {
        client: new.client,
        address: new.address,
        created_at: new.created_at,
        expires_at: new.expires_at,
    }
}

async fn ask(store: &Store, device_hash: &str, seconds: i64) -> DeviceAnswer {
    store.ask_device_login(device_hash, INTERVAL, at(seconds)).await.expect("it answers")
}

async fn a_program_is_told_once(database: &Database) {
    let store = database.store().await;
    for (hash, code) in [("h1", "BCDF-GHJK"), ("h2", "LMNP-QRST")] {
        assert!(store.put_device_login(&new_device_login(hash, code)).await.expect("it waits"));
    }
    let login = shown(new_device_login("h1", "BCDF-GHJK"));
    for wrong in ["", "BCDF", "bcdf-ghjk", "%", "h1"] {
        assert_eq!(store.device_login(wrong, start()).await.expect("it is read"), None, "{wrong:?}");
    }
    let found = store.device_login("BCDF-GHJK", start()).await.expect("it is read");
    assert_eq!(found, Some(login.clone()));
    assert_eq!(ask(&store, "h1", 0).await, DeviceAnswer::Pending);
    let decided = store.decide_device_login("BCDF-GHJK", &approved(), at(1)).await.expect("it is decided");
    assert_eq!(decided, Some(login.clone()));
    assert_eq!(
        store.device_login("BCDF-GHJK", at(1)).await.expect("it is read"),
        None,
        "nothing is left to decide"
    );
    // It survives a restart, and a decision is told however soon somebody asks.
    store.close().await;
    let store = database.store().await;
    assert_eq!(ask(&store, "h1", 1).await, DeviceAnswer::Decided { login, decision: approved() });
    assert_eq!(ask(&store, "h1", 1).await, DeviceAnswer::Unknown);
    // The other was not meant.
    assert_eq!(ask(&store, "h2", 1).await, DeviceAnswer::Pending);
    store.decide_device_login("LMNP-QRST", &DeviceDecision::Refused, at(1)).await.expect("it is decided");
    let told = ask(&store, "h2", 2).await;
    assert!(matches!(told, DeviceAnswer::Decided { decision: DeviceDecision::Refused, .. }), "{told:?}");
}

async fn a_program_waits_its_turn(database: &Database) {
    let store = database.store().await;
    store.put_device_login(&new_device_login("h1", "BCDF-GHJK")).await.expect("it waits");
    assert_eq!(ask(&store, "h1", 0).await, DeviceAnswer::Pending, "the first time at once");
    assert_eq!(ask(&store, "h1", 4).await, DeviceAnswer::TooSoon);
    assert_eq!(ask(&store, "h1", 8).await, DeviceAnswer::TooSoon, "counted from the last time it asked");
    assert_eq!(ask(&store, "h1", 13).await, DeviceAnswer::Pending);
    assert_eq!(ask(&store, "other", 13).await, DeviceAnswer::Unknown);
}

async fn one_of_many_decides_and_one_is_told(database: &Database) {
    let stores = [database.store().await, database.store().await];
    for round in 0..5 {
        let (hash, code) = (format!("h{round}"), format!("c{round}"));
        stores[0].put_device_login(&new_device_login(&hash, &code)).await.expect("it waits");
        let deciders: Vec<_> = (0..8)
            .map(|number| {
                let (store, code) = (stores[number % 2].clone(), code.clone());
                let decision = if number < 4 { approved() } else { DeviceDecision::Refused };
                tokio::spawn(
                    async move { (store.decide_device_login(&code, &decision, start()).await, decision) },
                )
            })
            .collect();
        let mut decisions = Vec::new();
        for decider in deciders {
            let (decided, decision) = decider.await.expect("it does not panic");
            decisions.extend(decided.expect("it answers").map(|_| decision));
        }
        let [decision] = &decisions[..] else { panic!("{decisions:?} in round {round}") };
        let askers: Vec<_> = (0..8)
            .map(|number| {
                let (store, hash) = (stores[number % 2].clone(), hash.clone());
                tokio::spawn(async move { ask(&store, &hash, 1).await })
            })
            .collect();
        let mut told = Vec::new();
        for asker in askers {
            match asker.await.expect("it does not panic") {
                DeviceAnswer::Decided { decision, .. } => told.push(decision),
                DeviceAnswer::Unknown => {}
                other => panic!("{other:?} in round {round}"),
            }
        }
        assert_eq!(told, std::slice::from_ref(decision), "in round {round}");
    }
}

async fn nobody_waits_too_long(database: &Database) {
    let store = database.store().await;
    store.put_device_login(&new_device_login("h1", "BCDF-GHJK")).await.expect("it waits");
    store.put_device_login(&new_device_login("h2", "LMNP-QRST")).await.expect("it waits");
    store.decide_device_login("LMNP-QRST", &approved(), at(1)).await.expect("it is decided");
    for (hash, code) in [("h1", "BCDF-GHJK"), ("h2", "LMNP-QRST")] {
        assert_eq!(store.device_login(code, at(600)).await.expect("it is read"), None);
        let decided = store.decide_device_login(code, &approved(), at(600)).await.expect("it answers");
        assert_eq!(decided, None);
        assert_eq!(ask(&store, hash, 600).await, DeviceAnswer::Unknown, "whatever was decided");
    }
}

async fn no_two_wait_under_one_code(database: &Database) {
    let store = database.store().await;
    assert!(store.put_device_login(&new_device_login("h1", "BCDF-GHJK")).await.expect("it waits"));
    assert!(!store.put_device_login(&new_device_login("h2", "BCDF-GHJK")).await.expect("it answers"));
    assert_eq!(ask(&store, "h2", 0).await, DeviceAnswer::Unknown);
    assert_eq!(ask(&store, "h1", 0).await, DeviceAnswer::Pending);
}
