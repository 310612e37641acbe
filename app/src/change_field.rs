//! The search field on the pages of deliveries: changes by commit, pull request, tag, digest, author or title.

use std::time::Duration;

use leptos::html;
use leptos::prelude::*;

use crate::paths;
use crate::query_field::focus_on_slash;
use crate::reading::effect;
use crate::router::{Router, Trace};

/// Whoever types is left alone for this long.
const PAUSE: Duration = Duration::from_millis(200);

/// Where the results are shown, they follow what is typed; elsewhere Enter leads there.
#[component]
pub(crate) fn ChangeField() -> AnyView {
    let router: Router = expect_context();
    let input = NodeRef::<html::Input>::new();
    let q = Memo::new(move |_| router.query("q"));
    let text = RwSignal::new(String::new());
    // What the address has of this field's own doing must not overwrite what was typed meanwhile.
    let sent = StoredValue::new(None::<String>);
    let typings = StoredValue::new(0_u32);
    let is_here = move || router.path.get_untracked() == paths::DELIVERY;
    effect(move || {
        let q = q.get();
        let own = sent.try_update_value(Option::take).flatten();
        if own.as_ref() != Some(&q) {
            text.set(q);
        }
    });
    let search = move |trace: Trace| {
        let typed = text.get_untracked();
        if q.get_untracked() != typed {
            sent.set_value(Some(typed.clone()));
        }
        router.go_to(&paths::delivery(&typed), trace);
    };
    let typed = move |event| {
        text.set(event_target_value(&event));
        if !is_here() {
            return;
        }
        typings.update_value(|typings| *typings += 1);
        let typing = typings.get_value();
        set_timeout(
            move || {
                // The field may be gone, the page another, and more typed by now.
                if typings.try_get_value() == Some(typing) && is_here() {
                    search(Trace::Replaced);
                }
            },
            PAUSE,
        );
    };
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        search(if is_here() { Trace::Replaced } else { Trace::New });
    };
    focus_on_slash(input);
    view! {
        <form class="search" role="search" on:submit=submit>
            <div class="search-box">
                <div class="search-text">
                    <input
                        node_ref=input
                        type="search"
                        aria-label="Search changes"
                        placeholder="commit, #pull request, tag, digest, author…"
                        autocomplete="off"
                        autocapitalize="off"
                        spellcheck="false"
                        prop:value=move || text.get()
                        on:input=typed
                    />
                </div>
                <kbd aria-hidden="true">"/"</kbd>
            </div>
        </form>
    }
    .into_any()
}
