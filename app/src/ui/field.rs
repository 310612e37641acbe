//! A field with its label.

use leptos::prelude::*;

use crate::reading::Reading;

/// One of several values, each with what it is called.
pub(crate) fn select_field(
    label: &'static str,
    choices: &[(&'static str, &'static str)],
    chosen: Signal<String>,
    choose: Box<dyn Fn(String)>,
) -> AnyView {
    let options = choices
        .iter()
        .map(|&(value, label)| {
            let selected = move || chosen.reading(|chosen| chosen == value);
            view! { <option value=value selected=selected>{label}</option> }.into_any()
        })
        .collect_view();
    view! {
        <label class="field">
            <span>{label}</span>
            <select on:change=move |event| choose(event_target_value(&event))>{options}</select>
        </label>
    }
    .into_any()
}
