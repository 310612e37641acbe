//! The page for an address that leads nowhere.

use leptos::prelude::*;

use crate::browser;
use crate::paths;
use crate::ui::{Empty, Heading};

#[component]
pub(crate) fn NotFound() -> AnyView {
    browser::set_title("Not found");
    view! {
        <Heading title="Not found">"There is no page at this address."</Heading>
        <section class="panel">
            <Empty title="Nothing here" text="The address may be mistyped, or from another version of Tollgate.">
                <a class="btn" href=paths::OVERVIEW>"Go to the overview"</a>
            </Empty>
        </section>
    }
    .into_any()
}
