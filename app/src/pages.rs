//! One module per page; each puts its own title on the document.

mod accounts;
mod audit;
mod device;
mod fleet;
mod instance;
mod not_found;
mod overview;
mod policy;
mod sessions;
mod sign_in;
mod summary;
mod tokens;

pub(crate) use accounts::Accounts;
pub(crate) use audit::Audit;
pub(crate) use device::Device;
pub(crate) use fleet::Fleet;
pub(crate) use instance::instance;
pub(crate) use not_found::NotFound;
pub(crate) use overview::Overview;
pub(crate) use policy::Policy;
pub(crate) use sessions::Sessions;
pub(crate) use sign_in::{SignIn, SignedIn, issuers};
pub(crate) use tokens::Tokens;
