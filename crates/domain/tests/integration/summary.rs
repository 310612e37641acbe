//! Counts add up, and terminated instances are apart from all of them.

use std::collections::BTreeSet;

use domain::policy::PolicyOutcome;
use domain::summary::{Summary, by_source, outcome_counts, rule_counts};
use proptest::prelude::*;

use super::fleets::fleet;

fn config() -> ProptestConfig {
    ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn verdicts_add_up_to_the_total_and_sources_to_the_fleet(rows in fleet()) {
        let summary = Summary::of(&rows);
        let counted = rows.iter().filter(|row| !row.instance.state.is_terminal());
        prop_assert_eq!(summary.total as usize, counted.clone().count());
        prop_assert_eq!(summary.managed as usize, counted.filter(|row| row.instance.is_managed()).count());
        prop_assert_eq!(summary.safe, summary.enforced + summary.endpoint_disabled);
        prop_assert_eq!(summary.total, summary.safe + summary.pending + summary.allows_v1 + summary.unknown);
        prop_assert_eq!((summary.total + summary.terminated) as usize, rows.len());

        let sources = by_source(&rows);
        prop_assert_eq!(sources.values().copied().fold(Summary::default(), Summary::plus), summary);
        for (source, summary) in sources {
            let own: Vec<_> = rows.iter().filter(|row| row.instance.key.source == source).cloned().collect();
            prop_assert_eq!(Summary::of(&own), summary);
        }
    }

    #[test]
    fn rules_count_instances_not_violations(rows in fleet()) {
        let counts = rule_counts(&rows);
        for (rule, count) in &counts {
            let mut failing = 0;
            let mut graded = 0;
            for row in rows.iter().filter(|row| !row.instance.state.is_terminal()) {
                let severities: BTreeSet<_> = row
                    .policy
                    .violations()
                    .iter()
                    .filter(|violation| violation.rule == *rule)
                    .map(|violation| violation.severity)
                    .collect();
                failing += u32::from(!severities.is_empty());
                graded += severities.len() as u32;
            }
            prop_assert_eq!(count.instances, failing);
            prop_assert_eq!(count.by_severity.values().sum::<u32>(), graded);
            prop_assert!(failing > 0);
        }
        let outcomes = outcome_counts(&rows);
        let kinds: Vec<&str> = outcomes.iter().map(|(kind, _)| kind.as_str()).collect();
        prop_assert_eq!(kinds, PolicyOutcome::KINDS);
        prop_assert_eq!(outcomes.iter().map(|(_, count)| count).sum::<u32>(), Summary::of(&rows).total);
    }
}

#[test]
fn no_instances_have_no_share_and_unknown_ones_lower_it() {
    assert_eq!(Summary::default().share_enforced(), None);
    let summary = Summary { total: 4, safe: 1, enforced: 1, unknown: 3, ..Summary::default() };
    assert_eq!(summary.share_enforced(), Some(0.25));
}

#[test]
fn counts_stored_by_an_older_version_can_be_read() {
    let summary: Summary =
        serde_json::from_str(r#"{"total":2,"enforced":1}"#).expect("missing counts are zero");
    assert_eq!((summary.total, summary.enforced, summary.managed), (2, 1, 0));
}
