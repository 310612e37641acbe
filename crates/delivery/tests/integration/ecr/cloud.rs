//! Two local clouds with a registry: what one of them accepts that AWS does not, the other refuses.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::ImageTagMutability;
use delivery::ecr::Registry;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::settings;

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The account of the credentials that tests have.
const HOME: &str = "111111111111";
const REGIONS: [&str; 20] = [
    "af-south-1",
    "ap-east-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "me-south-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// Which local cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Moto,
    Ministack,
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A registry in a local cloud, in which the test is alone.
pub(super) struct Cloud {
    pub(super) url: String,
    pub(super) registry: Registry,
    client: Client,
    _process: Option<Running>,
}

impl Cloud {
    /// A cloud for one test.
    pub(super) async fn start(kind: Kind) -> Cloud {
        // Each region of moto is a world of its own, so that one process serves all tests.
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let region = REGIONS.get(NEXT.fetch_add(1, Ordering::Relaxed)).expect("a region for each test");
        let (url, process) = match kind {
            Kind::Moto => (moto().to_owned(), None),
            Kind::Ministack => {
                let (url, process) = ministack().await;
                (url, Some(process))
            }
        };
        let registry = Registry { account: HOME.into(), region: (*region).to_owned() };
        Cloud { client: client(&url, &registry.region).await, url, registry, _process: process }
    }

    /// The same cloud, as somebody of another account; moto reads the account from the key.
    pub(super) async fn in_account(&self, account: &str) -> Cloud {
        let config =
            aws::load(&aws::Settings { region: Some(self.registry.region.clone()), ..settings(&self.url) })
                .await;
        let key = format!("AKIA{account}TOLL");
        let credentials = aws_credential_types::Credentials::new(key, "not-a-secret", None, None, "test");
        let config = aws_sdk_ecr::config::Builder::from(&config).credentials_provider(credentials).build();
        Cloud {
            url: self.url.clone(),
            registry: Registry { account: account.into(), region: self.registry.region.clone() },
            client: Client::from_conf(config),
            _process: None,
        }
    }

    /// Makes a repository and answers its name.
    pub(super) async fn repository(&self, name: &str, immutable: bool) -> String {
        let mutability = if immutable { ImageTagMutability::Immutable } else { ImageTagMutability::Mutable };
        let call = self.client.create_repository().repository_name(name).image_tag_mutability(mutability);
        call.send().await.expect("the repository is made");
        name.to_owned()
    }

    /// Pushes an image with tags and answers its digest.
    pub(super) async fn push(&self, repository: &str, manifest: &Value, tags: &[&str]) -> String {
        let digest = digest(manifest);
        if tags.is_empty() {
            self.put(repository, manifest, None).await.expect("the image is pushed");
        }
        for tag in tags {
            self.put(repository, manifest, Some(tag)).await.expect("the image is pushed");
        }
        digest
    }

    pub(super) async fn try_push(&self, repository: &str, manifest: &Value, tag: &str) -> Result<(), String> {
        self.put(repository, manifest, Some(tag)).await
    }

    async fn put(&self, repository: &str, manifest: &Value, tag: Option<&str>) -> Result<(), String> {
        let media_type = manifest["mediaType"].as_str().expect("a media type");
        self.client
            .put_image()
            .repository_name(repository)
            .image_manifest(manifest.to_string())
            .image_manifest_media_type(media_type)
            .image_digest(digest(manifest))
            .set_image_tag(tag.map(str::to_owned))
            .send()
            .await
            .map(drop)
            .map_err(|error| format!("{error:?}"))
    }

    /// Lets moto answer the next `times` calls of `action` in this region with an error.
    pub(super) async fn fail(&self, service: &str, action: &str, code: &str, times: u32) {
        let body = json!({
            "region": self.registry.region, "service": service, "action": action, "code": code,
            "message": format!("{code} as the test asked."), "times": times,
        });
        let answer =
            reqwest::Client::new().post(format!("{}/tollgate-dev/fail", self.url)).json(&body).send().await;
        let status = answer.expect("the emulator answers").status();
        assert!(status.is_success(), "{status}");
    }
}

async fn client(url: &str, region: &str) -> Client {
    let config = aws::load(&aws::Settings { region: Some(region.to_owned()), ..settings(url) }).await;
    Client::new(&config)
}

/// The manifest of an image of its own.
pub(super) fn manifest(name: &str, annotations: Value) -> Value {
    let config = digest(&json!(name));
    json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 7023 },
        "layers": [{ "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": config, "size": 32654 }],
        "annotations": annotations,
    })
}

/// The manifest of an index of these platforms.
pub(super) fn manifest_of_index(platforms: &[&str]) -> Value {
    let platforms = platforms.iter().map(|digest| {
        let platform = json!({ "os": "linux", "architecture": "arm64" });
        json!({ "mediaType": OCI_MANIFEST, "digest": digest, "size": 500, "platform": platform })
    });
    let mut manifests: Vec<Value> = platforms.collect();
    manifests.push(json!({
        "mediaType": OCI_MANIFEST, "digest": digest(&json!("provenance")), "size": 500,
        "annotations": { "vnd.docker.reference.type": "attestation-manifest" },
    }));
    json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests })
}

pub(super) fn digest(value: &Value) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(value.to_string())))
}

fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: `cargo xtask test` sets it"))
}

/// moto, which serves all tests and leaves with them: it ends when its standard input does.
fn moto() -> &'static str {
    static MOTO: OnceLock<(String, Child)> = OnceLock::new();
    let (url, _) = MOTO.get_or_init(|| {
        let mut process = Command::new(setting("TOLLGATE_TEST_AWS_PYTHON"))
            .arg("-B")
            .arg(setting("TOLLGATE_TEST_AWS_SCRIPT"))
            .args(["--seed", "none", "--port", "0", "--exit-with-stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the emulator starts");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("the emulator has an output");
        BufReader::new(stdout).read_line(&mut line).expect("the emulator says where it is");
        let ready: Value = serde_json::from_str(&line).expect("the emulator speaks JSON");
        (ready["url"].as_str().expect("a URL").to_owned(), process)
    });
    url
}

async fn ministack() -> (String, Running) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let process = Command::new(setting("TOLLGATE_TEST_SECOND_AWS"))
        .env("GATEWAY_PORT", port.to_string())
        .env("BIND_HOST", "127.0.0.1")
        .env("IOT_MTLS_ENABLED", "0")
        .env("SFTP_ENABLED", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the second cloud starts");
    let (url, process) = (format!("http://127.0.0.1:{port}"), Running(process));
    let client = reqwest::Client::new();
    let waited = tokio::time::timeout(Duration::from_secs(60), async {
        while client.get(&url).send().await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    waited.await.expect("the second cloud answers within a minute");
    (url, process)
}
