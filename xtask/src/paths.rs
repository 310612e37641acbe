//! Where things lie: the checkout, what is built from it, and the tool cache.

use std::env;
use std::path::{Path, PathBuf};

/// The root of the checkout. The binary is always run from the checkout that it was built in.
pub(crate) fn root() -> PathBuf {
    let member =
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    member.parent().map_or(member.clone(), Path::to_path_buf)
}

/// What commands leave for people: the site, the development database, reports. Beside the checkout even when
/// `CARGO_TARGET_DIR` sends cargo's own output elsewhere.
pub(crate) fn output() -> PathBuf {
    root().join("target")
}

/// The bundle, as it is published.
pub(crate) fn site() -> PathBuf {
    output().join("site")
}

/// Tools that were fetched or built. `TOLLGATE_CACHE_DIR` lets several checkouts share them.
pub(crate) fn tools() -> PathBuf {
    match env::var_os("TOLLGATE_CACHE_DIR") {
        Some(cache) if !cache.is_empty() => PathBuf::from(cache).join("tools"),
        _ => output().join("tools"),
    }
}
