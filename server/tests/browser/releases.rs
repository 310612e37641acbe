//! The releases as people see them: what is live, what this page is, and going back to an earlier one with a reason.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::common::bundle::{Bundle, bundle};
use crate::common::cloud::{BUCKET, Cloud};
use crate::common::{Emulator, setting};
use crate::sign_in::Guarded;
use crate::site;
use crate::tab::Tab;

/// A console that knows the bucket.
struct Published {
    guarded: Guarded,
    cloud: Cloud,
}

impl Published {
    async fn start() -> Published {
        let emulator = Emulator::start("dev");
        let cloud = Cloud::at(emulator.url.clone()).await;
        let more =
            format!("publish = {{ bucket = \"{BUCKET}\", distribution = \"{}\" }}\n", cloud.distribution);
        Published { guarded: Guarded::start_over(emulator, &more).await, cloud }
    }

    /// Runs `tollgate publish` with the console's own configuration.
    fn publish(&self, arguments: &[&str]) {
        let output = self.guarded.console.command().arg("publish").args(arguments).output();
        let output = output.expect("the binary runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Pushes a small release, and then the one that the console itself serves, which it answers.
    fn pushes_two(&self) -> (Bundle, String) {
        let earlier = bundle("earlier");
        let site = setting("TOLLGATE_TEST_SITE");
        for (directory, commit) in [
            (earlier.directory.path().to_str().expect("a path"), "5f2b8c1d9e0a4b7c6d3e2f1a0b9c8d7e6f5a4b3c"),
            (site.as_str(), "a1b2c3d4e5f60718293a4b5c6d7e8f9001122334"),
        ] {
            self.publish(&["push", directory, "--commit", commit, "--branch", "main", "--author", "Ada"]);
        }
        (earlier, site::release())
    }

    /// Opens the page anew, once the server's answer is as wanted.
    async fn opens(&self, tab: &Tab, what: &str, condition: impl Fn(&Value) -> bool) {
        tab.wait(what, async || condition(&tab.get("/api/release/list").await["known"])).await;
        tab.go(&format!("{}/releases", self.guarded.console.url)).await;
        tab.find("heading", "Releases").await;
    }
}

/// Whether a button can be used, and why not.
async fn refusal(tab: &Tab, name: &str) -> Option<String> {
    let button = tab.find("button", name).await;
    let disabled = button.attr("aria-disabled").await.expect("an answer");
    let why = button.attr("aria-description").await.expect("an answer");
    assert_eq!(disabled.as_deref(), why.as_ref().map(|_| "true"));
    why
}

#[tokio::test]
async fn an_earlier_release_is_live_again_and_the_audit_log_says_why() {
    let published = Published::start().await;
    let tab = published.guarded.sign_in("releaser", "Rita Releaser", "/releases").await;
    tab.log().await;
    tab.sees("Nothing was published yet").await;
    tab.look("releases-empty").await;

    let (earlier, this) = published.pushes_two();
    let (earlier, this) = (earlier.release.as_str(), this.as_str());
    tab.hold("*release/list*").await;
    tab.go(&format!("{}/releases", published.guarded.console.url)).await;
    tab.sees("Loading").await;
    tab.screenshot("releases-loading").await;
    tab.release().await;
    published.opens(&tab, "both", |board| board["live"] == this).await;
    tab.find("row", "this page").await;
    assert_eq!(tab.all("row", "this page").await.len(), 1);
    let row = tab.find("row", this).await.text().await.expect("text");
    assert!(row.contains("live") && row.contains("this page") && row.contains("a1b2c3d4e5f6"), "{row}");
    tab.sees("completed").await;
    let back = format!("Roll back to {earlier}");
    assert_eq!(refusal(&tab, &format!("Roll back to {this}")).await.as_deref(), Some("It is live already."));
    assert_eq!(refusal(&tab, &back).await, None);
    tab.look("releases").await;

    tab.click("button", &back).await;
    tab.find("dialog", &back).await;
    tab.sees("s3:PutObject s3://pages/index.html").await;
    tab.sees(&format!("cloudfront:CreateInvalidation {} / /index.html", published.cloud.distribution)).await;
    tab.sees("A reason is required.").await;
    tab.click("button", "Roll back").await;
    assert_eq!(tab.get("/api/release/list").await["known"]["live"], this, "nothing without a reason");
    tab.look("releases-dialog").await;
    tab.type_into("textbox", "Reason", "it shows <b>no</b> prices").await;
    tab.click("button", "Roll back").await;
    tab.sees("Rolled back. The release is on its way to every edge.").await;
    tab.wait("the other is live", async || {
        let row = tab.find("row", earlier).await.text().await.unwrap_or_default();
        row.contains("live") && row.contains("Rita Releaser") && row.contains("it shows <b>no</b> prices")
    })
    .await;
    assert!(tab.all("dialog", "").await.is_empty(), "the dialog has gone");
    assert_eq!(refusal(&tab, &back).await.as_deref(), Some("It is live already."));
    assert_eq!(refusal(&tab, &format!("Roll back to {this}")).await, None);
    let (_, _, shell) = published.cloud.object("index.html").await;
    assert!(String::from_utf8(shell).expect("text").contains(earlier));
    tab.look("releases-rolled-back").await;

    tab.click("link", "Audit").await;
    tab.sees("Rolled back").await;
    tab.sees("Rollback requested").await;
    tab.sees("it shows <b>no</b> prices").await;
    tab.screenshot("audit-rollback").await;
    tab.is_clean().await;
    tab.close().await;
}

#[tokio::test]
async fn a_viewer_sees_the_releases_and_which_role_it_takes_to_go_back() {
    let published = Published::start().await;
    let (earlier, this) = published.pushes_two();
    let tab = published.guarded.sign_in("viewer", "Vera Viewer", "/releases").await;
    let why = "This needs the role releaser or administrator; you have viewer. Ask an administrator for it.";
    tab.sees(&format!("Rolling back is not offered: {why}")).await;
    let back = format!("Roll back to {}", earlier.release);
    assert_eq!(refusal(&tab, &back).await.as_deref(), Some(why));
    tab.find("button", &back).await.click().await.expect("a click");
    assert!(tab.all("dialog", "").await.is_empty(), "a disabled button opens nothing");
    let body = json!({ "release": earlier.release, "seen": this, "reason": "why not" });
    let (status, answer) = tab.post("/api/release/rollback", &body).await;
    assert_eq!((status, &answer["forbidden"]["message"]), (403, &json!(why)));
    tab.look("releases-as-viewer").await;
    tab.close().await;
}

#[tokio::test]
async fn each_other_state_is_told() {
    let published = Published::start().await;
    let (earlier, this) = published.pushes_two();
    let tab = published.guarded.sign_in("administrator", "Adam Administrator", "/releases").await;
    tab.log().await;
    let back = format!("Roll back to {}", earlier.release);

    // Decided on an old view: meanwhile somebody else went back.
    tab.click("button", &back).await;
    tab.type_into("textbox", "Reason", "too late").await;
    published.publish(&["rollback", &earlier.release, "--reason", "from a terminal"]);
    tab.click("button", "Roll back").await;
    tab.sees(&format!("{} is live by now, and {this} was when you decided.", earlier.release)).await;
    tab.look("releases-outdated").await;
    tab.click("button", "Cancel").await;
    tab.sees("from a terminal").await;

    // A push that goes on, and one that has died.
    let (_, _, live) = published.cloud.object("releases/live.json").await;
    let mut live: Value = serde_json::from_slice(&live).expect("JSON");
    live["under_way"] = json!({
        "release": this, "way": "push", "commit": "c0ffee", "branch": "main", "author": "Ada", "by": "ci",
        "at": Timestamp::now(), "attempt": 2,
    });
    published.cloud.overwrite("releases/live.json", &live.to_string()).await;
    published.opens(&tab, "it is under way", |board| board["under_way"].is_object()).await;
    tab.sees("A release is being made live.").await;
    tab.find("row", "maybe live").await;
    tab.look("releases-under-way").await;
    assert_eq!(tab.log().await.iter().filter(|line| !line.contains("/api/release/rollback")).count(), 0);

    // What cannot be read leaves the last answer in sight. The page looks again by itself.
    published.cloud.overwrite("releases/live.json", "not ours").await;
    tab.sees("was not written by this version").await;
    tab.sees("Shown below is the last answer.").await;
    tab.look("releases-error").await;

    live["under_way"]["at"] = json!("2026-01-01T00:00:00Z");
    published.cloud.overwrite("releases/live.json", &live.to_string()).await;
    tab.wait("the bucket answers", async || tab.get("/api/release/list").await["known"].is_object()).await;
    tab.click("button", "Try again").await;
    tab.sees("A release was being made live, and that was not finished.").await;
    tab.wait("the error has gone", async || !tab.text().await.contains("was not written by")).await;
    assert_eq!(refusal(&tab, &back).await, None, "nobody knows whether it is live");
    tab.look("releases-interrupted").await;
    tab.close().await;
}
