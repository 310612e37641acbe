//! The page's bundle to S3 and CloudFront: one release at a time, checked before it is live, and back again.
//!
//! What a release consists of lies under its own prefix and never changes; `index.html` says which release is live. A process may
//! end at any instant: until `index.html` is written the old release is live, and running the same again finishes it.

mod bucket;
mod bundle;
mod cdn;
mod check;
mod error;
mod layout;
mod prune;
mod publisher;
mod push;
mod rollback;
mod status;
mod sync;

pub use bundle::Bundle;
pub use check::{Finding, check};
pub use error::{BundleError, PublishError};
pub use prune::{PruneOptions, Pruned};
pub use publisher::{Destination, Progress, Publisher, Quiet};
pub use push::{Outcome, PushOptions};
pub use rollback::RollbackOptions;
pub use status::{Invalidation, Listing, Status};
pub use sync::{HeaderRule, SyncAct, SyncOptions, SyncStep};
