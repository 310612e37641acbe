//! What enforcing IMDSv2 would do to a selection. It is a preview: nothing in here changes anything.

use domain::wire::SelectionPreview;
use leptos::prelude::*;

use super::selection::Selection;
use crate::api;
use crate::fetched::fetched;
use crate::format;
use crate::format::joined;
use crate::paths;
use crate::problem::show;

/// The body of the dialog; made when it opens.
pub(crate) fn preview(q: String, selection: Selection) -> AnyView {
    let keys = selection.keys();
    let answer = fetched(move || Box::pin(api::preview_selection(q.clone(), keys.clone())));
    show(answer, 6, content)
}

fn content(preview: &SelectionPreview) -> AnyView {
    let refused = preview
        .refused
        .iter()
        .map(|(reason, count)| view! { <li><b>{format::count(*count)}</b> " would not change: " {reason.clone()}</li> })
        .collect_view();
    let rows = preview
        .rows
        .iter()
        .map(|row| {
            let source = &row.key.source;
            let href = paths::instance(&source.account, &source.region, &row.key.instance_id);
            let name = if row.name.is_empty() { row.key.instance_id.to_string() } else { row.name.clone() };
            let outcome = match &row.outcome {
                Ok(call) => view! { <pre class="call">{call.clone()}</pre> }.into_any(),
                Err(why) => view! { <span class="mut">{why.clone()}</span> }.into_any(),
            };
            view! {
                <tr>
                    <td class="name"><a href=href>{name}</a><small class="mono">{row.key.to_string()}</small></td>
                    <td class="wrap">{outcome}</td>
                </tr>
            }
        })
        .collect_view();
    let shown = preview.rows.len() as u32;
    view! {
        <p>
            "Of " <b>{format::counted(preview.selected, "instance")}</b> ", enforcing IMDSv2 would change "
            <b>{format::count(preview.would_change)}</b> "."
        </p>
        <ul class="reasons">{refused}</ul>
        <p class="say info">
            <span aria-hidden="true" class="say-icon">"…"</span>
            <span>"Changing many instances at once does not exist yet. Open an instance to enforce IMDSv2 on it."</span>
        </p>
        <p class="mut">{joined(&["First ", &format::counted(shown, "instance"), " with the exact call:"])}</p>
        <div class="scroll tall" tabindex="0" role="region" aria-label="What would happen to each instance">
            <table>
                <thead><tr><th>"Instance"</th><th>"Call, or why there is none"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}
