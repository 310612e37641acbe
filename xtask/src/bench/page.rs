//! The fleet's page over 100,000 instances in Chromium: how soon typing shows new rows, and whether scrolling keeps up.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::report::{Row, median};
use super::stub;
use crate::http::Connection;
use crate::process::{self, Held};
use crate::tools::{self, Missing};

/// Queries that are typed, each in one stroke.
const STROKES: usize = 40;
/// Frames that are scrolled, by more rows a frame than a wheel turned by hand gives.
const FRAMES: usize = 300;
const PIXELS_A_FRAME: u32 = 400;
/// A page that does not answer by then is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// Types what is found in `ids`, one after the other, and answers how long each took until its row was painted.
const TYPE: &str = r"
const [ids, done] = arguments;
const input = document.querySelector('[role=combobox]');
const value = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value');
const painted = () => new Promise((resolve) => requestAnimationFrame(() => {
  const channel = new MessageChannel();
  channel.port1.onmessage = resolve;
  channel.port2.postMessage(null);
}));
const type = (id) => new Promise((resolve) => {
  const body = document.querySelector('.grid-body');
  const start = performance.now();
  const shown = () => body.childElementCount === 1 && body.textContent.includes(id);
  const observer = new MutationObserver(async () => {
    if (!shown()) return;
    observer.disconnect();
    await painted();
    resolve(performance.now() - start);
  });
  observer.observe(body, { childList: true, subtree: true, characterData: true });
  value.set.call(input, id);
  input.dispatchEvent(new Event('input', { bubbles: true }));
});
(async () => {
  const times = [];
  for (const id of ids) times.push(await type(id));
  value.set.call(input, '');
  input.dispatchEvent(new Event('input', { bubbles: true }));
  done(times);
})();
";

/// Scrolls on with each frame, and answers how long each frame took.
const SCROLL: &str = r"
const [frames, pixels, done] = arguments;
const grid = document.querySelector('[role=grid]');
const times = [];
let last = 0;
const step = (now) => {
  if (last) times.push(now - last);
  last = now;
  if (times.length === frames) return done(times);
  grid.scrollTop += pixels;
  requestAnimationFrame(step);
};
requestAnimationFrame(step);
";

/// Measures the page of the console at `address`, which shows `instances`.
pub(super) fn rows(address: &str, instances: usize) -> Result<Vec<Row>> {
    let mut page = Page::open(address)?;
    let complete =
        format!("return document.querySelector('[role=grid]')?.ariaRowCount === '{}'", instances + 1);
    if !process::wait_until(PATIENCE, || {
        page.run("sync", &complete, &json!([])).is_ok_and(|shown| shown == true)
    }) {
        bail!("the page did not show {instances} instances within {PATIENCE:?}");
    }
    // Spread over the fleet, so that none is among the rows already there.
    let ids: Vec<String> =
        (1..=STROKES).map(|stroke| stub::instance_id(stroke * (instances / (STROKES + 1)))).collect();
    let typed = page.times(TYPE, &json!([ids]))?;
    if !process::wait_until(PATIENCE, || {
        page.run("sync", &complete, &json!([])).is_ok_and(|shown| shown == true)
    }) {
        bail!("the page did not show the whole fleet again within {PATIENCE:?}");
    }
    let frames = page.times(SCROLL, &json!([FRAMES, PIXELS_A_FRAME]))?;
    let row = |case: String, metric, ours: f64| Row {
        case,
        metric,
        unit: "ms",
        ours: (ours * 10.0).round() / 10.0,
        peers: BTreeMap::new(),
    };
    let typing = format!("filter typing over {instances} instances, to the first paint of the new rows");
    let scrolling =
        format!("a frame while scrolling through {instances} rows, {PIXELS_A_FRAME} pixels a frame");
    Ok(vec![
        row(typing.clone(), "median", median(typed.clone()).context("nothing was typed")?),
        row(typing, "slowest", typed.into_iter().fold(0.0, f64::max)),
        row(scrolling.clone(), "median", median(frames.clone()).context("nothing was scrolled")?),
        row(scrolling, "slowest", frames.into_iter().fold(0.0, f64::max)),
    ])
}

/// A page in a browser of its own, driven by the WebDriver protocol (W3C).
struct Page {
    session: String,
    driver: Connection,
    _process: Held,
    _profile: tempfile::TempDir,
}

impl Page {
    fn open(address: &str) -> Result<Page> {
        let browser = tools::browser(Missing::Name)?;
        let port = process::free_port()?;
        let mut command = Command::new(browser.driver);
        command.arg(format!("--port={port}")).args(["--silent", "--allowed-ips=127.0.0.1"]);
        let held = Held::start("chromedriver", &command)?;
        let profile = tempfile::tempdir()?;
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--window-size=1440,900",
            &format!("--user-data-dir={}", profile.path().display()),
        ];
        let options = json!({ "binary": browser.chromium, "args": arguments });
        let wanted = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
        let driver = format!("127.0.0.1:{port}");
        if !process::wait_until(PATIENCE, || Connection::open(&driver).is_ok()) {
            bail!("chromedriver does not answer");
        }
        let mut page = Page {
            session: String::new(),
            driver: Connection::open(&driver)?,
            _process: held,
            _profile: profile,
        };
        let session = page.command("/session", &wanted)?;
        let id = session["sessionId"].as_str().context("chromedriver opened no session")?;
        page.session = format!("/session/{id}");
        page.command(
            &format!("{}/timeouts", page.session),
            &json!({ "script": PATIENCE.as_millis() as u64 }),
        )?;
        page.command(&format!("{}/url", page.session), &json!({ "url": format!("http://{address}/fleet") }))?;
        Ok(page)
    }

    /// The numbers that an asynchronous script answers.
    fn times(&mut self, script: &str, arguments: &Value) -> Result<Vec<f64>> {
        Ok(serde_json::from_value(self.run("async", script, arguments)?)?)
    }

    fn run(&mut self, kind: &str, script: &str, arguments: &Value) -> Result<Value> {
        let path = format!("{}/execute/{kind}", self.session);
        self.command(&path, &json!({ "script": script, "args": arguments }))
    }

    fn command(&mut self, path: &str, body: &Value) -> Result<Value> {
        let answer: Value = serde_json::from_str(&self.driver.send("POST", path, &body.to_string())?)?;
        let value = &answer["value"];
        if let Some(error) = value["error"].as_str() {
            bail!("{error}: {}", value["message"].as_str().unwrap_or_default());
        }
        Ok(value.clone())
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // The driver ends its browser with the session.
        let _ = self.driver.send("DELETE", &self.session, "");
    }
}
