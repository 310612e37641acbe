//! What Tollgate changes in a GitOps repository: freezes, promotions and reverts, as edits of its files.

pub mod edit;
