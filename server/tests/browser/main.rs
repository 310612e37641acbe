//! The console in a real browser: what a person sees, with a keyboard and with a pointer.

#[expect(dead_code, reason = "the command line and posted bodies are tested without a browser")]
#[path = "../common/mod.rs"]
mod common;

/// Changes on their way: the matrix, a service, the timeline of a change.
mod delivery;
/// Letting a program in.
mod device;
/// What stands between browsers and a console that was published.
mod distribution;
/// The list of instances: wrong queries, copying, column widths, narrow windows, and each state that it can be in.
mod fleet;
/// Finding, reading, enforcing, and the record of it.
mod journey;
/// Pages of other origins, in a browser that is signed in.
mod other_origin;
/// axe-core, the content security policy and screenshots on every page.
mod pages;
/// What moves on, what holds it, and the dialogs that ask for either.
mod promotions;
/// What the page was published as, and going back.
mod releases;
/// What each role may do, and what it is told of the rest.
mod roles;
/// Signing in at a real provider, and the end of a session.
mod sign_in;
/// The real page, and other releases of it.
mod site;
/// Chromium, driven by role and label.
mod tab;
/// Personal access tokens, from made to revoked.
mod tokens;
/// Tabs that stay open while other releases become live.
mod two_releases;
