//! The fleet through the real SDK against the emulator.

/// Changing: enforce, restore, and every way in which a change does not happen.
mod changes;
/// Reading: pages, accounts, regions, roles, and what a failed source leaves.
mod collect;
/// The emulator and how a test steers it.
mod emulator;
/// CloudWatch's evidence.
mod evidence;
/// What a network and AWS do wrong.
mod faults;
/// Answers broken on the way.
mod proxy;
/// Several processes over one database.
mod replicas;
