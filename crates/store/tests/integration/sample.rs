//! Values that the cases share.

use domain::audit::{AuditAction, NewAuditEntry};
use domain::change::{Difference, Purpose, Request};
use domain::instance::{HttpTokens, Instance, InstanceKey, MetadataOptions, SourceKey};
use domain::testing;
use jiff::{SignedDuration, Timestamp};
use store::{NewChange, NewDeviceLogin, NewSession, NewToken};

pub(crate) const TTL: SignedDuration = SignedDuration::from_secs(60);

pub(crate) fn start() -> Timestamp {
    "2026-03-01T12:34:56.789Z".parse().expect("it is a time")
}

/// `seconds` after the start.
pub(crate) fn at(seconds: i64) -> Timestamp {
    start() + SignedDuration::from_secs(seconds)
}

pub(crate) fn source(region: &str) -> SourceKey {
    SourceKey::new("111122223333", region)
}

pub(crate) fn key(instance_id: &str) -> InstanceKey {
    InstanceKey { source: source("eu-west-1"), instance_id: instance_id.into() }
}

pub(crate) fn options(http_tokens: HttpTokens) -> MetadataOptions {
    MetadataOptions { http_protocol_ipv6: None, ..testing::options(http_tokens) }
}

pub(crate) fn instance(instance_id: &str) -> Instance {
    Instance {
        metadata_options: Some(options(HttpTokens::Optional)),
        launch_time: Some(start()),
        tags: testing::tags([("Name", "web \"1\" \u{e9}\0")]),
        ..testing::instance_in(source("eu-west-1"), instance_id)
    }
}

pub(crate) fn new_change(idempotency_key: &str, instance_id: &str) -> NewChange {
    NewChange {
        idempotency_key: idempotency_key.into(),
        key: key(instance_id),
        purpose: Purpose::Enforce { hop_limit: Some(2) },
        request: Request { http_tokens: HttpTokens::Required, http_put_response_hop_limit: Some(2) },
        before: options(HttpTokens::Optional),
        actor: "ada".into(),
        address: "203.0.113.7".into(),
        reason: "ticket 4711".into(),
        policy_revision: "r1".into(),
        requested_at: start(),
    }
}

pub(crate) fn audit_entry(action: AuditAction, instance_id: &str) -> NewAuditEntry {
    NewAuditEntry {
        at: start(),
        actor: "ada".into(),
        address: "203.0.113.7".into(),
        action,
        account: "111122223333".into(),
        region: "eu-west-1".into(),
        instance_id: instance_id.into(),
        change_id: None,
        reason: "ticket 4711".into(),
        policy_revision: "r1".into(),
        differences: vec![Difference {
            field: "http_tokens".into(),
            before: "optional".into(),
            after: "required".into(),
        }],
        aws_request_id: None,
        detail: "requested".into(),
    }
}

/// A session that runs from the start for an hour.
pub(crate) fn new_session(token_hash: &str, subject: &str) -> NewSession {
    NewSession {
        token_hash: token_hash.into(),
        issuer: "https://id.example".into(),
        subject: subject.into(),
        name: "Ada \u{e9}".into(),
        groups: vec!["platform".into(), "a \"quoted\", group".into()],
        address: "203.0.113.7".into(),
        user_agent: "Browser/1.0 (\0)".into(),
        created_at: start(),
        expires_at: at(3_600),
    }
}

/// A program that waits from the start for ten minutes.
pub(crate) fn new_device_login(device_hash: &str, user_code: &str) -> NewDeviceLogin {
    NewDeviceLogin {
        device_hash: device_hash.into(),
        user_code: user_code.into(),
        client: "tollgate on ada\u{2019}s laptop".into(),
        address: "203.0.113.7".into(),
        created_at: start(),
        expires_at: at(600),
    }
}

/// A token that is good from the start for an hour.
pub(crate) fn new_token(token_hash: &str, subject: &str) -> NewToken {
    NewToken {
        token_hash: token_hash.into(),
        issuer: "https://id.example".into(),
        subject: subject.into(),
        owner_name: "Ada".into(),
        groups: vec!["platform".into()],
        name: "nightly report".into(),
        access: None,
        created_at: start(),
        expires_at: at(3_600),
    }
}
