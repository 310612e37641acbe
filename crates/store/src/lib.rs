//! What Tollgate remembers: snapshots, history, changes, the audit log, people, sessions, tokens, events and leases, in SQLite or
//! Postgres.
//!
//! One SQL text serves both databases. Everything that belongs together is written in one transaction, so that a
//! process may end at any instant and another takes up where it was.

mod audit;
mod change;
mod connect;
mod device;
mod error;
mod event;
mod fact;
mod gitops;
mod history;
mod lease;
mod login;
mod migrate;
mod outbox;
mod person;
mod reading;
mod retention;
mod secret;
mod session;
mod snapshot;
mod sql;
mod token;

pub use change::{CHANGE_EVENT, ChangeEvent, MAX_IDEMPOTENCY_KEY_BYTES, NewChange};
pub use connect::Store;
pub use device::{Approver, DeviceAnswer, DeviceDecision, DeviceLogin, NewDeviceLogin};
pub use error::StoreError;
pub use event::StoredEvent;
pub use fact::{DELIVERY_EVENT, DeliveryEvent, Recorded};
pub use gitops::{Decision, DecisionKind, GITOPS_EVENT, GitopsEvent};
pub use history::{HistoryEntry, HistoryKind, ObservedState, TrendPoint, VanishedInstance};
pub use lease::Lease;
pub use migrate::SCHEMA_VERSION;
pub use outbox::{Delivery, NewDelivery};
pub use person::SeenPerson;
pub use reading::{ImageName, SeenHere};
pub use retention::{Pruned, Retention};
pub use session::{NewSession, StoredSession};
pub use snapshot::{Collection, NewSnapshot, StoredSnapshot};
pub use token::{NewToken, StoredToken};
