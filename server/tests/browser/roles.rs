//! One test for each role: what it may do works, and what it may not do is shown disabled, with the reason, and refused where
//! somebody asks for it past the page.

use serde_json::{Value, json};

use crate::sign_in::{Guarded, v1_instance};
use crate::tab::Tab;

/// Somebody of one role, on the page of an instance that allows IMDSv1.
struct Visit {
    guarded: Guarded,
    tab: Tab,
    instance: String,
}

impl Visit {
    async fn of(role: &str, name: &str) -> Visit {
        let guarded = Guarded::start().await;
        let instance = v1_instance(&guarded.emulator).await;
        let tab = guarded.sign_in(role, name, &instance).await;
        tab.sees(&format!("{role} for everything")).await;
        Visit { guarded, tab, instance }
    }

    /// Every role looks at what there is.
    async fn looks(&self) {
        let Visit { tab, .. } = self;
        tab.sees("tokens are optional").await;
        for (link, heading) in [("Instances", "Instances"), ("Accounts", "Accounts"), ("Policy", "Policy")] {
            tab.click("link", link).await;
            tab.find("heading", heading).await;
        }
        tab.click("link", "Instances").await;
        tab.wait("rows", async || tab.all("row", "i-").await.len() > 5).await;
    }

    /// The button says why not, opens nothing, and the server says the same.
    async fn may_not_change(&self, why: &str) {
        let Visit { tab, .. } = self;
        self.opens_the_instance().await;
        tab.sees(&format!("Enforcing is not offered: {why}")).await;
        let button = tab.find("button", "Enforce IMDSv2").await;
        for (attribute, value) in [("aria-disabled", "true"), ("aria-description", why)] {
            let found = button.attr(attribute).await.expect("an answer");
            assert_eq!(found.as_deref(), Some(value), "{attribute}");
        }
        button.click().await.expect("a click");
        assert!(tab.all("dialog", "").await.is_empty(), "a disabled button opens nothing");
        let (status, body) = tab.post("/api/fleet/plan-enforce", &self.subject()).await;
        assert_eq!((status, &body["forbidden"]["message"]), (403, &json!(why)), "{body}");
    }

    async fn may_change(&self) {
        let Visit { tab, .. } = self;
        self.opens_the_instance().await;
        tab.click("button", "Enforce IMDSv2").await;
        tab.sees("AWS would permit the call.").await;
        tab.type_into("textbox", "Reason", "a test").await;
        tab.click("button", "Enforce IMDSv2").await;
        tab.sees("The options are applied").await;
        tab.click("button", "Close").await;
    }

    /// Other people's sessions are not offered, and refused to whoever has a link to them.
    async fn may_not_administer(&self, roles: &str) {
        let Visit { tab, guarded, .. } = self;
        tab.click("link", "Sessions").await;
        tab.sees("this one").await;
        assert!(tab.all("checkbox", "Everybody").await.is_empty(), "the switch is for administrators");
        tab.go(&format!("{}/sessions?all=true", guarded.console.url)).await;
        tab.sees("Not allowed.").await;
        tab.sees(&format!("This needs the role administrator; you have {roles}.")).await;
    }

    /// A token is limited to a role that its owner has too.
    async fn may_give_tokens(&self, roles: &[&str]) {
        let Visit { tab, .. } = self;
        tab.click("link", "Tokens").await;
        tab.click("button", "New token").await;
        tab.find("dialog", "New token").await;
        let offered = tab
            .evaluate("return [...document.querySelectorAll('dialog[open] option')].map((one) => one.value)")
            .await;
        let offered: Vec<&str> =
            offered.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        let given: Vec<&str> =
            offered.into_iter().filter(|value| !value.is_empty() && value.parse::<u32>().is_err()).collect();
        assert_eq!(given, roles);
        tab.click("button", "Cancel").await;
    }

    async fn opens_the_instance(&self) {
        self.tab.go(&format!("{}{}", self.guarded.console.url, self.instance)).await;
        self.tab.sees("tokens are optional").await;
    }

    /// The instance as the arguments of a plan.
    fn subject(&self) -> Value {
        let parts: Vec<&str> = self.instance.split('/').collect();
        json!({ "account": parts[2], "region": parts[3], "instance_id": parts[4], "hop_limit": null })
    }

    async fn ends(self) {
        self.tab.close().await;
    }
}

fn change_needs(role: &str) -> String {
    format!("This needs the role operator or administrator; you have {role}. Ask an administrator for it.")
}

#[tokio::test]
async fn a_viewer_looks() {
    let visit = Visit::of("viewer", "Vera Viewer").await;
    visit.looks().await;
    visit.may_not_change(&change_needs("viewer")).await;
    visit.tab.screenshot("instance-as-viewer").await;
    visit.may_not_administer("viewer").await;
    visit.tab.screenshot("sessions-refused").await;
    visit.may_give_tokens(&["viewer"]).await;
    visit.ends().await;
}

#[tokio::test]
async fn an_operator_changes_options() {
    let visit = Visit::of("operator", "Otto Operator").await;
    visit.looks().await;
    visit.may_change().await;
    visit.may_not_administer("operator").await;
    visit.may_give_tokens(&["viewer", "operator"]).await;
    visit.ends().await;
}

#[tokio::test]
async fn a_releaser_looks_and_changes_no_options() {
    let visit = Visit::of("releaser", "Rita Releaser").await;
    visit.looks().await;
    visit.may_not_change(&change_needs("releaser")).await;
    visit.may_not_administer("releaser").await;
    visit.may_give_tokens(&["viewer", "releaser"]).await;
    visit.ends().await;
}

#[tokio::test]
async fn an_approver_looks_and_changes_no_options() {
    let visit = Visit::of("approver", "Anna Approver").await;
    visit.looks().await;
    visit.may_not_change(&change_needs("approver")).await;
    visit.may_not_administer("approver").await;
    visit.may_give_tokens(&["viewer", "approver"]).await;
    visit.ends().await;
}

#[tokio::test]
async fn an_administrator_does_all_of_it() {
    let visit = Visit::of("administrator", "Adam Administrator").await;
    let Visit { tab, guarded, .. } = &visit;
    visit.looks().await;
    visit.may_change().await;
    visit.may_give_tokens(&["viewer", "operator", "releaser", "approver", "reporter", "administrator"]).await;

    let viewer = guarded.sign_in("viewer", "Vera Viewer", "/").await;
    tab.click("link", "Sessions").await;
    tab.click("checkbox", "Everybody").await;
    tab.sees("Vera Viewer").await;
    tab.screenshot("sessions-as-administrator").await;
    tab.is_accessible("sessions").await;
    tab.click("button", "End: Vera Viewer").await;
    tab.sees("The session has ended").await;
    viewer.sees("Your session has ended").await;
    viewer.close().await;

    tab.click("link", "Audit").await;
    tab.sees("Adam Administrator").await;
    tab.sees("Sign-in").await;
    visit.ends().await;
}
