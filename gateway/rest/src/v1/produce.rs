//! Records in: JSON, single raw values, Kafka's record batches.

use aquifer_gateway::{Appended, Code, Record, RecordHeader, Refusal, Settled};
use aquifer_types::PartitionIndex;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::Body as HttpBody;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt::Display;
use utoipa::{IntoParams, ToSchema};

use super::once::{read_terms, terms_of_message};
use crate::body::{is_of, must_be, take};
use crate::caller::Caller;
use crate::extract::{Asked, Named};
use crate::problem::{Problem, Refused};
use crate::protobuf::{self, Form, PROTOBUF};
use crate::record::{NewRecord, Number};

pub(crate) const RECORD_BATCH: &str = "application/vnd.kafka.recordbatch";
/// Where JSON and messages are taken.
pub(crate) const RECORDS_ROUTE: &str = "/v1/topics/{topic}/records";
const TRACE: &str = "traceparent";
const TRACE_HEADER: HeaderName = HeaderName::from_static(TRACE);
/// What a request header that becomes a header of the record begins with.
const RECORD_HEADER: &str = "record-header-";

/// Records to be appended to a topic.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProduceRequest)]
struct ProduceRequest<'a> {
    #[serde(borrow)]
    records: Vec<NewRecord<'a>>,
    /// As the producer session's last answer told it; in place of the header `Producer-Seq`.
    #[serde(default)]
    #[schema(nullable = false)]
    producer_state: Option<String>,
}

/// What became of each record, in their order.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProduceResponse {
    pub(crate) results: Vec<ProduceResult>,
    /// How many of them failed.
    pub(crate) failed: i32,
    /// For the producer session's next request.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) producer_state: Option<String>,
}

/// Where a record stands, or why it does not.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProduceResult {
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) partition: Option<i32>,
    #[schema(value_type = Option<String>, nullable = false, pattern = "^[0-9]+$", example = "12")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) offset: Option<Number>,
    /// Whether an earlier try of the request had appended it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(nullable = false, required = false)]
    pub(crate) duplicate: bool,
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Problem>,
}

/// How a raw value becomes a record.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RawQuery {
    /// The record's key.
    #[param(nullable = false)]
    key: Option<String>,
    /// By key if absent.
    #[param(nullable = false)]
    partition: Option<i32>,
}

impl From<Result<Appended, Refusal>> for ProduceResult {
    fn from(result: Result<Appended, Refusal>) -> ProduceResult {
        match result {
            Ok(appended) => ProduceResult {
                partition: Some(appended.partition.0),
                offset: appended.offset.map(Number),
                duplicate: appended.duplicate,
                error: None,
            },
            Err(refusal) => ProduceResult {
                partition: refusal.facts.partition,
                offset: None,
                duplicate: false,
                error: Some((&refusal).into()),
            },
        }
    }
}

/// Append records
///
/// Records are answered one by one: 200 if all were appended, 207 if some were not. If none was, all for the same
/// reason, that problem is the answer.
///
/// The body may also be `application/x-protobuf`, the message `ProduceRequest` of `openapi/proto`, whose topic is empty or
/// the path's. The answer is the message `ProduceResponse` where `Accept` asks for that, or where it does not say and the
/// body was one; problems are always JSON.
#[utoipa::path(
    post, path = "/v1/topics/{topic}/records", operation_id = "produceRecords", tag = "records",
    params(
        ("topic" = String, Path, description = "The topic's name"),
        ("Producer-Id" = inline(Option<String>), Header, nullable = false, description = "Of a producer session: the request is appended once, however often it is sent"),
        ("Producer-Epoch" = inline(Option<i32>), Header, nullable = false, description = "The session's epoch"),
        ("Producer-Seq" = inline(Option<i32>), Header, nullable = false, description = "The number of the first record in its one partition; producer_state in the body stands in its place"),
        ("Idempotency-Key" = inline(Option<String>), Header, nullable = false, description = "A key of this request alone: the request is appended once, however often it is sent"),
        ("Fencing-Token" = inline(Option<String>), Header, nullable = false, description = "Appended only if the partition, which every record names, has this fencing token"),
        ("Expected-Offset" = inline(Option<String>), Header, nullable = false, description = "Appended only if the partition, which every record names, ends here"),
    ),
    request_body(content = ProduceRequest<'static>, content_type = "application/json", description = "The records"),
    responses(
        (status = 200, description = "Every record was appended", body = ProduceResponse),
        (status = 207, description = "Some records were appended", body = ProduceResponse),
        (status = 403, description = "A newer epoch of the producer has taken over", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Records of the producer are missing before these", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "The partition does not end at the expected offset, or has another fencing token", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn produce_records(
    caller: Caller,
    Named(topic): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    append_records(&caller, &topic, &headers, body).await
}

/// The same for who has it from no router.
pub(crate) async fn append_records<B>(
    Caller { door, principal }: &Caller,
    topic: &str,
    headers: &HeaderMap,
    body: B,
) -> Result<Response, Refused>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Display,
{
    let is_message = is_of(headers, PROTOBUF);
    if !is_message {
        must_be(headers, "application/json")?;
    }
    let taken = take(door, headers, body).await?;
    let message = if is_message { Some(protobuf::request(topic, &taken.bytes)?) } else { None };
    let (mut records, terms) = door.read(taken.bytes.len(), || match &message {
        Some(message) => Ok((protobuf::records(message)?, terms_of_message(message, headers)?)),
        None => {
            let request: ProduceRequest<'_> = read_json(&taken.bytes)?;
            let terms = read_terms(headers, request.producer_state)?;
            Ok::<_, Refused>((read_records(request.records)?, terms))
        }
    })?;
    trace(&mut records, headers);
    let Settled { results, state } = door.gateway.append_on(principal, topic, &records, &terms).await?;
    Ok(answer(results, state, Form::of_answer(headers)))
}

fn read_records(records: Vec<NewRecord<'_>>) -> Result<Vec<Record<'_>>, Refused> {
    let numbered = records.into_iter().enumerate();
    let read = numbered.map(|(index, record)| {
        record.read().map_err(|why| Refused::new(Code::InvalidRecord, format!("records[{index}] {why}")))
    });
    read.collect()
}

/// Append one record with the body as its value
///
/// The body is taken as it is. Headers named `Record-Header-NAME` become headers of the record.
#[utoipa::path(
    post, path = "/v1/topics/{topic}/records:raw", operation_id = "produceRaw", tag = "records",
    params(("topic" = String, Path, description = "The topic's name"), RawQuery),
    request_body(content = Blob, content_type = "application/octet-stream", description = "The value"),
    responses(
        (status = 200, description = "The record was appended", body = ProduceResponse),
    ),
)]
pub(crate) async fn produce_raw(
    Caller { door, .. }: Caller,
    Named(topic): Named<String>,
    Asked(query): Asked<RawQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    let taken = take(&door, &headers, body).await?;
    let named = headers.iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix(RECORD_HEADER)?;
        Some(RecordHeader { name: Cow::Borrowed(name), value: Some(Cow::Borrowed(value.as_bytes())) })
    });
    let mut records = [Record {
        partition: query.partition,
        key: query.key.map(|key| Cow::Owned(key.into_bytes())),
        value: Some(Cow::Borrowed(&taken.bytes)),
        headers: named.collect(),
        timestamp: None,
    }];
    trace(&mut records, &headers);
    Ok(answer(door.gateway.append(&topic, &records).await, None, Form::of_answer(&headers)))
}

/// Append record batches of Kafka's format
///
/// The body is one or more batches of version 2, packed or not; they are appended as they are, one after another.
#[utoipa::path(
    post, path = "/v1/topics/{topic}/partitions/{partition}/records:batch", operation_id = "produceBatches", tag = "records",
    params(
        ("topic" = String, Path, description = "The topic's name"),
        ("partition" = i32, Path, description = "The partition's number"),
    ),
    request_body(content = Blob, content_type = "application/vnd.kafka.recordbatch", description = "The batches"),
    responses(
        (status = 200, description = "Where each batch begins", body = ProduceResponse),
    ),
)]
pub(crate) async fn produce_batches(
    Caller { door, .. }: Caller,
    Named((topic, partition)): Named<(String, i32)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    must_be(&headers, RECORD_BATCH)?;
    let taken = take(&door, &headers, body).await?;
    let appended = door.gateway.append_batches(&topic, PartitionIndex(partition), &taken.bytes).await?;
    Ok(answer(appended.into_iter().map(Ok).collect(), None, Form::of_answer(&headers)))
}

/// Bytes.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
pub(super) struct Blob(#[allow(dead_code, reason = "only its schema is used")] Vec<u8>);

/// Reads a JSON body; what is no JSON and what is not what was asked for differ.
pub(crate) fn read_json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Refused> {
    // What reads an object would read a list of its fields too.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Refused::new(Code::MalformedBody, "the body is a list, where an object is read"));
    }
    serde_json::from_slice(bytes).map_err(|error| Refused::new(Code::MalformedBody, error.to_string()))
}

/// Has records carry on the caller's trace, where they do not carry one.
pub(crate) fn trace<'a>(records: &mut [Record<'a>], headers: &'a HeaderMap) {
    let Some(parent) = headers.get(TRACE_HEADER) else { return };
    for record in records {
        if !record.headers.iter().any(|header| header.name == TRACE) {
            let value = Some(Cow::Borrowed(parent.as_bytes()));
            record.headers.push(RecordHeader { name: Cow::Borrowed(TRACE), value });
        }
    }
}

fn answer(results: Vec<Result<Appended, Refusal>>, producer_state: Option<String>, form: Form) -> Response {
    let failed = results.iter().filter(|result| result.is_err()).count();
    if failed > 0 && failed == results.len() {
        let alike = |one: &Result<Appended, Refusal>, other: &Result<Appended, Refusal>| matches!((one, other), (Err(one), Err(other)) if one.code == other.code);
        if results.iter().all(|result| alike(result, &results[0])) {
            let first = results.into_iter().next().and_then(Result::err);
            return first
                .map_or_else(|| StatusCode::OK.into_response(), |refusal| Refused(refusal).into_response());
        }
    }
    let status = if failed == 0 { StatusCode::OK } else { StatusCode::MULTI_STATUS };
    let is_duplicate = !results.is_empty()
        && results.iter().all(|result| result.as_ref().is_ok_and(|appended| appended.duplicate));
    let failed = i32::try_from(failed).unwrap_or(i32::MAX);
    let mut response = match form {
        Form::Protobuf => protobuf::produced(results, failed, producer_state),
        Form::Json => {
            let results = results.into_iter().map(ProduceResult::from).collect();
            let answer = ProduceResponse { results, failed, producer_state };
            let body = serde_json::to_vec(&answer).unwrap_or_default();
            ([(header::CONTENT_TYPE, "application/json")], body).into_response()
        }
    };
    *response.status_mut() = status;
    if is_duplicate {
        response.headers_mut().insert("duplicate", HeaderValue::from_static("true"));
    }
    response
}

#[cfg(test)]
#[path = "produce_test.rs"]
mod tests;
