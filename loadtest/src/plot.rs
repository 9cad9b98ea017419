//! Plots as SVG: figures against what was wanted, rates over time, distributions of latency.

use std::fmt::Write as _;

use crate::comparison::{Result, Verdict};
use crate::measurement::Measurement;
use crate::report::ScenarioReport;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 320.0;
const MARGIN: f64 = 60.0;
const COLOURS: &[&str] = &["#1b6ca8", "#d1495b", "#edae49", "#3a7d44", "#6d597a", "#4a4e69"];

/// One line of a chart.
struct Series {
    name: String,
    points: Vec<(f64, f64)>,
}

/// How a chart's axes read.
struct Axes<'a> {
    title: &'a str,
    x: &'a str,
    y: &'a str,
    /// Marks along the horizontal axis.
    x_marks: Vec<(f64, String)>,
    y_logarithmic: bool,
}

/// The plots of a scenario by kind, from its last round.
pub fn scenario(report: &ScenarioReport) -> Vec<(&'static str, String)> {
    let Some(round) = report.rounds.last() else { return Vec::new() };
    let mut plots = Vec::new();
    let timelines =
        round.runs.iter().filter(|(_, run)| run.timeline_mb.len() > 1).map(|(label, run)| Series {
            name: label.clone(),
            points: run
                .timeline_mb
                .iter()
                .enumerate()
                .map(|(index, mb)| ((index as f64 + 0.5) / 10.0, mb * 10.0))
                .collect(),
        });
    let timelines: Vec<Series> = timelines.collect();
    if let Some(last) =
        timelines.iter().filter_map(|series| series.points.last()).map(|point| point.0).reduce(f64::max)
    {
        let seconds = (0..=last.ceil() as u32).step_by((last / 10.0).ceil().max(1.0) as usize);
        let axes = Axes {
            title: &format!("{}: rate over time", report.name),
            x: "seconds",
            y: "MB/s",
            x_marks: seconds.map(|second| (f64::from(second), second.to_string())).collect(),
            y_logarithmic: false,
        };
        plots.push(("rate", chart(&axes, &timelines)));
    }
    let latencies: Vec<Series> =
        round.runs.iter().flat_map(|(label, run)| latency_series(label, run)).collect();
    if !latencies.is_empty() {
        let axes = Axes {
            title: &format!("{}: latency from the moment a send was due", report.name),
            x: "percentile",
            y: "µs",
            x_marks: [50.0, 90.0, 99.0, 99.9, 99.99]
                .map(|percent| (rarity(percent), percent.to_string()))
                .to_vec(),
            y_logarithmic: true,
        };
        plots.push(("latency", chart(&axes, &latencies)));
    }
    plots
}

/// What was reached, each as a share of what was wanted.
pub fn figures(results: &[&Result]) -> Option<String> {
    const ROW: f64 = 26.0;
    const LABELS: f64 = 470.0;
    let rows: Vec<_> = results
        .iter()
        .filter_map(|result| {
            let wanted = result.figure.must.or(result.figure.aim)?;
            Some((result, result.summary?, wanted))
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    let height = ROW * (rows.len() as f64 + 2.0);
    let width = WIDTH + LABELS / 2.0;
    let mut svg = open(width, height);
    // On a logarithmic scale from a tenth to twenty times what was wanted.
    let scale = |ratio: f64| {
        let position = (ratio.clamp(0.1, 20.0).log10() + 1.0) / (20f64.log10() + 1.0);
        LABELS + position * (width - LABELS - 20.0)
    };
    for (mark, label) in [(0.1, "0.1"), (0.5, "0.5"), (1.0, "wanted"), (2.0, "2"), (10.0, "10")] {
        let x = scale(mark);
        let colour = if mark == 1.0 { "#333" } else { "#ddd" };
        let _ = writeln!(
            svg,
            r#"<line x1="{x:.1}" y1="{ROW}" x2="{x:.1}" y2="{height:.1}" stroke="{colour}"/><text x="{x:.1}" y="18" text-anchor="middle">{label}</text>"#
        );
    }
    for (index, (result, summary, wanted)) in rows.iter().enumerate() {
        let y = ROW * (index as f64 + 1.5);
        let colour = match result.verdict {
            Verdict::ReachesAim => "#3a7d44",
            Verdict::ReachesMust => "#1b6ca8",
            Verdict::Misses => "#d1495b",
            _ => "#999",
        };
        let (low, middle, high) =
            (scale(summary.min / wanted), scale(summary.median / wanted), scale(summary.max / wanted));
        let _ = writeln!(
            svg,
            r#"<text x="8" y="{:.1}">{}</text><line x1="{low:.1}" y1="{y:.1}" x2="{high:.1}" y2="{y:.1}" stroke="{colour}" stroke-width="3"/><circle cx="{middle:.1}" cy="{y:.1}" r="5" fill="{colour}"/>"#,
            y + 4.0,
            escaped(&result.figure.name)
        );
    }
    svg.push_str("</svg>\n");
    Some(svg)
}

fn latency_series(label: &str, run: &Measurement) -> Vec<Series> {
    let series = run.latencies_us.iter().map(|(name, points)| Series {
        name: format!("{label}, {}", name.replace('_', " ")),
        points: points
            .iter()
            .filter(|(percent, _)| *percent < 100.0)
            .map(|(percent, latency)| (rarity(*percent), *latency))
            .collect(),
    });
    series.collect()
}

/// Puts percentiles at even distances for each further nine.
fn rarity(percent: f64) -> f64 {
    -(1.0 - percent / 100.0).log10()
}

fn chart(axes: &Axes<'_>, series: &[Series]) -> String {
    let points = || series.iter().flat_map(|series| &series.points);
    let x_max = points().map(|point| point.0).fold(f64::MIN_POSITIVE, f64::max);
    let highest = points().map(|point| point.1).fold(f64::MIN_POSITIVE, f64::max) * 1.05;
    let lowest = points().map(|point| point.1).fold(f64::MAX, f64::min).max(1e-3);
    let (low, high) =
        if axes.y_logarithmic { (lowest.log10().floor(), highest.log10().ceil()) } else { (0.0, highest) };
    let x_at = |x: f64| MARGIN + x / x_max * (WIDTH - 2.0 * MARGIN);
    let y_at = |y: f64| {
        let value = if axes.y_logarithmic { y.max(1e-3).log10() } else { y };
        HEIGHT - MARGIN - (value - low) / (high - low).max(f64::MIN_POSITIVE) * (HEIGHT - 2.0 * MARGIN)
    };
    let mut svg = open(WIDTH, HEIGHT + 20.0 * series.len() as f64);
    let _ = writeln!(svg, r#"<text x="{MARGIN}" y="24" font-size="15">{}</text>"#, escaped(axes.title));
    for (x, label) in &axes.x_marks {
        let x = x_at(*x);
        let bottom = HEIGHT - MARGIN;
        let _ = writeln!(
            svg,
            r##"<line x1="{x:.1}" y1="{MARGIN}" x2="{x:.1}" y2="{bottom}" stroke="#eee"/><text x="{x:.1}" y="{}" text-anchor="middle">{label}</text>"##,
            bottom + 16.0
        );
    }
    for y in y_marks(low, high, axes.y_logarithmic) {
        let at = y_at(y);
        let _ = writeln!(
            svg,
            r##"<line x1="{MARGIN}" y1="{at:.1}" x2="{}" y2="{at:.1}" stroke="#eee"/><text x="{}" y="{:.1}" text-anchor="end">{y}</text>"##,
            WIDTH - MARGIN,
            MARGIN - 6.0,
            at + 4.0
        );
    }
    let _ = writeln!(
        svg,
        r#"<text x="{}" y="{}" text-anchor="middle">{}</text><text x="6" y="{}">{}</text>"#,
        WIDTH / 2.0,
        HEIGHT - MARGIN + 34.0,
        axes.x,
        MARGIN - 10.0,
        axes.y
    );
    for (index, line) in series.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let path: Vec<String> =
            line.points.iter().map(|(x, y)| format!("{:.1},{:.1}", x_at(*x), y_at(*y))).collect();
        let legend = HEIGHT + 20.0 * index as f64;
        let _ = writeln!(
            svg,
            r#"<polyline fill="none" stroke="{colour}" stroke-width="2" points="{}"/><rect x="{MARGIN}" y="{}" width="14" height="10" fill="{colour}"/><text x="{}" y="{legend}">{}</text>"#,
            path.join(" "),
            legend - 9.0,
            MARGIN + 22.0,
            escaped(&line.name)
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn y_marks(low: f64, high: f64, logarithmic: bool) -> Vec<f64> {
    if logarithmic {
        return (low as i32..=high as i32).map(|power| 10f64.powi(power)).collect();
    }
    let rough = high / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| *step >= rough);
    let step = step.unwrap_or(rough);
    (0..).map(|index| f64::from(index) * step).take_while(|mark| *mark <= high).collect()
}

fn open(width: f64, height: f64) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" font-family=\"sans-serif\" \
         font-size=\"12\"><rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Round;

    #[test]
    fn a_scenario_is_plotted_over_time_and_by_percentile() {
        let mut run = Measurement { timeline_mb: vec![1.0, 2.0, 3.0], ..Measurement::default() };
        run.latencies_us.insert("ack".to_owned(), vec![(50.0, 10.0), (99.0, 100.0), (100.0, 500.0)]);
        let rounds = vec![Round { runs: vec![("a < b".to_owned(), run)] }];
        let report =
            ScenarioReport { name: "s".to_owned(), rounds, figures: Vec::new(), failures: Vec::new() };

        let plots = scenario(&report);

        let kinds: Vec<_> = plots.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, ["rate", "latency"]);
        for (_, svg) in plots {
            assert!(svg.contains("a &lt; b") && svg.trim_end().ends_with("</svg>"));
            assert!(!svg.contains("NaN") && !svg.contains("inf"));
        }
    }

    #[test]
    fn marks_are_round_numbers() {
        assert_eq!(y_marks(0.0, 1234.0, false), [0.0, 500.0, 1000.0]);
        assert_eq!(y_marks(1.0, 3.0, true), [10.0, 100.0, 1000.0]);
    }
}
