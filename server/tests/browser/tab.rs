//! Chromium, driven by role and label.

use std::process::{Command, Stdio};
use std::time::Duration;

use fantoccini::actions::{
    InputSource, KeyAction, KeyActions, MOUSE_BUTTON_LEFT, MouseActions, PointerAction,
};
use fantoccini::elements::Element;
use fantoccini::key::Key;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::common::{Running, free_port, setting, until};

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scheme {
    Light,
    Dark,
}

/// One window of a browser of its own.
pub(crate) struct Tab {
    pub(crate) client: Client,
    _browser: Browser,
    _driver: Running,
}

/// The processes of a browser, which outlive the driver of a test that failed.
struct Browser {
    profile: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let named = format!("--user-data-dir={}", self.profile.path().display());
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        for process in processes.filter_map(|entry| entry.file_name().into_string().ok()) {
            let command = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
            if command.split(|byte| *byte == 0).any(|argument| argument == named.as_bytes()) {
                // It may have ended by now, as after each test that succeeds.
                let _ = Command::new("kill").args(["-KILL", &process]).stderr(Stdio::null()).status();
            }
        }
    }
}

/// Answers the elements of a role with a name, as an accessibility tree would compute them for what the console uses.
const BY_ROLE: &str = r#"
const [role, name] = arguments;
const roles = {
  button: 'button,[role=button]', link: 'a[href],[role=link]', heading: 'h1,h2,h3', textbox: 'input:not([type=checkbox]):not([type=search]),textarea',
  combobox: '[role=combobox]', searchbox: 'input[type=search]', checkbox: 'input[type=checkbox]', row: '[role=row],tr', dialog: 'dialog[open]', option: '[role=option]',
};
const text = (element) => {
  const by = element.getAttribute('aria-labelledby');
  if (by) return by.split(' ').map((id) => document.getElementById(id)?.textContent ?? '').join(' ');
  const label = element.getAttribute('aria-label') ?? element.labels?.[0]?.textContent;
  return label ?? element.textContent;
};
const tidy = (value) => (value ?? '').replace(/\s+/g, ' ').trim();
// The one that was opened last lies over the others.
const modal = [...document.querySelectorAll('dialog[open]')].at(-1);
return [...(modal ?? document).querySelectorAll(roles[role] ?? `[role=${role}]`)]
  .concat(role === 'dialog' && modal ? [modal] : [])
  .filter((element) => element.getClientRects().length && tidy(text(element)).includes(name));
"#;

impl Tab {
    pub(crate) async fn open() -> Tab {
        let browser = Browser { profile: tempfile::tempdir().expect("a directory") };
        let port = free_port();
        let driver = Command::new(setting("TOLLGATE_TEST_CHROMEDRIVER"))
            .arg(format!("--port={port}"))
            .args(["--silent", "--allowed-ips=127.0.0.1"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map(Running::new)
            .expect("chromedriver starts");
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            &format!("--user-data-dir={}", browser.profile.path().display()),
        ]
        .map(str::to_owned);
        let capabilities = json!({
            "goog:chromeOptions": { "binary": setting("TOLLGATE_TEST_CHROMIUM"), "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let capabilities = capabilities.as_object().expect("an object").clone();
        let url = format!("http://127.0.0.1:{port}");
        let answers = reqwest::Client::new();
        until("chromedriver answers", async || answers.get(format!("{url}/status")).send().await.is_ok())
            .await;
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&url)
            .await
            .expect("a browser session");
        let tab = Tab { client, _browser: browser, _driver: driver };
        tab.size(1440, 900).await;
        tab
    }

    pub(crate) async fn go(&self, url: &str) {
        self.client.goto(url).await.expect("the page loads");
    }

    /// Sets the size of what the page sees, which a window cannot be as narrow as.
    pub(crate) async fn size(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    pub(crate) async fn scheme(&self, scheme: Scheme) {
        let value = match scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// Leaves requests whose address matches `pattern` without an answer.
    pub(crate) async fn hold(&self, pattern: &str) {
        self.devtools("Fetch.enable", json!({ "patterns": [{ "urlPattern": pattern }] })).await;
    }

    /// Lets requests through again.
    pub(crate) async fn release(&self) {
        self.devtools("Fetch.disable", json!({})).await;
    }

    /// What was copied last.
    pub(crate) async fn clipboard(&self) -> String {
        // What is not granted here is refused from now on.
        let granted = ["clipboardReadWrite", "clipboardSanitizedWrite"];
        self.devtools("Browser.grantPermissions", json!({ "permissions": granted })).await;
        let read = json!({ "expression": "navigator.clipboard.readText()", "awaitPromise": true });
        let answer = self.devtools("Runtime.evaluate", read).await;
        answer["result"]["value"]
            .as_str()
            .unwrap_or_else(|| panic!("no text was copied: {answer}"))
            .to_owned()
    }

    /// Drags an element sideways.
    pub(crate) async fn drag(&self, element: Element, by: i64) {
        let moved = Some(Duration::from_millis(100));
        let mouse = MouseActions::new("mouse".into())
            .then(PointerAction::MoveToElement { element, duration: None, x: 0.0, y: 0.0 })
            .then(PointerAction::Down { button: MOUSE_BUTTON_LEFT })
            .then(PointerAction::MoveBy { duration: moved, x: by as f64, y: 0.0 })
            .then(PointerAction::Up { button: MOUSE_BUTTON_LEFT });
        self.client.perform_actions(mouse).await.expect("the pointer moves");
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        self.client.issue_cmd(Extension { path: "goog/cdp/execute", body }).await.expect("the browser obeys")
    }

    /// The elements of a role whose name contains `name`.
    pub(crate) async fn all(&self, role: &str, name: &str) -> Vec<Element> {
        let found =
            self.client.execute(BY_ROLE, vec![json!(role), json!(name)]).await.expect("the page answers");
        let references = found.as_array().cloned().unwrap_or_default();
        references
            .into_iter()
            .map(|reference| {
                let id = reference
                    .as_object()
                    .and_then(|object| object.values().next()?.as_str().map(str::to_owned));
                Element::from_element_id(self.client.clone(), id.expect("an element").into())
            })
            .collect()
    }

    /// The first element of a role whose name contains `name`, once there is one.
    pub(crate) async fn find(&self, role: &str, name: &str) -> Element {
        self.wait(&format!("a {role} named {name:?}"), async || !self.all(role, name).await.is_empty()).await;
        self.all(role, name).await.swap_remove(0)
    }

    /// Clicks, once nothing lies over the element any more.
    pub(crate) async fn click(&self, role: &str, name: &str) {
        self.wait(&format!("a {role} named {name:?} that can be clicked"), async || {
            match self.all(role, name).await.into_iter().next() {
                Some(element) => element.click().await.is_ok(),
                None => false,
            }
        })
        .await;
    }

    pub(crate) async fn type_into(&self, role: &str, name: &str, text: &str) {
        self.find(role, name).await.send_keys(text).await.expect("text is typed");
    }

    /// Presses one key, wherever the focus is.
    pub(crate) async fn press(&self, key: char) {
        let keys = KeyActions::new("keyboard".into())
            .then(KeyAction::Down { value: key })
            .then(KeyAction::Up { value: key });
        self.client.perform_actions(keys).await.expect("a key is pressed");
    }

    pub(crate) async fn type_text(&self, text: &str) {
        for key in text.chars() {
            self.press(key).await;
        }
    }

    pub(crate) async fn press_named(&self, key: Key) {
        self.press(char::from(key)).await;
    }

    /// All text that is shown.
    pub(crate) async fn text(&self) -> String {
        let text = self
            .client
            .execute("return document.body.innerText", Vec::new())
            .await
            .expect("the page answers");
        text.as_str().unwrap_or_default().to_owned()
    }

    pub(crate) async fn sees(&self, text: &str) {
        self.wait(&format!("the text {text:?}"), async || self.text().await.contains(text)).await;
    }

    pub(crate) async fn evaluate(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.expect("the page answers")
    }

    /// As [`Tab::evaluate`], within an async function, whose answer is waited for.
    pub(crate) async fn evaluate_async(&self, script: &str) -> Value {
        let script = format!("return (async () => {{ {script} }})();");
        self.evaluate(&script).await
    }

    /// The status and the answer of the server to the page's own script.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u64, Value) {
        let script = format!(
            "const answer = await fetch('{path}', {{ method: 'POST', headers: {{ 'content-type': 'application/json' }}, \
             body: JSON.stringify({body}) }}); return [answer.status, await answer.json()];"
        );
        let answer = self.evaluate_async(&script).await;
        (answer[0].as_u64().expect("a status"), answer[1].clone())
    }

    /// As [`Tab::post`], of what is read.
    pub(crate) async fn get(&self, path: &str) -> Value {
        self.evaluate_async(&format!("return (await fetch('{path}')).json();")).await
    }

    /// Waits, and tells what the page showed where it was in vain.
    pub(crate) async fn wait(&self, what: &str, mut condition: impl AsyncFnMut() -> bool) {
        let patience = Duration::from_secs(30);
        let waited = tokio::time::timeout(patience, async {
            while !condition().await {
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        });
        if waited.await.is_err() {
            let log = self.log().await;
            self.screenshot("failure").await;
            panic!(
                "waited {patience:?} for {what}; the page shows:\n{}\nand logged {log:#?}",
                self.text().await
            );
        }
    }

    /// Keeps a picture of the page.
    pub(crate) async fn screenshot(&self, name: &str) {
        let picture = self.client.screenshot().await.expect("a picture");
        let path = std::path::PathBuf::from(setting("TOLLGATE_TEST_SCREENSHOTS")).join(format!("{name}.png"));
        std::fs::write(path, picture).expect("the picture is kept");
    }

    /// What the browser's console logged since the last call.
    pub(crate) async fn log(&self) -> Vec<String> {
        let body = json!({ "type": "browser" });
        let entries =
            self.client.issue_cmd(Extension { path: "se/log", body }).await.expect("the browser's log");
        let entries = entries.as_array().cloned().unwrap_or_default();
        entries
            .iter()
            .map(|entry| {
                format!(
                    "{} {}",
                    entry["level"].as_str().unwrap_or_default(),
                    entry["message"].as_str().unwrap_or_default()
                )
            })
            .collect()
    }

    /// Fails where the page broke its content security policy, or logged an error that is not expected.
    pub(crate) async fn is_clean(&self) {
        let bad: Vec<String> = self
            .log()
            .await
            .into_iter()
            .filter(|line| line.starts_with("SEVERE") || line.contains("Content Security Policy"))
            .collect();
        assert!(bad.is_empty(), "the browser complains: {bad:#?}");
    }

    /// Fails where axe-core finds anything.
    pub(crate) async fn is_accessible(&self, page: &str) {
        let axe = std::fs::read_to_string(setting("TOLLGATE_TEST_AXE_JS")).expect("axe-core");
        // The page's policy forbids injected scripts; the debugger's are not the page's.
        self.devtools("Runtime.evaluate", json!({ "expression": format!("{axe};0") })).await;
        let run = "axe.run(document, { resultTypes: ['violations'] }).then((result) => JSON.stringify(result.violations.map((violation) => \
                   ({ id: violation.id, help: violation.help, nodes: violation.nodes.map((node) => node.html.slice(0, 200) + ' — ' + node.failureSummary) }))))";
        let answer = self
            .devtools(
                "Runtime.evaluate",
                json!({ "expression": run, "awaitPromise": true, "returnByValue": true }),
            )
            .await;
        let violations =
            answer["result"]["value"].as_str().unwrap_or_else(|| panic!("axe did not run: {answer}"));
        assert_eq!(violations, "[]", "axe-core on {page}");
    }

    /// Looks at the page as it is now, in both schemes, on a phone and on a desk.
    pub(crate) async fn look(&self, name: &str) {
        for (scheme, word) in [(Scheme::Light, "light"), (Scheme::Dark, "dark")] {
            self.scheme(scheme).await;
            for width in [360, 1440] {
                self.size(width, 900).await;
                self.screenshot(&format!("{name}-{word}-{width}")).await;
                self.is_accessible(&format!("{name} {word} {width}")).await;
                let wide = self
                    .evaluate(
                        "const page = document.documentElement; return page.scrollWidth > page.clientWidth",
                    )
                    .await;
                assert_eq!(wide, false, "{name} at {width} px scrolls sideways as a whole");
            }
        }
    }

    pub(crate) async fn close(self) {
        self.client.close().await.expect("the browser closes");
    }
}

/// A command beyond the WebDriver standard.
#[derive(Debug)]
struct Extension {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Extension {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}
