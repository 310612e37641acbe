//! Points in time: jiff's on the server, and in the browser a slim type with the same names, written the same way.
//!
//! The browser reads times that a server wrote and compares them; jiff's parsers, calendars and error messages would be a
//! tenth of what it loads.

#[cfg(not(target_arch = "wasm32"))]
pub use jiff::{SignedDuration, Timestamp};
#[cfg(target_arch = "wasm32")]
pub use slim::{SignedDuration, Timestamp};

#[cfg(any(target_arch = "wasm32", test))]
#[cfg_attr(
    not(target_arch = "wasm32"),
    expect(dead_code, unreachable_pub, reason = "on other targets only its tests use it")
)]
mod slim;
