//! Order, duplicates and the way facts are split leave no trace.

use proptest::prelude::*;

use super::facts::{any_fact, at, environment, order, service};
use crate::delivery::{
    Answer, Cell, CellContext, ChangeState, ChangeSummary, Deployment, Dora, DoraRules, EnvironmentFacts,
    Fact, Question, Standing, Timeline, deployments, dora, why,
};

/// The states of all commits among some facts, by commit.
pub(crate) fn states(facts: &[Fact]) -> Vec<ChangeState> {
    let mut states: Vec<ChangeState> = Vec::new();
    for fact in facts {
        match states.iter_mut().find(|state| *state.commit() == fact.commit) {
            Some(state) => {
                state.absorb(fact);
            }
            None => states.extend(ChangeState::of([fact])),
        }
    }
    states.sort_by(|left, right| left.commit().cmp(right.commit()));
    states
}

/// The same facts in another order, some of them more than once.
fn told_twice() -> impl Strategy<Value = (Vec<Fact>, Vec<Fact>)> {
    prop::collection::vec(any_fact(), 1..40).prop_flat_map(|facts| {
        let again = prop::collection::vec(prop::sample::select(facts.clone()), 0..20);
        (Just(facts), again).prop_flat_map(|(facts, again)| {
            let all: Vec<Fact> = facts.iter().cloned().chain(again).collect();
            (Just(facts), Just(all).prop_shuffle())
        })
    })
}

/// Everything that is shown of some changes, whatever order they are looked at in.
#[derive(Debug, PartialEq)]
struct Shown {
    cells: Vec<Cell>,
    deployments: Vec<Deployment>,
    dora: Dora,
    answers: Vec<Answer>,
}

fn shown(states: &[ChangeState]) -> Shown {
    let summaries: Vec<ChangeSummary> = states.iter().map(ChangeSummary::of).collect();
    let (prod, order, now) = (environment("prod"), order(), at(9));
    let context = CellContext { order: &order, knowledge: &[], stale_after_seconds: 4, now };
    let rules = DoraRules { days: 7, branch: None, failure_window_seconds: 2 };
    let history = deployments(&summaries, &prod);
    let mut answers: Vec<(String, Answer)> = states
        .iter()
        .map(|state| {
            let answer = why(&Question {
                state: Some(state),
                environment: &prod,
                order: &order,
                history: &history,
                facts: &EnvironmentFacts::default(),
                now,
            });
            (state.commit().to_string(), answer)
        })
        .collect();
    answers.sort_by(|left, right| left.0.cmp(&right.0));
    Shown {
        cells: Standing::of(&service(), &summaries).cells(&context),
        dora: dora(&summaries, &prod, &rules, now),
        deployments: history,
        answers: answers.into_iter().map(|(_, answer)| answer).collect(),
    }
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn order_and_duplicates_leave_no_trace((facts, told) in told_twice()) {
        for fact in &facts {
            prop_assert_eq!(fact.check(), Ok(()));
        }
        let (left, right) = (states(&facts), states(&told));
        prop_assert_eq!(&left, &right);
        for (left, right) in left.iter().zip(&right) {
            prop_assert_eq!(Timeline::of(left, &order()), Timeline::of(right, &order()));
        }
        let reversed: Vec<ChangeState> = right.into_iter().rev().collect();
        prop_assert_eq!(shown(&left), shown(&reversed));
    }

    #[test]
    fn merging_parts_is_absorbing_all(facts in prop::collection::vec(any_fact(), 1..40), split in 0..40_usize, other in 0..40_usize) {
        let (split, other) = (split.min(facts.len()), other.min(facts.len()));
        for whole in states(&facts) {
            let mut merged = ChangeState::new(whole.service().clone(), whole.commit().clone());
            // Overlapping parts, the later first.
            for part in [&facts[split..], &facts[..other], &facts[..split]] {
                for state in states(part) {
                    merged.merge(&state);
                }
            }
            prop_assert_eq!(&merged, &whole);
            let again = merged.clone();
            prop_assert!(!merged.merge(&again), "a state knows nothing that it does not know");
            prop_assert!(!facts.iter().any(|fact| merged.absorb(fact)), "nothing is new the second time");
        }
    }

    #[test]
    fn states_survive_being_stored(facts in prop::collection::vec(any_fact(), 1..30)) {
        for state in states(&facts) {
            let text = serde_json::to_string(&state).unwrap();
            prop_assert_eq!(serde_json::from_str::<ChangeState>(&text).unwrap(), state);
        }
        for fact in facts {
            let text = serde_json::to_string(&fact).unwrap();
            prop_assert_eq!(serde_json::from_str::<Fact>(&text).unwrap(), fact);
        }
    }

    #[test]
    fn critical_paths_go_forward(facts in prop::collection::vec(any_fact(), 1..40)) {
        for state in states(&facts) {
            let path = Timeline::of(&state, &order()).critical_path(None);
            for pair in path.hops.windows(2) {
                prop_assert!(pair[1].stage.comes_after(pair[0].stage));
                prop_assert!(pair[1].finished.is_none_or(|end| pair[0].started <= end));
            }
        }
    }
}
