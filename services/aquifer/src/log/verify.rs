//! `aquifer log verify`: reads everything, prints a line a partition, and what is wrong.

use std::io::Write as _;

use anyhow::Result;
use aquifer_hotlog::inspect::PartitionReport;
use serde_json::json;

use super::{Chosen, Look, Output};

/// What was found in all.
#[derive(Default)]
struct Total {
    partitions: usize,
    records: u64,
    bytes: u64,
    problems: usize,
}

pub(super) fn run(look: &Look<'_>, chosen: &Chosen) -> Result<bool> {
    let mut out = std::io::stdout().lock();
    let mut total = Total::default();
    if let Some(problem) = &look.names.problem {
        total.problems += 1;
        match chosen.output {
            Output::Table => writeln!(out, "PROBLEM  metadata: {problem}")?,
            Output::Ndjson => writeln!(out, "{}", json!({ "kind": "metadata", "problems": [problem] }))?,
        }
    }
    for id in &look.partitions {
        let report = look.inspection.verify(*id)?;
        total.partitions += 1;
        total.records += report.records;
        total.bytes += report.bytes;
        total.problems += report.problems.len();
        match chosen.output {
            Output::Table => print(&mut out, &look.names.partition(*id), &report)?,
            Output::Ndjson => writeln!(out, "{}", line(&look.names.topic(id.topic), &report))?,
        }
    }
    let stopped = if look.inspection.clean { "stopped as it should" } else { "did not stop as it should" };
    match chosen.output {
        Output::Table => writeln!(
            out,
            "{} partitions, {} records, {} bytes, {} problems; the node {stopped}",
            total.partitions, total.records, total.bytes, total.problems
        )?,
        Output::Ndjson => {
            let total = json!({
                "kind": "total",
                "partitions": total.partitions,
                "records": total.records,
                "bytes": total.bytes,
                "problems": total.problems,
                "clean": look.inspection.clean,
            });
            writeln!(out, "{total}")?;
        }
    }
    Ok(total.problems == 0)
}

fn print(out: &mut impl std::io::Write, name: &str, report: &PartitionReport) -> Result<()> {
    let PartitionReport { log_start, end, segments, bytes, records, .. } = report;
    let verdict = if report.problems.is_empty() { "ok     " } else { "DAMAGED" };
    writeln!(
        out,
        "{verdict}  {name}  offsets {log_start} to {end}, {records} records, {segments} segments, {bytes} bytes"
    )?;
    if report.odd_batches > 0 {
        writeln!(
            out,
            "  note     {} batches were written with records that cannot be read",
            report.odd_batches
        )?;
    }
    report.notes.iter().try_for_each(|note| writeln!(out, "  note     {note}"))?;
    report.problems.iter().try_for_each(|problem| writeln!(out, "  PROBLEM  {problem}"))?;
    Ok(())
}

fn line(topic: &str, report: &PartitionReport) -> serde_json::Value {
    json!({
        "kind": "partition",
        "topic": topic,
        "topic_id": report.id.topic.to_string(),
        "partition": report.id.partition.0,
        "log_start": report.log_start.0,
        "end": report.end.0,
        "segments": report.segments,
        "bytes": report.bytes,
        "batches": report.batches,
        "records": report.records,
        "odd_batches": report.odd_batches,
        "notes": report.notes,
        "problems": report.problems,
    })
}
