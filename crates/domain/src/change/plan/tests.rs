//! What a plan sends, when it is refused, and whether there is a way back.

use super::*;
use crate::change::differences;
use crate::testing::{self, options, tags};

const APPLIED: MetadataOptions =
    MetadataOptions { http_put_response_hop_limit: Some(1), ..options(HttpTokens::Optional) };
const REQUIRED: MetadataOptions = MetadataOptions { http_tokens: Some(HttpTokens::Required), ..APPLIED };

fn instance(options: MetadataOptions) -> Instance {
    Instance { metadata_options: Some(options), ..testing::instance("i-1") }
}

fn tagged(options: MetadataOptions, key: &str, value: &str) -> Instance {
    Instance { tags: tags([(key, value)]), ..instance(options) }
}

fn sent(http_tokens: HttpTokens, http_put_response_hop_limit: Option<u8>) -> Request {
    Request { http_tokens, http_put_response_hop_limit }
}

fn defaults(enforced: Option<&str>, managed_by: Option<&str>) -> MetadataDefaults {
    MetadataDefaults {
        http_tokens_enforced: enforced.map(Into::into),
        managed_by: managed_by.map(Into::into),
        ..MetadataDefaults::default()
    }
}

#[test]
fn enforcing_sends_tokens_and_nothing_else() {
    let plan = plan_enforce(&instance(APPLIED), None, None).unwrap();
    assert_eq!(plan.request, sent(HttpTokens::Required, None));
    assert_eq!(plan.call, "ec2:ModifyInstanceMetadataOptions\n  InstanceId = i-1\n  HttpTokens = required");
    assert_eq!(plan.before, APPLIED);
    assert_eq!(plan.after, REQUIRED);
    assert_eq!(plan.takes_effect, TakesEffect::Now);
    let fields: Vec<String> =
        differences(&plan.before, &plan.after).into_iter().map(|one| one.field).collect();
    assert_eq!(fields, ["http_tokens"]);
}

#[test]
fn the_hop_limit_is_sent_only_where_it_is_asked_for_and_another() {
    let plan = plan_enforce(&instance(APPLIED), None, Some(2)).unwrap();
    assert_eq!(plan.request, sent(HttpTokens::Required, Some(2)));
    assert_eq!(plan.purpose, Purpose::Enforce { hop_limit: Some(2) });
    assert!(plan.call.ends_with("HttpTokens = required\n  HttpPutResponseHopLimit = 2"), "{}", plan.call);
    assert_eq!(plan.after.http_put_response_hop_limit, Some(2));

    let same = plan_enforce(&instance(APPLIED), None, Some(1)).unwrap();
    assert_eq!(same.request, sent(HttpTokens::Required, None));

    let only_hops = plan_enforce(&instance(REQUIRED), None, Some(2)).unwrap();
    assert_eq!(only_hops.request, sent(HttpTokens::Required, Some(2)));
    assert_eq!(only_hops.way_back, WayBack::Open, "tokens stay required on the way back");
}

#[test]
fn no_plan_ever_touches_the_endpoint() {
    let values = [None, Some(Toggle::Enabled), Some(Toggle::Disabled)];
    for http_endpoint in values {
        for stored_endpoint in values {
            let now = instance(MetadataOptions { http_endpoint, ..APPLIED });
            let enforce = plan_enforce(&now, None, Some(2)).unwrap();
            let stored = MetadataOptions { http_endpoint: stored_endpoint, ..APPLIED };
            let required = instance(MetadataOptions { http_endpoint, ..REQUIRED });
            let restore =
                plan_restore(&required, None, 7, &sent(HttpTokens::Required, None), &stored).unwrap();
            for plan in [enforce, restore] {
                assert!(!plan.call.to_lowercase().contains("endpoint"), "{}", plan.call);
                assert_eq!(plan.after.http_endpoint, http_endpoint);
            }
        }
    }
}

#[test]
fn what_must_not_or_need_not_be_changed_is_refused() {
    let running = instance(APPLIED);
    let refused = |instance: &Instance, hop_limit| plan_enforce(instance, None, hop_limit).unwrap_err();

    let managed = Instance { operator: Some("eks.amazonaws.com".into()), ..running.clone() };
    assert_eq!(refused(&managed, None), Refusal::Managed { operator: "eks.amazonaws.com".into() });
    for state in InstanceState::ALL {
        let result = plan_enforce(&Instance { state, ..running.clone() }, None, None);
        match state.is_terminal() {
            true => assert_eq!(result, Err(Refusal::Terminal { state })),
            false => assert!(result.is_ok(), "{state:?}"),
        }
    }
    let undescribed = Instance { metadata_options: None, ..running.clone() };
    assert_eq!(refused(&undescribed, None), Refusal::OptionsUnknown);
    assert_eq!(refused(&instance(REQUIRED), None), Refusal::AlreadyEnforced);
    assert_eq!(refused(&instance(REQUIRED), Some(1)), Refusal::AlreadyEnforced);
    assert_eq!(refused(&running, Some(0)), Refusal::HopLimit { hop_limit: 0 });
    assert_eq!(refused(&running, Some(65)), Refusal::HopLimit { hop_limit: 65 });

    let request = sent(HttpTokens::Required, None);
    assert!(matches!(plan_restore(&managed, None, 7, &request, &APPLIED), Err(Refusal::Managed { .. })));
    assert_eq!(plan_restore(&undescribed, None, 7, &request, &APPLIED), Err(Refusal::OptionsUnknown));
}

#[test]
fn a_stopped_instance_takes_it_up_at_its_next_start() {
    for state in InstanceState::ALL.into_iter().filter(|state| !state.is_terminal()) {
        let plan = plan_enforce(&Instance { state, ..instance(APPLIED) }, None, None).unwrap();
        let expected = match state {
            InstanceState::Stopped | InstanceState::Stopping => TakesEffect::AtNextStart,
            _ => TakesEffect::Now,
        };
        assert_eq!(plan.takes_effect, expected, "{state:?}");
        assert_eq!(plan.instance_state, state);
    }
}

#[test]
fn notes_tell_what_the_change_does_not_do() {
    let note =
        |instance: &Instance, hop_limit| plan_enforce(instance, None, hop_limit).unwrap().notes.join(" ");
    assert_eq!(note(&instance(APPLIED), None), "");
    assert!(
        note(&tagged(APPLIED, "aws:autoscaling:groupName", "web"), None).contains("Auto Scaling group web")
    );
    let node = tagged(APPLIED, "kubernetes.io/cluster/blue", "owned");
    assert!(note(&node, None).contains("hop limit 1"));
    assert_eq!(note(&node, Some(2)), "", "with two hops pods get their token");
    let off = MetadataOptions { http_endpoint: Some(Toggle::Disabled), ..APPLIED };
    assert!(note(&instance(off), None).contains("stays off"));
}

#[test]
fn the_way_back_is_told_before_the_change() {
    let way_back = |options, defaults: Option<&MetadataDefaults>, hop_limit| {
        plan_enforce(&instance(options), defaults, hop_limit).unwrap().way_back
    };
    assert_eq!(way_back(APPLIED, Some(&defaults(None, None)), None), WayBack::Open);
    assert_eq!(way_back(APPLIED, Some(&defaults(Some("disabled"), Some("account"))), None), WayBack::Open);
    assert!(matches!(way_back(APPLIED, None, None), WayBack::Unknown { .. }));
    assert!(matches!(
        way_back(APPLIED, Some(&defaults(Some("enabled"), None)), None),
        WayBack::Blocked { .. }
    ));
    let declared = defaults(None, Some("declarative-policy"));
    assert!(matches!(way_back(APPLIED, Some(&declared), None), WayBack::Unknown { .. }));

    let no_tokens = MetadataOptions { http_tokens: None, ..APPLIED };
    let open = defaults(None, None);
    assert!(
        matches!(way_back(no_tokens, Some(&open), None), WayBack::Blocked { .. }),
        "nothing is there to restore"
    );
    let no_hops = MetadataOptions { http_put_response_hop_limit: None, ..APPLIED };
    assert_eq!(
        way_back(no_hops, Some(&open), None),
        WayBack::Open,
        "an unknown hop limit that is not sent is no matter"
    );
    assert!(matches!(way_back(no_hops, Some(&open), Some(2)), WayBack::Blocked { .. }));
}

#[test]
fn restoring_sends_only_what_the_change_sent() {
    let now = instance(MetadataOptions { http_put_response_hop_limit: Some(3), ..REQUIRED });
    let tokens_only = plan_restore(&now, None, 7, &sent(HttpTokens::Required, None), &APPLIED).unwrap();
    assert_eq!(tokens_only.request, sent(HttpTokens::Optional, None));
    assert_eq!(tokens_only.purpose, Purpose::Restore { change_id: 7 });
    assert_eq!(tokens_only.after.http_put_response_hop_limit, Some(3), "someone else's change is kept");
    assert_eq!(tokens_only.notes.len(), 1);
    assert!(tokens_only.notes[0].starts_with("http_put_response_hop_limit was 1"), "{:?}", tokens_only.notes);

    let both = plan_restore(&now, None, 7, &sent(HttpTokens::Required, Some(3)), &APPLIED).unwrap();
    assert_eq!(both.request, sent(HttpTokens::Optional, Some(1)));
    assert_eq!(both.notes, Vec::<String>::new());
    assert_eq!(both.after, APPLIED);
}

#[test]
fn restoring_is_refused_where_it_cannot_be_done_or_is() {
    let tokens = sent(HttpTokens::Required, None);
    let both = sent(HttpTokens::Required, Some(2));
    let required = instance(REQUIRED);
    let no_tokens = MetadataOptions { http_tokens: None, ..APPLIED };
    let no_hops = MetadataOptions { http_put_response_hop_limit: None, ..APPLIED };
    assert_eq!(plan_restore(&instance(APPLIED), None, 7, &tokens, &APPLIED), Err(Refusal::AlreadyRestored));
    assert_eq!(
        plan_restore(&required, None, 7, &tokens, &no_tokens),
        Err(Refusal::NothingStored { field: "http_tokens".into() })
    );
    assert_eq!(
        plan_restore(&required, None, 7, &both, &no_hops),
        Err(Refusal::NothingStored { field: "http_put_response_hop_limit".into() })
    );
    assert!(plan_restore(&required, None, 7, &tokens, &no_hops).is_ok());
    let enforced = defaults(Some("enabled"), None);
    assert_eq!(plan_restore(&required, Some(&enforced), 7, &tokens, &APPLIED), Err(Refusal::WayBackBlocked));
    // Going back to required is no way to optional, so the enforcement does not stand in the way.
    let hops_moved = instance(MetadataOptions { http_put_response_hop_limit: Some(2), ..REQUIRED });
    assert!(plan_restore(&hops_moved, Some(&enforced), 7, &both, &REQUIRED).is_ok());
}

#[test]
fn enforcing_and_restoring_ends_where_it_began() {
    for hop_limit in [None, Some(2)] {
        let enforce = plan_enforce(&instance(APPLIED), None, hop_limit).unwrap();
        let restore =
            plan_restore(&instance(enforce.after), None, 7, &enforce.request, &enforce.before).unwrap();
        assert_eq!(restore.after, APPLIED);
    }
}
