//! Every page: what axe-core finds, what the content security policy forbids, and how it looks in both schemes and sizes.

use crate::common::{Console, Emulator, PROD};
use crate::tab::{Scheme, Tab};

/// The elements that make the page itself scroll sideways; none where it does not.
const BEYOND_THE_EDGE: &str = r#"
const page = document.documentElement;
if (page.scrollWidth <= page.clientWidth) return [];
return [...document.body.querySelectorAll('*')]
  .filter((element) => element.getBoundingClientRect().right > page.clientWidth + 1)
  .filter((element) => !element.parentElement.closest('.scroll, .grid, nav, pre'))
  .map((element) => `${element.tagName}.${element.className} ${element.getBoundingClientRect().right}`);
"#;

/// Every page with what tells that it is there.
async fn pages(emulator: &Emulator) -> Vec<(&'static str, String, &'static str)> {
    let fleet = emulator.fleet().await;
    let one = fleet
        .iter()
        .find(|one| one["account"] == PROD && one["metadata_options"]["HttpTokens"] == "optional");
    let one = one.expect("the seed has such an instance");
    let text = |field: &str| one[field].as_str().expect("text");
    vec![
        ("overview", "/".into(), "Overview"),
        ("fleet", "/fleet".into(), "Instances"),
        ("fleet-empty", "/fleet?q=nothing-is-called-this".into(), "Instances"),
        ("fleet-mistake", "/fleet?q=verdict:maybe".into(), "Instances"),
        ("instance", format!("/fleet/{}/{}/{}", text("account"), text("region"), text("instance_id")), ""),
        ("accounts", "/accounts".into(), "Accounts"),
        ("policy", "/policy".into(), "Policy"),
        ("releases-not-configured", "/releases".into(), "Releases"),
        ("audit", "/audit".into(), "Audit"),
        ("tokens-local", "/tokens".into(), "Tokens"),
        ("missing", "/deliveries/users/1.4.2".into(), ""),
    ]
}

#[tokio::test]
async fn every_page_is_accessible_clean_and_looked_at_in_both_schemes_and_sizes() {
    let emulator = Emulator::start("dev");
    let console = Console::start(&emulator, "").await;
    let tab = Tab::open().await;
    for (name, path, heading) in pages(&emulator).await {
        for (scheme, word) in [(Scheme::Light, "light"), (Scheme::Dark, "dark")] {
            tab.scheme(scheme).await;
            for width in [1440, 360] {
                tab.size(width, 900).await;
                tab.go(&format!("{}{path}", console.url)).await;
                tab.find("heading", heading).await;
                tab.wait("nothing is loading", async || {
                    tab.evaluate("return document.querySelectorAll('[aria-busy=true],.skeleton').length")
                        .await
                        == 0
                })
                .await;
                tab.screenshot(&format!("{name}-{word}-{width}")).await;
                tab.is_accessible(&format!("{name} {word} {width}")).await;
                let wide = tab.evaluate(BEYOND_THE_EDGE).await;
                assert_eq!(wide, serde_json::json!([]), "{name} at {width} px scrolls sideways as a whole");
            }
        }
    }
    tab.is_clean().await;
    tab.close().await;
}

#[tokio::test]
async fn a_page_of_another_origin_cannot_change_anything() {
    let emulator = Emulator::start("dev");
    let console = Console::start(&emulator, "").await;
    let tab = Tab::open().await;
    let script = format!(
        "const form = document.createElement('form'); form.method = 'post'; form.enctype = 'text/plain'; \
         form.action = '{}/api/fleet/plan-restore'; document.body.append(form); form.submit();",
        console.url
    );
    tab.go("data:text/html,<title>another origin</title>").await;
    tab.evaluate(&script).await;
    tab.sees("another origin").await;
    tab.close().await;
}

#[tokio::test]
async fn a_server_that_goes_away_is_told_and_found_again() {
    let emulator = Emulator::start("dev");
    let console = Console::start(&emulator, "").await;
    let tab = Tab::open().await;
    tab.go(&console.url).await;
    tab.find("heading", "Overview").await;
    tab.sees("live").await;
    drop(console);
    tab.sees("reconnecting").await;
    tab.screenshot("overview-without-server").await;
    tab.close().await;
}
