//! What Tollgate changes in a GitOps repository: freezes, promotions and reverts, as edits of its files, each made by a change request.

pub mod edit;
pub mod hold;
pub mod host;
mod looking;
mod operations;
pub(crate) mod pin;
mod planning;
mod window;
mod work;

pub use looking::Surroundings;
pub use operations::{Actor, Gitops, GitopsError, MOST_OPERATIONS};
pub use window::{FreezeWindow, InvalidWindow, LONGEST_WINDOW};
