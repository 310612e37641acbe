//! How the updater is set up, in both of its ways.

use serde_json::json;

use super::*;
use crate::kubernetes::config::{Access, Cluster};
use crate::kubernetes::placing::Placing;

fn application(name: &str, labels: Value, annotations: &[(&str, &str)]) -> SeenApplication {
    let annotations: BTreeMap<String, &str> =
        annotations.iter().map(|(key, value)| (format!("{PREFIX}{key}"), *value)).collect();
    let metadata = json!({"name": name, "namespace": "argocd", "labels": labels, "annotations": annotations});
    let object = serde_json::from_value(json!({"metadata": metadata})).unwrap();
    let cluster = Cluster::new("eu", Access::InCluster);
    SeenApplication::of(object, &cluster, &Placing::default()).unwrap()
}

fn updater(name: &str, spec: Value) -> SeenUpdater {
    let object = serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": spec,
        "status": {"lastCheckedAt": "2026-11-21T10:00:00Z"},
    }));
    SeenUpdater::of(object.unwrap()).unwrap()
}

fn facts(application: &SeenApplication, updaters: &[SeenUpdater]) -> Vec<(String, UpdaterFacts)> {
    updater_facts(application, &ServiceName::parse("users").unwrap(), updaters.iter(), 120)
}

fn one(application: &SeenApplication, updaters: &[SeenUpdater]) -> UpdaterFacts {
    let mut all = facts(application, updaters);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0).1
}

#[test]
fn annotations_count_before_1_0() {
    let users = application(
        "users-dev",
        json!({}),
        &[
            ("image-list", "users=r.io/acme/users:~1.26, proxy = r.io/proxy"),
            ("users.update-strategy", "latest"),
            ("users.allow-tags", "regexp:^v[0-9]+"),
            ("users.ignore-tags", "*-rc, latest,"),
            ("proxy.ignore-tags", "*"),
            ("update-strategy", "digest"),
        ],
    );
    assert_eq!(
        facts(&users, &[]),
        [(
            "users".to_owned(),
            UpdaterFacts {
                mode: UpdaterMode::Annotations,
                strategy: UpdateStrategy::NewestBuild,
                constraint: Some("~1.26".into()),
                ignore_tags: vec!["*-rc".into(), "latest".into()],
                allow_tags: Some("^v[0-9]+".into()),
                tag_allowed: None,
                interval_seconds: 120,
                last_checked: None,
            },
        )]
    );
    assert_eq!(facts(&application("users-dev", json!({}), &[]), &[]), [], "nothing updates it");
}

#[test]
fn annotations_of_the_application_count_for_each_image() {
    let frozen = |annotations: &[(&str, &str)]| {
        let list = [("image-list", "users=r.io/users")];
        one(&application("a", json!({}), &[&list, annotations].concat()), &[])
    };
    assert_eq!(frozen(&[("ignore-tags", "*")]).ignore_tags, ["*"]);
    assert!(frozen(&[("ignore-tags", "*"), ("users.ignore-tags", "")]).ignore_tags.is_empty(), "set to none");
    assert_eq!(frozen(&[("update-strategy", "Digest")]).strategy, UpdateStrategy::Digest);
    assert_eq!(frozen(&[("update-strategy", "best")]).strategy, UpdateStrategy::Semver);
    assert_eq!(frozen(&[("allow-tags", "any")]).allow_tags, None);
    assert_eq!(frozen(&[("allow-tags", "glob:*")]).allow_tags.as_deref(), Some(NOTHING));
    // An alias with a slash, and an image without an alias.
    let slash = application(
        "a",
        json!({}),
        &[("image-list", "acme/users=r.io/users"), ("acme_users.ignore-tags", "x")],
    );
    assert_eq!(one(&slash, &[]).ignore_tags, ["x"]);
    let bare = application(
        "a",
        json!({}),
        &[("image-list", "r.io:5000/acme/users:1.x"), ("acme_users.ignore-tags", "x")],
    );
    assert_eq!(facts(&bare, &[])[0].0, "users");
    assert_eq!(
        (one(&bare, &[]).ignore_tags, one(&bare, &[]).constraint),
        (vec!["x".into()], Some("1.x".into()))
    );
}

#[test]
fn a_resource_takes_the_place_of_annotations() {
    let users = application(
        "users-dev",
        json!({}),
        &[("image-list", "users=r.io/users:0.x"), ("users.ignore-tags", "*")],
    );
    let reference = |use_annotations: bool| {
        updater(
            "shop",
            json!({"applicationRefs": [{
                "namePattern": "users-*",
                "useAnnotations": use_annotations,
                "images": [{"alias": "users", "imageName": "r.io/users:1.x"}],
            }]}),
        )
    };
    let by_resource = one(&users, &[reference(false)]);
    assert_eq!((by_resource.mode, by_resource.constraint.as_deref()), (UpdaterMode::Resource, Some("1.x")));
    assert!(by_resource.ignore_tags.is_empty(), "the annotation freezes nothing");
    assert_eq!(by_resource.last_checked, Some("2026-11-21T10:00:00Z".parse().unwrap()));
    let by_annotations = one(&users, &[reference(true)]);
    assert_eq!(
        (by_annotations.mode, by_annotations.ignore_tags),
        (UpdaterMode::Annotations, vec!["*".into()])
    );
    let other = updater("other", json!({"applicationRefs": [{"namePattern": "pay-*", "images": []}]}));
    assert_eq!(facts(&users, &[other]), [], "from 1.0 on annotations alone do nothing");
}

#[test]
fn what_is_set_further_in_counts() {
    let with = |spec: Value, reference: Value, image: Value| {
        let spec = json!({
            "commonUpdateSettings": spec,
            "applicationRefs": [{
                "namePattern": "*", "commonUpdateSettings": reference,
                "images": [{"alias": "users", "imageName": "r.io/users", "commonUpdateSettings": image}],
            }],
        });
        one(&application("users-dev", json!({}), &[]), &[updater("shop", spec)])
    };
    let tags = |tags: &[&str]| json!({"ignoreTags": tags});
    assert_eq!(with(tags(&["a"]), Value::Null, Value::Null).ignore_tags, ["a"]);
    assert_eq!(with(tags(&["a"]), tags(&["b"]), Value::Null).ignore_tags, ["b"], "not both");
    assert_eq!(with(tags(&["a"]), tags(&["b"]), tags(&["c"])).ignore_tags, ["c"]);
    assert!(with(tags(&["a"]), tags(&["b"]), tags(&[])).ignore_tags.is_empty());
    let mixed =
        with(json!({"updateStrategy": "alphabetical", "allowTags": "regexp:x"}), tags(&["b"]), Value::Null);
    assert_eq!((mixed.strategy, mixed.allow_tags.as_deref()), (UpdateStrategy::Alphabetical, Some("x")));
    assert_eq!(mixed.ignore_tags, ["b"]);
}

#[test]
fn the_most_specific_entry_counts() {
    let entry = |pattern: &str, more: Value| {
        let mut entry = json!({"namePattern": pattern, "images": [{"alias": "users", "imageName": format!("r.io/users:{pattern}")}]});
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        entry
    };
    let constraint = |entries: Vec<Value>, labels: Value| {
        let all = facts(
            &application("users-dev", labels, &[]),
            &[updater("a", json!({"applicationRefs": entries}))],
        );
        all.into_iter().next().and_then(|(_, facts)| facts.constraint)
    };
    let plain = |pattern: &str| entry(pattern, json!({}));
    let all = vec![plain("*"), plain("users-*"), plain("users-dev"), plain("users-d[ef]v")];
    assert_eq!(constraint(all, json!({})).as_deref(), Some("users-dev"));
    assert_eq!(constraint(vec![plain("*"), plain("users-*")], json!({})).as_deref(), Some("users-*"));
    let labelled =
        || vec![plain("users-*"), entry("*", json!({"labelSelectors": {"matchLabels": {"tier": "web"}}}))];
    assert_eq!(
        constraint(labelled(), json!({"tier": "web"})).as_deref(),
        Some("*"),
        "a selector weighs more"
    );
    assert_eq!(constraint(labelled(), json!({"tier": "batch"})).as_deref(), Some("users-*"));
    let expressions = json!({"labelSelectors": {"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["web"]}]}});
    assert_eq!(constraint(vec![entry("*", expressions.clone())], json!({"tier": "web"})), None);
    assert_eq!(constraint(vec![entry("*", expressions)], json!({"tier": "batch"})).as_deref(), Some("*"));
    assert_eq!((specificity("app-[a-z]*", None), specificity("app-1", None)), (4, 1_000_005));
    // Of two resources that match, the more specific is told.
    let two = [
        updater("a", json!({"applicationRefs": [plain("*")]})),
        updater("b", json!({"applicationRefs": [plain("users-*")]})),
    ];
    assert_eq!(one(&application("users-dev", json!({}), &[]), &two).constraint.as_deref(), Some("users-*"));
}

#[test]
fn of_several_images_those_of_the_service_are_told() {
    let images = |images: Value| {
        let spec = json!({"applicationRefs": [{"namePattern": "*", "images": images}]});
        let all = facts(&application("a", json!({}), &[]), &[updater("a", spec)]);
        all.into_iter().map(|(alias, _)| alias).collect::<Vec<String>>()
    };
    let image = |alias: &str, name: &str| json!({"alias": alias, "imageName": name});
    assert_eq!(images(json!([image("proxy", "r.io/proxy"), image("app", "r.io/users:1")])), ["app"]);
    assert_eq!(images(json!([image("users", "r.io/x"), image("y", "r.io/y")])), ["users"]);
    assert_eq!(images(json!([image("x", "r.io/x"), image("y", "r.io/y")])), ["x", "y"]);
    assert!(images(json!([{"alias": "users"}])).is_empty());
}
