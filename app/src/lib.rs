//! What the browser shows: pages, primitives and the server functions they call.

#![cfg_attr(
    feature = "csr",
    expect(unreachable_pub, reason = "`#[component]` makes an item public whatever it was")
)]

pub mod api;
pub mod format;
pub mod paths;
pub mod tree_json;

#[cfg(feature = "csr")]
mod account;
#[cfg(feature = "csr")]
mod browser;
#[cfg(feature = "csr")]
mod change_field;
#[cfg(feature = "csr")]
mod deed;
#[cfg(feature = "csr")]
mod fetched;
#[cfg(feature = "csr")]
mod live;
#[cfg(feature = "csr")]
mod pages;
#[cfg(feature = "csr")]
mod problem;
#[cfg(feature = "csr")]
mod query_field;
#[cfg(feature = "csr")]
mod reading;
#[cfg(feature = "csr")]
mod release;
#[cfg(feature = "csr")]
mod route_announcer;
#[cfg(feature = "csr")]
mod router;
#[cfg(feature = "csr")]
mod session;
#[cfg(feature = "csr")]
mod shell;
#[cfg(feature = "csr")]
mod ui;

#[cfg(feature = "csr")]
pub use shell::{App, mount};
