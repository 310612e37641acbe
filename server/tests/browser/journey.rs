//! Finding an instance that allows IMDSv1, reading why it fails, enforcing IMDSv2 on it, and the record of it.

use fantoccini::key::Key;

use crate::common::{Console, Emulator, PROD, instance};
use crate::tab::Tab;

#[tokio::test]
async fn from_the_overview_to_applied_and_into_the_audit_log() {
    let emulator = Emulator::start("dev");
    emulator.control("applied", serde_json::json!({ "describes": 3 })).await;
    let console = Console::start(&emulator, "").await;
    let tab = Tab::open().await;
    tab.go(&console.url).await;
    tab.find("heading", "Overview").await;
    tab.sees("allow IMDSv1").await;

    tab.click("link", "Instances").await;
    tab.find("heading", "Instances").await;
    let id = v1_instance(&emulator).await;
    tab.type_into("combobox", "Filter instances", &format!("verdict:allows-v1 {id} ")).await;
    tab.wait("the one instance", async || tab.all("row", "Allows v1").await.len() == 1).await;
    let name = text_of(&emulator, &id, "name").await;
    tab.click("link", &name).await;

    tab.sees("tokens are optional").await;
    tab.sees("imdsv2-required").await;
    tab.click("button", "Enforce IMDSv2").await;
    tab.find("dialog", "Enforce IMDSv2").await;
    tab.sees("ModifyInstanceMetadataOptions").await;
    tab.sees("AWS would permit the call.").await;
    tab.type_into("textbox", "Reason", "closing the gap").await;
    tab.screenshot("enforce-dialog").await;
    tab.click("button", "Enforce IMDSv2").await;
    tab.sees("The options are applied").await;
    tab.screenshot("enforce-applied").await;
    tab.click("button", "Close").await;
    tab.sees("IMDSv2 is enforced").await;

    tab.click("link", "Audit").await;
    tab.find("heading", "Audit").await;
    tab.sees("Change applied").await;
    tab.sees("closing the gap").await;
    tab.is_clean().await;
    tab.close().await;
}

#[tokio::test]
async fn the_keyboard_alone_is_enough() {
    let emulator = Emulator::start("dev");
    let console = Console::start(&emulator, "").await;
    let tab = Tab::open().await;
    tab.go(&format!("{}/fleet", console.url)).await;
    tab.wait("rows", async || tab.all("row", "i-").await.len() > 5).await;
    let id = v1_instance(&emulator).await;

    tab.press('/').await;
    tab.wait("the field has the focus", async || {
        tab.evaluate("return document.activeElement.getAttribute('aria-label')").await == "Filter instances"
    })
    .await;
    tab.type_text(&format!("{id} ")).await;
    tab.wait("the one instance", async || tab.all("row", "i-").await.len() == 1).await;
    tab.press_named(Key::Escape).await;
    // From the field into the list, and from its row to the page.
    tab.wait("the list has the focus", async || {
        tab.press_named(Key::Tab).await;
        tab.evaluate("return document.activeElement.getAttribute('role')").await == "grid"
    })
    .await;
    tab.press_named(Key::Down).await;
    tab.press_named(Key::Enter).await;
    tab.wait("the page's heading has the focus", async || {
        tab.evaluate("return document.activeElement.tagName").await == "H1"
    })
    .await;
    tab.wait("the button has the focus", async || {
        tab.press_named(Key::Tab).await;
        let focused = tab.evaluate("return document.activeElement.textContent").await;
        focused.as_str().is_some_and(|text| text.contains("Enforce IMDSv2"))
    })
    .await;
    tab.press_named(Key::Enter).await;
    tab.sees("AWS would permit the call.").await;
    tab.wait("the reason has the focus", async || {
        tab.press_named(Key::Tab).await;
        tab.evaluate("return document.activeElement.tagName").await == "TEXTAREA"
    })
    .await;
    tab.type_text("by keyboard").await;
    tab.wait("the button has the focus", async || {
        tab.press_named(Key::Tab).await;
        tab.evaluate("return document.activeElement.textContent")
            .await
            .as_str()
            .is_some_and(|text| text.trim() == "Enforce IMDSv2")
    })
    .await;
    tab.press_named(Key::Enter).await;
    tab.sees("The options are applied").await;
    tab.is_clean().await;
    tab.close().await;
}

#[tokio::test]
async fn names_with_markup_are_inert() {
    let emulator = Emulator::start("dev");
    let id = v1_instance(&emulator).await;
    let region = text_of(&emulator, &id, "region").await;
    let name = "<img src=x onerror=alert(1)>";
    emulator
        .control("instance", instance((PROD, &region), &id, serde_json::json!({ "tags": { "Name": name } })))
        .await;
    let console = Console::start(&emulator, "").await;
    let tab = Tab::open().await;
    for path in [format!("/fleet?q={id}"), format!("/fleet/{PROD}/{region}/{id}")] {
        tab.go(&format!("{}{path}", console.url)).await;
        tab.sees(name).await;
        assert_eq!(tab.evaluate("return document.querySelectorAll('img').length").await, 0, "{path}");
    }
    tab.is_clean().await;
    tab.close().await;
}

/// A running instance of the first account that allows IMDSv1 and that nobody else manages.
async fn v1_instance(emulator: &Emulator) -> String {
    let fleet = emulator.fleet().await;
    let found = fleet.iter().find(|one| {
        one["account"] == PROD
            && one["state"] == "running"
            && one["metadata_options"]["HttpTokens"] == "optional"
            && one["metadata_options"]["HttpEndpoint"] == "enabled"
    });
    found.expect("the seed has such an instance")["instance_id"].as_str().expect("an id").to_owned()
}

/// A text that the emulator holds of an instance.
async fn text_of(emulator: &Emulator, id: &str, field: &str) -> String {
    let fleet = emulator.fleet().await;
    let found = fleet.iter().find(|one| one["instance_id"] == id).expect("the instance");
    found[field].as_str().expect("text").to_owned()
}
