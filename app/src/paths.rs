//! Every URL of the console has one function here; nothing else spells a path.

use crate::format::joined;

/// Where the server tells what moved.
pub const EVENTS: &str = "/api/events";

pub const OVERVIEW: &str = "/";
pub const FLEET: &str = "/fleet";
pub const ACCOUNTS: &str = "/accounts";
pub const POLICY: &str = "/policy";
pub const AUDIT: &str = "/audit";

/// The fleet list filtered by the query `q`.
pub fn fleet(q: &str) -> String {
    with_query(FLEET, &[("q", q)])
}

/// The fleet list with its order and columns; what is empty is left out, so that the plain list has the plain URL.
pub fn fleet_list(q: &str, sort: &str, columns: &str) -> String {
    with_query(FLEET, &[("q", q), ("sort", sort), ("cols", columns)])
}

pub fn instance(account: &str, region: &str, instance_id: &str) -> String {
    let mut path = String::from(FLEET);
    for segment in [account, region, instance_id] {
        path.push('/');
        encode(segment, &mut path);
    }
    path
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
        ];
        for (url, expected) in urls {
            assert_eq!(url, expected);
        }
    }
}
