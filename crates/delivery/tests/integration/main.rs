//! The readers against what they read.

mod git;
//! The readers against real servers and programs.
/// A Kubernetes API server with the kinds of Argo CD.
mod apiserver;
/// What the other tests rely on when they use it.
mod harness;
