//! What facts amount to, and that their order and number leave no trace.

pub(crate) mod facts;
mod matrix;
mod model;
pub(crate) mod properties;
