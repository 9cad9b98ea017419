//! Reads of what only the tier still has.

use std::sync::Arc;
use std::time::Duration;

use aquifer_cold::{Found, Part, TimeFound, Wake, Wanted};
use aquifer_manifest::Place;
use aquifer_metadata::Image;
use aquifer_replica::Waiter;
use aquifer_types::{Offset, TimestampMs, TopicPartition};
use aquifer_wire::ErrorCode;
use bytes::Bytes;

use crate::broker::Broker;

/// How long a question for a time waits for the store.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a cold read comes to now.
#[derive(Debug)]
pub(crate) enum ColdRead {
    Ready(Vec<Part>),
    /// On its way; the waiter is woken.
    Filling,
    /// The store does not give it; the client may ask again.
    Failed,
}

/// Whole batches from `from` on, nothing at or beyond `upto`. Readers take turns at the store, each connection being one.
pub(crate) fn cold_parts(
    broker: &Broker,
    image: &Image,
    at: TopicPartition,
    (from, upto): (Offset, Offset),
    (bytes_max, reader): (u64, u64),
    waiter: Option<&Arc<Waiter>>,
) -> ColdRead {
    let (Some(tier), Some(ranges)) = (&broker.tier, image.tier(at)) else {
        tracing::error!(partition = %at, "records are in the tier, and this broker has none configured");
        return ColdRead::Failed;
    };
    let wake = waiter.map(wake);
    let place = Place { cluster: broker.cluster, partition: at };
    let wanted = Wanted { place, reader, ranges: ranges.from(from), from, upto, bytes_max };
    match tier.cold.read(&wanted, wake.as_ref()) {
        Found::Ready { parts, .. } => ColdRead::Ready(parts),
        Found::Filling => ColdRead::Filling,
        Found::Failed(_) => ColdRead::Failed,
    }
}

/// The batch in the tier with the first record of this time or a later one, if that is where the record is: local disk has what
/// follows `local_start`.
pub(crate) async fn cold_time(
    broker: &Broker,
    image: &Image,
    at: TopicPartition,
    (time, local_start): (TimestampMs, Offset),
    reader: u64,
) -> Result<Option<Vec<Bytes>>, ErrorCode> {
    let found = image.tier(at).and_then(|tier| tier.at_time(time)).filter(|range| range.base < local_start);
    let Some(range) = found else { return Ok(None) };
    let tier = broker.tier.as_ref().ok_or(ErrorCode::KAFKA_STORAGE_ERROR)?;
    let place = Place { cluster: broker.cluster, partition: at };
    let waiter = Arc::new(Waiter::default());
    let deadline = broker.runtime.now().monotonic.plus(PATIENCE);
    loop {
        match tier.cold.at_time((&place, reader), range, time, Some(&wake(&waiter))) {
            TimeFound::Ready(parts) => return Ok(Some(parts)),
            TimeFound::Failed(_) => return Err(ErrorCode::KAFKA_STORAGE_ERROR),
            TimeFound::Filling => {
                let left = deadline.since(broker.runtime.now().monotonic);
                if left.is_zero() {
                    return Err(ErrorCode::REQUEST_TIMED_OUT);
                }
                broker.runtime.timeout(left, waiter.wait()).await;
            }
        }
    }
}

fn wake(waiter: &Arc<Waiter>) -> Wake {
    let waiter = Arc::downgrade(waiter);
    Arc::new(move || {
        if let Some(waiter) = waiter.upgrade() {
            waiter.wake();
        }
    })
}
