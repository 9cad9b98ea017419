//! Stateless reads of one partition.

use aquifer_gateway::{AskedLimits, Claim, From, Page, ReadLimits, Refusal, Taking};
use aquifer_grpc::message;
use aquifer_session::Cursor;
use aquifer_types::{PartitionIndex, TopicPartition};
use aquifer_wire::Text;
use axum::body::Body;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::{self, unfold};
use futures_util::{Stream, StreamExt as _, future::ready};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::answer::held_bytes;
use crate::caller::Caller;
use crate::extract::{Asked, Named};
use crate::problem::{Problem, Refused};
use crate::protobuf::{self, Form};
use crate::record::{Shown, Values};

/// What is written of an answer before that is sent, at least.
const PIECE_BYTES: usize = 256 << 10;

/// What to read, and how much of it.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReadQuery {
    /// `earliest`, `latest`, an offset, `-N` (so many before the end), `@` and a time of RFC 3339, or a cursor.
    #[param(nullable = false, default = "earliest")]
    pub(crate) from: Option<String>,
    /// Of keys, values and headers; the first record comes however large it is. At most 33554432.
    #[param(nullable = false, default = 1_048_576, minimum = 1)]
    pub(crate) max_bytes: Option<i32>,
    #[param(nullable = false, default = 10_000, minimum = 1)]
    pub(crate) max_records: Option<i32>,
    /// How long to wait for the first record. At most 60000.
    #[param(nullable = false, default = 0, minimum = 0)]
    pub(crate) wait_ms: Option<i32>,
    /// How values are shown.
    #[param(nullable = false)]
    pub(crate) values: Option<Values>,
}

/// Records, and where to go on.
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "written by hand, record by record; this is its schema")]
pub(crate) struct ReadResponse {
    #[schema(value_type = Vec<Shown<'static>>)]
    records: Vec<()>,
    /// The offset behind the last record.
    #[schema(pattern = "^[0-9]+$")]
    next_offset: String,
    /// The offset behind the last record that consumers see.
    #[schema(pattern = "^[0-9]+$")]
    high_watermark: String,
    /// Goes on behind the last record; refused once the topic was deleted, also if another has its name.
    cursor: String,
}

impl ReadQuery {
    pub(crate) fn limits(&self) -> Result<ReadLimits, Refused> {
        let asked = AskedLimits {
            bytes: self.max_bytes.map(i64::from),
            records: self.max_records.map(i64::from),
            wait_ms: self.wait_ms.map(i64::from),
        };
        Ok(ReadLimits::of_read(asked)?)
    }

    pub(crate) fn from(&self) -> Result<From, Refused> {
        Ok(From::read(self.from.as_deref().unwrap_or("earliest"))?)
    }
}

/// Read records of a partition
///
/// Answers at once with what is there; with `wait_ms`, as soon as something is. Nobody's offsets are stored: `cursor` and
/// `next_offset` say where to go on.
///
/// With `Accept: application/x-protobuf` the answer is the message `ReadResponse` of `openapi/proto`, with bytes as they are.
#[utoipa::path(
    get, path = "/v1/topics/{topic}/partitions/{partition}/records", operation_id = "readRecords", tag = "records",
    params(
        ("topic" = String, Path, description = "The topic's name"),
        ("partition" = i32, Path, description = "The partition's number"),
        ReadQuery,
    ),
    responses(
        (status = 200, description = "Records, none if there were none in time", body = ReadResponse),
        (status = 416, description = "The offset is not in the partition", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn read_records(
    Caller { door, .. }: Caller,
    Named((topic, partition)): Named<(String, i32)>,
    Asked(query): Asked<ReadQuery>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let (limits, from) = (query.limits()?, query.from()?);
    let gateway = &door.gateway;
    let id = gateway.topic_of(&topic, partition).await?;
    let place = TopicPartition { topic: id, partition: PartitionIndex(partition) };
    let offset = gateway.start(&topic, place, &from).await?;
    let wanted = [((Text::from(topic.as_str()), PartitionIndex(partition)), offset)];
    let mut page = gateway.read(&wanted, &limits).await;
    if let Some((_, refusal)) = page.refused.pop() {
        return Err(refusal.into());
    }
    let claim = gateway.answers().claim(page.bytes()).await?;
    if Form::of_answer(&headers) == Form::Protobuf {
        let mut records = Vec::new();
        let reached =
            page.take(&limits, |_, record| records.push(message::shown(&topic, partition, record)))?;
        let next = reached.first().copied().unwrap_or(offset);
        let answer = aquifer_contract::v1::ReadResponse {
            records,
            next_offset: next.0,
            high_watermark: page.high_watermark(0).unwrap_or(next).0,
            cursor: Cursor::of_topic(id, [(place, next)].into()).to_string(),
        };
        return Ok(protobuf::page(&answer, claim));
    }
    let values = query.values.unwrap_or_default();
    let taking = page.taking();
    let mut answer = Answer {
        topic,
        place,
        values,
        limits,
        page,
        taking,
        last_bytes: 0,
        is_over: false,
        claim: Some(claim),
    };
    let first = answer.write_on()?;
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    let body = match answer.is_over {
        true => Body::from(first),
        false => Body::from_stream(stream::once(ready(Ok(first))).chain(answer.rest())),
    };
    Ok((headers, body).into_response())
}

/// Records that are written as JSON piece by piece, while those before are on their way.
struct Answer {
    topic: String,
    place: TopicPartition,
    values: Values,
    limits: ReadLimits,
    page: Page,
    taking: Taking,
    last_bytes: usize,
    is_over: bool,
    /// The room that the page takes; goes with the last piece.
    claim: Option<Claim>,
}

impl Answer {
    /// The next piece: whole batches, and what comes behind the last record.
    fn write_on(&mut self) -> Result<Bytes, Refusal> {
        let Answer { topic, place, values, limits, page, taking, last_bytes, .. } = self;
        let is_first = *last_bytes == 0;
        let expected = if is_first { page.bytes().min(PIECE_BYTES) } else { *last_bytes };
        // A quarter more for what is written around them.
        let mut body = Vec::with_capacity(expected + expected / 4 + 512);
        if is_first {
            body.extend_from_slice(b"{\"records\":[");
        }
        let start = body.len();
        let mut is_over = false;
        while !is_over && body.len() < PIECE_BYTES {
            let more = page.take_next(taking, limits, |_, record| {
                if !is_first || body.len() > start {
                    body.push(b',');
                }
                Shown::new(topic, place.partition.0, record, *values).write(&mut body);
            });
            is_over = !more?;
        }
        if is_over {
            let next = taking.reached.first().copied().unwrap_or_default();
            let cursor = Cursor::of_topic(place.topic, [(*place, next)].into()).to_string();
            let high_watermark = page.high_watermark(0).unwrap_or(next);
            let end = format!(
                "],\"next_offset\":\"{next}\",\"high_watermark\":\"{high_watermark}\",\"cursor\":\"{cursor}\"}}"
            );
            body.extend_from_slice(end.as_bytes());
        }
        (self.is_over, self.last_bytes) = (is_over, body.len());
        match self.claim.take_if(|_| is_over) {
            Some(claim) => Ok(held_bytes(body, claim)),
            None => Ok(Bytes::from(body)),
        }
    }

    /// What follows the first piece, as the connection takes it.
    fn rest(self) -> impl Stream<Item = Result<Bytes, Refusal>> {
        unfold(self, |mut answer| async move {
            let piece = (!answer.is_over).then(|| answer.write_on())?;
            Some((piece, answer))
        })
    }
}
