//! What sources tell becomes facts and answers, over a real database.

/// Who reads what, and what comes of readers that fail.
mod readers;
mod scene;
/// What is answered from what is seen.
mod seen;
mod world;
