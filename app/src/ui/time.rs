//! A relative time that stays current, with the absolute one in its title.

use domain::time::Timestamp;
use leptos::prelude::*;

use crate::format;

/// The time that relative times are read from; provided as context.
#[derive(Clone, Copy)]
pub(crate) struct Clock(pub(crate) RwSignal<Timestamp>);

#[component]
pub(crate) fn Time(at: Timestamp) -> AnyView {
    let Clock(now) = expect_context::<Clock>();
    view! {
        <time datetime=at.to_string() title=format::absolute(at)>
            {move || format::relative(at, now.get())}
        </time>
    }
    .into_any()
}
