//! What Tollgate changes in a GitOps repository: freezes, promotions and reverts, as edits of its files, each made by a change request.

pub mod edit;
pub mod host;
pub mod hold;
pub(crate) mod pin;
