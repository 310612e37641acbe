//! Moves the focus to the heading of a page that was navigated to, and says its name to screen readers.

use std::cell::RefCell;

use leptos::prelude::*;
use wasm_bindgen::JsCast;

use crate::pages::Groups;
use crate::paths::Page;
use crate::reading::effect;
use crate::router::Router;

/// Acts when a page of another path is there: a filter in the query string changes while someone types. The first page is left
/// to the browser, which announces it itself.
#[component]
pub(crate) fn RouteAnnouncer() -> AnyView {
    let Router { path, .. } = expect_context();
    let groups: Groups = expect_context();
    let message = RwSignal::new(String::new());
    let said = RefCell::new(path.get_untracked());
    effect(move || {
        let path = path.get();
        if *said.borrow() == path || !groups.have(&Page::at(&path)) {
            return;
        }
        said.replace(path);
        // The page stands in the document by the next frame.
        request_animation_frame(move || {
            let Ok(Some(heading)) = document().query_selector("main h1") else { return };
            message.set(heading.text_content().unwrap_or_default());
            if let Some(heading) = heading.dyn_ref::<web_sys::HtmlElement>() {
                // Fails only for an element that left the document.
                let _ = heading.focus();
            }
        });
    });
    view! { <div class="sr" role="status" aria-live="polite">{move || message.get()}</div> }.into_any()
}
