//! The audit: when all faults have ceased, everything that was promised is looked up.

use std::collections::BTreeMap;
use std::time::Duration;

use aquifer_client::{FetchSettings, OffsetAt};
use aquifer_record::batches;
use aquifer_types::{Offset, PartitionIndex};
use aquifer_wire::ErrorCode;

use crate::clients::{CONFIG, Work};
use crate::oracle::{BatchId, Shown};
use crate::plan::TopicPlan;

/// What was acknowledged when it was written is flushed, and so seen, within this time.
const FLUSHED_WITHIN: Duration = Duration::from_secs(1);

/// Reads everything and compares. What the node does not answer now is a failure too.
pub async fn audit(work: &Work, topics: &[TopicPlan]) {
    work.runtime.sleep(FLUSHED_WITHIN).await;
    for topic in topics {
        for index in 0..topic.partitions {
            if let Err(error) = partition(work, &topic.name, PartitionIndex(index)).await {
                work.trace.fail("audit", format_args!("{}-{index}: {error}", topic.name));
                return;
            }
        }
    }
    let names = work.oracle.state().topics.names();
    for name in names {
        if let Err(error) = changing_topic(work, &name).await {
            work.trace.fail("audit", format_args!("{name}: {error}"));
        }
    }
}

async fn partition(work: &Work, name: &str, index: PartitionIndex) -> Result<(), String> {
    let told = |error: aquifer_client::ClientError| error.to_string();
    let start = work.client.offset(name, index, OffsetAt::Start).await.map_err(told)?.ok_or("no start")?;
    let end = work.client.offset(name, index, OffsetAt::End).await.map_err(told)?.ok_or("no end")?;
    work.oracle.partition(name, index, |known| known.starts(start, known.started()));
    let settings = FetchSettings { wait_max: Duration::ZERO, ..FetchSettings::default() };
    let mut found: BTreeMap<Offset, BatchId> = BTreeMap::new();
    let mut from = start;
    while from < end {
        let fetched = work.client.fetch(name, index, from, &settings).await.map_err(told)?;
        for view in batches(&fetched.records) {
            found.insert(view.header.base_offset, BatchId(view.header.crc));
        }
        let next = work.oracle.read(name, index, from, &fetched.records);
        let next = next.ok_or("what was read is wrong")?;
        if next == from {
            return Err(format!("nothing is read at {from}, below the end {end}"));
        }
        from = next;
    }
    work.trace.note("audit", format_args!("{name}-{} {start}..{end}, {} batches", index.0, found.len()));
    work.oracle.partition(name, index, |known| known.all_read(start, end, &found));
    Ok(())
}

async fn changing_topic(work: &Work, name: &str) -> Result<(), String> {
    work.client.forget(name);
    let shown = match work.client.topic(name).await {
        Ok(topic) => {
            let config = work.client.topic_config(name).await.map_err(|error| error.to_string())?;
            Some(Shown { id: topic.id, value: config.get(CONFIG).cloned().flatten() })
        }
        Err(error) if error.code() == Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) => None,
        Err(error) => return Err(error.to_string()),
    };
    work.oracle.state().topics.compare(name, shown.as_ref())
}
