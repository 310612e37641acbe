//! The few things asked of the browser beyond the view; each answers sensibly where the browser refuses.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;

use domain::time::Timestamp;
use leptos::prelude::*;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::format::joined;
use crate::paths;

/// The time of the browser's clock.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_second((js_sys::Date::now() / 1000.0) as i64).unwrap_or_default()
}

/// A value that the browser keeps for this site; storage may be forbidden, which reads as nothing stored.
pub(crate) fn stored(name: &str) -> Option<String> {
    window().local_storage().ok()??.get_item(name).ok()?
}

/// Keeps a value for this site; where storage is forbidden it lasts as long as the page.
pub(crate) fn store(name: &str, value: &str) {
    if let Ok(Some(storage)) = window().local_storage() {
        // A full or forbidden storage loses a preference, nothing else.
        let _ = storage.set_item(name, value);
    }
}

/// A random key that no other dialog has.
pub(crate) fn random_key() -> String {
    match window().crypto() {
        Ok(crypto) => crypto.random_uuid(),
        // Only reached outside secure contexts; two dialogs opened within a millisecond are not a case.
        Err(_) => (js_sys::Date::now() as u64).to_string(),
    }
}

/// Puts text on the clipboard and calls `done` with whether that worked.
pub(crate) fn copy(text: &str, done: impl FnOnce(bool) + 'static) {
    // The clipboard is absent outside secure contexts.
    let navigator = window().navigator();
    if !js_sys::Reflect::has(&navigator, &"clipboard".into()).unwrap_or(false) {
        return done(false);
    }
    let promise = navigator.clipboard().write_text(text);
    leptos::task::spawn_local(async move {
        done(JsFuture::from(promise).await.is_ok());
    });
}

/// As [`copy`], with a text that is still on its way: browsers let a page copy for some seconds after a press only, and a promise
/// that is handed over within them is waited for longer. `done` is not called where `text` answers `None`.
pub(crate) fn copy_when_known(
    text: Pin<Box<dyn Future<Output = Option<String>>>>,
    done: impl FnOnce(bool) + 'static,
) {
    let navigator = window().navigator();
    let has = |target: &JsValue, name: &str| js_sys::Reflect::has(target, &name.into()).unwrap_or(false);
    if !has(&navigator, "clipboard") || !has(&window(), "ClipboardItem") {
        return done(false);
    }
    let unknown = Rc::new(Cell::new(false));
    let nothing = unknown.clone();
    let promise = wasm_bindgen_futures::future_to_promise(async move {
        match text.await {
            Some(text) => Ok(text.into()),
            None => {
                nothing.set(true);
                Err(JsValue::NULL)
            }
        }
    });
    let content = js_sys::Object::new();
    // Fails on what is no object only.
    let _ = js_sys::Reflect::set(&content, &"text/plain".into(), &promise);
    let Ok(item) = web_sys::ClipboardItem::new_with_record_from_str_to_str_promise(&content) else {
        return done(false);
    };
    let written = navigator.clipboard().write(&js_sys::Array::of1(&item));
    leptos::task::spawn_local(async move {
        let copied = JsFuture::from(written).await.is_ok();
        if !unknown.get() {
            done(copied);
        }
    });
}

/// Runs `callback` with each event named `name` of `target`, for as long as the current owner lives.
pub(crate) fn listen(
    target: &web_sys::EventTarget,
    name: &'static str,
    callback: impl FnMut(web_sys::Event) + 'static,
) {
    let closure = Closure::<dyn FnMut(web_sys::Event)>::new(callback);
    // Both calls fail on wrong arguments only.
    let _ = target.add_event_listener_with_callback(name, closure.as_ref().unchecked_ref());
    let kept = send_wrapper::SendWrapper::new((target.clone(), closure));
    on_cleanup(move || {
        let (target, closure) = &*kept;
        let _ = target.remove_event_listener_with_callback(name, closure.as_ref().unchecked_ref());
    });
}

/// Calls `callback` with the element's inner size now and whenever it changes, for as long as the current owner lives.
pub(crate) fn observe_size(element: &web_sys::Element, callback: impl Fn(&web_sys::Element) + 'static) {
    let observed = element.clone();
    let closure = Closure::<dyn Fn()>::new(move || callback(&observed));
    let Ok(observer) = web_sys::ResizeObserver::new(closure.as_ref().unchecked_ref()) else { return };
    observer.observe(element);
    let kept = send_wrapper::SendWrapper::new((observer, closure));
    on_cleanup(move || kept.0.disconnect());
}

/// Whether the keyboard event is meant for a text field.
pub(crate) fn is_typing(event: &web_sys::Event) -> bool {
    let Some(element) = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok()) else {
        return false;
    };
    matches!(element.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT")
        && element.get_attribute("type").is_none_or(|kind| kind != "checkbox")
}

/// Asks the server to end the session, and answers where it says to go next; `None` where that did not work.
pub(crate) async fn end_session() -> Option<String> {
    let init = web_sys::RequestInit::new();
    init.set_method("POST");
    let answer = JsFuture::from(window().fetch_with_str_and_init(paths::LOGOUT, &init)).await.ok()?;
    let answer = answer.dyn_into::<web_sys::Response>().ok().filter(web_sys::Response::ok)?;
    let answer = JsFuture::from(answer.json().ok()?).await.ok()?;
    js_sys::Reflect::get(&answer, &"url".into()).ok()?.as_string()
}

/// The text at an address; `None` where it cannot be had.
pub(crate) async fn read_text(url: &str) -> Option<String> {
    let answer = JsFuture::from(window().fetch_with_str(url)).await.ok()?;
    let answer = answer.dyn_into::<web_sys::Response>().ok().filter(web_sys::Response::ok)?;
    JsFuture::from(answer.text().ok()?).await.ok()?.as_string()
}

/// Leaves the console for another address.
pub(crate) fn leave(url: &str) {
    // Fails only for what is no address.
    let _ = window().location().assign(url);
}

/// Loads the page anew, for a bundle that matches the server.
pub(crate) fn reload() {
    // Fails only for a document that is being unloaded already.
    let _ = window().location().reload();
}

pub(crate) fn set_title(title: &str) {
    document().set_title(&joined(&[title, " · Tollgate"]));
}
