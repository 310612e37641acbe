//! The list of instances: wrong queries, copying, column widths, narrow windows, and each state that it can be in.

use std::collections::BTreeSet;

use fantoccini::elements::Element;
use fantoccini::key::Key;
use serde_json::json;

use crate::common::{Console, Emulator};
use crate::tab::{Scheme, Tab};

/// How many rows are in the document.
const ROWS: &str = "return document.querySelectorAll('.grid-body [role=row]').length";
/// Controls that a window of this width does not show as a whole.
const OUT_OF_SIGHT: &str = r#"
const page = document.documentElement.clientWidth;
return [...document.querySelectorAll('.nav a, .nav button, .top input')]
  .map((element) => [element.textContent, element.getBoundingClientRect()])
  .filter(([, box]) => box.width === 0 || box.left < 0 || page < box.right)
  .map(([text]) => text);
"#;

/// Whether the last action on a selection has the focus and is seen as a whole.
const LAST_ACTION_IN_SIGHT: &str = r#"
const focused = document.activeElement;
const [strip, box] = [focused.parentElement.getBoundingClientRect(), focused.getBoundingClientRect()];
return focused.textContent.startsWith('Preview') && strip.left <= box.left && box.right <= strip.right;
"#;

#[tokio::test]
async fn a_query_with_a_mistake_in_the_address_lists_nothing() {
    let (emulator, console, tab) = fleet("dev", "?q=verdict:maybe").await;
    tab.sees("The query has a mistake").await;
    is_withheld(&tab).await;
    assert_eq!(tab.evaluate(ROWS).await, 0);

    tab.click("button", "Clear the filter").await;
    let all = emulator.fleet().await.len();
    tab.find("button", &format!("Select all {all} matching")).await;
    tab.wait("rows", async || tab.evaluate(ROWS).await != 0).await;
    assert_eq!(tab.find("link", "CSV").await.attr("aria-disabled").await.expect("an answer"), None);
    tab.is_clean().await;
    tab.close().await;
    drop(console);
}

#[tokio::test]
async fn a_mistake_while_typing_leaves_the_last_rows_and_says_so() {
    let (_emulator, _console, tab) = fleet("dev", "?q=verdict:allows-v1").await;
    tab.wait("rows", async || tab.evaluate(ROWS).await != 0).await;
    tab.click("button", "Select all").await;
    tab.find("button", "Copy ids").await;
    // At once, as pasting does: each letter typed would be a query of its own.
    let paste = "const [field] = document.getElementsByTagName('input'); \
                 field.value += ' verdict:maybe'; field.dispatchEvent(new InputEvent('input', { bubbles: true }));";
    tab.evaluate(paste).await;
    tab.sees("The query has a mistake. The rows are those of before · 0 selected").await;
    is_withheld(&tab).await;
    assert_ne!(tab.evaluate(ROWS).await, 0);
    assert_eq!(tab.evaluate("return document.querySelectorAll('.doubtful').length").await, 1);
    tab.screenshot("fleet-mistake-typed").await;
    tab.is_accessible("fleet with a mistake that was typed").await;
    tab.is_clean().await;
    tab.close().await;
}

/// Nothing can be done with all that match while it is not known what does.
async fn is_withheld(tab: &Tab) {
    for (role, name) in [("button", "Select all matching"), ("link", "CSV"), ("link", "JSON")] {
        let element = tab.find(role, name).await;
        let attribute = async |name: &str| element.attr(name).await.expect("an answer");
        assert_eq!(attribute("aria-disabled").await.as_deref(), Some("true"), "{name}");
        assert_eq!(attribute("title").await.as_deref(), Some("The query has a mistake."), "{name}");
        assert_eq!(attribute("href").await, None, "{name}");
    }
}

#[tokio::test]
async fn the_ids_of_all_that_match_are_copied() {
    // More than one request of the list answers, in a fleet that is read again all the time.
    let (emulator, _console, tab) = fleet("large", "").await;
    let all = emulator.fleet().await;
    let ids = |running: bool| -> BTreeSet<String> {
        let wanted = all.iter().filter(|one| !running || one["state"] == "running");
        wanted.map(|one| one["instance_id"].as_str().expect("an id").to_owned()).collect()
    };
    for (query, expected) in [("", ids(false)), ("state:running ", ids(true))] {
        tab.type_into("combobox", "Filter instances", query).await;
        let count = app::format::count(expected.len() as u64);
        tab.click("button", &format!("Select all {count} matching")).await;
        tab.sees(&format!("{count} selected")).await;
        tab.click("button", "Copy ids").await;
        tab.sees(&format!("Copied: {count} instance ids.")).await;
        let copied: BTreeSet<String> = tab.clipboard().await.lines().map(str::to_owned).collect();
        assert_eq!(copied, expected);
    }
    // However long the ids take: a browser counts a press as one for some seconds only.
    tab.hold("*/api/fleet/ids*").await;
    tab.click("button", "Copy ids").await;
    tab.wait("the press is long ago", async || {
        tab.evaluate("return navigator.userActivation.isActive").await == false
    })
    .await;
    tab.evaluate("return navigator.clipboard.writeText('something else')").await;
    tab.release().await;
    let count = app::format::count(ids(true).len() as u64);
    tab.sees(&format!("Copied: {count} instance ids.")).await;
    assert_eq!(tab.clipboard().await.lines().count(), ids(true).len());
    tab.is_clean().await;
    tab.close().await;
}

#[tokio::test]
async fn columns_are_resized_by_pointer_and_by_keyboard() {
    let (_emulator, _console, tab) = fleet("dev", "").await;
    let automatic = width(&tab).await;
    tab.drag(grip(&tab).await, 80).await;
    tab.wait("the column is wider", async || (width(&tab).await - automatic - 80).abs() <= 1).await;
    assert_eq!(attribute(&tab, "aria-valuenow").await, Some(width(&tab).await.to_string()));

    // The grip has the focus from being dragged.
    tab.press_named(Key::Left).await;
    tab.press_named(Key::Left).await;
    tab.wait("the column is narrower", async || (width(&tab).await - automatic - 48).abs() <= 1).await;
    let chosen = width(&tab).await;
    tab.client.refresh().await.expect("the page loads again");
    tab.wait("the width was kept", async || width(&tab).await == chosen).await;

    tab.evaluate("document.querySelector('[aria-label=\"Width of Region\"]').focus()").await;
    tab.press_named(Key::Enter).await;
    tab.wait("the width is automatic", async || width(&tab).await == automatic).await;
    assert_eq!(attribute(&tab, "aria-valuetext").await.as_deref(), Some("automatic"));
    tab.is_clean().await;
    tab.close().await;
}

async fn grip(tab: &Tab) -> Element {
    tab.find("separator", "Width of Region").await
}

async fn attribute(tab: &Tab, name: &str) -> Option<String> {
    grip(tab).await.attr(name).await.expect("an answer")
}

/// How wide the column of regions is, in whole pixels.
async fn width(tab: &Tab) -> i64 {
    grip(tab).await;
    let width = tab
        .evaluate(
            "return document.querySelector('[aria-label=\"Width of Region\"]').parentElement.clientWidth",
        )
        .await;
    width.as_i64().expect("a number")
}

#[tokio::test]
async fn everything_is_in_reach_at_360_pixels() {
    let (_emulator, _console, tab) = fleet("dev", "").await;
    tab.size(360, 740).await;
    tab.wait("rows", async || tab.evaluate(ROWS).await != 0).await;
    assert_eq!(tab.evaluate(OUT_OF_SIGHT).await, json!([]));
    for link in ["Overview", "Accounts", "Policy", "Audit", "Instances"] {
        tab.click("link", link).await;
        tab.find("heading", link).await;
    }
    tab.click("button", "Theme").await;
    let wide = tab.evaluate("return document.documentElement.scrollWidth").await;
    assert!(wide.as_i64().is_some_and(|wide| wide <= 360), "the page is {wide} pixels wide");
    let height = tab.evaluate("return document.querySelector('.toolbar').clientHeight").await;
    assert!(height.as_i64().is_some_and(|height| height < 90), "the toolbar is {height} pixels high");
    // The keyboard brings each action into sight.
    tab.evaluate("document.querySelector('.toolbar button').focus()").await;
    for _ in 0..3 {
        tab.press_named(Key::Tab).await;
    }
    tab.wait("the last action is in sight", async || tab.evaluate(LAST_ACTION_IN_SIGHT).await == true).await;
    tab.is_clean().await;
    tab.close().await;
}

#[tokio::test]
async fn each_state_is_looked_at() {
    let (_emulator, console, tab) = fleet("dev", "").await;
    let pictures = async |state: &str| {
        for (scheme, word) in [(Scheme::Light, "light"), (Scheme::Dark, "dark")] {
            tab.scheme(scheme).await;
            for width in [1440, 360] {
                tab.size(width, 900).await;
                tab.screenshot(&format!("fleet-{state}-{word}-{width}")).await;
                tab.is_accessible(&format!("fleet {state} {word} {width}")).await;
            }
        }
    };
    tab.hold("*/api/fleet/list*").await;
    tab.client.refresh().await.expect("the page loads again");
    tab.wait("grey bars", async || tab.evaluate(ROWS).await == 12).await;
    pictures("loading").await;

    tab.release().await;
    tab.client.refresh().await.expect("the page loads again");
    tab.find("button", "Select all 3").await;
    drop(console);
    tab.type_into("combobox", "Filter instances", "state:running ").await;
    tab.sees("The server cannot be reached.").await;
    tab.sees("The list cannot be read. The rows are those of before").await;
    let select = tab.find("button", "Select all matching").await;
    assert_eq!(select.attr("aria-disabled").await.expect("an answer").as_deref(), Some("true"));
    pictures("without-server").await;
    tab.close().await;
}

/// The list of instances in a browser, with `query` in its address.
async fn fleet(seed: &str, query: &str) -> (Emulator, Console, Tab) {
    let emulator = Emulator::start(seed);
    let console = Console::start(&emulator, "").await;
    let tab = Tab::open().await;
    tab.go(&format!("{}/fleet{query}", console.url)).await;
    tab.find("heading", "Instances").await;
    (emulator, console, tab)
}
