//! Promotions as people ask for them: each dialog from its preview to what a real repository says, and what keeps them from it.

use std::path::{Path, PathBuf};
use std::process::Command;

use fantoccini::Locator;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::delivery::{ago, live, stage};
use crate::common::{Console, Emulator};
use crate::delivery::{settles, tells};
use crate::sign_in::Guarded;
use crate::tab::{Scheme, Tab};

/// Each with the tag that dev says and the one that prod says.
const SERVICES: [(&str, &str, &str); 3] =
    [("cart", "0.9.0", "0.8.0"), ("payments", "2.1.0", "2.0.0"), ("users", "1.5.0", "1.4.0")];
const UPDATER: &str = "argocd-image-updater.argoproj.io";

/// A bare repository on disk, as an image updater and a release team leave it.
struct Repository(TempDir);

impl Repository {
    fn new() -> Repository {
        let directory = tempfile::tempdir().expect("a directory");
        let work = directory.path().join("seed");
        let put = |path: String, text: &str| {
            let file = work.join(path);
            std::fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
            std::fs::write(file, text).expect("it is written");
        };
        for (name, dev, _) in SERVICES {
            for environment in ["dev", "prod"] {
                put(format!("envs/{environment}/{name}/application.yaml"), &application(name, environment));
            }
            let source = format!(
                "helm:\n  parameters:\n  - name: image.tag\n    value: {dev}\n    forcestring: true\n"
            );
            put(format!("charts/{name}/.argocd-source-{name}-dev.yaml"), &source);
        }
        git(&work, &["init", "--quiet", "--initial-branch=main"]);
        git(&work, &["add", "--all"]);
        git(&work, &["commit", "--quiet", "--message", "Begin"]);
        git(directory.path(), &["clone", "--quiet", "--bare", "seed", "gitops.git"]);
        Repository(directory)
    }

    fn bare(&self) -> PathBuf {
        self.0.path().join("gitops.git")
    }

    /// A file of the main branch.
    fn file(&self, path: &str) -> String {
        git(&self.bare(), &["show", &format!("main:{path}")])
    }

    fn configuration(&self, approval: bool) -> String {
        let services = SERVICES.map(|(name, ..)| format!("{{ name = \"{name}\" }}")).join(", ");
        format!(
            "delivery = {{ environments = [\"dev\", \"prod\"] }}\nservices = [{services}]\n\
             environments = [{{ name = \"prod\", approval = {approval} }}]\n\
             gitops = [{{ name = \"acme/gitops\", path = \"{}\", poll = \"1s\", \
             files = [\"envs/{{environment}}/{{service}}/application.yaml\", \
             \"charts/{{service}}/.argocd-source-{{service}}-{{environment}}.yaml\"], \
             applications = [\"envs/{{environment}}/{{service}}/application.yaml\"] }}]\n",
            self.bare().display()
        )
    }
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .envs([("GIT_AUTHOR_NAME", "Ada"), ("GIT_AUTHOR_EMAIL", "ada@example.com")])
        .envs([("GIT_COMMITTER_NAME", "Ada"), ("GIT_COMMITTER_EMAIL", "ada@example.com")])
        .output()
        .expect("these tests make repositories with git: install it");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// The Application of a service: in dev the updater follows its image, in prod people set the tag.
fn application(name: &str, environment: &str) -> String {
    let annotations = match environment {
        "dev" => format!(
            "  annotations:\n    {UPDATER}/image-list: {name}=registry.example.com/{name}:~1\n    {UPDATER}/write-back-method: git\n"
        ),
        _ => String::new(),
    };
    let tag = SERVICES.iter().find(|(one, ..)| *one == name).map_or("", |(.., tag)| tag);
    let parameters = match environment {
        "prod" => format!(
            "    helm:\n      parameters:\n        - name: image.tag\n          value: \"{tag}\" # set by the release team\n"
        ),
        _ => String::new(),
    };
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: {name}-{environment}\n{annotations}spec:\n  source:\n    \
         path: charts/{name}\n{parameters}"
    )
}

/// That a tag of a service was built and runs somewhere; each tag is of a commit of its own.
fn runs(service: &str, environment: &str, tag: &str, minutes: i64) -> Vec<Value> {
    let number =
        tag.bytes().filter(u8::is_ascii_digit).fold(0, |all, digit| all * 10 + u32::from(digit - b'0'));
    let image = json!({ "finished": ago(minutes), "detail": { "image": { "tag": tag } } });
    vec![
        stage(service, number, "image", "succeeded", image),
        live(service, number, environment, tag, minutes),
    ]
}

/// Everything runs what the repository says, but nobody tells how cart is in dev.
fn told() -> Vec<Value> {
    let prod = SERVICES.iter().flat_map(|(name, _, prod)| runs(name, "prod", prod, 90));
    let dev = SERVICES.iter().filter(|(name, ..)| *name != "cart");
    prod.chain(dev.flat_map(|(name, dev, _)| runs(name, "dev", dev, 20))).collect()
}

async fn opens(tab: &Tab, console: &Console) {
    tab.go(&format!("{}/promotions", console.url)).await;
    tab.find("heading", "Promotions").await;
    tab.wait("the tags that the repository says", async || {
        let board = tab.get("/api/gitops/board").await;
        let places =
            || board["services"].as_array().into_iter().flatten().flat_map(|row| row["places"].as_array());
        places().count() == 3 && places().flatten().all(|place| place["desired"].is_string())
    })
    .await;
    tab.go(&format!("{}/promotions", console.url)).await;
    tab.find("heading", "Pipeline").await;
    settles(tab).await;
}

/// Opens what else can be asked for in a cell.
async fn more(tab: &Tab, of: &str) {
    let script = format!(
        "const all = [...document.querySelectorAll('summary')].filter((one) => one.textContent.includes('{of}')); \
         if (all.length && !all[0].parentElement.open) all[0].click(); return all.length"
    );
    tab.wait(&format!("more for {of}"), async || tab.evaluate(&script).await == 1).await;
}

/// Whether a button can be used, and why not; both of one moment.
async fn refusal(tab: &Tab, name: &str) -> Option<String> {
    const BOTH: &str =
        "return ['aria-disabled', 'aria-description'].map((name) => arguments[0].getAttribute(name))";
    let button = tab.find("button", name).await;
    let button = serde_json::to_value(&button).expect("a reference");
    let found = tab.client.execute(BOTH, vec![button]).await.expect("the page answers");
    assert_eq!(found[0].as_str(), found[1].as_str().map(|_| "true"));
    found[1].as_str().map(str::to_owned)
}

/// Fills in why, and asks for what the dialog is open for.
async fn asks(tab: &Tab, what: &str, reason: &str) {
    tab.type_into("textbox", "Reason", reason).await;
    tab.wait("it can be asked for", async || refusal(tab, what).await.is_none()).await;
    tab.click("button", what).await;
    tab.wait("the dialog has gone", async || tab.all("dialog", "").await.is_empty()).await;
}

/// Has the operation that is shown merged.
async fn merges(tab: &Tab) {
    tab.wait("it can be merged", async || refusal(tab, "Merge: ").await.is_none()).await;
    tab.click("button", "Merge: ").await;
    tab.find("dialog", "Merge: ").await;
    tab.click("button", "Merge").await;
    tab.wait("the dialog has gone", async || tab.all("dialog", "").await.is_empty()).await;
    tab.sees("commit ").await;
}

#[tokio::test]
async fn a_promotion_goes_from_its_preview_to_the_repository() {
    let repository = Repository::new();
    let emulator = Emulator::start("none");
    let console = Console::start(&emulator, &repository.configuration(false)).await;
    tells(&console, told()).await;
    let tab = Tab::open().await;
    tab.log().await;
    opens(&tab, &console).await;
    let users = tab.find("row", "users").await.text().await.expect("text");
    for shown in ["1.5.0", "1.4.0", "1.5.0 can come from dev"] {
        assert!(users.contains(shown), "{shown} in {users}");
    }
    tab.look("promotions").await;

    // Two services at once, and what that comes to before it is asked for.
    tab.click("checkbox", "Select users").await;
    tab.click("checkbox", "Select payments").await;
    tab.sees("2 services selected").await;
    tab.click("button", "Promote…").await;
    tab.find("dialog", "Promote").await;
    tab.sees("One commit in acme/gitops").await;
    tab.sees("It is not known whether 1.5.0 is in the registry").await;
    assert_eq!(refusal(&tab, "Promote").await.as_deref(), Some("A reason is required."));
    tab.look("promotions-promote").await;
    tab.evaluate("document.querySelector('dialog .diff').scrollIntoView({ block: 'center' })").await;
    tab.screenshot("promotions-promote-diff").await;
    let lines = tab.evaluate("return [...document.querySelectorAll('dialog .diff ins, dialog .diff del')].map((one) => one.textContent)").await;
    let lines = lines.to_string();
    for line in
        [r#"-          value: \"1.4.0\""#, r#"+          value: \"1.5.0\""#, r#"+          value: \"2.1.0\""#]
    {
        assert!(lines.contains(line), "{line} in {lines}");
    }
    asks(&tab, "Promote", "the <b>sale</b>").await;

    // The operation is shown, and merged when somebody says so.
    tab.find("heading", "Promote payments 2.1.0 and users 1.5.0 to prod").await;
    tab.sees("the <b>sale</b>").await;
    tab.sees("tollgate/promote-").await;
    settles(&tab).await;
    tab.look("promotions-operation-open").await;
    assert!(repository.file("envs/prod/users/application.yaml").contains("\"1.4.0\""));
    merges(&tab).await;
    for (name, tag) in [("users", "1.5.0"), ("payments", "2.1.0")] {
        let file = repository.file(&format!("envs/prod/{name}/application.yaml"));
        assert!(file.contains(&format!("value: \"{tag}\" # set by the release team")), "{file}");
    }
    assert!(repository.file("envs/prod/cart/application.yaml").contains("\"0.8.0\""));
    tab.sees("Merged, not in effect yet").await;

    // It is in effect once it runs, which the page shows by itself.
    tells(&console, [runs("users", "prod", "1.5.0", 0), runs("payments", "prod", "2.1.0", 0)].concat()).await;
    tab.sees("In effect").await;
    settles(&tab).await;
    tab.look("promotions-operation-in-effect").await;
    tab.click("link", "Promotions").await;
    tab.wait("the history", async || {
        let row = tab.find("row", "Promote payments 2.1.0").await.text().await.unwrap_or_default();
        row.contains("In effect") && row.contains("the <b>sale</b>")
    })
    .await;

    // What speaks against it is shown, and keeps it from being asked for.
    tab.click("button", "Promote cart to prod").await;
    tab.sees("Something speaks against it.").await;
    tab.sees("Nobody tells, or nobody told lately, how dev is").await;
    tab.type_into("textbox", "Reason", "all the same").await;
    assert_eq!(refusal(&tab, "Promote").await.as_deref(), Some("Something speaks against it."));
    tab.click("button", "Promote").await;
    tab.find("dialog", "Promote").await;
    tab.look("promotions-refused").await;
    tab.click("button", "Cancel").await;
    tab.is_clean().await;
    tab.close().await;
}

#[tokio::test]
async fn what_is_frozen_is_resumed_and_what_is_put_back_is_held() {
    let repository = Repository::new();
    let emulator = Emulator::start("none");
    let console = Console::start(&emulator, &repository.configuration(false)).await;
    tells(&console, told()).await;
    let tab = Tab::open().await;
    tab.log().await;
    opens(&tab, &console).await;
    assert_eq!(refusal(&tab, "Resume…").await.as_deref(), Some("Nothing is frozen or held."));
    let path = "envs/dev/users/application.yaml";

    more(&tab, "users in dev").await;
    tab.click("button", "Freeze users in dev").await;
    tab.find("dialog", "Freeze").await;
    let until = tab.client.find(Locator::Css("dialog select")).await.expect("until");
    until.select_by_value("86400").await.expect("it is chosen");
    tab.sees("updater kept").await;
    settles(&tab).await;
    tab.look("promotions-freeze").await;
    until.select_by_value("at").await.expect("it is chosen");
    tab.wait("why not", async || {
        refusal(&tab, "Freeze").await.as_deref() == Some("Choose the time that it ends at.")
    })
    .await;
    until.select_by_value("86400").await.expect("it is chosen");
    asks(&tab, "Freeze", "the sale").await;
    tab.find("heading", "Freeze users in dev").await;
    merges(&tab).await;
    let frozen = repository.file(path);
    assert!(frozen.contains(&format!("{UPDATER}/users.ignore-tags: \"*\"\n")), "{frozen}");

    opens(&tab, &console).await;
    tab.sees("because: the sale").await;
    tab.look("promotions-frozen").await;
    tab.click("button", "Resume users in dev").await;
    tab.find("dialog", "Resume").await;
    tab.sees("updater let go").await;
    settles(&tab).await;
    tab.look("promotions-resume").await;
    asks(&tab, "Resume", "it is over").await;
    merges(&tab).await;
    assert_eq!(repository.file(path), application("users", "dev"));

    // The earlier tag, and the updater kept from setting a newer one.
    opens(&tab, &console).await;
    more(&tab, "users in dev").await;
    tab.click("button", "Revert users in dev").await;
    tab.find("dialog", "Revert").await;
    // Nothing ran there before.
    tab.sees("It cannot be done as things are.").await;
    assert_eq!(refusal(&tab, "Revert").await.as_deref(), Some("There is no plan."));
    let refused = tab.log().await;
    assert!(refused.iter().all(|line| line.contains("/api/gitops/plan")), "{refused:#?}");
    tab.type_into("textbox", "Tag of users", "1.4.9").await;
    tab.sees("updater kept").await;
    tab.wait("the plan of that tag", async || tab.text().await.contains("1.4.9")).await;
    settles(&tab).await;
    tab.look("promotions-revert").await;
    asks(&tab, "Revert", "it loses orders").await;
    tab.find("heading", "Revert users 1.4.9 in dev").await;
    merges(&tab).await;
    assert!(repository.file("charts/users/.argocd-source-users-dev.yaml").contains("1.4.9"));
    assert!(repository.file(path).contains("users.ignore-tags"));
    tab.wait("the repository is read anew", async || {
        tab.get("/api/gitops/board").await.to_string().contains(r#""desired":"1.4.9""#)
    })
    .await;
    opens(&tab, &console).await;
    tab.sees("because: it loses orders").await;
    let users = tab.find("row", "users").await.text().await.expect("text");
    assert!(users.contains("the repository says 1.4.9"), "{users}");

    // What nobody wants any more is closed, with why.
    more(&tab, "payments in dev").await;
    tab.click("button", "Freeze payments in dev").await;
    asks(&tab, "Freeze", "a mistake").await;
    tab.find("heading", "Freeze payments in dev").await;
    tab.click("button", "Close: ").await;
    assert_eq!(refusal(&tab, "Close the request").await.as_deref(), Some("A reason is required."));
    tab.look("promotions-close").await;
    tab.type_into("textbox", "Reason", "not today").await;
    tab.click("button", "Close the request").await;
    tab.sees("Closed").await;
    assert!(!repository.file("envs/dev/payments/application.yaml").contains("ignore-tags"));
    opens(&tab, &console).await;
    tab.sees("not today").await;
    tab.look("promotions-history").await;
    tab.is_clean().await;
    tab.close().await;
}

#[tokio::test]
async fn somebody_else_approves_what_needs_it() {
    let repository = Repository::new();
    let guarded = Guarded::start_over(Emulator::start("none"), &repository.configuration(true)).await;
    let administrator = guarded.sign_in("administrator", "Adam Administrator", "/promotions").await;
    let (status, _) = administrator.post("/api/delivery/report", &json!({ "reports": told() })).await;
    assert_eq!(status, 200);
    administrator.close().await;

    let releaser = guarded.sign_in("releaser", "Rita Releaser", "/promotions").await;
    opens(&releaser, &guarded.console).await;
    releaser.sees("needs approval").await;
    releaser.click("button", "Promote users to prod").await;
    asks(&releaser, "Promote", "the sale").await;
    releaser.find("heading", "Promote users 1.5.0 to prod").await;
    releaser.sees("Waits for approval").await;
    assert_eq!(
        refusal(&releaser, "Approve: ").await.as_deref(),
        Some("Rita Releaser asked for it: somebody else has to approve it.")
    );
    assert_eq!(
        refusal(&releaser, "Merge: ").await.as_deref(),
        Some("Somebody else has to approve it before it is merged.")
    );
    releaser.click("button", "Approve: ").await;
    assert!(releaser.all("dialog", "").await.is_empty(), "a disabled button opens nothing");
    settles(&releaser).await;
    releaser.look("promotions-own").await;

    let approver = guarded.sign_in("approver", "Anna Approver", "/promotions").await;
    approver.sees("Waits for approval").await;
    settles(&approver).await;
    approver.sees("Your roles let you change none of these").await;
    approver.look("promotions-as-approver").await;
    approver.click("button", "Approve: ").await;
    approver.find("dialog", "Approve: ").await;
    approver.sees("You agree with exactly what is shown here.").await;
    approver.look("promotions-approve").await;
    approver.type_into("textbox", "What you looked at", "the dashboards").await;
    approver.click("button", "Approve").await;
    approver.sees("Approved.").await;
    approver.close().await;

    // The page of who asked moves by itself.
    merges(&releaser).await;
    releaser.sees("by Anna Approver").await;
    assert!(repository.file("envs/prod/users/application.yaml").contains("\"1.5.0\""));
    releaser.close().await;
}

#[tokio::test]
async fn each_other_state_of_promotions_is_told() {
    let emulator = Emulator::start("none");
    let console = Console::start(&emulator, "").await;
    let tab = Tab::open().await;
    tab.go(&format!("{}/promotions", console.url)).await;
    tab.sees("Nothing to promote").await;
    tab.look("promotions-empty").await;
    tab.hold("*gitops/board*").await;
    tab.go(&format!("{}/promotions", console.url)).await;
    tab.sees("Loading").await;
    tab.screenshot("promotions-loading").await;
    tab.release().await;
    tab.is_clean().await;
    drop(console);

    let repository = Repository::new();
    let console = Console::start(&emulator, &repository.configuration(false)).await;
    tells(&console, told()).await;
    opens(&tab, &console).await;
    tab.go(&format!("{}/promotions/0123456789ab", console.url)).await;
    tab.sees("There is no operation 0123456789ab here").await;
    tab.look("promotions-unknown").await;
    opens(&tab, &console).await;
    // A repository that is gone: what is known stays in sight, and nothing can be asked for.
    std::fs::rename(repository.bare(), repository.0.path().join("elsewhere.git")).expect("it is moved");
    tab.click("button", "Promote…").await;
    tab.sees("The GitOps repository does not answer as it should").await;
    tab.type_into("textbox", "Reason", "the sale").await;
    assert_eq!(refusal(&tab, "Promote").await.as_deref(), Some("There is no plan."));
    tab.look("promotions-error").await;
    std::fs::rename(repository.0.path().join("elsewhere.git"), repository.bare()).expect("it is moved");
    tab.sees("One commit in acme/gitops").await;
    tab.scheme(Scheme::Light).await;
    tab.close().await;
}
