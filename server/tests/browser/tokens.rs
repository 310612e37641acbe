//! A personal access token as its owner has it: made on the page, used by a program, and revoked.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use store::{NewToken, Store};

use crate::common::PROD;
use crate::sign_in::{Guarded, signs_in_again};
use crate::tab::Tab;

const LIST: &str = "/api/fleet/list?q=&sort=name&offset=0&limit=1000";

impl Guarded {
    /// What the console answers a program that holds `token`.
    pub(crate) async fn as_program(&self, token: &str) -> reqwest::Response {
        let request = self.console.client.get(format!("{}{LIST}", self.console.url));
        request.bearer_auth(token).send().await.expect("the console answers")
    }
}

/// The token that the dialog shows.
async fn shown(tab: &Tab) -> String {
    tab.sees("it cannot be shown again").await;
    let text = tab.evaluate("return document.querySelector('dialog[open] pre').textContent").await;
    text.as_str().expect("text").to_owned()
}

async fn choose(tab: &Tab, label: &str, value: &str) {
    let script = format!(
        "const field = [...document.querySelectorAll('dialog[open] label')].find((one) => one.textContent.includes('{label}'));
         const select = field.querySelector('select'); select.value = '{value}';
         select.dispatchEvent(new Event('change', {{ bubbles: true }})); return select.value;"
    );
    assert_eq!(tab.evaluate(&script).await, json!(value), "{label} offers {value}");
}

#[tokio::test]
async fn a_token_is_made_used_and_revoked() {
    let guarded = Guarded::start().await;
    let tab = guarded.sign_in("operator", "Otto Operator", "/").await;
    // Signing in is not without refusals.
    tab.log().await;
    tab.click("link", "Tokens").await;
    tab.find("heading", "Tokens").await;
    tab.sees("No tokens").await;
    tab.look("tokens-empty").await;

    tab.click("button", "New token").await;
    tab.sees("A name is required.").await;
    tab.click("button", "Make token").await;
    tab.type_into("textbox", "Name", "nightly report").await;
    tab.look("token-dialog").await;
    tab.click("button", "Make token").await;
    let everything = shown(&tab).await;
    assert!(everything.starts_with("tollgate_pat_"), "{everything}");
    tab.click("button", "Copy token").await;
    tab.sees("Copied: token.").await;
    assert_eq!(tab.clipboard().await, everything);
    tab.look("token-shown-once").await;
    tab.click("button", "Done").await;
    tab.find("row", "nightly report").await;
    tab.find("row", "everything you may do").await;
    let left = tab.evaluate("return document.documentElement.outerHTML").await;
    assert!(!left.as_str().expect("HTML").contains(&everything), "nothing of it stays in the page");
    assert_eq!(guarded.as_program(&everything).await.status(), 200);

    tab.click("button", "New token").await;
    tab.type_into("textbox", "Name", "looks at <b>prod</b>").await;
    choose(&tab, "Expires after", "7").await;
    choose(&tab, "May do", "viewer").await;
    tab.type_into("textbox", "Accounts", "*-prod").await;
    tab.look("token-dialog-limited").await;
    tab.click("button", "Make token").await;
    tab.sees("names nothing").await;
    tab.screenshot("token-dialog-refused").await;
    let told = tab.log().await;
    assert!(told.iter().all(|line| line.contains("/api/token/make")), "{told:#?}");
    tab.find("textbox", "Accounts").await.clear().await.expect("an empty field");
    tab.type_into("textbox", "Accounts", "prod, nowhere-*").await;
    tab.press('\u{E007}').await;
    let limited = shown(&tab).await;
    tab.click("button", "Done").await;
    tab.find("row", "viewer for accounts prod, nowhere-*").await;
    tab.find("row", "looks at <b>prod</b>").await;
    tab.sees("in 6 d").await;
    let list: Value = guarded.as_program(&limited).await.json().await.expect("a list");
    let rows = list["rows"].as_array().expect("rows");
    assert!(!rows.is_empty() && rows.iter().all(|row| row["account"] == PROD), "{rows:?}");
    tab.look("tokens").await;

    tab.click("button", "Revoke: nightly report").await;
    tab.find("dialog", "Revoke nightly report").await;
    tab.screenshot("token-revoke").await;
    tab.is_accessible("revoke").await;
    tab.click("button", "Cancel").await;
    assert_eq!(guarded.as_program(&everything).await.status(), 200, "it was not confirmed");
    tab.click("button", "Revoke: nightly report").await;
    tab.find("dialog", "Revoke nightly report").await;
    tab.click("button", "Revoke").await;
    tab.sees("The token is revoked.").await;
    tab.wait("the row has gone", async || tab.all("row", "nightly report").await.is_empty()).await;
    assert_eq!(guarded.as_program(&everything).await.status(), 401);
    assert_eq!(guarded.as_program(&limited).await.status(), 200, "the other one stays");
    tab.is_clean().await;

    // Revoked behind the page's back, so that it is told what it does not know yet.
    let left = tab.get("/api/token/list").await;
    assert_eq!(tab.post("/api/token/revoke", &json!({ "id": left[0]["id"] })).await.0, 200);
    tab.click("button", "Revoke: looks at").await;
    tab.find("dialog", "Revoke looks at").await;
    tab.click("button", "Revoke").await;
    tab.sees("There is no such token; it may be gone already.").await;
    tab.sees("No tokens").await;
    tab.screenshot("token-gone").await;

    tab.click("link", "Sessions").await;
    drop(guarded);
    tab.click("link", "Tokens").await;
    tab.sees("No connection.").await;
    tab.look("tokens-failure").await;
    tab.close().await;
}

#[tokio::test]
async fn an_expired_token_is_shown_as_such_and_can_be_taken_away() {
    let guarded = Guarded::start().await;
    let tab = guarded.sign_in("viewer", "Vera Viewer", "/").await;
    let database = guarded.console.directory.path().join("tollgate.db");
    let store = Store::connect(&format!("sqlite://{}", database.display())).await.expect("the database");
    let now = Timestamp::now();
    let session = store.sessions(now, 1).await.expect("sessions").swap_remove(0);
    let token = |name: &str, expires_at: Timestamp| NewToken {
        token_hash: format!("a hash of {name}"),
        issuer: session.issuer.clone(),
        subject: session.subject.clone(),
        owner_name: session.name.clone(),
        groups: Vec::new(),
        name: name.to_owned(),
        access: None,
        created_at: now - SignedDuration::from_hours(48),
        expires_at,
    };
    for (name, hours) in [("last year's", -24), ("this year's", 24 * 30)] {
        let expires_at = now + SignedDuration::from_hours(hours);
        store.create_token(&token(name, expires_at)).await.expect("a token");
    }

    tab.click("link", "Tokens").await;
    tab.find("row", "this year's").await;
    assert_eq!(tab.all("row", "expired").await.len(), 1);
    tab.find("row", "last year's").await;
    tab.look("tokens-expired").await;
    tab.click("button", "Revoke: last year's").await;
    tab.find("dialog", "Revoke last year's").await;
    tab.click("button", "Revoke").await;
    tab.wait("it has gone", async || tab.all("row", "expired").await.is_empty()).await;
    tab.find("row", "this year's").await;
    tab.close().await;
}

#[tokio::test]
async fn a_token_is_made_after_the_session_ended_under_its_dialog() {
    let guarded = Guarded::start().await;
    let tab = guarded.sign_in("viewer", "Vera Viewer", "/tokens").await;
    tab.click("button", "New token").await;
    tab.type_into("textbox", "Name", "typed before it ended").await;
    let sessions = tab.get("/api/session/list?all=false").await;
    assert_eq!(tab.post("/api/session/end", &json!({ "id": sessions["sessions"][0]["id"] })).await.0, 200);
    tab.click("button", "Make token").await;
    signs_in_again(&tab).await;
    let secret = shown(&tab).await;
    assert_eq!(guarded.as_program(&secret).await.status(), 200);
    tab.click("button", "Done").await;
    tab.wait("made once", async || tab.all("row", "typed before it ended").await.len() == 1).await;
    tab.close().await;
}
