//! One module per page; each puts its own title on the document.

mod accounts;
mod audit;
mod delivery;
mod device;
mod fleet;
mod instance;
mod lazy;
mod not_found;
mod overview;
mod policy;
mod promotions;
mod releases;
mod sessions;
mod sign_in;
mod summary;
mod tokens;

use accounts::Accounts;
use audit::Audit;
use device::Device;
use fleet::Fleet;
pub(crate) use lazy::Groups;
pub(crate) use not_found::NotFound;
pub(crate) use overview::Overview;
use policy::Policy;
use releases::Releases;
use sessions::Sessions;
pub(crate) use sign_in::{SignIn, SignedIn, issuers};
use tokens::Tokens;
