//! Where everything lies in the bucket, and with which headers.

use domain::release::ReleaseId;
pub(crate) use domain::release::{LIVE, SHELL};

/// What open tabs ask for, to learn that there is a newer release.
pub(crate) const RELEASE_JSON: &str = "release.json";
/// What lies at the root of the site is asked for under a name that does not change.
pub(crate) const REVALIDATED: &str = "no-cache";
/// What lies below a release never changes (RFC 8246).
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// Nothing of it is for browsers.
pub(crate) const NOT_SERVED: &str = "no-store";

/// The files of a release.
pub(crate) fn package(release: &ReleaseId) -> String {
    format!("pkg/{release}/")
}

/// The record of a release that was uploaded in whole.
pub(crate) fn record(release: &ReleaseId) -> String {
    format!("releases/{release}.json")
}

/// What a release puts at the root of the site, kept for the way back.
pub(crate) fn kept_root(release: &ReleaseId) -> String {
    format!("releases/{release}/")
}

/// How long a browser and the CDN may keep what lies under `key`.
pub(crate) fn cache_control(key: &str) -> &'static str {
    if key.starts_with("pkg/") {
        IMMUTABLE
    } else if key.starts_with("releases/") {
        NOT_SERVED
    } else {
        REVALIDATED
    }
}
