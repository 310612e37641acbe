//! A modal on the native `<dialog>`, which brings the focus trap, Escape and the inert page behind it.

use crate::reading::effect;
use leptos::html;
use leptos::prelude::*;

/// The content is made anew each time the dialog opens, so that nothing is left of the last time.
#[component]
pub(crate) fn Dialog(
    open: RwSignal<bool>,
    /// The id of the heading that labels the dialog; unique in the page.
    id: &'static str,
    #[prop(into)] title: Signal<String>,
    content: impl Fn() -> AnyView + Send + Sync + 'static,
) -> AnyView {
    dialog(open, id, title, Box::new(content))
}

/// Apart from the component, so that it is compiled once and not once for each content.
fn dialog(
    open: RwSignal<bool>,
    id: &'static str,
    title: Signal<String>,
    content: Box<dyn Fn() -> AnyView + Send + Sync>,
) -> AnyView {
    let node = NodeRef::<html::Dialog>::new();
    effect(move || {
        let Some(dialog) = node.get() else { return };
        match (open.get(), dialog.open()) {
            // Fails only where the element left the document, and then there is nothing to show.
            (true, false) => drop(dialog.show_modal()),
            (false, true) => dialog.close(),
            (true, true) | (false, false) => {}
        }
    });
    view! {
        <dialog node_ref=node aria-labelledby=id on:close=move |_| open.set(false)>
            {move || {
                open.get()
                    .then(|| {
                        view! {
                            <div class="dialog-head">
                                <h2 id=id>{move || title.get()}</h2>
                                <button
                                    type="button"
                                    class="btn ghost"
                                    aria-label="Close"
                                    on:click=move |_| open.set(false)
                                >
                                    "✕"
                                </button>
                            </div>
                            <div class="dialog-body">{content()}</div>
                        }
                            .into_any()
                    })
            }}
        </dialog>
    }
    .into_any()
}
