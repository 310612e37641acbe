//! The verdict over every combination of the six fields, freshness and instance states.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::testing;

const TOGGLES: [Option<Toggle>; 3] = [None, Some(Toggle::Enabled), Some(Toggle::Disabled)];
const HOP_LIMITS: [Option<u8>; 3] = [None, Some(1), Some(64)];

/// All options that EC2 can describe: each field left out, or one of its values.
fn every_options() -> Vec<MetadataOptions> {
    let mut every = Vec::new();
    for http_endpoint in TOGGLES {
        for http_tokens in [None, Some(HttpTokens::Optional), Some(HttpTokens::Required)] {
            for state in [None, Some(OptionsState::Pending), Some(OptionsState::Applied)] {
                for http_put_response_hop_limit in HOP_LIMITS {
                    for http_protocol_ipv6 in TOGGLES {
                        for instance_metadata_tags in TOGGLES {
                            every.push(MetadataOptions {
                                state,
                                http_tokens,
                                http_put_response_hop_limit,
                                http_endpoint,
                                http_protocol_ipv6,
                                instance_metadata_tags,
                            });
                        }
                    }
                }
            }
        }
    }
    every
}

fn text(verdict: Verdict) -> String {
    match verdict {
        Verdict::Unknown(reason) => format!("unknown ({reason:?})"),
        Verdict::AllowsV1 | Verdict::Pending | Verdict::Enforced | Verdict::EndpointDisabled => {
            verdict.kind().into()
        }
    }
}

fn instance(state: InstanceState, metadata_options: Option<MetadataOptions>) -> Instance {
    Instance { state, metadata_options, ..testing::instance("i-1") }
}

#[test]
fn every_combination_has_its_verdict() {
    // The three fields that decide, with the verdicts found over all values of the three others.
    let mut table: BTreeMap<[&str; 3], BTreeSet<String>> = BTreeMap::new();
    let mut combinations = 0;
    for options in every_options() {
        let deciding = [
            options.http_endpoint.map_or("-", Toggle::as_str),
            options.http_tokens.map_or("-", HttpTokens::as_str),
            options.state.map_or("-", OptionsState::as_str),
        ];
        table.entry(deciding).or_default().insert(text(judge(Some(&options), Freshness::Fresh)));
        assert_eq!(judge(Some(&options), Freshness::Stale), Verdict::Unknown(UnknownReason::StaleSource));
        combinations += 1;
    }
    assert_eq!(combinations, 3usize.pow(6));
    assert_eq!(judge(None, Freshness::Fresh), Verdict::Unknown(UnknownReason::NoMetadataOptions));
    assert_eq!(judge(None, Freshness::Stale), Verdict::Unknown(UnknownReason::StaleSource));

    let mut lines = vec![format!("{:<9} {:<9} {:<8} verdict", "endpoint", "tokens", "state")];
    for ([endpoint, tokens, state], verdicts) in table {
        assert_eq!(verdicts.len(), 1, "hop limit, IPv6 and metadata tags have no say: {verdicts:?}");
        let verdict = verdicts.into_iter().collect::<String>();
        lines.push(format!("{endpoint:<9} {tokens:<9} {state:<8} {verdict}"));
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn only_what_is_in_effect_and_fresh_is_safe() {
    for options in every_options() {
        let safe = judge(Some(&options), Freshness::Fresh).is_safe();
        let applied = options.state == Some(OptionsState::Applied);
        let closed = options.http_endpoint == Some(Toggle::Disabled)
            || options.http_tokens == Some(HttpTokens::Required);
        assert_eq!(safe, applied && closed, "{options:?}");
    }
}

#[test]
fn the_sentence_follows_verdict_and_instance_state() {
    let mut sentences: BTreeMap<(String, String), Vec<&str>> = BTreeMap::new();
    for state in InstanceState::ALL {
        for options in every_options().into_iter().map(Some).chain([None]) {
            for freshness in [Freshness::Fresh, Freshness::Stale] {
                let verdict = judge(options.as_ref(), freshness);
                let sentence = verdict.sentence(&instance(state, options));
                let states = sentences.entry((text(verdict), sentence)).or_default();
                if !states.contains(&state.as_str()) {
                    states.push(state.as_str());
                }
            }
        }
    }
    let lines: Vec<String> = sentences
        .into_iter()
        .map(|((verdict, sentence), states)| format!("{verdict} [{}]\n    {sentence}", states.join(" ")))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn of_an_instance_that_is_going_or_gone_only_that_is_said() {
    for (state, first_words) in [
        (InstanceState::ShuttingDown, "Shutting down for good: "),
        (InstanceState::Terminated, "Terminated: "),
    ] {
        for options in every_options().into_iter().map(Some).chain([None]) {
            for freshness in [Freshness::Fresh, Freshness::Stale] {
                let sentence = judge(options.as_ref(), freshness).sentence(&instance(state, options));
                assert!(sentence.starts_with(first_words), "{sentence}");
                assert!(!sentence.contains("IMDSv"), "{sentence}");
            }
        }
    }
}

#[test]
fn kinds_and_ranks_agree() {
    let verdicts = [
        Verdict::AllowsV1,
        Verdict::Unknown(UnknownReason::StateMissing),
        Verdict::Pending,
        Verdict::Enforced,
        Verdict::EndpointDisabled,
    ];
    assert_eq!(verdicts.map(Verdict::kind), Verdict::KINDS);
}
