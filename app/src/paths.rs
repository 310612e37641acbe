//! Every URL of the console has one function here; nothing else spells a path.

use crate::format::joined;

/// Where the server tells what moved.
pub const EVENTS: &str = "/api/events";
/// Which release of the page is live.
pub const RELEASE: &str = "/release.json";
/// Where GitHub sends its webhooks.
pub const GITHUB_WEBHOOK: &str = "/api/delivery/github";

pub const OVERVIEW: &str = "/";
pub const FLEET: &str = "/fleet";
pub const ACCOUNTS: &str = "/accounts";
pub const POLICY: &str = "/policy";
pub const DELIVERY: &str = "/delivery";
pub const PROMOTIONS: &str = "/promotions";
pub const RELEASES: &str = "/releases";
pub const AUDIT: &str = "/audit";
pub const SESSIONS: &str = "/sessions";
pub const DEVICE: &str = "/device";
pub const TOKENS: &str = "/tokens";
pub const SIGN_IN: &str = "/sign-in";
/// Where a sign-in ends that was begun in a second tab, for a page that waits in the first.
pub const SIGNED_IN: &str = "/signed-in";

/// Ends the session; answers where the browser goes next.
pub const LOGOUT: &str = "/api/auth/logout";

/// A page with what its path says; the query string is the page's own business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    Overview,
    Fleet,
    Instance { account: String, region: String, instance_id: String },
    Accounts,
    Policy,
    Delivery,
    Service { service: String },
    Change { service: String, commit: String },
    Promotions,
    Operation { id: String },
    Releases,
    Audit,
    Sessions,
    Device,
    Tokens,
    SignIn,
    SignedIn,
    NotFound,
}

impl Page {
    /// The page at a path as the address bar has it.
    pub fn at(path: &str) -> Page {
        let path = path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path);
        match path {
            OVERVIEW => Page::Overview,
            FLEET => Page::Fleet,
            ACCOUNTS => Page::Accounts,
            POLICY => Page::Policy,
            DELIVERY => Page::Delivery,
            PROMOTIONS => Page::Promotions,
            RELEASES => Page::Releases,
            AUDIT => Page::Audit,
            SESSIONS => Page::Sessions,
            DEVICE => Page::Device,
            TOKENS => Page::Tokens,
            SIGN_IN => Page::SignIn,
            SIGNED_IN => Page::SignedIn,
            _ => Page::below(path).unwrap_or(Page::NotFound),
        }
    }

    /// Whether it shows changes on their way, which are searched for by other words than instances.
    pub fn is_of_delivery(&self) -> bool {
        match self {
            Page::Delivery
            | Page::Service { .. }
            | Page::Change { .. }
            | Page::Promotions
            | Page::Operation { .. } => true,
            Page::Overview
            | Page::Fleet
            | Page::Instance { .. }
            | Page::Accounts
            | Page::Policy
            | Page::Releases
            | Page::Audit
            | Page::Sessions
            | Page::Device
            | Page::Tokens
            | Page::SignIn
            | Page::SignedIn
            | Page::NotFound => false,
        }
    }

    /// One of what a list holds.
    fn below(path: &str) -> Option<Page> {
        let segments = |list: &str| -> Option<Vec<String>> {
            path.strip_prefix(list)?.strip_prefix('/')?.split('/').map(decode).collect()
        };
        if let Some(segments) = segments(FLEET) {
            let [account, region, instance_id] = segments.try_into().ok()?;
            return Some(Page::Instance { account, region, instance_id });
        }
        if let Some(segments) = segments(PROMOTIONS) {
            let [id] = segments.try_into().ok()?;
            return Some(Page::Operation { id });
        }
        match <[String; 1]>::try_from(segments(DELIVERY)?) {
            Ok([service]) => Some(Page::Service { service }),
            Err(segments) => {
                let [service, commit] = segments.try_into().ok()?;
                Some(Page::Change { service, commit })
            }
        }
    }
}

/// The fleet list filtered by the query `q`.
pub fn fleet(q: &str) -> String {
    with_query(FLEET, &[("q", q)])
}

/// The fleet list with its order and columns; what is empty is left out, so that the plain list has the plain URL.
pub fn fleet_list(q: &str, sort: &str, columns: &str) -> String {
    with_query(FLEET, &[("q", q), ("sort", sort), ("cols", columns)])
}

pub fn instance(account: &str, region: &str, instance_id: &str) -> String {
    below(FLEET, &[account, region, instance_id])
}

/// Services and environments, with the changes that the search `q` means.
pub fn delivery(q: &str) -> String {
    with_query(DELIVERY, &[("q", q)])
}

/// One service, its metrics over a window of `days` days; empty is the usual one.
pub fn service(service: &str, days: &str) -> String {
    with_query(&below(DELIVERY, &[service]), &[("days", days)])
}

/// The way of one change.
pub fn change(service: &str, commit: &str) -> String {
    below(DELIVERY, &[service, commit])
}

/// One GitOps operation.
pub fn operation(id: &str) -> String {
    below(PROMOTIONS, &[id])
}

/// The facts of one change, as the server answers them.
pub fn facts(service: &str, commit: &str) -> String {
    with_query("/api/delivery/facts", &[("service", service), ("commit", commit)])
}

/// The audit log narrowed by free text, action, account and instance; empty means any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    pub text: String,
    pub action: String,
    pub account: String,
    pub instance_id: String,
}

impl AuditFilter {
    fn pairs(&self) -> [(&'static str, &str); 4] {
        [
            ("text", &self.text),
            ("action", &self.action),
            ("account", &self.account),
            ("id", &self.instance_id),
        ]
    }
}

pub fn audit(filter: &AuditFilter) -> String {
    with_query(AUDIT, &filter.pairs())
}

/// The sessions: one's own, or everybody's.
pub fn sessions(all: bool) -> String {
    with_query(SESSIONS, &[("all", if all { "true" } else { "" })])
}

/// Where the program that waits under `user_code` is let in.
pub fn device(user_code: &str) -> String {
    with_query(DEVICE, &[("user_code", user_code)])
}

/// The way to an issuer's own sign-in page, and from there to `return_to`.
pub fn login(issuer: &str, return_to: &str) -> String {
    with_query("/api/auth/login", &[("issuer", issuer), ("return_to", return_to)])
}

/// The file formats of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Export {
    Csv,
    Json,
}

impl Export {
    pub fn extension(self) -> &'static str {
        match self {
            Export::Csv => "csv",
            Export::Json => "json",
        }
    }
}

pub fn fleet_export(export: Export, q: &str, sort: &str) -> String {
    with_query(&joined(&["/api/export/fleet.", export.extension()]), &[("q", q), ("sort", sort)])
}

pub fn audit_export(export: Export, filter: &AuditFilter) -> String {
    with_query(&joined(&["/api/export/audit.", export.extension()]), &filter.pairs())
}

fn below(path: &str, segments: &[&str]) -> String {
    let mut path = String::from(path);
    for segment in segments {
        path.push('/');
        encode(segment, &mut path);
    }
    path
}

fn with_query(path: &str, pairs: &[(&str, &str)]) -> String {
    let mut url = String::from(path);
    let mut separator = '?';
    for (name, value) in pairs {
        if value.is_empty() {
            continue;
        }
        url.push(separator);
        url.push_str(name);
        url.push('=');
        encode(value, &mut url);
        separator = '&';
    }
    url
}

/// Percent-encodes all but the characters that neither a path segment nor a query value gives a meaning to; `:` and `,`
/// stay readable, because queries and column lists are full of them.
fn encode(text: &str, url: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b':' | b',' => {
                url.push(byte as char)
            }
            _ => {
                url.push('%');
                url.push(HEX[usize::from(byte >> 4)] as char);
                url.push(HEX[usize::from(byte & 15)] as char);
            }
        }
    }
}

/// The inverse of [`encode`]; `None` of a segment that is empty or no text.
fn decode(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                (digit()? * 16 + digit()?) as u8
            }
            _ => byte,
        });
    }
    String::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let filter =
            AuditFilter { text: "bob & co".into(), instance_id: "i-1".into(), ..AuditFilter::default() };
        let urls = [
            (fleet(""), "/fleet"),
            (fleet("verdict:allows-v1"), "/fleet?q=verdict:allows-v1"),
            (fleet("hop:>1 tag:team=\"a b\""), "/fleet?q=hop:%3E1%20tag:team%3D%22a%20b%22"),
            (fleet_list("", "-launched", "state,type"), "/fleet?sort=-launched&cols=state,type"),
            (instance("123456789012", "eu-west-1", "i-0abc"), "/fleet/123456789012/eu-west-1/i-0abc"),
            (instance("1", "x/y", "<i>"), "/fleet/1/x%2Fy/%3Ci%3E"),
            (audit(&AuditFilter::default()), "/audit"),
            (audit(&filter), "/audit?text=bob%20%26%20co&id=i-1"),
            (fleet_export(Export::Csv, "é", "name"), "/api/export/fleet.csv?q=%C3%A9&sort=name"),
            (audit_export(Export::Json, &filter), "/api/export/audit.json?text=bob%20%26%20co&id=i-1"),
            (sessions(false), "/sessions"),
            (sessions(true), "/sessions?all=true"),
            (
                login("Dex & co", "/fleet?q=tag:a%20b&sort=name"),
                "/api/auth/login?issuer=Dex%20%26%20co&return_to=%2Ffleet%3Fq%3Dtag:a%2520b%26sort%3Dname",
            ),
            (login("", ""), "/api/auth/login"),
            (delivery(""), "/delivery"),
            (delivery("#12"), "/delivery?q=%2312"),
            (service("users", ""), "/delivery/users"),
            (service("users", "90"), "/delivery/users?days=90"),
            (change("users", "0123abc"), "/delivery/users/0123abc"),
            (operation("0123456789ab"), "/promotions/0123456789ab"),
            (facts("users", "0123abc"), "/api/delivery/facts?service=users&commit=0123abc"),
        ];
        for (url, expected) in urls {
            assert_eq!(url, expected);
        }
    }

    #[test]
    fn pages() {
        let key = |account: &str, region: &str, instance_id: &str| Page::Instance {
            account: account.into(),
            region: region.into(),
            instance_id: instance_id.into(),
        };
        let pages = [
            ("/", Page::Overview),
            ("/fleet", Page::Fleet),
            ("/fleet/", Page::Fleet),
            ("/accounts", Page::Accounts),
            ("/policy", Page::Policy),
            ("/delivery", Page::Delivery),
            ("/delivery/", Page::Delivery),
            ("/delivery/users", Page::Service { service: "users".into() }),
            ("/delivery/users/", Page::Service { service: "users".into() }),
            ("/delivery/users/0123abc", Page::Change { service: "users".into(), commit: "0123abc".into() }),
            ("/delivery/users/0123abc/x", Page::NotFound),
            ("/delivery//0123abc", Page::NotFound),
            ("/delivery/%FF", Page::NotFound),
            ("/deliveries", Page::NotFound),
            ("/promotions", Page::Promotions),
            ("/promotions/0123456789ab", Page::Operation { id: "0123456789ab".into() }),
            ("/promotions/0123456789ab/x", Page::NotFound),
            ("/promotion", Page::NotFound),
            ("/releases", Page::Releases),
            ("/audit", Page::Audit),
            ("/sessions", Page::Sessions),
            ("/device", Page::Device),
            ("/tokens", Page::Tokens),
            ("/sign-in", Page::SignIn),
            ("/signed-in/", Page::SignedIn),
            ("/fleet/123456789012/eu-west-1/i-0abc", key("123456789012", "eu-west-1", "i-0abc")),
            ("/fleet/1/2", Page::NotFound),
            ("/fleet/1/2/3/4", Page::NotFound),
            ("/fleet//2/3", Page::NotFound),
            ("/fleet/%/2/3", Page::NotFound),
            ("/fleet/%FF/2/3", Page::NotFound),
            ("/fleets", Page::NotFound),
        ];
        for (path, page) in pages {
            assert_eq!(Page::at(path), page, "{path}");
        }
        let odd = ["1 2", "x/y%", "<é>"];
        assert_eq!(Page::at(&instance(odd[0], odd[1], odd[2])), key(odd[0], odd[1], odd[2]));
        let (one, other) = (odd[1].to_owned(), odd[2].to_owned());
        assert_eq!(Page::at(&service(&one, "")), Page::Service { service: one.clone() });
        assert_eq!(Page::at(&change(&one, &other)), Page::Change { service: one, commit: other });
    }
}
