//! The fleet list: filter, order and columns live in the URL, rows come in windows as they are scrolled to.

mod columns;
mod preview;
mod rows;
mod selection;
mod table;

use std::sync::Arc;
use std::time::Duration;

use domain::list::{Column, Sort};
use domain::wire::ListRow;
use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::prelude::*;

use self::rows::Rows;
use self::selection::{Selected, Selection};
use self::table::{FleetTable, Table};
use super::summary::{cards, sentence, stale_banner, total};
use crate::api::ApiError;
use crate::browser;
use crate::format;
use crate::format::joined;
use crate::paths::{self, Export};
use crate::problem::Problem;
use crate::query_field::Search;
use crate::reading::{Reading, effect, on_change};
use crate::router::{Router, Trace};
use crate::session::Session;
use crate::shell::Sources;
use crate::ui::{Button, Dialog, Empty, Heading, Kind, Time, Toasts};

/// The URL follows the typing after this pause; browsers limit how often it may change, the rows do not wait for it.
const URL_PAUSE: Duration = Duration::from_millis(200);

#[component]
pub(crate) fn Fleet() -> AnyView {
    browser::set_title("Instances");
    let search: Search = expect_context();
    let Sources(sources) = expect_context();
    let sort = RwSignal::new(Sort::default());
    let columns = RwSignal::new(columns::DEFAULT.to_vec());
    follow_url(search, sort, columns);

    let q = Memo::new(move |_| search.usable());
    let rows = Rows::new(q, sort);
    let selection = Selection::new();
    // A selection of "all that match" means other instances once the query is another.
    on_change(
        move || q.track(),
        move || {
            if selection.0.reading_untracked(|selected| *selected == Selected::AllMatching) {
                selection.clear();
            }
        },
    );
    let compact = RwSignal::new(browser::stored("density").as_deref() == Some("compact"));
    let widths = RwSignal::new(browser::stored("widths").unwrap_or_default());
    effect(move || browser::store("widths", &widths.get()));
    let router: Router = expect_context();
    let open = Callback::new(move |row: Arc<ListRow>| {
        router.go_to(&paths::instance(&row.account, &row.region, &row.instance_id), Trace::New);
    });
    let table = Table { rows, columns, widths, sort, selection, compact, open };

    let summary = move || sources.value.reading(|rows| rows.map(|rows| total(rows)));
    let state_line = move || summary().as_ref().map_or_else(|| "Counting…".into(), sentence);
    let top = move || {
        let stale = sources.value.reading(|rows| stale_banner(rows.map_or(&[][..], Vec::as_slice)));
        view! {
            {stale}
            {cards(summary().as_ref(), None)}
        }
        .into_any()
    };
    let problem = move || {
        // The banner above every page says already that there is no server.
        rows.error.get().filter(|error| *error != ApiError::Offline).map(|error| {
            let instead = if rows.state.reading_untracked(Option::is_some) {
                "Shown below are the last rows."
            } else {
                ""
            };
            view! { <Problem error retry=Box::new(move || rows.refresh()) instead /> }
        })
    };
    view! {
        <div class="fleet">
            <Heading title="Instances">{move || state_line()}</Heading>
            {move || top()}
            {move || problem().into_any()}
            <section class="panel grid-panel" aria-label="List of instances">
                <Toolbar table />
                <FleetTable table />
                <NoRows rows />
                <FootRow table />
            </section>
        </div>
    }
    .into_any()
}

/// Keeps the search text, the order and the columns in step with the URL, in both directions.
fn follow_url(search: Search, sort: RwSignal<Sort>, columns: RwSignal<Vec<Column>>) {
    let router: Router = expect_context();
    // What was written last, so that the URL's own echo does not undo what was typed since.
    let written = StoredValue::new(None::<String>);
    let timer = StoredValue::new(None::<TimeoutHandle>);

    effect(move || {
        let (q, order, names) = (router.query("q"), router.query("sort"), router.query("cols"));
        let url = paths::fleet_list(&q, &order, &names);
        if written.with_value(|written| written.as_deref() == Some(&url)) {
            return;
        }
        written.set_value(Some(url));
        set_if_changed(search.text, q);
        set_if_changed(sort, Sort::parse(&order).unwrap_or_default());
        set_if_changed(columns, columns::parse(&names));
    });
    effect(move || {
        let order = Some(sort.get()).filter(|sort| *sort != Sort::default()).map(|sort| sort.to_string());
        let url = paths::fleet_list(
            &search.text.get(),
            &order.unwrap_or_default(),
            &columns.reading(|columns| columns::names(columns)),
        );
        if let Some(timer) = timer.get_value() {
            timer.clear();
        }
        if written.with_value(|written| written.as_deref() == Some(&url)) {
            return;
        }
        let write = move || {
            written.set_value(Some(url.clone()));
            router.go_to(&url, Trace::Replaced);
        };
        timer.set_value(set_timeout_with_handle(write, URL_PAUSE).ok());
    });
    on_cleanup(move || {
        // The page is left: a late write would come back to it.
        if let Some(Some(timer)) = timer.try_get_value() {
            timer.clear();
        }
        search.text.set(String::new());
    });
}

fn set_if_changed<T: PartialEq + Send + Sync + 'static>(signal: RwSignal<T>, value: T) {
    if signal.reading_untracked(|known| *known != value) {
        signal.set(value);
    }
}

#[component]
fn Toolbar(table: Table) -> AnyView {
    let Table { rows, columns, sort, selection, compact, .. } = table;
    let search: Search = expect_context();
    let toasts: Toasts = expect_context();
    let session: Session = expect_context();
    let matched = move || rows.state.get().map_or(0, |state| state.matched);
    let selected = move || selection.count(matched());
    let previewing = RwSignal::new(false);

    let choices = columns::choices()
        .map(|column| {
            let shown = move || columns.reading(|columns| columns.contains(&column));
            let change = move |_| columns.update(|columns| *columns = columns::toggled(columns, column));
            view! {
                <label class="choice">
                    <input type="checkbox" prop:checked=shown on:change=change />
                    {column.label()}
                </label>
            }
        })
        .collect_view();
    let density = move |_| {
        compact.update(|compact| *compact = !*compact);
        browser::store("density", if compact.get_untracked() { "compact" } else { "normal" });
    };
    let export = move |export: Export| {
        let href = move || search.usable().map(|q| paths::fleet_export(export, &q, &sort.get().to_string()));
        let mistaken = move || search.usable().is_none();
        let label = match export {
            Export::Csv => "CSV",
            Export::Json => "JSON",
        };
        // A link without an address takes no focus by itself, and the reason would reach nobody.
        view! {
            <a
                class="btn small"
                role="link"
                tabindex="0"
                href=href
                download=""
                aria-disabled=move || mistaken().then_some("true")
                title=move || mistaken().then(|| "The query has a mistake.".to_owned())
            >
                {label}
            </a>
        }
        .into_any()
    };
    let copy_disabled = Signal::derive(move || selection.copy_disabled(matched()));
    let none = move || (selected() == 0).then(|| "Nothing is selected.".to_owned());
    let clear_disabled = Signal::derive(none);
    let preview_disabled = Signal::derive(move || session.change_denied().or_else(none));
    let all_label = Signal::derive(move || match rows.state.get() {
        Some(state) if rows.doubt.reading(Option::is_none) => {
            joined(&["Select all ", &format::count(state.matched), " matching"])
        }
        Some(_) | None => "Select all matching".to_owned(),
    });
    let preview_label =
        Signal::derive(move || joined(&["Preview enforcing on ", &format::count(selected()), "…"]));
    let no_match = Signal::derive(move || {
        rows.doubt.get().or_else(|| match rows.state.get() {
            None => Some("The list is being read.".to_owned()),
            Some(state) => (state.matched == 0).then(|| "No instance matches.".to_owned()),
        })
    });
    view! {
        <div class="toolbar">
            <div class="strip">
                <Button label=all_label disabled_reason=no_match on_press=move || selection.select_all_matching() />
                <Button label="Clear selection" disabled_reason=clear_disabled on_press=move || selection.clear() />
                <Button label="Copy ids" disabled_reason=copy_disabled on_press=move || selection.copy_ids(rows, toasts) />
                <Button label=preview_label kind=Kind::Primary disabled_reason=preview_disabled on_press=move || previewing.set(true) />
            </div>
            <div class="view">
                <span class="mut">"Export"</span>
                {export(Export::Csv)}
                {export(Export::Json)}
                <button type="button" class="btn small" aria-pressed=move || compact.get().to_string() on:click=density>
                    "Compact"
                </button>
                <details class="menu">
                    <summary class="btn small">"Columns"</summary>
                    <fieldset class="menu-body">
                        <legend class="sr">"Columns to show"</legend>
                        {choices}
                    </fieldset>
                </details>
            </div>
        </div>
        <Dialog
            open=previewing
            id="preview-title"
            title="What enforcing IMDSv2 would do"
            content=move || preview::preview(rows.asked().0, selection)
        />
    }
    .into_any()
}

/// What stands in the place of rows when there are none.
#[component]
fn NoRows(rows: Rows) -> AnyView {
    let search: Search = expect_context();
    let clear =
        move || view! { <Button label="Clear the filter" on_press=move || search.text.set(String::new()) /> };
    let content = move || {
        let state = rows.state.get();
        if state.is_some_and(|state| state.matched > 0) {
            return None;
        }
        let mistaken = search.usable().is_none();
        if let Some(doubt) = rows.doubt.get() {
            let text = if mistaken {
                "Nothing is listed until it is mended: the field above says where it is."
            } else {
                "There are no rows of before to show."
            };
            return Some(view! { <Empty title=doubt text>{mistaken.then(clear)}</Empty> });
        }
        let state = state?;
        Some(if state.total == 0 {
            view! {
                <Empty title="No instances" text="No account and region that was read has an instance, or none has been read yet.">
                    <a class="btn" href=paths::ACCOUNTS>"Check Accounts"</a>
                </Empty>
            }
        } else {
            view! {
                <Empty title="No instance matches" text=joined(&["None of ", &format::counted(state.total, "instance"), " matches the filter."])>
                    {clear()}
                </Empty>
            }
        })
    };
    view! { {move || content().into_any()} }.into_any()
}

#[component]
fn FootRow(table: Table) -> AnyView {
    let Table { rows, selection, .. } = table;
    let counts = move || {
        rows.state.get().map(|state| {
            let selected = selection.count(state.matched);
            if let Some(doubt) = rows.doubt.get() {
                return joined(&[
                    &doubt,
                    if state.matched > 0 { " The rows are those of before · " } else { " " },
                    &format::count(selected),
                    " selected",
                ]);
            }
            joined(&[
                &format::count(state.matched),
                " of ",
                &format::counted(state.total, "instance"),
                " · ",
                &format::count(selected),
                " selected",
            ])
        })
    };
    view! {
        <div class="foot-row">
            <span role="status">{move || counts()}</span>
            <span class="mut keys">
                <kbd>"↑"</kbd>" "<kbd>"↓"</kbd>" move · "<kbd>"Enter"</kbd>" open · "<kbd>"Space"</kbd>" select · "<kbd>"/"</kbd>" filter"
            </span>
            <span class="push">
                {move || {
                    let at = rows.state.get()?.as_of?;
                    Some(view! { "oldest read " <Time at /> }.into_any())
                }}
            </span>
        </div>
    }
    .into_any()
}
