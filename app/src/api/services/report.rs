//! The folds over the whole fleet: the overview with its trend, and what the policy finds.

use std::collections::BTreeMap;

use domain::instance::SourceKey;
use domain::summary::{Summary, outcome_counts, rule_counts};
use domain::wire::{Overview, PolicyReport, RuleRow, TrendPoint};
use jiff::{SignedDuration, Timestamp};

use super::{Services, api_error, internal};
use crate::api::ApiError;

/// How many changes of the day the overview shows.
const CHANGED_TODAY_LIMIT: usize = 20;
/// How many are looked through for them.
const CHANGED_TODAY_READ: u32 = 500;
/// The longest trend.
const MAX_TREND_DAYS: u32 = 730;

impl Services {
    pub(in crate::api) async fn overview(&self, days: u32) -> Result<Overview, ApiError> {
        if !(1..=MAX_TREND_DAYS).contains(&days) {
            return Err(ApiError::BadRequest {
                message: format!("A trend covers 1 to {MAX_TREND_DAYS} days."),
            });
        }
        let view = self.view().await?;
        let now = Timestamp::now();
        let since = now - SignedDuration::from_hours(24 * i64::from(days));
        let midnight = domain::evidence::window_start(now, 1);
        let mut points = self.fleet.store().trend_since(since).await.map_err(internal)?;
        points.retain(|point| self.sees(&point.key));
        // A day with more changes than this is not read through to find those that somebody with few accounts sees.
        let changed = self.fleet.history_since(midnight, CHANGED_TODAY_READ).await.map_err(api_error)?;
        let changed = changed.into_iter().filter(|item| self.sees(&item.key.source));
        Ok(Overview {
            summary: view.summary,
            sources: view.sources.values().cloned().collect(),
            trend: trend(points),
            changed_today: changed.take(CHANGED_TODAY_LIMIT).collect(),
            policy: outcome_counts(view.index.rows()),
            revision: view.revision,
            as_of: view.as_of,
        })
    }

    pub(in crate::api) async fn policy_report(&self) -> Result<PolicyReport, ApiError> {
        let view = self.view().await?;
        let policy = self.fleet.policy();
        let failing = rule_counts(view.index.rows());
        let mut rules: Vec<RuleRow> = policy
            .rules()
            .into_iter()
            .map(|rule| RuleRow {
                failing: failing.get(&rule.name).map_or(0, |count| count.instances),
                name: rule.name,
                title: rule.title,
                description: rule.description,
                severity: rule.severity,
                file: rule.file,
                text: rule.text,
            })
            .collect();
        // A rule that only the answers name, as with an OPA server whose text is elsewhere.
        for (name, count) in failing {
            if !rules.iter().any(|rule| rule.name == name) {
                rules.push(RuleRow {
                    name,
                    title: String::new(),
                    description: String::new(),
                    severity: count.by_severity.keys().next().copied(),
                    file: String::new(),
                    text: String::new(),
                    failing: count.instances,
                });
            }
        }
        Ok(PolicyReport {
            engine: policy.description(),
            revision: policy.revision(),
            query: policy.query().to_owned(),
            problem: policy.problem(),
            rules,
            outcomes: outcome_counts(view.index.rows()),
        })
    }
}

/// The counts of all sources at each hour. A source without a point in an hour keeps its last: an hour without a read is
/// no hour without instances.
fn trend(points: Vec<store::TrendPoint>) -> Vec<TrendPoint> {
    let mut last: BTreeMap<SourceKey, Summary> = BTreeMap::new();
    let mut trend: Vec<TrendPoint> = Vec::new();
    for point in points {
        let Ok(summary) = serde_json::from_str::<Summary>(&point.counts) else { continue };
        last.insert(point.key, summary);
        let summed = last.values().copied().fold(Summary::default(), Summary::plus);
        match trend.last_mut() {
            Some(newest) if newest.at == point.hour => newest.summary = summed,
            _ => trend.push(TrendPoint { at: point.hour, summary: summed }),
        }
    }
    trend
}
