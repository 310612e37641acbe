//! The readers against what they read.

mod git;
