//! `aquifer tier fsck`: what a bucket holds, and whether it is what it should be.

use std::process::ExitCode;

use aquifer_cli::{Exit, Failure, Format, OutputArguments, Printer, Show};
use aquifer_restore::{ClusterCheck, FsckOptions, PartitionCheck, fsck};
use aquifer_runtime::Runtime;
use aquifer_types::ClusterId;
use serde::Serialize;

use crate::restore;

/// What `aquifer tier fsck` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct FsckArguments {
    /// The bucket: what the cluster has as tier.url
    #[arg(value_name = "URL")]
    url: String,
    /// Only this cluster, where several share the bucket
    #[arg(long, value_name = "ID")]
    cluster: Option<ClusterId>,
    /// Read every byte and compare it with its checksum
    #[arg(long)]
    deep: bool,
    #[command(flatten)]
    output: OutputArguments,
}

/// A partition as people read it.
#[derive(Serialize)]
struct Row<'a>(&'a PartitionCheck);

/// A cluster as programs read it.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    check: &'a ClusterCheck,
    sound: bool,
}

impl Show for Row<'_> {
    fn columns() -> &'static [&'static str] {
        &["TOPIC", "PARTITION", "START", "END", "OBJECTS", "BYTES", "ORPHANS", "LOST", "DAMAGED"]
    }

    fn cells(&self) -> Vec<String> {
        let check = self.0;
        vec![
            check.topic.clone(),
            check.partition.to_string(),
            check.start.to_string(),
            check.end.to_string(),
            check.objects.to_string(),
            check.bytes.to_string(),
            check.orphans.to_string(),
            check.lost.to_string(),
            check.damaged.len().to_string(),
        ]
    }
}

impl Show for Whole<'_> {
    fn columns() -> &'static [&'static str] {
        &[]
    }

    fn cells(&self) -> Vec<String> {
        Vec::new()
    }
}

pub(crate) fn run(arguments: &FsckArguments, format: Format) -> ExitCode {
    match attempt(arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            failure.print(format);
            failure.exit.into()
        }
    }
}

/// Whether everything was sound.
fn attempt(arguments: &FsckArguments) -> Result<bool, Failure> {
    let options =
        FsckOptions { url: arguments.url.clone(), cluster: arguments.cluster, deep: arguments.deep };
    let reactor = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let reactor =
        reactor.map_err(|error| Failure::new(Exit::Failed, format!("start the reactor: {error}")))?;
    let checks = reactor
        .block_on(fsck(&options, &Runtime::real()))
        .map_err(|error| restore::failure("tier fsck", &error))?;
    let printer = Printer::new(arguments.output.format());
    match printer.format() {
        Format::Table => {
            for check in &checks {
                printer.list(&check.partitions.iter().map(Row).collect::<Vec<_>>())?;
                notes(check).iter().for_each(|note| eprintln!("{note}"));
            }
        }
        Format::Json | Format::Ndjson => {
            let whole = |check| Whole { check, sound: ClusterCheck::is_sound(check) };
            printer.list(&checks.iter().map(whole).collect::<Vec<_>>())?;
        }
    }
    Ok(checks.iter().all(ClusterCheck::is_sound))
}

fn notes(check: &ClusterCheck) -> Vec<String> {
    let mut notes = Vec::new();
    let sound = if check.is_sound() { "sound" } else { "NOT sound" };
    notes.push(match (check.incarnation, check.state_written_ms) {
        (Some(incarnation), Some(written)) => format!(
            "cluster {}, incarnation {incarnation}, {sound}; its state is of {}",
            check.cluster,
            restore::time(written)
        ),
        _ => format!(
            "cluster {}, {sound}; it left no state that can be read, so nobody knows its topics' names",
            check.cluster
        ),
    });
    for partition in &check.partitions {
        let name = format!("{}-{}", partition.topic, partition.partition);
        if partition.lost > 0 {
            notes.push(format!("{name}: {} objects that should be there are not", partition.lost));
        }
        notes.extend(partition.damaged.iter().map(|what| format!("{name}: {what}")));
    }
    let bundles = &check.bundles;
    if bundles.count > 0 {
        notes.push(format!(
            "{} bundles hold small ranges of many partitions, in {} bytes; {} of them nobody names",
            bundles.count, bundles.bytes, bundles.orphans
        ));
    }
    notes.extend(bundles.damaged.iter().cloned());
    notes.extend(check.problems.iter().cloned());
    notes.extend(check.strange.iter().map(|name| format!("'{name}' is none of our names")));
    notes
}
