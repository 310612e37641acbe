//! Our two cookies. `__Host-` keeps other names of the domain and plain HTTP from setting them (RFC 6265bis, §4.1.3.2).

use http::{HeaderMap, HeaderValue, header};
use jiff::SignedDuration;

/// Opens a session.
pub(super) const SESSION: &str = "__Host-tollgate-session";
/// Ties the way back from an issuer to the browser that set out.
pub(super) const LOGIN: &str = "__Host-tollgate-login";
/// The longest value that is looked at; ours are 96 letters.
const LONGEST: usize = 256;

/// The cookie's value; a name that comes twice has none, since only one of them can be ours.
pub(super) fn read(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut found = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(known, _)| *known == name)
        .map(|(_, value)| value);
    let value = found.next().filter(|value| !value.is_empty() && value.len() <= LONGEST)?;
    if found.next().is_some() { None } else { Some(value.to_owned()) }
}

/// Sets the cookie for as long as `lifetime`.
pub(super) fn set(name: &str, value: &str, lifetime: SignedDuration) -> HeaderValue {
    line(name, value, lifetime.as_secs())
}

/// Takes the cookie away.
pub(super) fn clear(name: &str) -> HeaderValue {
    line(name, "", 0)
}

/// `Lax`: the way back from an issuer is a navigation from another site, and has to carry the cookie.
fn line(name: &str, value: &str, max_age: i64) -> HeaderValue {
    let text = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={max_age}");
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, HeaderValue::from_str(line).expect("a header value"));
        }
        headers
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let found = |lines: &[&str]| read(&headers(lines), SESSION);
        assert_eq!(found(&["a=b; __Host-tollgate-session=x1; c=d"]).as_deref(), Some("x1"));
        assert_eq!(found(&["a=b", "__Host-tollgate-session=x1"]).as_deref(), Some("x1"));
        for none in ["", "__Host-tollgate-session=", "tollgate-session=x", "__Host-tollgate-session"] {
            assert_eq!(found(&[none]), None, "{none}");
        }
        assert_eq!(found(&["__Host-tollgate-session=x1; __Host-tollgate-session=x2"]), None);
        assert_eq!(found(&[&format!("__Host-tollgate-session={}", "x".repeat(10_000))]), None);
    }

    #[test]
    fn a_cookie_is_kept_from_scripts_and_other_sites() {
        let set = set(SESSION, "x1", SignedDuration::from_hours(1));
        assert_eq!(
            set.to_str().expect("text"),
            "__Host-tollgate-session=x1; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=3600"
        );
    }
}
