//! The fleet list as a grid of virtual rows: only what is in sight is in the document, however long the list is.

use std::sync::Arc;

use domain::list::{Column, Sort};
use domain::wire::ListRow;
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use super::columns;
use super::rows::Rows;
use super::selection::{Selection, key};
use crate::browser;
use crate::format::joined;
use crate::reading::{Reading, effect};
use crate::ui::window::Viewport;

/// The heights are those of the style sheet, which takes the row's from here.
const HEADER: u32 = 34;
const ROW: u32 = 42;
const ROW_COMPACT: u32 = 30;
/// The width of the handle at a column's edge, and what an arrow key changes the column's by.
const GRIP: i32 = 12;
const STEP: i32 = 16;
/// Rows of grey bars while it is not known how many there are.
const SKELETON_ROWS: u32 = 12;

/// What the table is about and what it reports; the page owns all of it.
#[derive(Clone, Copy)]
pub(crate) struct Table {
    pub(crate) rows: Rows,
    pub(crate) columns: RwSignal<Vec<Column>>,
    /// The widths that were chosen, as [`columns::resized`] writes them.
    pub(crate) widths: RwSignal<String>,
    pub(crate) sort: RwSignal<Sort>,
    pub(crate) selection: Selection,
    pub(crate) compact: RwSignal<bool>,
    pub(crate) open: Callback<Arc<ListRow>>,
}

#[component]
pub(crate) fn FleetTable(table: Table) -> AnyView {
    let Table { rows, columns, widths, selection, compact, open, .. } = table;
    let scroller = NodeRef::<html::Div>::new();
    let viewport = RwSignal::new(Viewport { top: 0, height: 600, row: ROW });
    let active = RwSignal::new(None::<u32>);
    let in_doubt = move || rows.doubt.reading(Option::is_some);
    let count = move || {
        let unknown = if in_doubt() { 0 } else { SKELETON_ROWS };
        rows.state.get().map_or(unknown, |state| state.matched)
    };
    let row_height = move || if compact.get() { ROW_COMPACT } else { ROW };

    effect(move || {
        let row = row_height();
        viewport.update(|viewport| viewport.row = row);
    });
    effect(move || {
        let range = viewport.get().rows(count());
        let in_sight = (range.start, range.end);
        if rows.in_sight.get_untracked() != in_sight {
            rows.in_sight.set(in_sight);
        }
    });
    effect(move || {
        let Some(element) = scroller.get() else { return };
        browser::observe_size(&element, move |element| {
            let height = u32::try_from(element.client_height()).unwrap_or(0).saturating_sub(HEADER);
            viewport.update(|viewport| viewport.height = height);
        });
    });
    effect(move || {
        rows.restarted.track();
        active.set(None);
        if let Some(element) = scroller.get_untracked() {
            element.set_scroll_top(0);
        }
    });

    let scroll = move |_| {
        if let Some(element) = scroller.get_untracked() {
            let top = u32::try_from(element.scroll_top()).unwrap_or(0);
            viewport.update(|viewport| viewport.top = top);
        }
    };
    let go = move |index: u32| {
        active.set(Some(index));
        if let Some(top) = viewport.get_untracked().reveal(index)
            && let Some(element) = scroller.get_untracked()
        {
            element.set_scroll_top(top as i32);
        }
    };
    let keydown = move |event: web_sys::KeyboardEvent| {
        // A key on a control inside the grid belongs to that control.
        let on_grid = event.target() == event.current_target();
        if !on_grid || event.ctrl_key() || event.meta_key() || event.alt_key() {
            return;
        }
        let last = untrack(count).saturating_sub(1);
        let here = active.get_untracked();
        let page = viewport.get_untracked().page();
        match event.key().as_str() {
            "ArrowDown" | "j" => go(here.map_or(0, |index| index + 1).min(last)),
            "ArrowUp" | "k" => go(here.map_or(0, |index| index.saturating_sub(1))),
            "PageDown" => go(here.unwrap_or(0).saturating_add(page).min(last)),
            "PageUp" => go(here.unwrap_or(0).saturating_sub(page)),
            "Home" => go(0),
            "End" => go(last),
            "Enter" => {
                if let Some(row) = here.and_then(|index| rows.row_untracked(index)) {
                    open.run(row);
                }
            }
            " " => {
                if let Some(row) = here.and_then(|index| rows.row_untracked(index)) {
                    selection.toggle(key(&row));
                }
            }
            "Escape" => selection.clear(),
            _ => return,
        }
        event.prevent_default();
    };

    let template =
        move || columns.reading(|columns| widths.reading(|widths| columns::template(columns, widths)));
    let header = move || columns.get().into_iter().map(|column| header_cell(table, column)).collect_view();
    view! {
        <div
            node_ref=scroller
            class="grid"
            class:doubtful=in_doubt
            role="grid"
            tabindex="0"
            aria-label="Instances"
            aria-multiselectable="true"
            aria-rowcount=move || (count() + 1).to_string()
            aria-colcount=move || (columns.reading(Vec::len) + 1).to_string()
            aria-busy=move || (rows.state.reading(Option::is_none) && !in_doubt()).then_some("true")
            aria-activedescendant=move || active.get().map(row_id)
            hidden=move || count() == 0
            style=("--columns", move || template().0)
            style=("--least", move || template().1)
            style=("--row", move || joined(&[&row_height().to_string(), "px"]))
            on:scroll=scroll
            on:keydown=keydown
        >
            <div role="rowgroup" class="grid-head">
                <div role="row" class="grid-row" aria-rowindex="1">
                    <div role="columnheader" class="cell check">
                        <span class="sr">"Selected"</span>
                    </div>
                    {move || header().into_any()}
                </div>
            </div>
            <div
                role="rowgroup"
                class="grid-body"
                style:height=move || joined(&[&(u64::from(count()) * u64::from(row_height())).to_string(), "px"])
            >
                <For
                    each=move || {
                        let (first, end) = rows.in_sight.get();
                        first..end
                    }
                    key=|index| *index
                    children=move |index| grid_row(table, index, active)
                />
            </div>
        </div>
    }
    .into_any()
}

fn row_id(index: u32) -> String {
    joined(&["row-", &index.to_string()])
}

fn header_cell(table: Table, column: Column) -> AnyView {
    let sort = table.sort;
    let descending =
        move || Some(sort.get()).filter(|sort| sort.column == column).map(|sort| sort.descending);
    let order = move || descending().map(|descending| if descending { "descending" } else { "ascending" });
    let arrow = move || descending().map(|descending| if descending { "↓" } else { "↑" });
    // A second press turns the order around.
    let press = move |_| sort.set(Sort { column, descending: untrack(descending) == Some(false) });
    view! {
        <div role="columnheader" class=columns::class(column) aria-sort=order>
            <button type="button" class="sort" on:click=press>
                {columns::label(column)}
                <span aria-hidden="true" class="arrow">{arrow}</span>
            </button>
            {grip(table.widths, column)}
        </div>
    }
    .into_any()
}

/// The edge of a header cell, which sets the column's width: dragged, with the arrow keys, or back to automatic with
/// Enter or a double click.
fn grip(widths: RwSignal<String>, column: Column) -> AnyView {
    let chosen = move || widths.reading(|widths| columns::chosen(widths, column));
    let resize =
        move |width: Option<i32>| widths.update(|widths| *widths = columns::resized(widths, column, width));
    let keydown = move |event: web_sys::KeyboardEvent| {
        let width = match event.key().as_str() {
            "ArrowLeft" => Some(cell_width(&event) - STEP),
            "ArrowRight" => Some(cell_width(&event) + STEP),
            "Enter" => None,
            _ => return,
        };
        event.prevent_default();
        resize(width);
    };
    let pointerdown = |event: web_sys::PointerEvent| {
        if let Some(grip) = target(&event) {
            // Fails only where the pointer is gone already.
            let _ = grip.set_pointer_capture(event.pointer_id());
        }
    };
    let pointermove = move |event: web_sys::PointerEvent| {
        if event.buttons() == 1 {
            resize(Some(cell_width(&event) + event.offset_x() - GRIP / 2));
        }
    };
    view! {
        <div
            role="separator"
            class="grip"
            tabindex="0"
            aria-orientation="vertical"
            aria-label=joined(&["Width of ", columns::label(column)])
            aria-valuemin=columns::NARROWEST.to_string()
            aria-valuemax=columns::WIDEST.to_string()
            aria-valuenow=move || chosen().unwrap_or_else(|| columns::least(column)).to_string()
            aria-valuetext=move || chosen().is_none().then_some("automatic")
            on:keydown=keydown
            on:pointerdown=pointerdown
            on:pointermove=pointermove
            on:dblclick=move |_| resize(None)
        ></div>
    }
    .into_any()
}

fn target(event: &web_sys::Event) -> Option<web_sys::Element> {
    event.target()?.dyn_into().ok()
}

/// The width of the header cell whose grip the event is at.
fn cell_width(event: &web_sys::Event) -> i32 {
    target(event).and_then(|grip| grip.parent_element()).map_or(0, |cell| cell.client_width())
}

fn grid_row(table: Table, index: u32, active: RwSignal<Option<u32>>) -> AnyView {
    let Table { rows, columns, selection, compact, open, .. } = table;
    let data = Memo::new(move |_| rows.row(index));
    let selected = move || data.reading(|row| row.as_ref().is_some_and(|row| selection.contains(&key(row))));
    let cells = move || {
        columns.reading(|columns| match data.get() {
            None => (0..=columns.len())
                .map(|_| {
                    view! { <div role="gridcell" class="cell"><div class="bone"></div></div> }.into_any()
                })
                .collect_view(),
            Some(row) => {
                let name = if row.name.is_empty() { &row.instance_id } else { &row.name };
                let label = joined(&["Select ", name]);
                let toggled = key(&row);
                let check = view! {
                    <div role="gridcell" class="cell check">
                        <input
                            type="checkbox"
                            tabindex="-1"
                            aria-label=label
                            prop:checked=selected
                            on:change=move |_| selection.toggle(toggled.clone())
                        />
                    </div>
                }
                .into_any();
                std::iter::once(check)
                    .chain(columns.iter().map(|column| {
                        view! { <div role="gridcell" class=columns::class(*column)>{columns::cell(*column, &row)}</div> }
                            .into_any()
                    }))
                    .collect_view()
            }
        })
    };
    let top = move || {
        let row = if compact.get() { ROW_COMPACT } else { ROW };
        joined(&["translateY(", &(u64::from(index) * u64::from(row)).to_string(), "px)"])
    };
    let double = move |event: web_sys::MouseEvent| {
        let on_control =
            event.target().and_then(|target| target.dyn_into::<web_sys::HtmlInputElement>().ok()).is_some();
        if !on_control && let Some(row) = rows.row_untracked(index) {
            open.run(row);
        }
    };
    view! {
        <div
            role="row"
            id=row_id(index)
            class="grid-row"
            class:active=move || active.get() == Some(index)
            aria-rowindex=(index + 2).to_string()
            aria-selected=move || if selected() { "true" } else { "false" }
            style:transform=top
            on:click=move |_| active.set(Some(index))
            on:dblclick=double
        >
            {move || cells().into_any()}
        </div>
    }
    .into_any()
}
