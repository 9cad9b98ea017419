//! ListOffsets: ends, starts, and offsets by time.

use std::sync::Arc;

use aquifer_partition::Isolation;
use aquifer_record::{BatchView, decode};
use aquifer_replica::{FetchRefusal, Replica, TimeQuery};
use aquifer_types::{LeaderEpoch, Offset, TimestampMs};
use aquifer_wire::ErrorCode;
use aquifer_wire::messages::list_offsets_request::ListOffsetsPartition;
use aquifer_wire::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use aquifer_wire::messages::{ListOffsetsRequest, ListOffsetsResponse};

use super::partition_ref::{TopicRef, expected_epoch};
use crate::broker::Broker;
use crate::refusal::fetch_error;
use crate::tier::cold_time;

/// A batch may unpack to this much and no more.
const UNPACKED_BYTES_MAX: usize = 256 << 20;

/// From this version on answers name the epoch of what was found.
const EPOCHS_FROM: i16 = 4;

/// Kafka's special timestamps.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// An offset that was found, with its record's timestamp if that was the question.
struct FoundOffset {
    offset: Offset,
    timestamp: TimestampMs,
    epoch: i32,
}

pub(crate) async fn list_offsets(
    broker: &Arc<Broker>,
    (version, reader): (i16, u64),
    request: ListOffsetsRequest,
) -> ListOffsetsResponse {
    let image = broker.image();
    let isolation =
        if request.isolation_level == 1 { Isolation::ReadCommitted } else { Isolation::ReadUncommitted };
    let mut topics = Vec::with_capacity(request.topics.len());
    for asked in request.topics {
        let topic = TopicRef::Name(&asked.name).find(&image);
        let mut partitions = Vec::with_capacity(asked.partitions.len());
        for partition in &asked.partitions {
            let found = match topic.and_then(|topic| broker.replica_of(topic, partition.partition_index)) {
                Ok(replica) => find(broker, &replica, isolation, partition, reader).await,
                Err(error) => Err(error),
            };
            let mut response = response(partition.partition_index, found);
            if version < EPOCHS_FROM {
                response.leader_epoch = -1;
            }
            partitions.push(response);
        }
        topics.push(ListOffsetsTopicResponse { name: asked.name, partitions });
    }
    ListOffsetsResponse { topics, ..ListOffsetsResponse::default() }
}

fn response(index: i32, found: Result<Option<FoundOffset>, ErrorCode>) -> ListOffsetsPartitionResponse {
    let unknown = ListOffsetsPartitionResponse { partition_index: index, ..Default::default() };
    match found {
        Ok(Some(found)) => ListOffsetsPartitionResponse {
            timestamp: found.timestamp.0,
            offset: found.offset.0,
            leader_epoch: found.epoch,
            ..unknown
        },
        Ok(None) => unknown,
        Err(error_code) => ListOffsetsPartitionResponse { error_code, ..unknown },
    }
}

async fn find(
    broker: &Arc<Broker>,
    replica: &Arc<Replica>,
    isolation: Isolation,
    asked: &ListOffsetsPartition,
    reader: u64,
) -> Result<Option<FoundOffset>, ErrorCode> {
    let expected = expected_epoch(asked.current_leader_epoch);
    let refused = |refusal: FetchRefusal| fetch_error(&refusal);
    match asked.timestamp {
        LATEST => {
            let (offset, LeaderEpoch(epoch)) = replica.latest(isolation, expected).map_err(refused)?;
            Ok(Some(FoundOffset { offset, timestamp: TimestampMs::NONE, epoch }))
        }
        EARLIEST_LOCAL => {
            replica.earliest(expected).map_err(refused)?;
            let offset = replica.describe().local_start;
            let epoch = replica.epoch_at(offset).map_or(-1, |epoch| epoch.0);
            Ok(Some(FoundOffset { offset, timestamp: TimestampMs::NONE, epoch }))
        }
        EARLIEST => {
            let (offset, epoch) = replica.earliest(expected).map_err(refused)?;
            let epoch = epoch.map_or(-1, |epoch| epoch.0);
            Ok(Some(FoundOffset { offset, timestamp: TimestampMs::NONE, epoch }))
        }
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => {
            replica.latest(isolation, expected).map_err(refused)?;
            let image = broker.image();
            let Some(tier) = image.tier(replica.id()) else { return Ok(None) };
            // Kafka tells the last tiered offset itself, and the first that is not.
            let last = Offset(tier.end().0 - i64::from(asked.timestamp == LATEST_TIERED));
            let known = tier.live().last();
            Ok(known.map(|range| FoundOffset {
                offset: last,
                timestamp: TimestampMs::NONE,
                epoch: range.leader_epoch.0,
            }))
        }
        MAX_TIMESTAMP => match replica.at_max_timestamp(isolation, expected).map_err(refused)? {
            Some(query) => search(broker, replica, query, Wanted::Largest).await,
            None => Ok(None),
        },
        time if time >= 0 => {
            if let Some(found) = search_tier(broker, replica, isolation, asked, reader).await? {
                return Ok(Some(found));
            }
            let query = replica.at_time(TimestampMs(time), isolation, expected).map_err(refused)?;
            search(broker, replica, query, Wanted::First).await
        }
        _ => Err(ErrorCode::UNSUPPORTED_VERSION),
    }
}

/// The record in the tier, where the question leads there.
async fn search_tier(
    broker: &Arc<Broker>,
    replica: &Arc<Replica>,
    isolation: Isolation,
    asked: &ListOffsetsPartition,
    reader: u64,
) -> Result<Option<FoundOffset>, ErrorCode> {
    let expected = expected_epoch(asked.current_leader_epoch);
    let (upto, _) = replica.latest(isolation, expected).map_err(|refusal| fetch_error(&refusal))?;
    let time = TimestampMs(asked.timestamp);
    let before = replica.describe().local_start;
    let found = cold_time(broker, &broker.image(), replica.id(), (time, before), reader).await?;
    let Some(parts) = found else { return Ok(None) };
    let _turn = broker.unpacking.acquire().await.expect("it is never closed");
    let work = move || {
        let bytes = parts.concat();
        let batch = BatchView::parse(&bytes).ok()?;
        // A batch may claim a time that none of its records has: whoever reads on from it meets the record that has.
        let claimed = (batch.header.base_offset, batch.header.max_timestamp);
        let (offset, timestamp) = in_batch(&batch, (time, upto), Wanted::First).unwrap_or(claimed);
        Some(FoundOffset { offset, timestamp, epoch: batch.header.epoch.0 })
    };
    broker.runtime.spawn_blocking("find-time", work).await.ok_or(ErrorCode::KAFKA_STORAGE_ERROR)
}

/// Which record of the batch that is found is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    First,
    Largest,
}

async fn search(
    broker: &Arc<Broker>,
    replica: &Arc<Replica>,
    query: TimeQuery,
    wanted: Wanted,
) -> Result<Option<FoundOffset>, ErrorCode> {
    let files = broker.directory.files().clone();
    let work = move || -> Result<Option<(Offset, TimestampMs)>, ErrorCode> {
        let damaged = |error: &dyn std::fmt::Display| {
            tracing::error!(%error, "search by time failed");
            ErrorCode::KAFKA_STORAGE_ERROR
        };
        // A batch may claim a timestamp that none of its records has: then it is one of a later batch.
        let mut from = Offset::ZERO;
        while let Some(range) = query.lookup.resolve(&files, from).map_err(|error| damaged(&error))? {
            let mut bytes = vec![0; usize::try_from(range.len).map_err(|error| damaged(&error))?];
            range.file.read_exact_at(range.at, &mut bytes).map_err(|error| damaged(&error))?;
            let batch = BatchView::parse(&bytes).map_err(|error| damaged(&error))?;
            if let Some(found) = in_batch(&batch, (query.time, query.upto), wanted) {
                return Ok(Some(found));
            }
            from = range.next;
        }
        Ok(None)
    };
    let _turn = broker.unpacking.acquire().await.expect("it is never closed");
    let found = broker.runtime.spawn_blocking("find-time", work).await;
    let found = found.ok_or(ErrorCode::KAFKA_STORAGE_ERROR)??;
    Ok(found.map(|(offset, timestamp)| {
        let epoch = replica.epoch_at(offset).map_or(-1, |epoch| epoch.0);
        FoundOffset { offset, timestamp, epoch }
    }))
}

/// The record meant; the batch's own marks where its records cannot be read.
fn in_batch(
    batch: &BatchView<'_>,
    (time, upto): (TimestampMs, Offset),
    wanted: Wanted,
) -> Option<(Offset, TimestampMs)> {
    let mut unpacked = Vec::new();
    let mut best: Option<(Offset, TimestampMs)> = None;
    if let Ok(records) = decode(&batch.header, batch.body(), UNPACKED_BYTES_MAX, &mut unpacked) {
        for record in records.map_while(Result::ok).filter(|record| record.offset < upto) {
            let reaches = record.timestamp >= time;
            match wanted {
                Wanted::First if reaches => return Some((record.offset, record.timestamp)),
                Wanted::Largest if best.is_none_or(|(_, largest)| record.timestamp > largest) => {
                    best = Some((record.offset, record.timestamp));
                }
                _ => {}
            }
        }
        return best;
    }
    Some((batch.header.base_offset, batch.header.max_timestamp))
}
