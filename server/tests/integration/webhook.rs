//! Signed messages to other systems.

use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::common::{Console, Emulator, PROD, instance, until};

const SECRET: &str = "0123456789abcdef0123";

#[tokio::test]
async fn new_v1_instances_are_told_once_signed_and_again_until_they_are_taken() {
    let receiver = MockServer::start().await;
    // The first answer is a failure: the message has to come again.
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(503))
        .up_to_n_times(1)
        .mount(&receiver)
        .await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(204)).mount(&receiver).await;
    let emulator = Emulator::start("dev");
    let webhook =
        format!("[[webhooks]]\nname = \"chat\"\nurl = \"{}/hook\"\nsecret = \"{SECRET}\"\n", receiver.uri());
    let console = Console::start(&emulator, &webhook).await;

    let fleet = emulator.fleet().await;
    let safe = fleet.iter().find(|one| {
        one["account"] == PROD
            && one["state"] == "running"
            && one["metadata_options"]["HttpTokens"] == "required"
    });
    let safe = safe.expect("the seed has such an instance");
    let text = |field: &str| safe[field].as_str().expect("text").to_owned();
    let opened = json!({ "metadata_options": { "HttpTokens": "optional", "HttpEndpoint": "enabled" } });
    emulator.control("instance", instance((PROD, &text("region")), &text("instance_id"), opened)).await;

    until("the message is taken", async || receiver.received_requests().await.unwrap_or_default().len() >= 2)
        .await;
    for request in receiver.received_requests().await.expect("requests are recorded") {
        let header = |name: &str| request.headers[name].to_str().expect("text").to_owned();
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
        mac.update(format!("{}.", header("x-tollgate-timestamp")).as_bytes());
        mac.update(&request.body);
        assert_eq!(
            header("x-tollgate-signature-256"),
            format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
        );
        assert_eq!(header("x-tollgate-event"), "new-v1-instances");
        let body: Value = serde_json::from_slice(&request.body).expect("JSON");
        assert_eq!(body["count"], 1);
        assert_eq!(body["instances"][0]["instance_id"], safe["instance_id"]);
    }
    drop(console);
}
