//! A button that copies text and says whether it did.

use leptos::prelude::*;

use super::button::small_button;
use super::toast::Toasts;
use crate::browser;
use crate::format::joined;

#[component]
pub(crate) fn CopyButton(
    #[prop(into)] text: Signal<String>,
    /// What is copied, as it is said: `instance id`.
    what: &'static str,
    #[prop(default = "Copy")] label: &'static str,
) -> AnyView {
    let toasts = expect_context::<Toasts>();
    let copy = move || copy_text(toasts, text.get_untracked(), what);
    small_button(label, joined(&["Copy ", what]), Box::new(copy))
}

/// Copies `text` and reports it.
pub(crate) fn copy_text(toasts: Toasts, text: String, what: &str) {
    let what = what.to_owned();
    browser::copy(&text, move |copied| report(toasts, &what, copied));
}

/// Says whether `what` was copied.
pub(crate) fn report(toasts: Toasts, what: &str, copied: bool) {
    toasts.say(if copied {
        joined(&["Copied: ", what, "."])
    } else {
        "The browser did not allow copying.".into()
    });
}
