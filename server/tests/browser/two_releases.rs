//! Tabs that stay open while other releases of the page become live: they go on, and offer to load what is live.

use std::path::Path;

use domain::wire::API_VERSION;
use http::StatusCode;
use serde_json::{Value, json};

use crate::common::cloud::{BUCKET, Cloud};
use crate::common::{Console, Emulator};
use crate::distribution::Distribution;
use crate::site;
use crate::tab::Tab;

const OFFER: &str = "Another version of the console is live.";
const INCOMPATIBLE: &str = "This page is older or newer than the server.";
const NOT_FETCHED: &str = "This page could not be fetched.";
const RELEASE_JSON: &str = "release.json";

/// A console behind a distribution, of whose page one release is live.
struct Deployed {
    emulator: Emulator,
    console: Console,
    cloud: Cloud,
    distribution: Distribution,
    configuration: String,
}

impl Deployed {
    async fn start() -> Deployed {
        let emulator = Emulator::start("dev");
        let cloud = Cloud::at(emulator.url.clone()).await;
        let configuration =
            format!("publish = {{ bucket = \"{BUCKET}\", distribution = \"{}\" }}\n", cloud.distribution);
        let console = Console::start(&emulator, &configuration).await;
        let distribution = Distribution::start(&cloud, &console.url).await;
        let deployed = Deployed { emulator, console, cloud, distribution, configuration };
        deployed.push(&site::directory()).await;
        deployed
    }

    async fn push(&self, bundle: &Path) {
        let bundle = bundle.to_str().expect("a path");
        self.publish(&["push", bundle, "--commit", "c0ffee", "--branch", "main", "--author", "Ada"]).await;
    }

    /// Runs `tollgate publish` beside the distribution, which answers meanwhile.
    async fn publish(&self, arguments: &[&str]) {
        let mut command = self.console.command();
        command.arg("publish").args(arguments);
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("it ends");
        let output = output.expect("the binary runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    async fn open(&self, path: &str) -> Tab {
        let tab = Tab::open().await;
        tab.go(&format!("{}{path}", self.distribution.url)).await;
        tab.find("heading", "").await;
        tab
    }

    /// Comes back to the tab until the page took an answer to a question that it asked from now on. It asks one at a time: the
    /// third was asked after the answer to the second was taken, and the first may have been asked before.
    async fn comes_back(&self, tab: &Tab) {
        let before = self.asked();
        tab.wait("the page asks what is live", async || {
            comes_to(tab, 1).await;
            self.asked() >= before + 3
        })
        .await;
    }

    /// How often pages asked which release is live.
    fn asked(&self) -> usize {
        self.distribution.answered(RELEASE_JSON).len()
    }
}

/// Comes to the tab as often as this, one right after the other.
async fn comes_to(tab: &Tab, times: u32) {
    tab.evaluate(&format!("for (let i = 0; i < {times}; i++) window.dispatchEvent(new Event('focus'))"))
        .await;
}

/// Presses the offer's button, and waits for `release`.
async fn reload(tab: &Tab, release: &str) {
    tab.click("button", "Reload").await;
    tab.wait("the other release", async || is_of(tab).await == release).await;
    tab.find("heading", "").await;
}

/// Which release the page is of.
async fn is_of(tab: &Tab) -> Value {
    tab.evaluate("return document.documentElement.dataset.release").await
}

/// What stands beside the name of the console.
async fn mark(tab: &Tab) -> Value {
    tab.evaluate("return getComputedStyle(document.querySelector('.brand span'), '::after').content").await
}

#[tokio::test]
async fn a_tab_goes_on_over_a_deploy_and_is_offered_what_is_live() {
    let deployed = Deployed::start().await;
    let distribution = &deployed.distribution;
    deployed.publish(&["serve-check", &distribution.url]).await;
    deployed.emulator.control("applied", json!({ "describes": 3 })).await;
    let tab = Tab::open().await;
    // Nothing but what the first page needs is here when the next release comes.
    tab.hold("*/split_*.wasm").await;
    tab.go(&distribution.url).await;
    tab.find("heading", "Overview").await;
    assert_eq!(is_of(&tab).await, site::release().as_str());
    assert!(distribution.answered("split_").is_empty());

    let two = site::another("two", API_VERSION);
    deployed.push(two.directory.path()).await;
    tab.release().await;
    let loads = distribution.loads();
    tab.click("link", "Instances").await;
    tab.find("heading", "Instances").await;
    let old = distribution.answered(&format!("pkg/{}/split_fleet.wasm", site::release()));
    assert_eq!(old, [StatusCode::OK]);

    // A change from the old page: by its own parts, by the server's endpoints, and told by the server's events.
    let id = allows_v1(&deployed.emulator).await;
    tab.type_into("combobox", "Filter instances", &format!("verdict:allows-v1 {id} ")).await;
    tab.wait("the one instance", async || tab.all("row", "Allows v1").await.len() == 1).await;
    tab.evaluate("document.querySelector('.grid-body [role=row] a').click()").await;
    tab.sees("tokens are optional").await;
    tab.click("button", "Enforce IMDSv2").await;
    tab.sees("AWS would permit the call.").await;
    tab.type_into("textbox", "Reason", "over a deploy").await;
    tab.click("button", "Enforce IMDSv2").await;
    tab.sees("The options are applied").await;
    tab.click("button", "Close").await;

    deployed.comes_back(&tab).await;
    tab.sees(OFFER).await;
    tab.look("release-offer").await;
    assert_eq!(distribution.loads(), loads, "the page never loads by itself");
    assert_eq!(is_of(&tab).await, site::release().as_str());
    assert_eq!(mark(&tab).await, "none");

    reload(&tab, &two.release).await;
    assert_eq!(mark(&tab).await, "\" two\"");
    deployed.comes_back(&tab).await;
    assert!(!tab.text().await.contains(OFFER));
    tab.click("link", "Audit").await;
    tab.sees("over a deploy").await;
    deployed.comes_back(&tab).await;
    assert!(!tab.text().await.contains(OFFER));
    assert_eq!(distribution.loads(), loads + 1);
    tab.is_clean().await;
    tab.close().await;
}

/// An instance that may be changed.
async fn allows_v1(emulator: &Emulator) -> String {
    let fleet = emulator.fleet().await;
    let one = fleet
        .iter()
        .find(|one| one["state"] == "running" && one["metadata_options"]["HttpTokens"] == "optional");
    one.expect("the seed has one")["instance_id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_rollback_is_offered_like_any_release_and_nothing_loops() {
    let deployed = Deployed::start().await;
    let distribution = &deployed.distribution;
    let (one, two) = (site::release(), site::another("two", API_VERSION));
    let old = deployed.open("/accounts").await;
    deployed.push(two.directory.path()).await;
    let new = deployed.open("/accounts").await;
    assert_eq!(is_of(&new).await, two.release.as_str());
    for tab in [&old, &new] {
        deployed.comes_back(tab).await;
    }
    old.sees(OFFER).await;
    assert!(!new.text().await.contains(OFFER));

    deployed.publish(&["rollback", "--reason", "it shows no prices"]).await;
    let loads = distribution.loads();
    for tab in [&old, &new] {
        deployed.comes_back(tab).await;
    }
    new.sees(OFFER).await;
    old.wait("the offer is withdrawn", async || !old.text().await.contains(OFFER)).await;
    assert_eq!(distribution.loads(), loads, "no page loads by itself");

    reload(&new, &one).await;
    deployed.comes_back(&new).await;
    assert!(!new.text().await.contains(OFFER));
    assert_eq!((distribution.loads(), mark(&new).await), (loads + 1, json!("none")));

    // An edge that still has the old page: it loads once for each press, and offers what it could not load.
    distribution.keeps_the_shell(true).await;
    deployed.push(two.directory.path()).await;
    deployed.comes_back(&new).await;
    new.sees(OFFER).await;
    for pressed in 1..=2 {
        new.evaluate("window.opened = 'before'").await;
        new.click("button", "Reload").await;
        new.wait("the page was loaded", async || {
            new.evaluate("return window.opened ?? null").await.is_null()
        })
        .await;
        new.sees(OFFER).await;
        deployed.comes_back(&new).await;
        assert_eq!((distribution.loads(), is_of(&new).await), (loads + 1 + pressed, json!(one)));
    }
    distribution.keeps_the_shell(false).await;
    reload(&new, &two.release).await;
    deployed.comes_back(&new).await;
    assert!(!new.text().await.contains(OFFER));
    for tab in [old, new] {
        tab.is_clean().await;
        tab.close().await;
    }
}

#[tokio::test]
async fn a_release_that_speaks_to_the_server_in_another_way_is_told_as_that() {
    let deployed = Deployed::start().await;
    let tab = deployed.open("/policy").await;
    let three = site::another("three", API_VERSION + 1);
    deployed.push(three.directory.path()).await;
    let loads = deployed.distribution.loads();
    deployed.comes_back(&tab).await;
    tab.sees(INCOMPATIBLE).await;
    assert!(!tab.text().await.contains(OFFER), "one of both is told");
    assert_eq!(deployed.distribution.loads(), loads);
    tab.look("release-incompatible").await;

    reload(&tab, &three.release).await;
    deployed.comes_back(&tab).await;
    let text = tab.text().await;
    assert!(!text.contains(INCOMPATIBLE) && !text.contains(OFFER), "{text}");
    assert_eq!(deployed.distribution.loads(), loads + 1);
    tab.is_clean().await;
    tab.close().await;
}

#[tokio::test]
async fn a_part_that_cannot_be_fetched_is_told_in_its_place_and_the_rest_goes_on() {
    let deployed = Deployed::start().await;
    let distribution = &deployed.distribution;
    distribution.refuses(Some("split_fleet"));
    let tab = deployed.open("/").await;
    tab.click("link", "Instances").await;
    tab.sees(NOT_FETCHED).await;
    assert!(
        distribution.answered("split_fleet").iter().all(|status| *status == StatusCode::SERVICE_UNAVAILABLE)
    );
    tab.look("part-not-fetched").await;
    let asked = distribution.answered("split_fleet").len();
    tab.click("button", "Try again").await;
    tab.wait("it is fetched again", async || distribution.answered("split_fleet").len() > asked).await;
    tab.sees(NOT_FETCHED).await;
    assert!(!tab.text().await.contains(OFFER), "it is of what is live");

    for (link, seen) in [("Accounts", "prod"), ("Audit", "Audit"), ("Overview", "allow IMDSv1")] {
        tab.click("link", link).await;
        tab.find("heading", link).await;
        tab.sees(seen).await;
    }
    tab.click("link", "Instances").await;
    tab.sees(NOT_FETCHED).await;
    distribution.refuses(None);
    tab.click("button", "Try again").await;
    tab.find("heading", "Instances").await;
    tab.wait("rows", async || !tab.all("row", "i-").await.is_empty()).await;
    assert!(!tab.text().await.contains(NOT_FETCHED));
    assert_eq!(distribution.loads(), 1);
    tab.close().await;
}

#[tokio::test]
async fn a_part_of_a_release_that_was_deleted_is_missing_and_what_is_live_is_offered() {
    let deployed = Deployed::start().await;
    let distribution = &deployed.distribution;
    let tab = Tab::open().await;
    tab.hold("*/split_*.wasm").await;
    tab.go(&distribution.url).await;
    tab.find("heading", "Overview").await;
    let three = site::another("three", API_VERSION);
    for bundle in [&site::another("two", API_VERSION), &three] {
        deployed.push(bundle.directory.path()).await;
    }
    // What became live within the same second is kept.
    let part = format!("pkg/{}/split_fleet.wasm", site::release());
    tab.wait("the first release is deleted", async || {
        deployed.publish(&["prune", "--keep", "1", "--older-than", "0", "--yes"]).await;
        !deployed.cloud.has(&part).await
    })
    .await;
    tab.release().await;

    tab.click("link", "Instances").await;
    tab.sees(NOT_FETCHED).await;
    // Nobody came back to the tab: that a part was missing was reason enough to ask.
    tab.sees(OFFER).await;
    assert!(distribution.answered(&part).iter().all(|status| *status == StatusCode::NOT_FOUND));
    tab.look("part-deleted").await;
    tab.click("link", "Overview").await;
    tab.sees("allow IMDSv1").await;
    tab.click("link", "Instances").await;
    reload(&tab, &three.release).await;
    tab.find("heading", "Instances").await;
    tab.wait("rows", async || !tab.all("row", "i-").await.is_empty()).await;
    deployed.comes_back(&tab).await;
    assert!(!tab.text().await.contains(OFFER));
    assert_eq!(distribution.loads(), 2);
    tab.close().await;
}

#[tokio::test]
async fn a_tab_asks_what_is_live_when_it_is_looked_at_and_when_the_server_was_away() {
    let mut deployed = Deployed::start().await;
    let tab = deployed.open("/").await;
    tab.sees("live").await;
    deployed.comes_back(&tab).await;
    // What is asked for in turn is answered after what the page asked before.
    let settled = async || {
        for _ in 0..2 {
            tab.evaluate_async("await (await fetch('/favicon.svg', { cache: 'no-store' })).text()").await;
        }
    };
    settled().await;

    let before = deployed.asked();
    comes_to(&tab, 50).await;
    tab.wait("the page asks", async || deployed.asked() > before).await;
    settled().await;
    assert_eq!(deployed.asked(), before + 1, "one at a time");

    let two = site::another("two", API_VERSION);
    deployed.push(two.directory.path()).await;
    let before = deployed.asked();
    tab.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })").await;
    comes_to(&tab, 1).await;
    tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))").await;
    settled().await;
    assert_eq!(deployed.asked(), before, "nobody looks at it");
    tab.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))").await;
    tab.sees(OFFER).await;

    // The next server comes with the next page, as in a rollout.
    deployed.publish(&["rollback", &site::release()]).await;
    let console =
        Console::start_in(deployed.console.kill(), &deployed.emulator, &deployed.configuration).await;
    deployed.console = console;
    tab.sees("reconnecting").await;
    tab.sees("The server cannot be reached.").await;
    let text = tab.text().await;
    assert!(text.contains(OFFER) && !text.contains(INCOMPATIBLE), "nobody has asked: {text}");
    deployed.distribution.leads_to(&deployed.console.url);
    tab.wait("the offer is withdrawn", async || !tab.text().await.contains(OFFER)).await;
    tab.sees("live").await;
    assert_eq!(deployed.distribution.loads(), 1);
    tab.close().await;
}
