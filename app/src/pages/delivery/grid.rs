//! A table whose columns are known at run time only, such as one for each environment.

use leptos::prelude::*;

/// The first cell of each row is what the row is called.
pub(in crate::pages) fn grid(
    label: &'static str,
    class: &'static str,
    names: Vec<String>,
    rows: Vec<Vec<AnyView>>,
) -> AnyView {
    headed(label, class, names.into_iter().map(IntoAny::into_any).collect(), rows)
}

/// As [`grid`], where a heading is more than a name.
pub(in crate::pages) fn headed(
    label: &'static str,
    class: &'static str,
    names: Vec<AnyView>,
    rows: Vec<Vec<AnyView>>,
) -> AnyView {
    let head = names.into_iter().map(|name| view! { <th scope="col">{name}</th> }.into_any()).collect_view();
    let body = rows
        .into_iter()
        .map(|cells| {
            let mut cells = cells.into_iter();
            let name = cells.next();
            let cells = cells.map(|cell| view! { <td>{cell}</td> }.into_any()).collect_view();
            view! { <tr><th scope="row">{name}</th>{cells}</tr> }.into_any()
        })
        .collect_view();
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label=label>
            <table class=class>
                <thead>
                    <tr>{head}</tr>
                </thead>
                <tbody>{body}</tbody>
            </table>
        </div>
    }
    .into_any()
}
