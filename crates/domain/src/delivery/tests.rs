//! What facts amount to, and that their order and number leave no trace.

mod facts;
mod matrix;
mod model;
mod properties;
