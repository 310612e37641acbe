//! Types and pure decisions of Tollgate, shared by the browser and the server; nothing in here does I/O or reads a clock.

pub mod access;
pub mod audit;
pub mod change;
pub mod delivery;
pub mod evidence;
pub mod gitops;
pub mod instance;
pub mod list;
pub mod policy;
pub mod progress;
pub mod query;
pub mod release;
pub mod source;
pub mod summary;
#[doc(hidden)]
pub mod testing;
pub mod time;
pub mod user_code;
pub mod verdict;
pub mod wire;
