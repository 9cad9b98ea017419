//! Reads partitions from their start to their end and has each record checked.

use anyhow::{Context as _, Result, ensure};
use aquifer_client::{Client, FetchSettings, OffsetAt};
use aquifer_record::{batches, decode};
use aquifer_types::{Offset, PartitionIndex};

use crate::verify::checker::{Checker, Findings};
use crate::verify::ledger::Entry;

/// No topic is asked to pack batches tighter than this.
const UNPACKED_BYTES_MAX: usize = 64 << 20;

/// Checks all partitions of a topic against what was acknowledged; `entries` are by partition and offset.
pub async fn check(client: &Client, topic: &str, partitions: i32, entries: &[Entry]) -> Result<Findings> {
    let mut findings = Findings::default();
    for partition in 0..partitions {
        let from = entries.partition_point(|entry| entry.partition < partition);
        let upto = entries.partition_point(|entry| entry.partition <= partition);
        let found = check_one(client, topic, PartitionIndex(partition), &entries[from..upto]).await;
        findings.add(found.with_context(|| format!("read partition {partition}"))?);
    }
    Ok(findings)
}

async fn check_one(
    client: &Client,
    topic: &str,
    partition: PartitionIndex,
    entries: &[Entry],
) -> Result<Findings> {
    let mut checker = Checker::new(partition.0, entries);
    let start = client.offset(topic, partition, OffsetAt::Start).await?.unwrap_or(Offset::ZERO);
    let end = client.offset(topic, partition, OffsetAt::End).await?.unwrap_or(Offset::ZERO);
    let mut next = start;
    let mut unpacked = Vec::new();
    while next < end {
        let fetched = client.fetch(topic, partition, next, &FetchSettings::default()).await?;
        let before = next;
        for batch in batches(&fetched.records).filter(|batch| batch.header.end() > before) {
            ensure!(batch.checksum_holds(), "the batch at {} is damaged", batch.header.base_offset);
            // Records may be compressed by the topic, never by us.
            for record in decode(&batch.header, batch.body(), UNPACKED_BYTES_MAX, &mut unpacked)? {
                let record = record?;
                if record.offset >= before {
                    checker.record(record.offset.0, record.value);
                }
            }
            next = batch.header.end();
        }
        ensure!(next > before, "no whole batch came from {next} on");
    }
    Ok(checker.finish())
}
