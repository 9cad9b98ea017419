//! Fetch: what there is at once, or what comes within the time the client waits; records leave as file ranges.

use std::sync::Arc;
use std::time::Duration;

use aquifer_cold::Part;
use aquifer_hotlog::Range;
use aquifer_metadata::Image;
use aquifer_net::{Chunk, Outcome};
use aquifer_partition::Isolation;
use aquifer_replica::{FetchRefusal, Fetched, Waiter};
use aquifer_types::{Offset, TopicPartition};
use aquifer_wire::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use aquifer_wire::messages::{FetchRequest, FetchResponse};
use aquifer_wire::{ErrorCode, Hole, Records, Text};

use super::fetch_session::{Asked, Opened, SessionUse, TopicName};
use super::partition_ref::expected_epoch;
use crate::broker::Broker;
use crate::refusal::fetch_error;
use crate::service::Caller;
use crate::tier::{ColdRead, cold_parts};

/// From this version on topics are named by id.
const BY_ID_FROM: i16 = 13;
/// From this version on a client says which epoch the records before its offset had.
const TOPIC_ERRORS_FROM: i16 = 7;

/// One look at all partitions asked for.
struct Look {
    answers: Vec<Answer>,
    bytes: u64,
    /// Something that the client should hear without waiting.
    urgent: bool,
}

/// What one partition has.
struct Answer {
    data: PartitionData,
    records: Option<Plan>,
}

/// Where records are sent from.
enum Plan {
    Hot(Range),
    /// Parts of objects.
    Cold(Vec<Part>),
}

impl Plan {
    fn bytes(&self) -> u64 {
        match self {
            Plan::Hot(range) => range.len,
            Plan::Cold(parts) => parts.iter().map(Part::bytes).sum(),
        }
    }

    fn chunks(self) -> Vec<Chunk> {
        match self {
            Plan::Hot(range) => vec![Chunk::File { file: range.file, at: range.at, bytes: range.len }],
            Plan::Cold(parts) => parts.into_iter().map(chunk).collect(),
        }
    }
}

fn chunk(part: Part) -> Chunk {
    match part {
        Part::Memory(bytes) => Chunk::Bytes(bytes),
        Part::File { file, at, bytes } => Chunk::File { file, at, bytes },
    }
}

pub(crate) async fn fetch(broker: Arc<Broker>, caller: Caller, request: FetchRequest) -> Outcome {
    let by_id = caller.version >= BY_ID_FROM;
    if request.replica_id >= 0 || request.replica_state.replica_id >= 0 {
        tracing::warn!(peer = %caller.connection.peer, "a follower's fetch on a client's port, connection closed");
        return Outcome::Close;
    }
    let opened = match broker.fetch_sessions.open(&request, by_id, broker.runtime.now().monotonic) {
        Ok(opened) => opened,
        Err(error_code) if caller.version >= TOPIC_ERRORS_FROM => {
            return caller.answer(&FetchResponse { error_code, ..FetchResponse::default() });
        }
        Err(_) => return Outcome::Close,
    };
    let isolation =
        if request.isolation_level == 1 { Isolation::ReadCommitted } else { Isolation::ReadUncommitted };
    let min_bytes = u64::try_from(request.min_bytes).unwrap_or(0);
    let max_bytes = u64::try_from(request.max_bytes).unwrap_or(0).min(broker.settings.fetch_bytes_max);
    let patience = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let deadline = broker.runtime.now().monotonic.plus(patience);
    let waiter = Arc::new(Waiter::default());
    loop {
        let left = deadline.since(broker.runtime.now().monotonic);
        let image = broker.image();
        let registered = (!left.is_zero()).then_some(&waiter);
        let look =
            look(&broker, &image, &opened.asked, (isolation, max_bytes, caller.connection.id), registered)
                .await;
        let enough = look.bytes >= min_bytes || look.urgent || left.is_zero() || opened.asked.is_empty();
        if enough || broker.stop.is_given() {
            return answer(&broker, &caller, &opened, look.answers, by_id);
        }
        // Woken or out of time: either way, look again.
        broker.runtime.timeout(left, waiter.wait()).await;
    }
}

async fn look(
    broker: &Arc<Broker>,
    image: &Image,
    asked: &[Asked],
    (isolation, max_bytes, reader): (Isolation, u64, u64),
    waiter: Option<&Arc<Waiter>>,
) -> Look {
    let mut look = Look { answers: Vec::with_capacity(asked.len()), bytes: 0, urgent: false };
    for asked in asked {
        let answer = match read(broker, image, asked, isolation, waiter) {
            Ok((id, fetched)) => {
                let left = max_bytes.saturating_sub(look.bytes);
                let wanted = u64::try_from(asked.max_bytes).unwrap_or(0).min(left);
                // The first records go out whatever their size, so that a large batch does not stall its reader.
                let wants = look.bytes == 0 || wanted > 0;
                let records = match fetched.cold {
                    _ if !wants => Ok(None),
                    None => resolve(broker, &fetched, wanted).await.map(|range| range.map(Plan::Hot)),
                    Some(upto) => {
                        let span = (Offset(asked.offset), upto);
                        match cold_parts(broker, image, id, span, (wanted, reader), waiter) {
                            ColdRead::Ready(parts) => Ok(Some(Plan::Cold(parts))),
                            ColdRead::Filling => Ok(None),
                            // Told once the client's patience is over, so that it does not ask again at once.
                            ColdRead::Failed => {
                                look.answers.push(refused(asked, ErrorCode::KAFKA_STORAGE_ERROR));
                                continue;
                            }
                        }
                    }
                };
                match records {
                    // A batch beyond the first that does not fit is left for the next fetch.
                    Ok(records) => {
                        let fits = |plan: &Plan| look.bytes == 0 || plan.bytes() <= left.max(wanted);
                        let records = records.filter(fits);
                        look.bytes += records.as_ref().map_or(0, Plan::bytes);
                        Answer { data: marks(asked, &fetched), records }
                    }
                    Err(error_code) => refused(asked, error_code),
                }
            }
            Err(error_code) => refused(asked, error_code),
        };
        look.urgent |= !answer.data.error_code.is_none();
        look.answers.push(answer);
    }
    look
}

fn read(
    broker: &Broker,
    image: &Image,
    asked: &Asked,
    isolation: Isolation,
    waiter: Option<&Arc<Waiter>>,
) -> Result<(TopicPartition, Fetched), ErrorCode> {
    let topic = match &asked.topic {
        TopicName::Name(name) => image.topic(name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?,
        TopicName::Id(id) => image.topic_by_id(*id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?,
    };
    let replica = broker.replica_of(topic, asked.partition)?;
    let expected = expected_epoch(asked.current_leader_epoch);
    replica
        .read(Offset(asked.offset), isolation, expected, waiter)
        .map(|fetched| (replica.id(), fetched))
        .map_err(|refusal: FetchRefusal| fetch_error(&refusal))
}

/// The file range, found from memory where that is possible, else away from the reactor.
async fn resolve(broker: &Arc<Broker>, fetched: &Fetched, wanted: u64) -> Result<Option<Range>, ErrorCode> {
    let Some(located) = &fetched.located else { return Ok(None) };
    let files = broker.directory.files();
    let resolved = if located.is_in_memory(wanted) {
        located.resolve(files, wanted)
    } else {
        let (files, located) = (files.clone(), located.clone());
        let work = move || located.resolve(&files, wanted);
        match broker.runtime.spawn_blocking("find-offset", work).await {
            Some(resolved) => resolved,
            None => return Err(ErrorCode::KAFKA_STORAGE_ERROR),
        }
    };
    match resolved {
        Ok(range) => Ok(Some(range).filter(|range| range.len > 0)),
        Err(error) => {
            tracing::error!(%error, "fetch failed");
            Err(ErrorCode::KAFKA_STORAGE_ERROR)
        }
    }
}

fn marks(asked: &Asked, fetched: &Fetched) -> PartitionData {
    PartitionData {
        partition_index: asked.partition,
        high_watermark: fetched.high_watermark.0,
        last_stable_offset: fetched.last_stable_offset.0,
        log_start_offset: fetched.log_start.0,
        aborted_transactions: None,
        records: Some(Records::EMPTY),
        ..PartitionData::default()
    }
}

fn refused(asked: &Asked, error_code: ErrorCode) -> Answer {
    let data = PartitionData {
        partition_index: asked.partition,
        error_code,
        high_watermark: -1,
        aborted_transactions: None,
        records: Some(Records::EMPTY),
        ..PartitionData::default()
    };
    Answer { data, records: None }
}

fn answer(broker: &Broker, caller: &Caller, opened: &Opened, answers: Vec<Answer>, by_id: bool) -> Outcome {
    let mut response = FetchResponse { session_id: opened.session_id(), ..FetchResponse::default() };
    let mut files = Vec::new();
    let whole = matches!(opened.usage, SessionUse::None | SessionUse::New(_));
    let mut kept = Vec::with_capacity(answers.len());
    for (asked, mut answer) in opened.asked.iter().zip(answers) {
        let has_records = answer.records.is_some();
        if let Some(plan) = answer.records.take() {
            let token = u32::try_from(files.len()).expect("partitions of one request are counted in 32 bits");
            let length = u32::try_from(plan.bytes()).expect("a fetch is bounded far below 4 GiB");
            answer.data.records = Some(Records::Hole(Hole { length, token }));
            files.push(plan.chunks());
        }
        let told = asked.told(&answer.data);
        if whole || has_records || told {
            push(&mut response, asked, answer.data.clone(), by_id);
        }
        kept.push(answer.data);
    }
    broker.fetch_sessions.finish(opened, &kept, broker.runtime.now().monotonic);
    caller.answer_with(&response, &files)
}

/// Adds a partition to its topic's answer; partitions of a topic that stand together share one.
fn push(response: &mut FetchResponse, asked: &Asked, data: PartitionData, by_id: bool) {
    let (name, id) = match &asked.topic {
        TopicName::Name(name) => (name.clone(), aquifer_types::Uuid::ZERO),
        TopicName::Id(id) => (Text::EMPTY, id.0),
    };
    let same = |topic: &FetchableTopicResponse| {
        if by_id { topic.topic_id == id } else { topic.topic == name }
    };
    match response.responses.last_mut().filter(|topic| same(topic)) {
        Some(topic) => topic.partitions.push(data),
        None => response.responses.push(FetchableTopicResponse {
            topic: name,
            topic_id: id,
            partitions: vec![data],
        }),
    }
}
