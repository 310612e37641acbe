//! The real binary over HTTP and on the command line.

#[path = "../common/mod.rs"]
mod common;

/// Server functions, exports and events.
mod api;
/// A Kubernetes API server with the kinds of Argo CD.
#[expect(dead_code, reason = "the readers' own tests use the rest")]
#[path = "../../../crates/delivery/tests/integration/apiserver.rs"]
mod apiserver;
/// The command line: exit codes, messages, output.
mod command_line;
/// What is told of deliveries, and what is answered of it.
mod delivery;
/// Programs that are let in, and the command line at a server.
mod device;
/// Bad input to every server function.
mod fuzz;
/// GitOps operations: who may ask, who may agree, and the terminal.
mod gitops;
/// Files, headers, statuses and checks.
mod http;
/// What is remembered of people, and how often each may ask.
mod identity;
/// An issuer that signs what a test wants.
mod issuer;
/// The page to a bucket and a distribution, over faults.
mod publish;
/// Signing in, sessions and roles.
mod sign_in;
/// Sources of deliveries that are read.
mod sources;
/// Signed messages to other systems.
mod webhook;
/// Runs of continuous integration, by the tokens that they are given.
mod workflow;
