//! Promotions: what runs where and what can move on, the operations that move or hold it, and the dialogs that ask for them.

mod asking;
mod board;
mod choices;
mod deciding;
mod draft;
mod operation;
mod operations;
mod pipeline;
mod preview;
mod words;

use leptos::prelude::*;

use crate::paths::Page;

/// A page of this group.
pub(super) fn page(page: Page) -> AnyView {
    match page {
        Page::Operation { id } => operation::page(id),
        _ => board::Board().into_any(),
    }
}
