//! Signals read and followed through code that is compiled once per value type and not once per closure: `With::with` and
//! `Effect::new` of the reactive graph carry each closure through their whole machinery, which made a tenth of the Wasm.

use std::ops::Deref;

use leptos::prelude::*;

/// What `With` and `WithUntracked` do, by way of the guards.
pub(crate) trait Reading: Read + ReadUntracked {
    /// Reads the value, subscribing to it.
    fn reading<R>(&self, read: impl FnOnce(&<<Self as Read>::Value as Deref>::Target) -> R) -> R {
        read(&Read::read(self))
    }

    /// Reads the value without subscribing to it.
    fn reading_untracked<R>(
        &self,
        read: impl FnOnce(&<<Self as ReadUntracked>::Value as Deref>::Target) -> R,
    ) -> R {
        read(&self.read_untracked())
    }
}

impl<S: Read + ReadUntracked> Reading for S {}

/// Runs `react` now and whenever a signal that it reads changes.
pub(crate) fn effect(react: impl Fn() + 'static) {
    boxed(Box::new(react));
}

/// Runs `react` whenever what `track` reads changes, and not at first.
pub(crate) fn on_change(track: impl Fn() + 'static, react: impl Fn() + 'static) {
    let first = std::cell::Cell::new(true);
    effect(move || {
        track();
        if !first.replace(false) {
            untrack(&react);
        }
    });
}

fn boxed(react: Box<dyn Fn()>) {
    Effect::new(move |_| react());
}
