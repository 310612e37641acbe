//! A program that waits to be let in, as the person sees it who decides.

use serde_json::{Value, json};

use crate::sign_in::Guarded;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

impl Guarded {
    async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Value {
        let request = self.console.client.post(format!("{}{path}", self.console.url)).form(fields);
        request.send().await.expect("the console answers").json().await.expect("JSON")
    }

    /// A program that waits: its device code and its user code.
    async fn waiting(&self) -> (String, String) {
        let fields = [("client_id", "tollgate"), ("client_name", "tollgate on <b>otto</b>’s laptop")];
        let begun = self.form("/api/auth/device", &fields).await;
        let text = |name: &str| begun[name].as_str().expect("text").to_owned();
        (text("device_code"), text("user_code"))
    }

    async fn told(&self, device_code: &str) -> Value {
        let fields = [("client_id", "tollgate"), ("grant_type", GRANT_TYPE), ("device_code", device_code)];
        self.form("/api/auth/token", &fields).await
    }
}

#[tokio::test]
async fn a_program_is_let_in_or_refused_on_a_page() {
    let guarded = Guarded::start().await;
    // By the address that the program shows: signing in leads back to it.
    let (device_code, user_code) = guarded.waiting().await;
    let path = format!("/device?user_code={user_code}");
    let tab = guarded.sign_in("operator", "Otto Operator", &path).await;
    tab.log().await;
    tab.find("heading", "Let a program in").await;
    tab.sees(&user_code).await;
    tab.sees("tollgate on <b>otto</b>’s laptop, at 127.0.0.1").await;
    tab.look("device-question").await;
    assert_eq!(guarded.told(&device_code).await["error"], "authorization_pending");
    tab.click("button", "Let it in").await;
    tab.sees("It is let in").await;
    tab.look("device-let-in").await;
    tab.is_clean().await;
    let token = guarded.told(&device_code).await["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(guarded.as_program(&token).await.status(), 200);
    tab.click("link", "Tokens").await;
    tab.find("row", "tollgate on <b>otto</b>’s laptop").await;

    // By the code alone, as somebody types it.
    let (device_code, user_code) = guarded.waiting().await;
    tab.go(&format!("{}/device", guarded.console.url)).await;
    tab.find("textbox", "The code that the program shows").await;
    tab.look("device-code").await;
    tab.type_into("textbox", "The code that the program shows", &user_code.to_lowercase().replace('-', " "))
        .await;
    tab.click("button", "Go on").await;
    tab.click("button", "Refuse").await;
    tab.sees("It is refused").await;
    tab.is_clean().await;
    assert_eq!(guarded.told(&device_code).await["error"], "access_denied");

    // A code that nobody waits under, and one that is none.
    tab.go(&format!("{}{path}", guarded.console.url)).await;
    tab.sees("No program waits under this code any more.").await;
    tab.look("device-gone").await;
    tab.go(&format!("{}/device?user_code=hello", guarded.console.url)).await;
    tab.sees("The code has eight letters").await;
    let told = tab.log().await;
    assert!(told.iter().all(|line| line.contains("/api/device/show")), "{told:#?}");
    assert_eq!(
        tab.post("/api/device/decide", &json!({ "user_code": user_code, "approve": true })).await.0,
        404
    );
    tab.close().await;
}
