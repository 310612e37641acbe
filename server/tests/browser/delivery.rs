//! Changes on their way as people see them: where each is, why it is not further, and that it moves without a reload.

use serde_json::{Value, json};

use crate::common::delivery::{self, SECRET, followed, history, live, push, running_job, sha, webhook};
use crate::common::{Console, Emulator};
use crate::sign_in::Guarded;
use crate::tab::Tab;

/// Waits until no part of the page is still being asked for.
pub(crate) async fn settles(tab: &Tab) {
    tab.wait("nothing is loading", async || {
        tab.evaluate("return document.querySelectorAll('[aria-busy=true],.skeleton').length").await == 0
    })
    .await;
}

pub(crate) async fn tells(console: &Console, reports: Vec<Value>) {
    let answer = console.post("/api/delivery/report", json!({ "reports": reports })).await;
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap_or_default());
}

async fn hooks(console: &Console, event: &str, body: &Value) {
    assert_eq!(webhook(console, event, &body.to_string(), SECRET).await.status(), 202);
}

/// The text of the row that begins with a service.
async fn row(tab: &Tab, name: &str) -> String {
    tab.find("row", name).await.text().await.unwrap_or_default()
}

#[tokio::test]
async fn a_change_is_followed_from_its_commit_to_every_environment() {
    let emulator = Emulator::start("none");
    let console = Console::start(&emulator, &followed()).await;
    let tab = Tab::open().await;
    let page = |path: &str| format!("{}{path}", console.url);
    tab.log().await;

    tab.go(&page("/delivery")).await;
    tab.sees("Nothing was told yet").await;
    tab.sees(&page("/api/delivery/github")).await;
    settles(&tab).await;
    tab.look("delivery-empty").await;
    tab.go(&page("/delivery/checkout")).await;
    tab.sees("not enough is known").await;
    settles(&tab).await;
    tab.look("service-empty").await;
    tab.is_clean().await;
    tab.go(&page(&format!("/delivery/checkout/{}", sha(3)))).await;
    tab.sees("Nothing is known of commit").await;
    tab.look("change-empty").await;
    tab.log().await;

    // The page is open while it is told.
    tab.go(&page("/delivery")).await;
    tab.sees("Nothing was told yet").await;
    tells(&console, history()).await;
    hooks(&console, "push", &push(4, "Let people pay later (#412)", 9)).await;
    hooks(&console, "workflow_job", &running_job(4, 8)).await;
    tab.sees("Let people pay later").await;
    let checkout = row(&tab, "acme/checkout").await;
    for shown in ["1.6.0", "1.5.0", "1.4.0", "3 behind", "Rollout running"] {
        assert!(checkout.contains(shown), "{shown} in {checkout}");
    }
    assert!(row(&tab, "users").await.contains("Rollout failed"));
    settles(&tab).await;
    tab.look("delivery").await;

    // What went live is there without a reload, and so is the way that it went.
    tells(&console, vec![live("checkout", 4, "dev", "1.7.0", 1)]).await;
    tab.wait("the new version", async || row(&tab, "acme/checkout").await.contains("1.7.0")).await;

    searches(&tab).await;
    reads_why(&tab, &console).await;
    measures(&tab).await;
    tab.is_clean().await;
    tab.close().await;
}

async fn searches(tab: &Tab) {
    let found = async |typed: &str| {
        let field = tab.find("searchbox", "Search changes").await;
        field.clear().await.expect("an empty field");
        field.send_keys(typed).await.expect("text is typed");
        let wanted = format!("Changes that match {typed}");
        tab.wait(&wanted, async || {
            tab.text().await.contains(&wanted)
                && tab.evaluate("return document.querySelectorAll('.changes tbody tr').length").await == 1
        })
        .await;
    };
    for (typed, title) in [
        ("#412", "Let people pay later"),
        (&sha(3)[..7], "Show the sum before paying"),
        ("hopper", "Let people pay later"),
        ("0.7.3", "Forget who asked"),
        ("sha256:abab", "Show the sum before paying"),
    ] {
        found(typed).await;
        assert!(tab.text().await.contains(title), "{typed} finds {title}");
    }
    let address = tab.client.current_url().await.expect("an address");
    assert_eq!(address.query(), Some("q=sha256:abab"));
    tab.look("delivery-search").await;
    tab.type_into("searchbox", "Search changes", "zz").await;
    tab.sees("No change matches").await;
    tab.look("delivery-no-match").await;
    tab.click("link", "Clear the search").await;
    tab.sees("Latest changes").await;
}

async fn reads_why(tab: &Tab, console: &Console) {
    tab.click("link", "Change 0000003").await;
    tab.find("heading", "Show the sum before paying").await;
    tab.sees("Why is it not in staging yet?").await;
    tab.sees("pod checkout-7d9f-x2x cannot pull its image (ErrImagePull)").await;
    tab.sees("The old version still serves.").await;
    tab.sees("Why is it not in prod yet?").await;
    tab.sees("image and bundle are there").await;
    tab.sees("Critical path").await;
    let counted = async || {
        let text = tab.evaluate("return document.querySelector('.counting')?.textContent ?? ''").await;
        text.as_str().unwrap_or_default().to_owned()
    };
    let first = counted().await;
    assert!(first.contains("so far"), "{first:?}");
    tab.click("button", "Copy commit").await;
    assert_eq!(tab.clipboard().await, sha(3));
    settles(tab).await;
    tab.look("change").await;
    tab.evaluate("document.querySelector('.path').scrollIntoView({ block: 'center' })").await;
    tab.look("change-path").await;
    tab.evaluate("document.querySelector('details').open = true").await;
    tab.find("row", "Rollout").await;
    tab.evaluate("document.querySelector('.facts').scrollIntoView()").await;
    tab.look("change-facts").await;

    // By its first digits, and while a job runs.
    tab.go(&format!("{}/delivery/checkout/{}", console.url, &sha(4)[..7])).await;
    tab.find("heading", "Let people pay later").await;
    tab.sees("cargo test").await;
    let first = counted().await;
    tab.wait("a second passes", async || counted().await != first).await;
    tab.sees(&sha(4)).await;
    settles(tab).await;
    tab.look("change-running").await;
    let done = delivery::stage(
        "checkout",
        4,
        "ci",
        "succeeded",
        json!({ "job": "lint", "finished": delivery::ago(1) }),
    );
    tells(console, vec![done]).await;
    tab.sees("lint").await;
}

async fn measures(tab: &Tab) {
    tab.click("link", "checkout").await;
    tab.find("heading", "checkout").await;
    tab.sees("Delivery to prod").await;
    tab.sees("1 failed deployment").await;
    settles(tab).await;
    tab.look("service").await;
    tab.click("link", "7 days").await;
    tab.wait("the address", async || {
        tab.client.current_url().await.is_ok_and(|url| url.query() == Some("days=7"))
    })
    .await;
    tab.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })").await;
    tab.sees("rolled back to 0000001").await;
    settles(tab).await;
    tab.look("service-evidence").await;
}

#[tokio::test]
async fn somebody_limited_to_one_environment_sees_no_other() {
    let grants = "{ group = \"viewers\", role = \"viewer\", environments = [\"prod\"], services = [\"checkout\"] }, \
                  { group = \"administrators\", role = \"administrator\" }";
    let guarded = Guarded::start_with_grants(Emulator::start("none"), grants, &followed()).await;
    let administrator = guarded.sign_in("administrator", "Adam Administrator", "/delivery").await;
    let (status, _) = administrator.post("/api/delivery/report", &json!({ "reports": history() })).await;
    assert_eq!(status, 200);
    administrator.sees("1.6.0").await;
    administrator.close().await;

    let viewer = guarded.sign_in("viewer", "Vera Viewer", "/delivery").await;
    viewer.sees("1.4.0").await;
    settles(&viewer).await;
    let text = viewer.text().await;
    for hidden in ["staging", "dev", "1.6.0", "users", "Forget who asked"] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
    viewer.look("delivery-limited").await;
    viewer.go(&format!("{}/delivery/checkout/{}", guarded.console.url, sha(3))).await;
    viewer.find("heading", "Show the sum before paying").await;
    viewer.sees("Why is it not in prod yet?").await;
    settles(&viewer).await;
    assert!(!viewer.text().await.contains("ErrImagePull"), "what happened in staging");
    viewer.go(&format!("{}/delivery/users", guarded.console.url)).await;
    viewer.sees("No such service").await;
    viewer.look("service-unknown").await;
    viewer.close().await;
}

/// Has the page read answers of the server with something else in them: what takes long to come about, and what no source tells of yet.
const INSTEAD: &str = r#"
const plain = window.fetch;
const soon = (seconds) => new Date(Date.now() + seconds * 1000).toISOString();
window.fetch = async (request, ...more) => {
  const answer = await plain(request, ...more);
  const url = typeof request === 'string' ? request : request.url;
  if (!answer.ok || !/delivery.(matrix|timeline)/.test(url)) return answer;
  const body = await answer.json();
  if (url.includes('matrix')) {
    const [checkout, users] = body.rows;
    Object.assign(checkout.cells[0], { health: 'unknown', last_health: 'healthy', as_of: soon(-7200) });
    checkout.cells[1].holds = [{ kind: 'frozen', by: 'Rita', reason: 'the sale', since: soon(-600), until: soon(86400), pull_request: 31 }];
    checkout.cells[2].holds = [{ kind: 'held', by: 'Rita', reason: 'it lost orders', since: soon(-600), until: null, pull_request: null }];
    Object.assign(checkout.cells[2], { ahead_of: 'staging', behind: null });
    users.cells[2] = null;
    body.sources[0].problem = 'The body of a push event cannot be read.';
  } else {
    Object.assign(body.environments[2].reason, {
      kind: 'updater-polls', next_move: 'machine', deadline: soon(80), sentence: 'The image updater polls in 1 m 20 s.',
      around_countdown: ['The image updater polls in ', '.'],
    });
  }
  return new Response(JSON.stringify(body), answer);
};
"#;

#[tokio::test]
async fn what_is_not_known_is_told_and_what_is_awaited_is_counted_down_to() {
    let emulator = Emulator::start("none");
    let console = Console::start(&emulator, &followed()).await;
    tells(&console, history()).await;
    let tab = Tab::open().await;
    tab.go(&console.url).await;
    tab.find("heading", "Overview").await;
    tab.evaluate(INSTEAD).await;
    tab.click("link", "Delivery").await;
    tab.sees("was Healthy, as of 2 h ago").await;
    let checkout = row(&tab, "acme/checkout").await;
    for shown in ["frozen", "held", "ahead of staging", "drift not known"] {
        assert!(checkout.contains(shown), "{shown} in {checkout}");
    }
    assert!(!checkout.contains("1.6.0 ✓"), "{checkout}");
    let titles =
        tab.evaluate("return [...document.querySelectorAll('.marks [title]')].map((one) => one.title)").await;
    assert!(titles.to_string().contains("frozen by #31 of Rita until "), "{titles}");
    assert!(titles.to_string().contains("held by Rita until somebody resumes: it lost orders"), "{titles}");
    assert_eq!(
        tab.evaluate("return document.querySelector('.matrix td > [title]').title").await,
        "Your roles do not reach it."
    );
    tab.sees("The body of a push event cannot be read.").await;
    settles(&tab).await;
    tab.look("delivery-not-known").await;

    tab.click("link", &sha(3)[..7]).await;
    tab.sees("The image updater polls in 1 m").await;
    let left = async || {
        let text = tab.text().await;
        text.split("polls in ").nth(1).and_then(|rest| rest.split('.').next()).unwrap_or_default().to_owned()
    };
    let first = left().await;
    tab.wait("a second passes", async || left().await != first).await;
    tab.is_clean().await;
    tab.close().await;
}

#[tokio::test]
async fn a_console_that_follows_nothing_says_how_to_begin() {
    let emulator = Emulator::start("none");
    let console = Console::start(&emulator, "").await;
    let tab = Tab::open().await;
    tab.go(&format!("{}/delivery", console.url)).await;
    tab.sees("No services to follow").await;
    tab.sees("[[services]]").await;
    tab.look("delivery-not-configured").await;
    tab.is_clean().await;
    tab.close().await;
}
