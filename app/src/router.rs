//! Where the browser is, as signals, and the ways to go elsewhere: links, `go_to`, and the browser's own back and forward.
//!
//! There are seventeen flat pages; `leptos_router` would do this too, for a fifteenth of what a browser may load at first.

use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};

use crate::format::joined;
use crate::reading::Reading;

/// The place that the address names; provided as context.
#[derive(Clone, Copy)]
pub(crate) struct Router {
    pub(crate) path: Memo<String>,
    /// The query string, with its question mark where it is not empty.
    search: Memo<String>,
    place: RwSignal<(String, String)>,
}

/// What going elsewhere leaves in the browser's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trace {
    /// A new entry: back leads to where one was. The page starts at its top.
    New,
    /// The entry is replaced, and the page stays where it is scrolled to.
    Replaced,
}

impl Router {
    /// Listens to links and to back and forward for as long as the page lives.
    pub(crate) fn start() -> Router {
        let place = RwSignal::new(read());
        let router = Router {
            path: Memo::new(move |_| place.reading(|place| place.0.clone())),
            search: Memo::new(move |_| place.reading(|place| place.1.clone())),
            place,
        };
        window_event_listener(ev::popstate, move |_| router.place.set(read()));
        window_event_listener(ev::click, move |event| {
            if let Some(url) = followed(&event) {
                event.prevent_default();
                router.go_to(&url, Trace::New);
            }
        });
        router
    }

    /// Shows another address of the console.
    pub(crate) fn go_to(self, url: &str, trace: Trace) {
        let Ok(history) = window().history() else { return };
        // Both refuse addresses of other origins only, and when called hundreds of times within seconds.
        let done = match trace {
            Trace::New => history.push_state_with_url(&JsValue::NULL, "", Some(url)),
            Trace::Replaced => history.replace_state_with_url(&JsValue::NULL, "", Some(url)),
        };
        if done.is_err() {
            return;
        }
        self.place.set(read());
        if trace == Trace::New {
            window().scroll_to_with_x_and_y(0.0, 0.0);
        }
    }

    /// The path with its query, as a sign-in comes back to it.
    pub(crate) fn address(self) -> String {
        self.place.reading(|(path, search)| joined(&[path, search]))
    }

    /// A value of the query string, empty where it has none.
    pub(crate) fn query(self, name: &str) -> String {
        let search = self.search.get();
        let pairs = web_sys::UrlSearchParams::new_with_str(&search);
        pairs.ok().and_then(|pairs| pairs.get(name)).unwrap_or_default()
    }
}

fn read() -> (String, String) {
    // Reading the location of one's own document does not fail.
    let location = window().location();
    (location.pathname().unwrap_or_default(), location.search().unwrap_or_default())
}

/// The address of the link that a click follows within the console; `None` leaves the click to the browser.
fn followed(event: &web_sys::MouseEvent) -> Option<String> {
    let modified = event.ctrl_key() || event.meta_key() || event.shift_key() || event.alt_key();
    if event.default_prevented() || event.button() != 0 || modified {
        return None;
    }
    let target = event.target()?.dyn_into::<web_sys::Element>().ok()?;
    let link = target.closest("a[href]").ok()??;
    if ["target", "download", "rel"].iter().any(|name| link.has_attribute(name)) {
        return None;
    }
    let link = link.dyn_into::<web_sys::HtmlAnchorElement>().ok()?;
    (link.origin() == window().location().origin().ok()?).then(|| joined(&[&link.pathname(), &link.search()]))
}
