//! Signing in at a certified OpenID Connect provider, and what happens when a session ends.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use fantoccini::Locator;
use serde_json::Value;

use crate::common::{Console, Emulator, PROD, Running, free_port, setting};
use crate::tab::{Scheme, Tab};

/// Of each the provider has a user of that name, in a group of its own.
const ROLES: [&str; 5] = ["viewer", "operator", "releaser", "approver", "administrator"];

/// A console with a provider of its own.
pub(crate) struct Guarded {
    pub(crate) console: Console,
    pub(crate) emulator: Emulator,
    _provider: Running,
}

impl Guarded {
    pub(crate) async fn start() -> Guarded {
        Guarded::start_over(Emulator::start("dev"), "").await
    }

    /// As [`Guarded::start`], over an AWS that was prepared, with more in the configuration.
    pub(crate) async fn start_over(emulator: Emulator, more: &str) -> Guarded {
        let grants: Vec<String> =
            ROLES.iter().map(|role| format!("{{ group = \"{role}s\", role = \"{role}\" }}")).collect();
        Guarded::start_with_grants(emulator, &grants.join(", "), more).await
    }

    /// As [`Guarded::start_over`], where the groups are given other roles.
    pub(crate) async fn start_with_grants(emulator: Emulator, grants: &str, more: &str) -> Guarded {
        let mut provider = Command::new(setting("TOLLGATE_TEST_NODE"))
            .args([setting("TOLLGATE_TEST_ISSUER_SCRIPT"), setting("TOLLGATE_TEST_OIDC_PROVIDER")])
            .arg("--exit-with-stdin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the provider starts");
        let mut line = String::new();
        let stdout = provider.stdout.take().expect("the provider has an output");
        BufReader::new(stdout).read_line(&mut line).expect("the provider says where it is");
        let ready: Value = serde_json::from_str(&line).expect("the provider speaks JSON");
        let port = free_port();
        let more = format!(
            "auth.public_url = \"http://127.0.0.1:{port}\"\n\
             issuers = [{{ name = \"Local\", url = {}, client_id = {}, client_secret = {} }}]\n\
             grants = [{grants}]\n{more}",
            ready["url"], ready["client_id"], ready["client_secret"],
        );
        let directory = tempfile::tempdir().expect("a directory");
        let console = Console::start_at(port, directory, &emulator.url, &more).await;
        Guarded { console, emulator, _provider: Running::new(provider) }
    }

    /// Opens `path` in a browser of its own, signs in as `user` and answers once that person is there.
    pub(crate) async fn sign_in(&self, user: &str, name: &str, path: &str) -> Tab {
        let tab = Tab::open().await;
        tab.go(&format!("{}{path}", self.console.url)).await;
        tab.click("link", "Sign in with Local").await;
        at_the_provider(&tab, user).await;
        tab.sees(name).await;
        tab
    }
}

/// Fills in the provider's own page.
async fn at_the_provider(tab: &Tab, user: &str) {
    tab.wait("the provider's page", async || {
        tab.client.find(Locator::Css("input[name=login]")).await.is_ok()
    })
    .await;
    for (field, text) in [("login", user), ("password", "any")] {
        let field = tab.client.find(Locator::Css(&format!("input[name={field}]"))).await.expect("the field");
        field.send_keys(text).await.expect("text is typed");
    }
    tab.client
        .find(Locator::Css("button[type=submit]"))
        .await
        .expect("the button")
        .click()
        .await
        .expect("a click");
}

/// Signs in again in a second tab, where the session ended under an open page, and comes back to that.
pub(crate) async fn signs_in_again(tab: &Tab) {
    tab.sees("Your session has ended").await;
    let first = tab.client.window().await.expect("a window");
    tab.click("link", "Sign in with Local").await;
    tab.wait("the other tab", async || tab.client.windows().await.is_ok_and(|windows| windows.len() == 2))
        .await;
    let windows = tab.client.windows().await.expect("windows");
    let second = windows.into_iter().find(|window| *window != first).expect("the other tab");
    tab.client.switch_to_window(second).await.expect("a switch");
    // The provider remembers who signed in there, and asks no more.
    tab.sees("You are signed in").await;
    tab.client.close_window().await.expect("the tab closes");
    tab.client.switch_to_window(first).await.expect("a switch");
    tab.wait("the dialog has gone", async || !tab.text().await.contains("Your session has ended")).await;
}

/// The page of a running instance that allows IMDSv1.
pub(crate) async fn v1_instance(emulator: &Emulator) -> String {
    let fleet = emulator.fleet().await;
    let one = fleet.iter().find(|one| {
        one["account"] == PROD
            && one["state"] == "running"
            && one["metadata_options"]["HttpTokens"] == "optional"
    });
    let text = |field: &str| one.expect("the seed has one")[field].as_str().expect("text").to_owned();
    format!("/fleet/{}/{}/{}", text("account"), text("region"), text("instance_id"))
}

#[tokio::test]
async fn one_comes_back_to_the_page_and_without_a_role_sees_nothing() {
    let guarded = Guarded::start().await;
    let instance = v1_instance(&guarded.emulator).await;

    let tab = Tab::open().await;
    tab.go(&format!("{}{instance}", guarded.console.url)).await;
    tab.find("heading", "Sign in").await;
    for (scheme, word) in [(Scheme::Light, "light"), (Scheme::Dark, "dark")] {
        tab.scheme(scheme).await;
        for width in [1440, 360] {
            tab.size(width, 900).await;
            tab.screenshot(&format!("sign-in-{word}-{width}")).await;
            tab.is_accessible(&format!("sign-in {word} {width}")).await;
        }
    }
    tab.close().await;

    let viewer = guarded.sign_in("viewer", "Vera Viewer", &instance).await;
    viewer.sees("tokens are optional").await;
    viewer.close().await;

    let stranger = guarded.sign_in("stranger", "Sam Stranger", "/").await;
    stranger.sees("You have no role in this installation").await;
    stranger.screenshot("no-role").await;
    stranger.click("link", "Tokens").await;
    let button = stranger.find("button", "New token").await;
    assert_eq!(button.attr("aria-disabled").await.expect("an answer").as_deref(), Some("true"));
    stranger.close().await;
}

#[tokio::test]
async fn an_ended_session_is_begun_again_in_place_and_signing_out_ends_it() {
    let guarded = Guarded::start().await;
    let instance = v1_instance(&guarded.emulator).await;
    let tab = guarded.sign_in("operator", "Otto Operator", &instance).await;
    tab.click("button", "Enforce IMDSv2").await;
    tab.sees("AWS would permit the call.").await;
    tab.type_into("textbox", "Reason", "written before it ended").await;

    let administrator = guarded.sign_in("administrator", "Adam Administrator", "/sessions?all=true").await;
    administrator.click("button", "End: Otto Operator").await;
    administrator.sees("The session has ended").await;
    administrator.close().await;

    tab.sees("Your session has ended").await;
    tab.screenshot("session-ended").await;
    signs_in_again(&tab).await;
    tab.click("button", "Enforce IMDSv2").await;
    tab.sees("The options are applied").await;
    tab.click("button", "Close").await;
    tab.click("link", "Audit").await;
    tab.sees("written before it ended").await;

    tab.click("button", "Sign out").await;
    tab.wait("the provider asks or is done", async || {
        let confirm = tab.client.find(Locator::Css("button[name=logout], button[value=yes]")).await;
        if let Ok(button) = confirm {
            let _ = button.click().await;
        }
        tab.text().await.contains("Sign in with Local")
    })
    .await;
    tab.close().await;
}
