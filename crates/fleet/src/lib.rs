//! The fleet over the AWS SDK: collects instances per account and region, keeps the view that lists are answered from,
//! looks up evidence, and changes metadata options one instance at a time.

mod answer;
mod aws;
mod changes;
mod collect;
pub mod config;
mod convert;
mod discover;
mod engine;
pub mod error;
mod evidence;
mod history;
mod origins;
mod rate;
mod raw;
mod view;

pub use changes::Requester;
pub use engine::{Fleet, Notice};
pub use view::{FleetView, list_row};
