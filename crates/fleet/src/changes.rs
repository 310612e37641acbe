//! Changes metadata options, one instance at a time: plan, ask AWS, store, call, wait, compare. Each step is a row in the store
//! first, so that any process can go on where one stopped.

mod drive;
mod plan;

pub use plan::Requester;
