//! The readers against real servers and programs.

/// A Kubernetes API server with the kinds of Argo CD.
mod apiserver;
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod git;
//! The sources that are read, over real connections.
mod github;
//! Sources that are read, against the real programs and services.
/// Images of a registry, in two local clouds.
mod ecr;
/// Messages of a whole day, in any order and more than once.
mod flood;
/// What a cluster shows, and what keeps it from being read.
mod kubernetes;
