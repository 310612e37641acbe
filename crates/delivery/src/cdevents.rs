//! CDEvents over CloudEvents' HTTP binding as facts, so that any CI can tell of its stages (CDEvents specification 0.4, CloudEvents
//! 1.0 "HTTP Protocol Binding", structured and binary mode).
//!
//! What an event's own type has no field for, the service, the commit and the environment above all, is read from its `customData`.

use domain::delivery::{
    AssetsDetail, CommitDetail, CommitSha, Detail, EnvironmentName, Fact, ImageDetail, LiveDetail,
    ServiceName, Source, Stage, Status, fitting,
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::DeliveryError;

/// The media type of a CloudEvent in structured mode.
pub const STRUCTURED: &str = "application/cloudevents+json";

/// What every CDEvents type begins with.
const PREFIX: &str = "dev.cdevents.";

/// A CDEvent, the data of a CloudEvent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CdEvent {
    context: Context,
    subject: Subject,
    #[serde(default)]
    custom_data: Custom,
}

#[derive(Deserialize)]
struct Context {
    id: String,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    timestamp: Timestamp,
}

#[derive(Deserialize)]
struct Subject {
    id: String,
    #[serde(default)]
    content: Value,
}

/// What Tollgate reads of `customData`; other programs may put more there.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Custom {
    service: Option<String>,
    commit: Option<String>,
    environment: Option<String>,
    job: Option<String>,
    attempt: Option<u32>,
    started: Option<Timestamp>,
    link: Option<String>,
    author: Option<String>,
    title: Option<String>,
    branch: Option<String>,
    tag: Option<String>,
    /// The release of a static bundle: an artifact that is published with it is no image.
    release: Option<String>,
}

/// The fact that an event tells; `None` for an event that tells of no stage, such as a ticket's.
///
/// `body` is the whole CloudEvent in structured mode, and its data in binary mode.
///
/// # Errors
/// What is missing or cannot be read, and where it belongs.
pub fn fact(body: &[u8], structured: bool, now: Timestamp) -> Result<Option<Fact>, DeliveryError> {
    let unreadable = |error: serde_json::Error| {
        DeliveryError::Invalid(format!(
            "The event cannot be read: {error}. Send a CDEvent 0.4 or earlier, as JSON."
        ))
    };
    let event: CdEvent = if structured {
        let mut event: Value = serde_json::from_slice(body).map_err(unreadable)?;
        serde_json::from_value(event["data"].take()).map_err(unreadable)?
    } else {
        serde_json::from_slice(body).map_err(unreadable)?
    };
    let Some(told) = told(&event) else { return Ok(None) };
    let service = event.custom_data.service.as_deref().or(told.service.as_deref());
    let service = ServiceName::parse(service.ok_or_else(|| missing(&event, "service"))?)?;
    let commit = event.custom_data.commit.as_deref().or(told.commit.as_deref());
    let commit = CommitSha::parse(commit.ok_or_else(|| missing(&event, "commit"))?)?;
    let environment = if told.stage.is_of_environment() {
        let named = event.custom_data.environment.as_deref().or(told.environment.as_deref());
        Some(EnvironmentName::parse(named.ok_or_else(|| missing(&event, "environment"))?)?)
    } else {
        None
    };
    let finished = told.status.is_final().then_some(event.context.timestamp);
    let fallback =
        (!told.status.is_final() && told.status != Status::Waiting).then_some(event.context.timestamp);
    let started = event.custom_data.started.or(fallback);
    Ok(Some(Fact {
        source: Source::CdEvents,
        // The source and the id together tell events apart (CloudEvents 1.0, "id").
        source_id: hex::encode(Sha256::digest(format!("{}\n{}", event.context.source, event.context.id))),
        service,
        environment,
        commit,
        stage: told.stage,
        job: told.job,
        attempt: event.custom_data.attempt.unwrap_or(1).max(1),
        status: told.status,
        started: started.filter(|started| finished.is_none_or(|finished| *started <= finished)),
        finished,
        observed: now,
        link: event.custom_data.link.or(told.link),
        detail: told.detail,
    }))
}

fn missing(event: &CdEvent, field: &str) -> DeliveryError {
    DeliveryError::Invalid(format!(
        "The event {} names no {field}: add it as customData.{field}.",
        event.context.kind
    ))
}

/// What an event of a type tells by itself.
struct Told {
    stage: Stage,
    status: Status,
    job: Option<String>,
    service: Option<String>,
    commit: Option<String>,
    environment: Option<String>,
    link: Option<String>,
    detail: Option<Detail>,
}

/// Reads a type without its version: `dev.cdevents.taskrun.finished.0.2.0` is `taskrun.finished`.
fn told(event: &CdEvent) -> Option<Told> {
    let mut words = event.context.kind.strip_prefix(PREFIX)?.split('.');
    let (subject, predicate) = (words.next()?, words.next()?);
    let (content, custom) = (&event.subject.content, &event.custom_data);
    let text = |pointer: &str| content.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let outcome = || match content["outcome"].as_str() {
        Some("success") => Status::Succeeded,
        Some("failure" | "error") => Status::Failed,
        Some("cancel") => Status::Cancelled,
        _ => Status::Unknown,
    };
    let (stage, status) = match (subject, predicate) {
        ("change", "merged") => (Stage::Commit, Status::Succeeded),
        ("pipelinerun" | "build" | "testsuiterun" | "testcaserun", "queued") => (Stage::Ci, Status::Waiting),
        ("pipelinerun" | "taskrun" | "build" | "testsuiterun" | "testcaserun", "started") => {
            (Stage::Ci, Status::Running)
        }
        ("build", "finished") => (Stage::Ci, Status::Succeeded),
        ("pipelinerun" | "taskrun" | "testsuiterun" | "testcaserun", "finished") => (Stage::Ci, outcome()),
        ("artifact", "published") if custom.release.is_some() => (Stage::Assets, Status::Succeeded),
        ("artifact", "published") => (Stage::Image, Status::Succeeded),
        ("service", "deployed" | "upgraded" | "rolledback") => (Stage::Live, Status::Succeeded),
        // Tickets, branches, repositories, environments: nothing that has a stage here.
        _ => return None,
    };
    let named = fitting(&event.subject.id);
    let artifact = Artifact::of(&match subject {
        "artifact" => event.subject.id.clone(),
        _ => text("/artifactId").unwrap_or_default(),
    });
    let own_job = match subject {
        "pipelinerun" => None,
        "taskrun" => text("/taskName"),
        "testsuiterun" => text("/testSuite/name").or_else(|| text("/testSuite/id")),
        "testcaserun" => text("/testCase/name").or_else(|| text("/testCase/id")),
        _ => None,
    };
    let detail = match stage {
        Stage::Commit => Some(Detail::Commit(CommitDetail {
            author: custom.author.as_deref().and_then(fitting),
            title: custom.title.as_deref().and_then(fitting),
            branch: custom.branch.as_deref().and_then(fitting),
            committed: Some(event.context.timestamp),
            pull_request: None,
        })),
        Stage::Image => Some(Detail::Image(ImageDetail {
            repository: artifact.repository,
            tag: custom.tag.as_deref().and_then(fitting).or(artifact.tag),
            digest: artifact.digest,
            ..ImageDetail::default()
        })),
        Stage::Assets => {
            Some(Detail::Assets(AssetsDetail { release: custom.release.as_deref().and_then(fitting) }))
        }
        Stage::Live => Some(Detail::Live(LiveDetail {
            version: custom.tag.as_deref().and_then(fitting).or(artifact.tag),
        })),
        _ => None,
    };
    Some(Told {
        stage,
        status,
        job: custom.job.as_deref().or(own_job.as_deref()).and_then(fitting),
        service: (subject == "service").then_some(named).flatten(),
        commit: match subject {
            "change" => Some(event.subject.id.clone()),
            "artifact" => text("/change/id"),
            _ => None,
        },
        environment: text("/environment/id"),
        link: text("/url")
            .or_else(|| text("/uri"))
            .filter(|link| link.starts_with("https://") || link.starts_with("http://")),
        detail,
    })
}

/// What the package URL of an artifact names: `pkg:oci/users@sha256%3A0b31…?repository_url=…&tag=1.4.2` (purl specification,
/// type `oci`).
#[derive(Default)]
struct Artifact {
    repository: Option<String>,
    tag: Option<String>,
    digest: Option<String>,
}

impl Artifact {
    fn of(purl: &str) -> Artifact {
        let Some(rest) = purl.strip_prefix("pkg:") else { return Artifact::default() };
        let (name, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
        let qualifier = |key: &str| {
            let pairs = qualifiers.split('#').next()?.split('&');
            let value = pairs.filter_map(|pair| pair.split_once('=')).find(|(name, _)| *name == key)?.1;
            fitting(&value.replace("%2F", "/").replace("%2f", "/").replace("%3A", ":").replace("%3a", ":"))
        };
        let version =
            name.split_once('@').map(|(_, version)| version.replace("%3A", ":").replace("%3a", ":"));
        let digest = version.as_deref().filter(|version| version.starts_with("sha256:"));
        Artifact {
            repository: qualifier("repository_url"),
            tag: qualifier("tag")
                .or_else(|| version.as_deref().filter(|_| digest.is_none()).and_then(fitting)),
            digest: digest.map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SHA: &str = "6113728f27ae82c7b1a177c8d03f9e96e0adf246";
    const DIGEST: &str = "0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427";

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn event(kind: &str, subject: &str, content: Value, custom: Value) -> Value {
        json!({
            "context": {
                "version": "0.4.1", "id": "271069a8-fc18-44f1-b38f-9d70a1695819", "source": "/event/source/123",
                "type": format!("dev.cdevents.{kind}.0.2.0"), "timestamp": "2026-11-21T11:00:00Z",
            },
            "subject": { "id": subject, "source": "/event/source/123", "content": content },
            "customData": custom,
        })
    }

    fn read(event: &Value) -> Fact {
        let fact = fact(event.to_string().as_bytes(), false, now()).unwrap().expect("a fact");
        assert_eq!(fact.check(), Ok(()), "{fact:?}");
        fact
    }

    #[test]
    fn each_stage_is_told_by_its_event() {
        let of = |custom: Value| {
            let mut all = json!({ "service": "users", "commit": SHA, "environment": "prod" });
            all.as_object_mut().unwrap().extend(custom.as_object().unwrap().clone());
            all
        };
        let none = || json!({});
        for (kind, content, custom, stage, status) in [
            ("change.merged", none(), none(), Stage::Commit, Status::Succeeded),
            ("pipelinerun.queued", none(), none(), Stage::Ci, Status::Waiting),
            ("pipelinerun.started", none(), none(), Stage::Ci, Status::Running),
            ("pipelinerun.finished", json!({ "outcome": "failure" }), none(), Stage::Ci, Status::Failed),
            ("pipelinerun.finished", json!({ "outcome": "cancel" }), none(), Stage::Ci, Status::Cancelled),
            (
                "taskrun.finished",
                json!({ "outcome": "success", "taskName": "lint" }),
                none(),
                Stage::Ci,
                Status::Succeeded,
            ),
            (
                "testsuiterun.finished",
                json!({ "outcome": "from the future" }),
                none(),
                Stage::Ci,
                Status::Unknown,
            ),
            ("build.finished", none(), none(), Stage::Ci, Status::Succeeded),
            ("artifact.published", none(), none(), Stage::Image, Status::Succeeded),
            (
                "artifact.published",
                none(),
                json!({ "release": "0123456789abcdef" }),
                Stage::Assets,
                Status::Succeeded,
            ),
            ("service.deployed", none(), none(), Stage::Live, Status::Succeeded),
            ("service.rolledback", none(), none(), Stage::Live, Status::Succeeded),
        ] {
            let fact = read(&event(kind, "subject", content, of(custom)));
            assert_eq!((fact.stage, fact.status), (stage, status), "{kind}");
            assert_eq!(fact.environment.is_some(), stage == Stage::Live, "{kind}");
        }
        let task = event(
            "taskrun.started",
            "t",
            json!({ "taskName": "lint", "url": "https://ci.example.com/t" }),
            of(none()),
        );
        let fact = read(&task);
        assert_eq!(
            (fact.job.as_deref(), fact.link.as_deref()),
            (Some("lint"), Some("https://ci.example.com/t"))
        );
        assert_eq!(fact.started, Some("2026-11-21T11:00:00Z".parse().unwrap()));
    }

    #[test]
    fn an_artifact_is_read_from_its_package_url() {
        let purl =
            format!("pkg:oci/users@sha256%3A{DIGEST}?repository_url=registry.example.com%2Fusers&tag=1.4.2");
        let content = json!({ "change": { "id": SHA } });
        let fact = read(&event("artifact.published", &purl, content, json!({ "service": "users" })));
        let Some(Detail::Image(image)) = &fact.detail else { panic!("{fact:?}") };
        assert_eq!(image.repository.as_deref(), Some("registry.example.com/users"));
        assert_eq!(
            (image.tag.as_deref(), image.digest.clone()),
            (Some("1.4.2"), Some(format!("sha256:{DIGEST}")))
        );
        assert_eq!(fact.commit.as_str(), SHA);
        let content = json!({ "environment": { "id": "prod" }, "artifactId": purl });
        let fact = read(&event("service.deployed", "users", content, json!({ "commit": SHA })));
        assert_eq!((fact.service.as_str(), fact.environment.unwrap().as_str()), ("users", "prod"));
        assert_eq!(fact.detail, Some(Detail::Live(LiveDetail { version: Some("1.4.2".into()) })));
    }

    #[test]
    fn both_modes_tell_the_same_and_an_event_is_known_by_source_and_id() {
        let data = event("change.merged", SHA, json!({}), json!({ "service": "users" }));
        let whole = json!({ "specversion": "1.0", "id": "x", "source": "y", "type": "z", "data": data });
        let structured = fact(whole.to_string().as_bytes(), true, now()).unwrap().unwrap();
        assert_eq!(structured, read(&data));
        let mut other = data.clone();
        other["context"]["source"] = json!("/another");
        assert_ne!(read(&other).source_id, read(&data).source_id);
        assert_eq!(read(&data).source_id, read(&data).source_id);
    }

    #[test]
    fn what_is_missing_is_named_and_what_has_no_stage_is_left() {
        let error = |event: Value| fact(event.to_string().as_bytes(), false, now()).unwrap_err().to_string();
        let custom = |custom: Value| event("taskrun.started", "t", json!({}), custom);
        assert!(
            error(custom(json!({ "commit": SHA })))
                .ends_with("names no service: add it as customData.service.")
        );
        assert!(error(custom(json!({ "service": "users" }))).ends_with("add it as customData.commit."));
        let deployed = event("service.deployed", "users", json!({}), json!({ "commit": SHA }));
        assert!(error(deployed).ends_with("add it as customData.environment."));
        assert!(error(json!({})).starts_with("The event cannot be read"));
        assert!(error(custom(json!({ "service": "Users", "commit": SHA }))).contains("is no service name"));
        let ticket = event("ticket.created", "t", json!({}), json!({}));
        assert_eq!(fact(ticket.to_string().as_bytes(), false, now()).unwrap(), None);
    }
}
