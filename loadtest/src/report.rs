//! `Report`: everything that was measured, as JSON for programs and tables for people.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::comparison::{self, Summary};
use crate::measurement::Measurement;
use crate::plot;
use crate::scenario::Scenario;

/// Rounds in which other programs used more than this share of the processors are left out, if others remain.
const OTHERS_SHARE_MAX: f64 = 0.10;

/// Shown in tables if they were measured, in this order; a report's JSON has all.
const SHOWN: &[(&str, &str)] = &[
    ("mb_per_second", "MB/s"),
    ("operations_per_second", "op/s"),
    ("ack_p50_us", "ack p50 µs"),
    ("ack_p99_us", "ack p99 µs"),
    ("ack_p999_us", "ack p99.9 µs"),
    ("echo_p50_us", "echo p50 µs"),
    ("echo_p99_us", "echo p99 µs"),
    ("end_to_end_p50_us", "e2e p50 µs"),
    ("end_to_end_p99_us", "e2e p99 µs"),
    ("end_to_end_p999_us", "e2e p99.9 µs"),
    ("longest_stall_ms", "stall ms"),
    ("server_cpu_seconds_per_gb", "server s/GB"),
    ("own_cpu_seconds_per_gb", "client s/GB"),
    ("gateway_cpu_seconds_per_gb", "gateway s/GB"),
    ("server_cpu_us_per_operation", "server µs/op"),
    ("own_cpu_us_per_operation", "client µs/op"),
    ("native_ack_p99_us", "native p99 µs"),
    ("added_p99_ms", "added p99 ms"),
    ("wake_p50_us", "wake p50 µs"),
    ("wake_p99_us", "wake p99 µs"),
    ("server_cpu_share", "server cores"),
    ("server_memory_mb", "memory MB"),
    ("device_bytes_per_byte", "device B/B"),
    ("start_ms", "start ms"),
    ("all_partitions_led_ms", "all led ms"),
    ("groups_memory_mb", "groups MB"),
    ("memory_per_consumer_kib", "KiB each"),
    ("new_target_ms", "target ms"),
    ("converged_ms", "converged ms"),
    ("groups_loaded_ms", "loaded ms"),
    ("heartbeat_p99_us", "beat p99 µs"),
    ("raw_mb_per_second", "raw MB/s"),
    ("relayed_mb_per_second", "relayed MB/s"),
    ("store_bytes_per_byte", "store B/B"),
    ("cold_held_mb", "held MB"),
    ("server_memory_grown_mb", "grown MB"),
    ("hot_mb_per_second", "hot MB/s"),
    ("hot_server_cpu_seconds_per_gb", "hot server s/GB"),
    ("replayed_mb_per_second", "replayed MB/s"),
    ("control_replayed_mb_per_second", "control MB/s"),
    ("control_ack_p99_us", "control ack p99 µs"),
    ("control_end_to_end_p99_us", "control e2e p99 µs"),
    ("quiet_ack_p99_us", "quiet ack p99 µs"),
    ("quiet_end_to_end_p99_us", "quiet e2e p99 µs"),
    ("backlog_left_records", "left behind"),
    ("seek_p50_us", "seek p50 µs"),
    ("seek_p99_us", "seek p99 µs"),
    ("time_seek_p50_us", "by time p50 µs"),
    ("seek_gets_max", "GETs"),
    ("seek_lists_max", "LISTs"),
    ("requests_per_gib", "requests/GiB"),
    ("estimated_requests_per_gib", "estimated"),
    ("rpo_p99_seconds", "RPO p99 s"),
    ("drain_seconds", "drain s"),
    ("ranges", "ranges"),
    ("restored_seconds", "restored s"),
    ("restored_start_ms", "its start ms"),
    ("verified_records", "verified"),
];

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Milliseconds since 1970.
    pub started_at: i64,
    pub scenarios: Vec<ScenarioReport>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScenarioReport {
    pub name: String,
    pub rounds: Vec<Round>,
    pub figures: Vec<comparison::Result>,
    /// Runs that did not come about, and why.
    pub failures: Vec<String>,
}

/// One run of each kind, shortly after one another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Round {
    pub runs: Vec<(String, Measurement)>,
}

impl Round {
    pub fn run(&self, label: &str) -> Option<&Measurement> {
        self.runs.iter().find(|(name, _)| name == label).map(|(_, measurement)| measurement)
    }

    /// Whether other programs took so much of the machine that the round proves little.
    pub fn is_disturbed(&self) -> bool {
        let shares = self.runs.iter().filter_map(|(_, measurement)| measurement.metric("others_cpu_share"));
        shares.fold(0.0, f64::max) > OTHERS_SHARE_MAX
    }
}

impl ScenarioReport {
    pub fn new(scenario: &Scenario, rounds: Vec<Round>, failures: Vec<String>) -> ScenarioReport {
        let calm: Vec<&Round> = rounds.iter().filter(|round| !round.is_disturbed()).collect();
        let used = if calm.is_empty() { rounds.iter().collect() } else { calm };
        let figures = scenario.figures.iter().map(|figure| {
            let values = used.iter().filter_map(|round| {
                let value = round.run(&figure.of)?.metric(&figure.metric)?;
                let Some(against) = &figure.against else { return Some(value) };
                let metric = figure.against_metric.as_ref().unwrap_or(&figure.metric);
                Some(value / round.run(against)?.metric(metric)?)
            });
            comparison::Result::new(figure, values.collect())
        });
        let figures = figures.collect();
        ScenarioReport { name: scenario.name.clone(), rounds, figures, failures }
    }

    fn labels(&self) -> Vec<&str> {
        let mut labels: Vec<&str> = Vec::new();
        for (label, _) in self.rounds.iter().flat_map(|round| &round.runs) {
            if !labels.contains(&label.as_str()) {
                labels.push(label);
            }
        }
        labels
    }

    fn summary(&self, label: &str, metric: &str) -> Option<Summary> {
        let runs = self.rounds.iter().filter_map(|round| round.run(label)?.metric(metric));
        Summary::of(&runs.collect::<Vec<_>>())
    }

    /// What each run found: medians over the rounds, with the range where it matters.
    pub fn table(&self) -> String {
        let shown: Vec<_> = SHOWN
            .iter()
            .filter(|(metric, _)| self.labels().iter().any(|label| self.summary(label, metric).is_some()))
            .collect();
        let mut header = vec!["run".to_owned()];
        header.extend(shown.iter().map(|(_, title)| (*title).to_owned()));
        let mut rows = vec![header];
        for label in self.labels() {
            let mut row = vec![label.to_owned()];
            for (metric, _) in &shown {
                row.push(self.summary(label, metric).map(|found| number(found.median)).unwrap_or_default());
            }
            rows.push(row);
        }
        let disturbed = self.rounds.iter().filter(|round| round.is_disturbed()).count();
        let mut text = format!("{} ({} rounds, {disturbed} disturbed)\n", self.name, self.rounds.len());
        text.push_str(&columns(&rows));
        for failure in &self.failures {
            let _ = writeln!(text, "  failed: {failure}");
        }
        text
    }
}

impl Report {
    pub fn read(path: &Path) -> Result<Report> {
        let text = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("understand {}", path.display()))
    }

    /// Writes the JSON, the text and the plots into `directory`.
    pub fn write(&self, directory: &Path) -> Result<()> {
        std::fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
        let write = |name: &str, text: &str| {
            let path = directory.join(name);
            std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))
        };
        write("report.json", &serde_json::to_string_pretty(self)?)?;
        write("report.txt", &self.text())?;
        for scenario in &self.scenarios {
            for (kind, svg) in plot::scenario(scenario) {
                write(&format!("{}-{kind}.svg", scenario.name), &svg)?;
            }
        }
        let figures = self.scenarios.iter().flat_map(|scenario| &scenario.figures);
        if let Some(svg) = plot::figures(&figures.collect::<Vec<_>>()) {
            write("figures.svg", &svg)?;
        }
        Ok(())
    }

    pub fn text(&self) -> String {
        let mut text = String::new();
        for scenario in &self.scenarios {
            text.push_str(&scenario.table());
            text.push('\n');
        }
        text.push_str(&self.figures());
        text
    }

    /// What was wanted and what was reached.
    pub fn figures(&self) -> String {
        let header = ["figure", "median", "min", "max", "rounds", "must", "aim", "verdict"];
        let mut rows = vec![header.map(str::to_owned).to_vec()];
        for result in self.scenarios.iter().flat_map(|scenario| &scenario.figures) {
            let summary = |value: fn(&Summary) -> f64| {
                result.summary.as_ref().map(|summary| number(value(summary))).unwrap_or_default()
            };
            let wanted = |value: Option<f64>| value.map(number).unwrap_or_default();
            rows.push(vec![
                result.figure.name.clone(),
                summary(|summary| summary.median),
                summary(|summary| summary.min),
                summary(|summary| summary.max),
                result.values.len().to_string(),
                wanted(result.figure.must),
                wanted(result.figure.aim),
                result.verdict.to_string(),
            ]);
        }
        if rows.len() == 1 { String::new() } else { columns(&rows) }
    }
}

/// Three digits that matter.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 || size == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// The first column to the left, the others to the right.
fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::from("  ");
        for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
            if index == 0 {
                let _ = write!(line, "{cell:<width$}");
            } else {
                let _ = write!(line, "  {cell:>width$}");
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
#[path = "report_test.rs"]
mod tests;
