//! Charts as inline SVG, each with its numbers as a table for whoever does not see it.

use domain::evidence::DayCount;
use domain::wire::TrendPoint;
use leptos::prelude::*;

use crate::format;
use crate::format::joined;

const WIDTH: u32 = 600;
const HEIGHT: u32 = 120;

/// The share of safe instances over time as a line, with unknown as a band of its own.
#[component]
pub(crate) fn TrendChart(points: Vec<TrendPoint>) -> AnyView {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return view! { <p class="pad mut">"No history yet. A point is kept per read of the fleet."</p> }
            .into_any();
    };
    let summary = joined(&[
        "Share enforced from ",
        &format::share(first.summary.safe, first.summary.total),
        " on ",
        &format::day(first.at),
        " to ",
        &format::share(last.summary.safe, last.summary.total),
        " on ",
        &format::day(last.at),
        ".",
    ]);
    let span = (first.at.as_second(), last.at.as_second());
    let line = polyline(&points, span, |point| (point.summary.safe, point.summary.total));
    let v1 = polyline(&points, span, |point| (point.summary.allows_v1, point.summary.total));
    let unknown = polyline(&points, span, |point| (point.summary.unknown, point.summary.total));
    let labels = (format::day(first.at), format::day(last.at));
    let rows = points
        .iter()
        .rev()
        .map(|point| {
            view! {
                <tr>
                    <td>{format::absolute(point.at)}</td>
                    <td class="num">{format::share(point.summary.safe, point.summary.total)}</td>
                    <td class="num">{format::count(point.summary.allows_v1)}</td>
                    <td class="num">{format::count(point.summary.unknown)}</td>
                    <td class="num">{format::count(point.summary.total)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="chart">
            <svg viewBox="0 0 600 120" preserveAspectRatio="none" role="img" aria-label=summary>
                <path class="grid-line" d="M0 0H600M0 60H600M0 120H600" />
                <polyline class="line-unknown" points=unknown />
                <polyline class="line-bad" points=v1 />
                <polyline class="line-ok" points=line />
            </svg>
            <div class="chart-axis">
                <span>{labels.0}</span>
                <span class="legend">
                    <span class="key key-ok">"safe"</span>
                    <span class="key key-bad">"allows v1"</span>
                    <span class="key key-unknown">"unknown"</span>
                    " in % of all, 0 to 100"
                </span>
                <span>{labels.1}</span>
            </div>
            <details class="chart-data">
                <summary>"Numbers"</summary>
                <div class="scroll" tabindex="0" role="region" aria-label="Trend in numbers">
                    <table>
                        <thead>
                            <tr>
                                <th>"At"</th>
                                <th class="num">"Safe"</th>
                                <th class="num">"Allows v1"</th>
                                <th class="num">"Unknown"</th>
                                <th class="num">"Total"</th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
            </details>
        </div>
    }
    .into_any()
}

/// Points of a share over time in the chart's coordinates. One point alone becomes a line across.
fn polyline(points: &[TrendPoint], (start, end): (i64, i64), share: fn(&TrendPoint) -> (u32, u32)) -> String {
    let mut text = String::new();
    let mut push = |x: u64, y: u64| {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&x.to_string());
        text.push(',');
        text.push_str(&y.to_string());
    };
    for point in points {
        let (part, whole) = share(point);
        if whole == 0 {
            continue;
        }
        let y = u64::from(HEIGHT) - u64::from(part) * u64::from(HEIGHT) / u64::from(whole);
        let elapsed = u64::try_from(point.at.as_second() - start).unwrap_or(0);
        match u64::try_from(end - start).unwrap_or(0) {
            0 => {
                push(0, y);
                push(u64::from(WIDTH), y);
            }
            length => push(elapsed * u64::from(WIDTH) / length, y),
        }
    }
    text
}

/// Calls per day as bars; a day without data is hatched and not a bar of height zero.
#[component]
pub(crate) fn DayBars(days: Vec<DayCount>) -> AnyView {
    let most = days.iter().filter_map(|day| day.count).fold(1.0, f64::max);
    let width = WIDTH / u32::try_from(days.len()).unwrap_or(1).max(1);
    let bars = days
        .iter()
        .zip(0_u32..)
        .map(|(day, position)| {
            let x = position * width;
            match day.count {
                None => view! { <rect class="bar-unknown" x=x y="0" width=width - 3 height="120" fill="url(#hatch)" /> }
                    .into_any(),
                Some(count) => {
                    // At least two units high, so that zero is seen as measured.
                    let height = ((count / most) * f64::from(HEIGHT)) as u32;
                    let height = height.max(2);
                    let class = if count > 0.0 { "bar-bad" } else { "bar-ok" };
                    view! { <rect class=class x=x y=HEIGHT - height width=width - 3 height=height /> }.into_any()
                }
            }
        })
        .collect_view();
    let cells = days
        .iter()
        .map(|day| {
            let text = match day.count {
                None => "no data".to_owned(),
                Some(count) => format::count(count as u64),
            };
            view! { <tr><td>{format::day(day.day)}</td><td class="num">{text}</td></tr> }
        })
        .collect_view();
    let ends = days.first().zip(days.last()).map(|(first, last)| {
        view! { <div class="chart-axis"><span>{format::day(first.day)}</span><span>{format::day(last.day)}</span></div> }
    });
    view! {
        <div class="chart">
            <svg viewBox="0 0 600 120" preserveAspectRatio="none" role="img" aria-label="Calls without a token per day; the numbers follow.">
                <defs>
                    <pattern id="hatch" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
                        <rect class="hatch" width="4" height="8" />
                    </pattern>
                </defs>
                {bars}
            </svg>
            {ends}
            <details class="chart-data">
                <summary>"Numbers"</summary>
                <table>
                    <thead><tr><th>"Day"</th><th class="num">"Calls without a token"</th></tr></thead>
                    <tbody>{cells}</tbody>
                </table>
            </details>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use domain::summary::Summary;
    use domain::time::Timestamp;

    use super::*;

    fn point(second: i64, safe: u32, total: u32) -> TrendPoint {
        let at = Timestamp::from_second(second).expect("a valid second");
        TrendPoint { at, summary: Summary { safe, total, ..Summary::default() } }
    }

    #[test]
    fn a_line_spans_the_chart() {
        let points = [point(100, 0, 10), point(150, 5, 10), point(200, 10, 10)];
        assert_eq!(
            polyline(&points, (100, 200), |point| (point.summary.safe, point.summary.total)),
            "0,120 300,60 600,0"
        );
    }

    #[test]
    fn one_point_is_a_line_across_and_an_empty_fleet_none() {
        let share: fn(&TrendPoint) -> (u32, u32) = |point| (point.summary.safe, point.summary.total);
        assert_eq!(polyline(&[point(100, 5, 10)], (100, 100), share), "0,60 600,60");
        assert_eq!(polyline(&[point(100, 0, 0)], (100, 100), share), "");
    }
}
