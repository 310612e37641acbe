//! Short messages that come and go, read out by a polite live region.

use std::time::Duration;

use leptos::prelude::*;

const SHOWN_FOR: Duration = Duration::from_secs(5);

/// Where messages are said; provided as context by the shell.
#[derive(Clone, Copy)]
pub(crate) struct Toasts {
    message: RwSignal<Option<String>>,
    number: StoredValue<u32>,
}

impl Toasts {
    pub(crate) fn new() -> Toasts {
        Toasts { message: RwSignal::new(None), number: StoredValue::new(0) }
    }

    pub(crate) fn say(self, message: String) {
        self.number.update_value(|number| *number += 1);
        let number = self.number.get_value();
        self.message.set(Some(message));
        set_timeout(
            move || {
                // A later message stays for its own time.
                if self.number.get_value() == number {
                    self.message.set(None);
                }
            },
            SHOWN_FOR,
        );
    }
}

/// The region must be in the document before a message is, or it is not read out.
#[component]
pub(crate) fn ToastRegion() -> AnyView {
    let toasts = expect_context::<Toasts>();
    view! {
        <div class="toasts" role="status" aria-live="polite">
            {move || toasts.message.get().map(|message| view! { <div class="toast">{message}</div> })}
        </div>
    }
    .into_any()
}
