//! `aquifer restore`: a lost cluster's data directory from its bucket, and what to know about it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use aquifer_cli::{Exit, Failure, Format, InvalidMoment, Moment, OutputArguments, Printer, Show};
use aquifer_disk::{Disk, RealDisk};
use aquifer_restore::{Options, Report, RestoreError, RestoredPartition, restore};
use aquifer_runtime::Runtime;
use aquifer_types::{ClusterId, NodeId};
use serde::Serialize;

/// What `aquifer restore` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct RestoreArguments {
    /// The bucket: what the cluster had as tier.url
    #[arg(long, value_name = "URL")]
    from: String,
    /// Make this directory; it must be empty or not there
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// Which cluster, where several share the bucket
    #[arg(long, value_name = "ID")]
    cluster: Option<ClusterId>,
    /// The number of the node that will start in the directory
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(i32).range(0..))]
    node_id: i32,
    /// Only this topic, and others given in the same way, as a cluster of its own; the other cluster goes on untouched
    #[arg(long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,
    /// Leave out what was uploaded later, e.g. @-2h or @2026-11-01T12:00Z
    #[arg(long, value_name = "TIME", value_parser = point_in_time)]
    at: Option<Moment>,
    /// Only say what would come back
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) fn point_in_time(text: &str) -> Result<Moment, InvalidMoment> {
    let moment: Moment = text.parse()?;
    match moment {
        Moment::Ago(_) | Moment::At(_) => Ok(moment),
        _ => Err(InvalidMoment),
    }
}

/// A partition as people read it.
#[derive(Serialize)]
struct Row<'a>(&'a RestoredPartition);

/// The report as programs read it.
#[derive(Serialize)]
struct Whole<'a>(&'a Report);

impl Show for Row<'_> {
    fn columns() -> &'static [&'static str] {
        &["TOPIC", "PARTITION", "START", "END", "OBJECTS", "BYTES", "LOST", "COMPLETE UNTIL"]
    }

    fn cells(&self) -> Vec<String> {
        let partition = self.0;
        let until = match (partition.complete_until_ms, partition.not_tiered) {
            (Some(until), _) => time(until),
            (None, Some(why)) => format!("empty: {why}"),
            (None, None) => "empty: nothing was uploaded".to_owned(),
        };
        vec![
            partition.topic.clone(),
            partition.partition.to_string(),
            partition.start.to_string(),
            partition.end.to_string(),
            partition.objects.to_string(),
            partition.bytes.to_string(),
            partition.objects_lost.to_string(),
            until,
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

pub(crate) fn run(arguments: &RestoreArguments, format: Format) -> ExitCode {
    match attempt(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print(format);
            failure.exit.into()
        }
    }
}

fn attempt(arguments: &RestoreArguments) -> Result<(), Failure> {
    let runtime = Runtime::real();
    let options = Options {
        url: arguments.from.clone(),
        cluster: arguments.cluster,
        data_dir: arguments.data_dir.clone(),
        node: NodeId(arguments.node_id),
        topics: arguments.topics.clone(),
        at: arguments.at.and_then(|at| at.time(runtime.now().wall)),
        dry_run: arguments.dry_run,
        is_mount: false,
    };
    let reactor = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let reactor =
        reactor.map_err(|error| Failure::new(Exit::Failed, format!("start the reactor: {error}")))?;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let report =
        reactor.block_on(restore(&options, &disk, &runtime)).map_err(|error| failure("restore", &error))?;
    let printer = Printer::new(arguments.output.format());
    match printer.format() {
        Format::Table => printer.list(&report.partitions.iter().map(Row).collect::<Vec<_>>())?,
        Format::Json | Format::Ndjson => printer.one(&Whole(&report))?,
    }
    for note in notes(&report, &options) {
        eprintln!("{note}");
    }
    Ok(())
}

/// What failed while a bucket was read.
pub(crate) fn failure(doing: &str, error: &RestoreError) -> Failure {
    let (exit, retryable) = match error {
        RestoreError::NotEmpty(_) | RestoreError::Open(_) | RestoreError::SeveralClusters(_) => {
            (Exit::Usage, false)
        }
        RestoreError::NoCluster(_) | RestoreError::UnknownCluster(_) | RestoreError::UnknownTopic(_) => {
            (Exit::NotFound, false)
        }
        RestoreError::NoState(..) | RestoreError::Overtaken => (Exit::Refused, false),
        RestoreError::Store(error) if error.is_passing() => (Exit::Unreachable, true),
        _ => (Exit::Failed, false),
    };
    Failure { retryable, ..Failure::new(exit, format!("{doing}: {error}")) }
}

/// What to know and to do, for people.
fn notes(report: &Report, options: &Options) -> Vec<String> {
    let mut notes = Vec::new();
    let done = if report.dry_run { "would be restored" } else { "is restored" };
    notes.push(format!(
        "cluster {} {done} as incarnation {}: {} topics, {} committed offsets; its state is of {}",
        report.cluster,
        report.incarnation,
        report.topics,
        report.offsets,
        time(report.state_written_ms),
    ));
    notes.push(
        "missing: what was produced after each partition's 'complete until'; its offsets will be given again"
            .to_owned(),
    );
    notes.push(format!(
        "may reappear: topics, records and offsets that were deleted after {}",
        time(report.state_written_ms)
    ));
    let empty = report.empty_topics();
    if !empty.is_empty() {
        notes.push(format!("empty, for they were never uploaded: {}", empty.join(", ")));
    }
    if report.offsets_lowered + report.offsets_dropped > 0 {
        notes.push(format!(
            "{} committed offsets lay beyond what is left and are its end now, {} were of topics that are gone",
            report.offsets_lowered, report.offsets_dropped
        ));
    }
    for topic in &report.unknown_topics {
        notes.push(format!(
            "left in the bucket: {} objects, {} bytes, of topic id {}, which the state does not name",
            topic.objects, topic.bytes, topic.id
        ));
    }
    notes.extend(report.problems.iter().map(|problem| format!("passed over: {problem}")));
    let alone = report.cluster != report.from_cluster;
    if alone {
        notes.push(format!("its objects are copies: cluster {} goes on as it is", report.from_cluster));
    }
    if !report.dry_run && !alone {
        notes.push(
            "the old cluster, if it still runs and reaches the bucket, stops uploading, deleting and producing within \
             seconds; one that is cut off from the bucket cannot be told: make sure that it is down"
                .to_owned(),
        );
    }
    if !report.dry_run {
        notes.push(format!(
            "start it: aquifer dev --data-dir {0} --tier '{1}', or aquifer server with data_dir = \"{0}\", node_id = {2} and \
             tier.url = \"{1}\"",
            options.data_dir.display(),
            options.url,
            options.node,
        ));
    }
    notes
}

/// A moment as people read it.
pub(crate) fn time(ms: i64) -> String {
    let since = Duration::from_millis(u64::try_from(ms).unwrap_or(0));
    humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string()
}
