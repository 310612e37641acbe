//! The readers against real servers and programs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

/// A Kubernetes API server with the kinds of Argo CD.
mod apiserver;
/// Edits of the values files of charts that are published.
mod charts;
/// Images of a registry, in two local clouds.
mod ecr;
/// Messages of a whole day, in any order and more than once.
mod flood;
/// What becomes of what readers tell, and of the readers.
mod follow;
mod git;
mod github;
/// Change requests in a repository on disk, and on GitHub.
mod gitops_host;
/// The API server itself, as the others rely on it.
mod harness;
/// What a cluster shows, and what keeps it from being read.
mod kubernetes;
/// Freezes, promotions and reverts, from the question to the proof.
mod operations;
