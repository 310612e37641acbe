//! The emulator that `cargo xtask test` starts, steered by one test at a time.

use std::sync::Arc;
use std::time::Duration;

use domain::instance::{InstanceKey, SourceKey};
use fleet::config::{Account, AccountSelection, ChangesAllowed, FleetConfig};
use fleet::{Fleet, Requester};
use policy::PolicyConfig;
use serde_json::{Value, json};
use store::Store;
use tokio::sync::{Mutex, MutexGuard};

pub(crate) const PROD: &str = "111111111111";
pub(crate) const SANDBOX: &str = "222222222222";
pub(crate) const REGIONS: [&str; 3] = ["eu-west-1", "us-east-1", "ap-south-1"];

/// Who asks for changes in the tests.
pub(crate) const TESTER: Requester<'static> = Requester { actor: "tester", address: "" };

static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// The emulator, held by one test and seeded anew for it.
pub(crate) struct Emulator {
    pub(crate) url: String,
    client: reqwest::Client,
    _held: MutexGuard<'static, ()>,
}

impl Emulator {
    /// Waits for the emulator and seeds it: `dev`, `large` or `none`.
    pub(crate) async fn seeded(seed: &str) -> Emulator {
        let held = ONE_AT_A_TIME.lock().await;
        let url = std::env::var("TOLLGATE_TEST_AWS_ENDPOINT").expect(
            "TOLLGATE_TEST_AWS_ENDPOINT is not set: `cargo xtask test` starts an emulator and sets it",
        );
        let emulator = Emulator { url, client: reqwest::Client::new(), _held: held };
        emulator.control("reset", json!({ "seed": seed })).await;
        emulator
    }

    pub(crate) async fn control(&self, action: &str, body: Value) -> Value {
        let url = format!("{}/tollgate-dev/{action}", self.url);
        let answer = self.client.post(url).json(&body).send().await.expect("the emulator answers");
        assert!(answer.status().is_success(), "{action} {body}: {}", answer.status());
        answer.json().await.expect("the emulator answers JSON")
    }

    /// Every instance as the emulator holds it.
    pub(crate) async fn fleet(&self) -> Vec<Value> {
        let url = format!("{}/tollgate-dev/fleet", self.url);
        let answer = self.client.get(url).send().await.expect("the emulator answers");
        let fleet: Value = answer.json().await.expect("the emulator answers JSON");
        fleet.as_array().or_else(|| fleet["instances"].as_array()).expect("a list of instances").clone()
    }

    /// Answers the next `times` calls of `action` in an account-region with an error.
    pub(crate) async fn fail(&self, source: &SourceKey, action: &str, code: &str, times: u32) {
        let body = json!({
            "account": &*source.account, "region": &*source.region, "action": action, "code": code,
            "message": format!("{code} as the test asked."), "times": times,
        });
        self.control("fail", body).await;
    }

    pub(crate) async fn describe(&self, key: &InstanceKey) -> Value {
        let fleet = self.fleet().await;
        fleet
            .into_iter()
            .find(|instance| instance["instance_id"] == *key.instance_id)
            .unwrap_or_else(|| panic!("{key} is not in the emulator"))
    }

    /// The first instance that `select` takes.
    pub(crate) async fn any(&self, select: impl Fn(&Value) -> bool) -> InstanceKey {
        let fleet = self.fleet().await;
        let found = fleet.iter().find(|instance| select(instance)).expect("the seed has such an instance");
        let text = |field: &str| found[field].as_str().expect("text").to_owned();
        InstanceKey {
            source: SourceKey::new(text("account"), text("region")),
            instance_id: text("instance_id").as_str().into(),
        }
    }

    pub(crate) fn config(&self) -> FleetConfig {
        let account = |id: &str, alias: &str| Account {
            id: id.into(),
            alias: alias.into(),
            reader_role_arn: Some(format!("arn:aws:iam::{id}:role/tollgate-reader")),
            writer_role_arn: Some(format!("arn:aws:iam::{id}:role/tollgate-writer")),
            external_id: Some("tollgate".into()),
        };
        FleetConfig {
            endpoint_url: Some(self.url.clone()),
            accounts: AccountSelection::Listed(vec![account(PROD, "prod"), account(SANDBOX, "sandbox")]),
            regions: REGIONS.map(str::to_owned).to_vec(),
            refresh_interval: Duration::from_secs(3_600),
            call_timeout: Duration::from_secs(10),
            source_timeout: Duration::from_secs(60),
            changes: ChangesAllowed::WithWriterRole,
            ..FleetConfig::default()
        }
    }

    /// A fleet over a database of its own, not read yet.
    pub(crate) async fn fleet_with(&self, config: FleetConfig) -> Arc<Fleet> {
        let store = Store::connect("sqlite::memory:").await.expect("a database in memory");
        self.fleet_over(config, store).await
    }

    pub(crate) async fn fleet_over(&self, config: FleetConfig, store: Store) -> Arc<Fleet> {
        let policy = policy::open(&PolicyConfig::default()).expect("the built-in policy");
        Fleet::new(config, store, policy).await
    }

    /// A fleet that was read once.
    pub(crate) async fn read(&self) -> Arc<Fleet> {
        let fleet = self.fleet_with(self.config()).await;
        fleet.refresh(true).await.expect("the fleet is read");
        fleet
    }
}

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    const PATIENCE: Duration = Duration::from_secs(60);
    let waited = tokio::time::timeout(PATIENCE, async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(waited.await.is_ok(), "waited {PATIENCE:?} for: {what}");
}
