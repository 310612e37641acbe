//! The figures of one benchmark, as a table for people and as JSON for the documents that quote them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::process::Command;
use std::thread;

use anyhow::{Context, Result};
use serde::Serialize;

use super::measure::Cost;
use crate::{paths, process};

/// Ours and the peers' figure for one metric; less is better for all of them.
#[derive(Serialize)]
pub(super) struct Row {
    pub(super) case: String,
    pub(super) metric: &'static str,
    pub(super) unit: &'static str,
    pub(super) ours: f64,
    pub(super) peers: BTreeMap<&'static str, f64>,
}

#[derive(Serialize)]
struct Report<'a> {
    at: String,
    cpus: usize,
    rows: &'a [Row],
}

/// Prints the rows and keeps them in `target/bench/NAME.json`.
pub(super) fn publish(name: &str, rows: &[Row]) -> Result<()> {
    print!("{}", table(rows));
    let at = process::text(Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%SZ"]))?;
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    let directory = paths::output().join("bench");
    fs::create_dir_all(&directory)?;
    let file = directory.join(format!("{name}.json"));
    let text = serde_json::to_string_pretty(&Report { at, cpus, rows })?;
    fs::write(&file, text + "\n").with_context(|| format!("cannot write {}", file.display()))?;
    println!("\n{cpus} CPUs; kept in {}", file.display());
    Ok(())
}

fn table(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        let _ = writeln!(text, "{}, {}: {:.2} {}", row.case, row.metric, row.ours, row.unit);
        for (peer, figure) in &row.peers {
            let _ = writeln!(
                text,
                "    {peer:<20}{figure:>10.2} {:<4}{:>8.1} times ours",
                row.unit,
                figure / row.ours
            );
        }
    }
    text
}

/// The medians of what was measured, by runner; `tollgate` is ours.
pub(super) fn row(
    case: &str,
    metric: &'static str,
    unit: &'static str,
    costs: &BTreeMap<&'static str, Vec<Cost>>,
    figure: fn(&Cost) -> f64,
) -> Result<Row> {
    let mut peers = BTreeMap::new();
    let mut ours = None;
    for (&name, costs) in costs {
        let median = median(costs.iter().map(figure).collect()).context("nothing was measured")?;
        // Beyond three digits there is only noise.
        let median = (median * 1e3).round() / 1e3;
        if name == "tollgate" {
            ours = Some(median);
        } else {
            peers.insert(name, median);
        }
    }
    Ok(Row { case: case.to_owned(), metric, unit, ours: ours.context("ours was not measured")?, peers })
}

/// The middle of the figures, which one disturbed run does not move.
pub(super) fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let upper = figures.get(figures.len() / 2)?;
    let lower = figures.get((figures.len() - 1) / 2)?;
    Some(f64::midpoint(*lower, *upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 90.0]), Some(3.0));
        assert_eq!(median(vec![1.0, 2.0]), Some(1.5));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn peers_are_given_as_multiples_of_ours() {
        let row = Row {
            case: "10 pages".to_owned(),
            metric: "time",
            unit: "s",
            ours: 0.5,
            peers: BTreeMap::from([("aws-cli", 5.0)]),
        };
        let text = table(&[row]);
        assert!(text.contains("10 pages, time: 0.50 s"), "{text}");
        assert!(text.contains("10.0 times ours"), "{text}");
    }
}
