//! The work of `aquifer consume`: from partitions or a group to the writer, until there is an end.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::time::Duration;

use aquifer_client::{
    Client, Commit, Consumer, ConsumerError, ConsumerSettings, Event, FetchSettings, GroupConsumer,
    GroupSettings, OutOfRange, Place, Start, Subscription,
};
use aquifer_runtime::Runtime;
use aquifer_types::Offset;
use indicatif::{ProgressBar, ProgressStyle};

use super::arguments::ConsumeArguments;
use super::sink::Sink;
use super::style::Style;
use super::template::Template;
use super::writer::{Writer, Wrote};
use crate::failure::{Exit, Failure, with_sources};
use crate::moment::Moment;
use crate::output::{Format, is_broken_pipe};
use crate::places;

/// Of a partition as much as Kafka's clients ask for, small enough that it is still in the processor's cache when it is written.
const PARTITION_BYTES: i32 = 1024 * 1024;
const FETCH_BYTES: i32 = 4 * 1024 * 1024;
const BUFFER_BYTES: usize = 16 * 1024 * 1024;
const COMMIT_INTERVAL: Duration = Duration::from_secs(1);

/// Where records come from.
enum Source {
    Partitions(Consumer),
    Group(Box<GroupConsumer>),
}

struct Reading<'a> {
    arguments: &'a ConsumeArguments,
    source: Source,
    writer: Writer,
    /// What is read, and what of it has been read to its end.
    read: BTreeSet<Place>,
    ended: BTreeSet<Place>,
    progress: ProgressBar,
    /// Where the chunk begins that is not known to be written.
    under_way: Option<Offset>,
}

pub(crate) async fn run(arguments: &ConsumeArguments) -> Result<(), Failure> {
    let runtime = Runtime::real();
    if let Some(base) = &arguments.reach.curl {
        return crate::curl::print(base, arguments.requests(runtime.now().wall));
    }
    let client = arguments.reach.client(&runtime)?;
    let start = arguments.from.start(runtime.now().wall);
    let mut places = Vec::new();
    for topic in &arguments.topics {
        let described = client.describe_topic(topic).await;
        let described = described.map_err(|error| Failure::of_client(&format!("consume {topic}"), &error))?;
        places.extend(places::chosen(&described, &arguments.partition)?);
    }
    let progress = progress(arguments, &client, &places, start).await?;
    let source = source(arguments, &client, &places, start);
    let sink = Sink::start(&runtime);
    let sink = sink.map_err(|error| Failure::new(Exit::Failed, format!("open standard output: {error}")))?;
    let writer = Writer::new(style(arguments), sink, arguments.count);
    let read = match arguments.group {
        Some(_) => BTreeSet::new(),
        None => places.into_iter().collect(),
    };
    let mut reading =
        Reading { arguments, source, writer, read, ended: BTreeSet::new(), progress, under_way: None };
    let outcome = tokio::select! {
        biased;
        outcome = reading.read_all(&runtime) => outcome,
        _ = tokio::signal::ctrl_c() => Err(Failure::interrupted()),
    };
    reading.finish(outcome).await
}

fn style(arguments: &ConsumeArguments) -> Style {
    match (&arguments.format, arguments.reach.output.output) {
        (Some(template), _) => Style::Template(template.clone()),
        (None, Some(Format::Json)) => Style::Json { is_first: true },
        (None, Some(Format::Ndjson)) => Style::Ndjson,
        (None, Some(Format::Table)) => Style::Table,
        (None, None) => Style::Template(Template::values()),
    }
}

fn source(arguments: &ConsumeArguments, client: &Client, places: &[Place], start: Start) -> Source {
    let settings = ConsumerSettings {
        fetch: FetchSettings {
            bytes_max: FETCH_BYTES,
            partition_bytes_max: PARTITION_BYTES,
            read_committed: !arguments.uncommitted,
            ..FetchSettings::default()
        },
        buffer_bytes_max: BUFFER_BYTES,
        // Only a number that was asked for can be wrong; whatever else is gone meanwhile is passed over.
        out_of_range: match arguments.from {
            Moment::Offset(_) => OutOfRange::Tell,
            _ => OutOfRange::Earliest,
        },
    };
    let Some(group) = &arguments.group else {
        let consumer = Consumer::new(client.clone(), settings);
        for (topic, partition) in places {
            consumer.assign(topic, *partition, start);
        }
        return Source::Partitions(consumer);
    };
    let member = GroupSettings {
        start,
        commit: if arguments.no_commit { Commit::ByHand } else { Commit::Every(COMMIT_INTERVAL) },
        ..GroupSettings::new(group, Subscription::Topics(arguments.topics.clone()))
    };
    Source::Group(Box::new(GroupConsumer::join(client.clone(), member, settings)))
}

impl Source {
    async fn next(&mut self) -> Result<Event, ConsumerError> {
        match self {
            Source::Partitions(consumer) => consumer.next().await,
            Source::Group(member) => member.next().await,
        }
    }
}

impl Reading<'_> {
    async fn read_all(&mut self, runtime: &Runtime) -> Result<(), Failure> {
        while !self.writer.has_enough() && !self.is_over() {
            // To ask a group for more is to say that what came before is dealt with: it has to be written.
            if matches!(self.source, Source::Group(_)) && self.writer.settle().await.is_err() {
                return Ok(());
            }
            self.under_way = None;
            // What is written is seen as soon as nothing follows at once.
            let event = match runtime.timeout(Duration::ZERO, self.source.next()).await {
                Some(event) => event,
                None => {
                    if self.writer.flush().await.is_err() {
                        return Ok(());
                    }
                    self.source.next().await
                }
            };
            match event.map_err(|error| failed(&error))? {
                Event::Records(chunk) => {
                    let (from, end) = (chunk.from, chunk.end);
                    self.under_way = Some(from);
                    match self.writer.write(chunk).await {
                        Wrote::All => self.progress.inc(span(from, end)),
                        Wrote::Enough | Wrote::Closed => return Ok(()),
                        Wrote::Unreadable(error) => {
                            let message = format!("read records: {}", with_sources(&error));
                            return Err(Failure::new(Exit::Failed, message).hint(format!(
                                "--from {} passes over the batch, if it is one",
                                error.offset().0 + 1
                            )));
                        }
                    }
                }
                Event::End { topic, partition, .. } => {
                    self.ended.insert((topic, partition));
                }
                Event::Assigned(places) => self.read.extend(places),
                Event::Revoked(places) => self.read.retain(|place| !places.contains(place)),
            }
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.arguments.exit && !self.read.is_empty() && self.read.is_subset(&self.ended)
    }

    /// Writes the rest, leaves the group, and says how it ended.
    async fn finish(self, outcome: Result<(), Failure>) -> Result<(), Failure> {
        self.progress.finish_and_clear();
        let upto = self.writer.upto();
        let written = tokio::select! {
            biased;
            written = self.writer.finish(outcome.is_err()) => Some(written),
            // Whoever reads us does not, and the user wants to be gone.
            _ = tokio::signal::ctrl_c() => None,
        };
        if let Source::Group(mut member) = self.source {
            if let Some(from) = self.under_way {
                member.dealt_with_upto(if matches!(written, Some(Ok(()))) { upto } else { from });
            }
            member.close().await;
        }
        outcome?;
        match written {
            // Whoever read us has seen enough.
            Some(Err(error)) if is_broken_pipe(&error) => Ok(()),
            Some(Err(error)) => Err(Failure::new(Exit::Failed, format!("write to standard output: {error}"))),
            Some(Ok(())) | None => Ok(()),
        }
    }
}

fn span(from: Offset, end: Offset) -> u64 {
    u64::try_from(end.since(from)).unwrap_or(0)
}

/// A bar where the end is known and nothing else is on the terminal.
async fn progress(
    arguments: &ConsumeArguments,
    client: &Client,
    places: &[Place],
    start: Start,
) -> Result<ProgressBar, Failure> {
    let is_seen = std::io::stderr().is_terminal() && !std::io::stdout().is_terminal();
    if !is_seen || !arguments.exit || arguments.group.is_some() {
        return Ok(ProgressBar::hidden());
    }
    let resolved = places::resolved(client, places, start).await?;
    let total = resolved.iter().map(|(ends, from)| span(*from, ends.end)).sum();
    let bar = ProgressBar::new(arguments.count.map_or(total, |count| count.min(total)));
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} records {per_sec} {eta}");
    Ok(match style {
        Ok(style) => bar.with_style(style),
        Err(_never) => bar,
    })
}

fn failed(error: &ConsumerError) -> Failure {
    match error {
        ConsumerError::OutOfRange { .. } | ConsumerError::Truncated { .. } => {
            Failure::new(Exit::Refused, error.to_string())
                .hint("`aquifer topic offsets TOPIC` says where partitions start and end")
        }
        ConsumerError::Failed { topic, partition, source } => {
            Failure::of_client(&format!("read partition {partition} of {topic}"), source)
        }
        ConsumerError::Group { source } => Failure::of_client("join the group", source),
    }
}
