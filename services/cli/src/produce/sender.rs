//! The work of `aquifer produce`: every line a record, every record's delivery looked after.

use std::collections::VecDeque;
use std::io::IsTerminal as _;

use aquifer_client::{Delivery, DeliveryError, Outgoing, Producer, ProducerSettings, SendError};
use aquifer_record::Header;
use aquifer_runtime::Runtime;
use aquifer_types::{PartitionIndex, TimestampMs};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::arguments::{Input, ProduceArguments};
use super::input::{Blocks, lines};
use super::line::Lines;
use super::ndjson::Parsed;
use crate::failure::{Exit, Failure, with_sources};
use crate::output::Show;

/// Deliveries that nobody looked at yet; a batch's worth of records is settled at once.
const UNSEEN_MAX: usize = 100_000;

/// What was sent, in the end.
#[derive(Debug, Default, Serialize)]
struct Summary {
    topic: String,
    records: u64,
    bytes: u64,
    dry_run: bool,
}

struct Sender<'a> {
    arguments: &'a ProduceArguments,
    /// Nothing where nothing is to be sent.
    producer: Option<Producer>,
    headers: Vec<Header<'a>>,
    lines: Lines,
    unseen: VecDeque<Delivery>,
    summary: Summary,
    progress: ProgressBar,
}

impl Show for Summary {
    fn columns() -> &'static [&'static str] {
        &["TOPIC", "RECORDS", "BYTES", "SENT"]
    }

    fn cells(&self) -> Vec<String> {
        let sent = if self.dry_run { "no" } else { "yes" }.to_owned();
        vec![self.topic.clone(), self.records.to_string(), self.bytes.to_string(), sent]
    }
}

pub(crate) async fn run(arguments: &ProduceArguments) -> Result<(), Failure> {
    if let Some(base) = &arguments.reach.curl {
        return crate::curl::print(base, arguments.requests());
    }
    let runtime = Runtime::real();
    let client = arguments.reach.client(&runtime)?;
    let described = client.topic_when_known(&arguments.topic).await;
    described.map_err(|error| Failure::of_client(&format!("produce to {}", arguments.topic), &error))?;
    let acks = arguments.acks.into();
    let settings = ProducerSettings {
        acks,
        encoding: aquifer_record::Compression::from(arguments.compression).into(),
        idempotent: acks == aquifer_client::Acks::All,
        linger: arguments.linger,
        delivery_timeout: arguments.reach.timeout.max(arguments.linger),
        ..ProducerSettings::default()
    };
    let mut sender = Sender {
        arguments,
        producer: (!arguments.dry_run).then(|| Producer::new(client, settings)),
        headers: arguments.header.iter().map(header).collect(),
        lines: Lines::new(arguments.key_separator.as_deref(), arguments.empty_as_null),
        unseen: VecDeque::new(),
        summary: Summary { topic: arguments.topic.clone(), dry_run: arguments.dry_run, ..Summary::default() },
        progress: ProgressBar::hidden(),
    };
    let sent = sender.send_all(&runtime).await;
    let finished = sender.finish().await;
    sent.and(finished)?;
    arguments.reach.printer().one(&sender.summary)
}

fn header(header: &crate::config::Assignment) -> Header<'_> {
    Header { key: header.name.as_bytes(), value: Some(header.value.as_bytes()) }
}

impl Sender<'_> {
    async fn send_all(&mut self, runtime: &Runtime) -> Result<(), Failure> {
        if !self.arguments.value.is_empty() {
            for value in &self.arguments.value {
                self.send_line(value.as_bytes()).await?;
            }
            return Ok(());
        }
        let named = self.arguments.file.as_deref();
        let place = named.map_or_else(|| "standard input".to_owned(), |path| path.display().to_string());
        let failed = |error: std::io::Error| Failure::usage(format!("read {place}: {error}"));
        let mut blocks = Blocks::of(runtime, named).map_err(failed)?;
        self.progress = progress(blocks.total);
        let mut number = 0;
        while let Some(block) = blocks.next().await {
            let block = block.map_err(failed)?;
            for line in lines(&block) {
                number += 1;
                let sent = match self.arguments.input {
                    Input::Lines => self.send_line(line).await,
                    Input::Ndjson => self.send_json(line).await,
                };
                sent.map_err(|failure| Failure {
                    message: format!("line {number} of {place}: {}", failure.message),
                    ..failure
                })?;
            }
            self.progress.inc(block.len() as u64);
        }
        self.progress.finish_and_clear();
        Ok(())
    }

    async fn send_line(&mut self, line: &[u8]) -> Result<(), Failure> {
        let (key, value) = self.lines.parse(line);
        let headers = std::mem::take(&mut self.headers);
        let record = Outgoing { key, value, headers: &headers, ..Outgoing::default() };
        let sent = self.send(record).await;
        self.headers = headers;
        sent
    }

    async fn send_json(&mut self, line: &[u8]) -> Result<(), Failure> {
        if line.is_empty() {
            return Ok(());
        }
        let parsed = Parsed::parse(line).map_err(|error| Failure::usage(error.to_string()))?;
        let own = parsed.headers.iter().map(|(key, value)| Header { key, value: value.as_deref() });
        let common = self.arguments.header.iter().map(header);
        let headers: Vec<Header<'_>> = common.chain(own).collect();
        let record = Outgoing {
            key: parsed.key.as_deref(),
            value: parsed.value.as_deref(),
            headers: &headers,
            partition: parsed.partition.map(PartitionIndex),
            timestamp: parsed.timestamp.filter(|time| *time >= 0).map(TimestampMs),
            ..Outgoing::default()
        };
        self.send(record).await
    }

    /// Sends a record with what the arguments say of those that say nothing themselves.
    async fn send(&mut self, record: Outgoing<'_>) -> Result<(), Failure> {
        let record = Outgoing {
            topic: &self.arguments.topic,
            key: record.key.or(self.arguments.key.as_deref().map(str::as_bytes)),
            partition: record.partition.or(self.arguments.partition.map(PartitionIndex)),
            ..record
        };
        self.summary.records += 1;
        self.summary.bytes +=
            (record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len)) as u64;
        let Some(producer) = &self.producer else { return Ok(()) };
        let delivery = producer.send(record).await.map_err(|error| not_taken(&error))?;
        self.unseen.push_back(delivery);
        while self.unseen.front().is_some_and(|first| first.is_settled() || self.unseen.len() > UNSEEN_MAX) {
            self.see_first().await?;
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Failure> {
        if let Some(producer) = &self.producer {
            producer.flush().await;
        }
        while !self.unseen.is_empty() {
            self.see_first().await?;
        }
        Ok(())
    }

    async fn see_first(&mut self) -> Result<(), Failure> {
        let Some(first) = self.unseen.pop_front() else { return Ok(()) };
        match first.wait().await {
            Ok(_) => Ok(()),
            Err(error) => {
                // Those behind it may have come through; what is known is that not all did.
                self.unseen.clear();
                Err(undelivered(&error))
            }
        }
    }
}

fn progress(total: Option<u64>) -> ProgressBar {
    let Some(total) = total.filter(|_| std::io::stderr().is_terminal()) else { return ProgressBar::hidden() };
    let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    let bar = ProgressBar::new(total);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_never) => bar,
    }
}

fn not_taken(error: &SendError) -> Failure {
    match error {
        SendError::Topic(source) => Failure::of_client("find the topic's partitions", source),
        SendError::Identity(source) => Failure::of_client("ask for a producer id", source),
        SendError::NoSuchPartition { .. } => Failure::new(Exit::NotFound, error.to_string()),
        SendError::Unpackable(_) | SendError::Closed => Failure::new(Exit::Failed, with_sources(error)),
    }
}

fn undelivered(error: &DeliveryError) -> Failure {
    let doing = "a record was not delivered";
    match error {
        DeliveryError::Refused { code, message } => {
            let refused = aquifer_client::ClientError::Refused { code: *code, message: message.clone() };
            Failure::of_client(doing, &refused)
        }
        DeliveryError::TimedOut { last: Some(last) } => Failure::of_client(doing, last),
        DeliveryError::TimedOut { last: None } => {
            let failure = Failure::new(Exit::Unreachable, format!("{doing}: no broker took it in time"));
            Failure { retryable: true, ..failure.hint("--timeout lets it wait longer") }
        }
        DeliveryError::Pack(_) | DeliveryError::Closed => {
            Failure::new(Exit::Failed, format!("{doing}: {}", with_sources(error)))
        }
    }
}
