//! Stateless reads of one partition.

use aquifer_gateway::{AskedLimits, From, ReadLimits};
use aquifer_grpc::message;
use aquifer_session::Cursor;
use aquifer_types::{PartitionIndex, TopicPartition};
use aquifer_wire::Text;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::answer::held;
use crate::caller::Caller;
use crate::extract::{Asked, Named};
use crate::problem::{Problem, Refused};
use crate::protobuf::{self, Form};
use crate::record::{Shown, Values};

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
    let mut body = Vec::with_capacity(256 + page.bytes());
    body.extend_from_slice(b"{\"records\":[");
    let values = query.values.unwrap_or_default();
    let mut count = 0_usize;
    let reached = page.take(&limits, |_, record| {
        if count > 0 {
            body.push(b',');
        }
        count += 1;
        Shown::new(&topic, partition, record, values).write(&mut body);
    })?;
    let next = reached.first().copied().unwrap_or(offset);
    let cursor = Cursor::of_topic(id, [(place, next)].into()).to_string();
    let high_watermark = page.high_watermark(0).unwrap_or(next);
    body.extend_from_slice(
        format!(
            "],\"next_offset\":\"{next}\",\"high_watermark\":\"{high_watermark}\",\"cursor\":\"{cursor}\"}}"
        )
        .as_bytes(),
    );
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, held(body, claim)).into_response())
}
