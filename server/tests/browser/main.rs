//! The console in a real browser: what a person sees, with a keyboard and with a pointer.

#[expect(dead_code, reason = "the command line and posted bodies are tested without a browser")]
#[path = "../common/mod.rs"]
mod common;

/// The list of instances: wrong queries, copying, column widths, narrow windows, and each state that it can be in.
mod fleet;
/// Finding, reading, enforcing, and the record of it.
mod journey;
/// axe-core, the content security policy and screenshots on every page.
mod pages;
/// Signing in at a real provider, as each role.
mod sign_in;
/// Chromium, driven by role and label.
mod tab;
