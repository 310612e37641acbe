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
use board::Board;

/// All services, all environments and all operations.
pub(super) fn board(_: Page) -> AnyView {
    Board().into_any()
}

/// One operation.
pub(super) fn operation(page: Page) -> AnyView {
    let Page::Operation { id } = page else { return super::NotFound().into_any() };
    operation::page(id)
}
