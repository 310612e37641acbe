//! The fleet over the AWS SDK: collects instances per account and region, keeps the view that lists are answered from,
//! looks up evidence, and changes metadata options one instance at a time.

pub mod config;
pub mod error;
mod aws;
mod rate;
mod convert;
mod collect;
mod discover;
mod view;
mod history;
mod engine;
mod evidence;
mod origins;
mod raw;
mod changes;

pub use engine::{Fleet, Notice};
pub use view::{FleetView, list_row};
