//! Engines against whole policies: in process, a real OPA server, and servers that misbehave.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod corpus;
mod in_process;
mod opa_faults;
mod opa_server;
