//! What Tollgate changes in a GitOps repository: freezes, promotions and reverts, as edits of its files.

pub mod edit;
//! Operations on GitOps repositories, each made by a change request.
pub mod host;
