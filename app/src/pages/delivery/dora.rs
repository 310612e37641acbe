//! The DORA metrics of a service, by environment, each with what it was computed from.

use domain::wire::delivery::{DoraView, DurationsView, EvidenceView};
use leptos::prelude::*;

use super::words::short;
use crate::format::{self, joined};
use crate::paths;
use crate::ui::{Panel, Time};

/// One metric: its value, what qualifies it, and the deployments or commits behind it.
struct Metric {
    name: &'static str,
    value: Option<String>,
    detail: String,
    evidence: Vec<(&'static str, Vec<AnyView>)>,
}

/// One panel for each environment.
pub(super) fn metrics(service: &str, measured: &[DoraView]) -> AnyView {
    let panels = measured
        .iter()
        .map(|dora| {
            let metrics = [
                frequency(service, dora),
                lead_time(service, dora),
                failure_rate(service, dora),
                time_to_restore(service, dora),
            ];
            let blocks = metrics.into_iter().map(metric).collect_view();
            let title = joined(&["Delivery to ", &dora.environment]);
            view! { <Panel title><div class="metrics">{blocks}</div></Panel> }.into_any()
        })
        .collect_view();
    panels.into_any()
}

fn metric(metric: Metric) -> AnyView {
    let value = match metric.value {
        Some(value) => view! { <p class="metric-value">{value}</p> }.into_any(),
        None => view! { <p class="metric-value mut">"not enough is known"</p> }.into_any(),
    };
    let evidence = metric
        .evidence
        .into_iter()
        .filter(|(_, items)| !items.is_empty())
        .map(|(what, items)| {
            let label = format::counted(items.len() as u32, what);
            view! { <details><summary>{label}</summary><ul class="evidence">{items}</ul></details> }
                .into_any()
        })
        .collect_view();
    view! {
        <div class="metric">
            <h3>{metric.name}</h3>
            {value}
            <p class="mut">{metric.detail}</p>
            {evidence}
        </div>
    }
    .into_any()
}

fn frequency(service: &str, dora: &DoraView) -> Metric {
    let detail = match dora.per_day {
        Some(_) => "switches to another commit; putting an older one back is none",
        None => "the environment has to be watched for a whole day",
    };
    Metric {
        name: "Deployment frequency",
        value: dora.per_day.map(rate),
        detail: detail.to_owned(),
        evidence: vec![("deployment", all(service, &dora.deployments))],
    }
}

fn lead_time(service: &str, dora: &DoraView) -> Metric {
    let (value, detail, samples) = durations(
        service,
        dora.lead_time.as_ref(),
        "counted between two deployments that were seen",
        "commit",
    );
    Metric { name: "Lead time, median", value, detail, evidence: vec![("commit", samples)] }
}

fn failure_rate(service: &str, dora: &DoraView) -> Metric {
    let detail = match dora.failure_rate {
        Some(_) => "degraded, rolled back or reverted within a day",
        None => "a deployment counts once it has failed, or a day after it",
    };
    Metric {
        name: "Change failure rate",
        value: dora.failure_rate.map(percent),
        detail: detail.to_owned(),
        evidence: vec![("failed deployment", all(service, &dora.failed))],
    }
}

fn time_to_restore(service: &str, dora: &DoraView) -> Metric {
    let nothing_failed = dora.failed.is_empty() && dora.unrestored.is_empty();
    let none =
        if nothing_failed { "no failed deployment is known" } else { "no failed deployment is restored yet" };
    let (value, detail, samples) =
        durations(service, dora.time_to_restore.as_ref(), none, "failed deployment");
    let evidence =
        vec![("failed deployment", samples), ("not restored deployment", all(service, &dora.unrestored))];
    Metric { name: "Time to restore, median", value, detail, evidence }
}

fn durations(
    service: &str,
    durations: Option<&DurationsView>,
    none: &str,
    what: &str,
) -> (Option<String>, String, Vec<AnyView>) {
    let Some(durations) = durations else { return (None, none.to_owned(), Vec::new()) };
    let detail = match durations.p90_seconds {
        Some(p90) => joined(&["nine of ten within ", &format::duration(p90)]),
        None => joined(&["nine of ten: from the tenth ", what, " on"]),
    };
    (Some(format::duration(durations.median_seconds)), detail, all(service, &durations.samples))
}

/// Newest first.
fn all(service: &str, evidence: &[EvidenceView]) -> Vec<AnyView> {
    evidence.iter().rev().map(|one| item(service, one)).collect()
}

fn item(service: &str, evidence: &EvidenceView) -> AnyView {
    let took = evidence.seconds.map(|seconds| joined(&[" ", &format::duration(seconds)]));
    let text = evidence.text.clone().map(|text| joined(&[" ", &text]));
    view! {
        <li title=evidence.fact.clone()>
            <a class="mono link" href=paths::change(service, &evidence.commit)>{short(&evidence.commit).to_owned()}</a>
            {took} {text} <span class="mut">" " <Time at=evidence.at /></span>
        </li>
    }
    .into_any()
}

/// A share of one in percent, rounded to one decimal, which a whole number does without.
fn percent(rate: f64) -> String {
    let permille = (rate * 1_000.0 + 0.5) as u32;
    joined(&[&tenths(permille), " %"])
}

/// A number a day in the unit that it is most easily read in, with one decimal.
fn rate(per_day: f64) -> String {
    let (number, unit) = if per_day >= 1.0 {
        ((per_day * 10.0 + 0.5) as u32, " a day")
    } else {
        ((per_day * 70.0 + 0.5) as u32, " a week")
    };
    joined(&[&tenths(number), unit])
}

fn tenths(number: u32) -> String {
    let mut text = format::count(number / 10);
    if !number.is_multiple_of(10) {
        text.push('.');
        text.push_str(&(number % 10).to_string());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_in_its_unit() {
        for (per_day, text) in [
            (0.0, "0 a week"),
            (0.1, "0.7 a week"),
            (3.0 / 7.0, "3 a week"),
            (1.0, "1 a day"),
            (12.34, "12.3 a day"),
        ] {
            assert_eq!(rate(per_day), text);
        }
        for (share, text) in [(0.0, "0 %"), (1.0 / 13.0, "7.7 %"), (0.5, "50 %"), (1.0, "100 %")] {
            assert_eq!(percent(share), text);
        }
    }
}
