//! Values that the cases share.

use domain::audit::{AuditAction, NewAuditEntry};
use domain::change::{Difference, Purpose, Request};
use domain::instance::{
    HttpTokens, Instance, InstanceKey, InstanceState, MetadataOptions, OptionsState, SourceKey, Tag, Toggle,
};
use jiff::{SignedDuration, Timestamp};
use store::NewChange;

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
    MetadataOptions {
        state: Some(OptionsState::Applied),
        http_tokens: Some(http_tokens),
        http_put_response_hop_limit: Some(2),
        http_endpoint: Some(Toggle::Enabled),
        http_protocol_ipv6: None,
        instance_metadata_tags: Some(Toggle::Disabled),
    }
}

pub(crate) fn instance(instance_id: &str) -> Instance {
    Instance {
        key: key(instance_id),
        state: InstanceState::Running,
        metadata_options: Some(options(HttpTokens::Optional)),
        instance_type: "m7g.large".into(),
        availability_zone: Some("eu-west-1a".into()),
        vpc_id: None,
        image_id: Some("ami-0abc".into()),
        launch_time: Some(start()),
        iam_instance_profile: None,
        operator: None,
        tags: vec![Tag { key: "Name".into(), value: "web \"1\" \u{e9}\0".into() }],
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
        reason: "ticket 4711".into(),
        policy_revision: "r1".into(),
        requested_at: start(),
    }
}

pub(crate) fn audit_entry(action: AuditAction, instance_id: &str) -> NewAuditEntry {
    NewAuditEntry {
        at: start(),
        actor: "ada".into(),
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
