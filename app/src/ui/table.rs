//! A table in a panel, for lists of a few rows.

use leptos::prelude::*;

/// Each heading and cell is an `AnyView`, so that the tables of all pages are compiled once.
pub(crate) fn table(label: &'static str, names: Vec<&'static str>, rows: Vec<Vec<AnyView>>) -> AnyView {
    let head = names.into_iter().map(|name| view! { <th scope="col">{name}</th> }.into_any()).collect_view();
    let body = rows
        .into_iter()
        .map(|cells| {
            let cells = cells.into_iter().map(|cell| view! { <td>{cell}</td> }.into_any()).collect_view();
            view! { <tr>{cells}</tr> }.into_any()
        })
        .collect_view();
    view! {
        <section class="panel">
            <div class="scroll" tabindex="0" role="region" aria-label=label>
                <table>
                    <thead>
                        <tr>{head}</tr>
                    </thead>
                    <tbody>{body}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}
