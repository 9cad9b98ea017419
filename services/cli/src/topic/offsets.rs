//! Where a topic's partitions start and end, and how their starts are moved on.

use aquifer_client::ClientError;
use aquifer_runtime::Runtime;
use serde::Serialize;

use super::arguments::{OffsetsArguments, TrimArguments};
use crate::failure::Failure;
use crate::output::Show;
use crate::places;

#[derive(Debug, Serialize)]
struct Partition {
    topic: String,
    partition: i32,
    start: i64,
    end: i64,
    /// Upper bound: compaction takes records and leaves their offsets.
    records: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<i64>,
}

#[derive(Debug, Serialize)]
struct Trimmed {
    topic: String,
    partition: i32,
    start_before: i64,
    start: i64,
    records: i64,
    dry_run: bool,
}

impl Show for Partition {
    fn columns() -> &'static [&'static str] {
        &["TOPIC", "PARTITION", "START", "END", "RECORDS", "AT"]
    }

    fn cells(&self) -> Vec<String> {
        let numbers = [self.start, self.end, self.records].map(|number| number.to_string());
        let at = self.at.map(|at| at.to_string()).unwrap_or_default();
        [&[self.topic.clone(), self.partition.to_string()][..], &numbers, &[at]].concat()
    }
}

impl Show for Trimmed {
    fn columns() -> &'static [&'static str] {
        &["TOPIC", "PARTITION", "START BEFORE", "START", "RECORDS", "DONE"]
    }

    fn cells(&self) -> Vec<String> {
        let numbers = [self.start_before, self.start, self.records].map(|number| number.to_string());
        let done = if self.dry_run { "no" } else { "yes" };
        [&[self.topic.clone(), self.partition.to_string()][..], &numbers, &[done.to_owned()]].concat()
    }
}

pub(super) async fn offsets(runtime: &Runtime, arguments: &OffsetsArguments) -> Result<(), Failure> {
    let client = arguments.reach.client(runtime)?;
    let described = client.describe_topic(&arguments.topic).await;
    let doing = format!("describe topic {}", arguments.topic);
    let described = described.map_err(|error| Failure::of_client(&doing, &error))?;
    let chosen = places::chosen(&described, &arguments.partition)?;
    let found = match arguments.at {
        Some(moment) => {
            let found = places::resolved(&client, &chosen, moment.start(runtime.now().wall)).await?;
            found.into_iter().map(|(ends, at)| (ends, Some(at))).collect()
        }
        None => {
            let found = places::ends(&client, &chosen).await?;
            found.into_iter().map(|ends| (ends, None)).collect::<Vec<_>>()
        }
    };
    let partitions = found.into_iter().map(|(ends, at)| Partition {
        topic: arguments.topic.clone(),
        partition: ends.place.1.0,
        start: ends.start.0,
        end: ends.end.0,
        records: ends.end.since(ends.start),
        at: at.map(|at| at.0),
    });
    arguments.reach.printer().list(&partitions.collect::<Vec<_>>())
}

pub(super) async fn trim(runtime: &Runtime, arguments: &TrimArguments) -> Result<(), Failure> {
    let client = arguments.reach.client(runtime)?;
    let doing = format!("trim topic {}", arguments.topic);
    let described = client.describe_topic(&arguments.topic).await;
    let described = described.map_err(|error| Failure::of_client(&doing, &error))?;
    let chosen = places::chosen(&described, &arguments.partition)?;
    let found = places::resolved(&client, &chosen, arguments.before.start(runtime.now().wall)).await?;
    let mut trimmed = Vec::new();
    let mut cuts = Vec::new();
    for (ends, before) in found.iter().filter(|(ends, before)| *before > ends.start) {
        cuts.push((ends.place.clone(), *before));
        trimmed.push(Trimmed {
            topic: arguments.topic.clone(),
            partition: ends.place.1.0,
            start_before: ends.start.0,
            start: before.0,
            records: before.since(ends.start),
            dry_run: arguments.dry_run,
        });
    }
    if !arguments.dry_run {
        let cut: Result<Vec<_>, ClientError> = client.delete_records(&cuts).await.into_iter().collect();
        for (trimmed, start) in
            trimmed.iter_mut().zip(cut.map_err(|error| Failure::of_client(&doing, &error))?)
        {
            trimmed.start = start.0;
        }
    }
    arguments.reach.printer().list(&trimmed)
}
