//! What `domain` promises about whole fleets.

mod fleets;
mod list;
mod reference;
mod summary;
