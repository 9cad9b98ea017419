//! Produce: batches are checked and appended in arrival order; the answer waits for their acknowledgements.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aquifer_metadata::{Image, TimestampType, Topic, TopicConfig};
use aquifer_net::{Call, Outcome};
use aquifer_partition::{Acknowledgement, Acks};
use aquifer_record::{Limits, check};
use aquifer_replica::{AppendOutcome, Appended, NewBatch};
use aquifer_types::{FencingToken, Offset, TimestampMs};
use aquifer_wire::messages::produce_request::TopicProduceData;
use aquifer_wire::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use aquifer_wire::messages::{ProduceRequest, ProduceResponse};
use aquifer_wire::{ErrorCode, Records, Text};
use bytes::Bytes;
use tokio::sync::oneshot;

use super::partition_ref::TopicRef;
use crate::broker::Broker;
use crate::refusal::{append_error, batch_error};
use crate::rewrite::{Rewriting, rewrite};
use crate::service::Caller;

/// From this version on topics are named by id.
const BY_ID_FROM: i16 = 13;

/// No producer sends so many batches at once; an answer for each takes many times what naming a partition does.
const PARTITIONS_MAX: usize = 100_000;

/// One partition's answer, and what it still waits for.
struct Pending {
    topic: usize,
    partition: usize,
    outcome: oneshot::Receiver<AppendOutcome>,
}

/// A refused partition: Kafka's code, and why in words.
pub(super) struct Refused {
    pub(super) code: ErrorCode,
    pub(super) message: Option<String>,
}

pub(crate) fn produce(broker: &Arc<Broker>, caller: Caller, request: ProduceRequest) -> Call {
    let named: usize = request.topic_data.iter().map(|topic| topic.partition_data.len()).sum();
    if named > PARTITIONS_MAX {
        tracing::warn!(peer = %caller.connection.peer, named, "too many partitions in one produce request, connection closed");
        return Call::Now(Outcome::Close);
    }
    let acks = match request.acks {
        -1 => Ok(Acks::All),
        0 => Ok(Acks::None),
        1 => Ok(Acks::Leader),
        _ => Err(ErrorCode::INVALID_REQUIRED_ACKS),
    };
    let image = broker.image();
    let mut seen = BTreeSet::new();
    let mut pending = Vec::new();
    let mut responses = Vec::with_capacity(request.topic_data.len());
    for (topic_at, data) in request.topic_data.into_iter().enumerate() {
        let topic = find(&image, caller.version, &data);
        let mut partitions = Vec::with_capacity(data.partition_data.len());
        for (partition_at, partition) in data.partition_data.into_iter().enumerate() {
            let index = partition.index;
            let appended = acks.map_err(Refused::from).and_then(|acks| {
                let topic = topic.as_ref().map_err(|code| Refused::from(*code))?;
                // Two batches for one partition would need an order that the protocol does not give.
                if !seen.insert((topic.id(), index)) {
                    return Err(Refused::new(ErrorCode::INVALID_REQUEST, "the partition is named twice"));
                }
                if request.transactional_id.is_some() {
                    let message = "transactions are not supported";
                    return Err(Refused::new(ErrorCode::INVALID_TXN_STATE, message));
                }
                let terms = Terms { acks, token: None, expected_end: None, strict: false };
                append(broker, topic, partition.index, partition.records, terms)
            });
            let response = match appended {
                Ok(Appended::Done(outcome)) => response_for(index, &outcome),
                Ok(Appended::Waiting(outcome)) => {
                    pending.push(Pending { topic: topic_at, partition: partition_at, outcome });
                    PartitionProduceResponse { index, ..PartitionProduceResponse::default() }
                }
                Ok(Appended::Unanswered) => PartitionProduceResponse { index, ..Default::default() },
                Ok(Appended::DiskFull) => {
                    refused(index, Refused::new(ErrorCode::KAFKA_STORAGE_ERROR, "disk full"))
                }
                Err(why) => refused(index, why),
            };
            partitions.push(response);
        }
        responses.push(TopicProduceResponse {
            name: data.name,
            topic_id: data.topic_id,
            partition_responses: partitions,
        });
    }
    broker.directory.nudge();
    let response = ProduceResponse { responses, ..ProduceResponse::default() };
    if request.acks == 0 {
        return Call::Now(unanswered(&caller, &response));
    }
    if pending.is_empty() {
        return Call::Now(caller.answer(&response));
    }
    let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
    Call::Later(Box::pin(acknowledge(broker.clone(), caller, response, pending, timeout)))
}

fn find(image: &Image, version: i16, data: &TopicProduceData) -> Result<Arc<Topic>, ErrorCode> {
    let named = if version >= BY_ID_FROM { TopicRef::Id(data.topic_id) } else { TopicRef::Name(&data.name) };
    let topic = named.find(image)?;
    if topic.is_internal() {
        return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
    Ok(topic.clone())
}

/// What a batch is taken on.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    pub(super) acks: Acks,
    /// The partition's fencing token, if the client must not append under another one.
    pub(super) token: Option<FencingToken>,
    /// Where the partition must end.
    pub(super) expected_end: Option<Offset>,
    /// Whether a producer that is not known must begin with sequence 0.
    pub(super) strict: bool,
}

/// Checks a batch and hands it to its partition.
pub(super) fn append(
    broker: &Broker,
    topic: &Topic,
    partition: i32,
    records: Option<Records>,
    terms: Terms,
) -> Result<Appended, Refused> {
    if let Some(refusal) = broker.refusal() {
        return Err(Refused { code: refusal.code, message: Some(refusal.message.as_str().to_owned()) });
    }
    let replica = broker.replica_of(topic, partition)?;
    let bytes = match records {
        Some(Records::Bytes(bytes)) => bytes,
        _ => Bytes::new(),
    };
    let now = broker.runtime.now().wall;
    let config = topic.config();
    let batch = check(bytes, &limits(config, now))
        .map_err(|refusal| Refused { code: batch_error(&refusal), message: Some(refusal.to_string()) })?;
    let batch = match Rewriting::of(&batch, config) {
        None => Ok(batch),
        // In place all the same: batches of one connection are appended in the order they came in.
        Some(wanted) if wanted.is_long() => {
            broker.runtime.hold_up(&broker.unpacking, || rewrite(batch, wanted))
        }
        Some(wanted) => rewrite(batch, wanted),
    }
    .map_err(|refusal| Refused { code: refusal.code(), message: Some(refusal.to_string()) })?;
    let log_append_time = (config.timestamp_type == TimestampType::LogAppendTime).then_some(now);
    let Terms { acks, token, expected_end, strict } = terms;
    Ok(replica.append(&NewBatch {
        batch,
        acks,
        expected_epoch: None,
        log_append_time,
        token,
        expected_end,
        strict,
    }))
}

fn limits(config: &TopicConfig, now: TimestampMs) -> Limits {
    let batch_bytes_max = usize::try_from(config.batch_bytes_max).unwrap_or(0);
    if config.timestamp_type == TimestampType::LogAppendTime {
        return Limits { batch_bytes_max, ..Limits::default() };
    }
    Limits {
        batch_bytes_max,
        earliest: TimestampMs(now.0.saturating_sub(config.timestamp_before_max_ms)),
        latest: TimestampMs(now.0.saturating_add(config.timestamp_after_max_ms)),
    }
}

/// Waits for every acknowledgement, up to the time the client gave.
async fn acknowledge(
    broker: Arc<Broker>,
    caller: Caller,
    mut response: ProduceResponse,
    pending: Vec<Pending>,
    timeout: Duration,
) -> Outcome {
    let deadline = broker.runtime.now().monotonic.plus(timeout);
    for Pending { topic, partition, outcome } in pending {
        let left = deadline.since(broker.runtime.now().monotonic);
        let answer = &mut response.responses[topic].partition_responses[partition];
        *answer = match broker.runtime.timeout(left, outcome).await {
            Some(Ok(outcome)) => response_for(answer.index, &outcome),
            // The replica failed or is gone.
            Some(Err(_closed)) => refused(answer.index, ErrorCode::KAFKA_STORAGE_ERROR.into()),
            None => refused(answer.index, ErrorCode::REQUEST_TIMED_OUT.into()),
        };
    }
    caller.answer(&response)
}

/// Nobody reads an answer, so that an error is told by closing the connection.
fn unanswered(caller: &Caller, response: &ProduceResponse) -> Outcome {
    let all = response.responses.iter().flat_map(|topic| &topic.partition_responses);
    match all.into_iter().find(|partition| !partition.error_code.is_none()) {
        None => Outcome::Silent,
        Some(failed) => {
            tracing::warn!(
                peer = %caller.connection.peer, error = ?failed.error_code,
                "produce without acknowledgement failed, connection closed"
            );
            Outcome::Close
        }
    }
}

fn response_for(index: i32, outcome: &AppendOutcome) -> PartitionProduceResponse {
    match outcome {
        Ok(Acknowledgement { base, log_start, log_append_time, .. }) => PartitionProduceResponse {
            index,
            base_offset: base.0,
            log_append_time_ms: log_append_time.0,
            log_start_offset: log_start.0,
            error_message: None,
            ..PartitionProduceResponse::default()
        },
        Err(refusal) => {
            refused(index, Refused { code: append_error(refusal), message: Some(refusal.to_string()) })
        }
    }
}

fn refused(index: i32, why: Refused) -> PartitionProduceResponse {
    PartitionProduceResponse {
        index,
        error_code: why.code,
        base_offset: -1,
        error_message: why.message.map(Text::from),
        ..PartitionProduceResponse::default()
    }
}

impl Refused {
    pub(super) fn new(code: ErrorCode, message: &str) -> Refused {
        Refused { code, message: Some(message.to_owned()) }
    }
}

impl From<ErrorCode> for Refused {
    fn from(code: ErrorCode) -> Refused {
        Refused { code, message: None }
    }
}
