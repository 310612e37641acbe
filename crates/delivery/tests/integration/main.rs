//! The readers against real servers and programs.

/// A Kubernetes API server with the kinds of Argo CD.
mod apiserver;
mod git;
