//! History as immutable chunks of Kafka's record batches, under names that caches may keep.

use aquifer_gateway::{CHUNK_OFFSETS, Chunk, ChunkFrame, ChunkStream, Code, From, Layout, Wanted};
use aquifer_types::{PartitionIndex, TopicId, TopicPartition};
use axum::Json;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream::unfold;
use http_body_util::StreamBody;
use hyper::body::Frame;
use serde::{Deserialize, Serialize};
use std::io;
use utoipa::{IntoParams, ToSchema};

use super::conditions::{Asked as AskedBytes, asked, has_it, takes_trailers};
use super::produce::{Blob, RECORD_BATCH};
use crate::answer::held_bytes;
use crate::caller::Caller;
use crate::door::Door;
use crate::extract::{Asked, Named};
use crate::problem::{Problem, Refused};
use crate::record::Number;

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
const PAGE: i64 = 100;
const PAGE_MAX: i64 = 1_000;

/// Where to begin, and how many chunks to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ChunksQuery {
    /// `earliest`, `latest`, an offset, `-N` (so many before the end), `@` and a time of RFC 3339, or a cursor.
    #[param(nullable = false, default = "earliest")]
    from: Option<String>,
    /// At most 1000.
    #[param(nullable = false, default = 100, minimum = 1)]
    page_size: Option<i32>,
    /// As the page before told it.
    #[param(nullable = false)]
    page_token: Option<String>,
}

/// A part of a partition that does not change.
#[derive(Serialize, ToSchema)]
pub(crate) struct PartitionChunk {
    #[schema(value_type = String, pattern = "^[0-9]+$")]
    chunk: Number,
    /// No batch of it begins before.
    #[schema(value_type = String, pattern = "^[0-9]+$")]
    first_offset: Number,
    /// No batch of it begins there or later; its last one may end later.
    #[schema(value_type = String, pattern = "^[0-9]+$")]
    end_offset: Number,
    /// Where it is served.
    path: String,
}

/// Chunks in their order.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChunkPage {
    items: Vec<PartitionChunk>,
    topic: String,
    /// Of a chunk; the same for every topic, for good.
    #[schema(example = 8192)]
    offsets_per_chunk: i32,
    /// The first offset that the partition still has. Records before the first chunk are read as records.
    #[schema(value_type = String, pattern = "^[0-9]+$")]
    earliest_offset: Number,
    /// Behind the last record that is in a chunk. What comes later is read as records.
    #[schema(value_type = String, pattern = "^[0-9]+$")]
    next_offset: Number,
    /// Absent on the last page.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

fn place(topic: &str, partition: i32) -> Result<TopicPartition, Refused> {
    let id = topic.parse().map_err(|_not_an_id| {
        let detail = format!("{topic:.40} is no topic's id; GET /v1/topics/{{topic}} tells it");
        Refused::new(Code::InvalidParameter, detail)
    })?;
    Ok(TopicPartition { topic: TopicId(id), partition: PartitionIndex(partition) })
}

/// List the chunks of a partition
///
/// A chunk is all record batches whose base offset lies in `offsets_per_chunk` offsets, beginning at a multiple of that:
/// chunk k at k times. It is there once everything in it is committed, and until retention takes its first offset.
/// Compacted topics have none.
#[utoipa::path(
    get, path = "/v1/topic-ids/{topic_id}/partitions/{partition}/chunks", operation_id = "listChunks", tag = "records",
    params(
        ("topic_id" = String, Path, description = "The topic's id"),
        ("partition" = i32, Path, description = "The partition's number"),
        ChunksQuery,
    ),
    responses(
        (status = 200, description = "The chunks that there are, from the one that holds the first record that is wanted", body = ChunkPage),
        (status = 409, description = "The topic is compacted", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_chunks(
    Caller { door, .. }: Caller,
    Named((topic_id, partition)): Named<(String, i32)>,
    Asked(query): Asked<ChunksQuery>,
) -> Result<Json<ChunkPage>, Refused> {
    let place = place(&topic_id, partition)?;
    let from = From::read(query.from.as_deref().unwrap_or("earliest"))?;
    let refused = |detail: String| Refused::new(Code::InvalidParameter, detail);
    let size = match query.page_size.map_or(PAGE, i64::from) {
        size @ 1.. => size.min(PAGE_MAX),
        size => return Err(refused(format!("page_size is {size}; it is 1 at least"))),
    };
    let after: Option<i64> = match query.page_token.as_deref() {
        None | Some("") => None,
        Some(token) => {
            let number = token.parse().ok().filter(|number| *number >= 0);
            Some(number.ok_or_else(|| refused("page_token is not one that a page told".to_owned()))?)
        }
    };
    let listed = door.gateway.chunks(place, &from).await?;
    let begin = after.unwrap_or(listed.numbers.start).clamp(listed.numbers.start, listed.numbers.end);
    let end = begin.saturating_add(size).min(listed.numbers.end);
    let items = (begin..end).map(|number| PartitionChunk {
        chunk: Number(number),
        first_offset: Number(number * CHUNK_OFFSETS),
        end_offset: Number((number + 1) * CHUNK_OFFSETS),
        path: format!("/v1/topic-ids/{topic_id}/partitions/{partition}/chunks/{number}"),
    });
    Ok(Json(ChunkPage {
        items: items.collect(),
        topic: listed.topic,
        offsets_per_chunk: i32::try_from(CHUNK_OFFSETS).unwrap_or(i32::MAX),
        earliest_offset: Number(listed.earliest.0),
        next_offset: Number(listed.next.0),
        next_page_token: (end < listed.numbers.end).then(|| end.to_string()),
    }))
}

/// Read a chunk
///
/// Kafka's record batches as they stand in the log, packed as they were produced; those of transactions that were given up
/// are among them, as are the markers that say so. The bytes never change, so caches may keep them for as long as the topic's
/// `aquifer.chunks.max.age.ms` says, a year if nothing does, private ones only unless `aquifer.chunks.public` is set. Caches
/// may keep what retention or a deletion has removed from the topic.
///
/// With `TE: trailers` the answer's SHA-256 follows it as `Content-Digest`; where it is known, it comes before.
#[utoipa::path(
    get, path = "/v1/topic-ids/{topic_id}/partitions/{partition}/chunks/{chunk}", operation_id = "readChunk", tag = "records",
    params(
        ("topic_id" = String, Path, description = "The topic's id"),
        ("partition" = i32, Path, description = "The partition's number"),
        ("chunk" = String, Path, description = "The chunk's number", pattern = "^[0-9]{1,15}$"),
        ("If-None-Match" = inline(Option<String>), Header, nullable = false, description = "An ETag of the chunk: answered 304 if it is still the one"),
        ("Range" = inline(Option<String>), Header, nullable = false, description = "One range of bytes"),
        ("If-Range" = inline(Option<String>), Header, nullable = false, description = "The range is of the chunk with this ETag; otherwise everything is wanted"),
    ),
    responses(
        (status = 200, description = "The batches", body = Blob, content_type = "application/vnd.kafka.recordbatch"),
        (status = 206, description = "The bytes that were asked for", body = Blob, content_type = "application/vnd.kafka.recordbatch"),
        (status = 304, description = "It is the one that the caller has"),
        (status = 404, description = "The topic is not there, or the chunk is not complete yet", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The topic is compacted", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "Retention took some of it", body = Problem, content_type = "application/problem+json"),
        (status = 416, description = "The chunk has no such bytes", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn read_chunk(
    Caller { door, .. }: Caller,
    Named((topic_id, partition, number)): Named<(String, i32, String)>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let place = place(&topic_id, partition)?;
    let number =
        number.parse().ok().filter(|number: &i64| *number >= 0).ok_or_else(|| {
            Refused::new(Code::InvalidParameter, format!("{number:.40} is no chunk's number"))
        })?;
    let gateway = &door.gateway;
    let chunk = gateway.chunk(place, number).await?;
    let tag = format!("\"{}\"", chunk.tag());
    let mut response = if has_it(&headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        match asked(&headers, &tag) {
            AskedBytes::All => whole(&door, &chunk, takes_trailers(&headers)).await?,
            bytes => part(&door, &chunk, &bytes).await?,
        }
    };
    if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
        return Ok(response);
    }
    let scope = if chunk.keeping.is_public { "public" } else { "private" };
    let control = format!("{scope}, max-age={}, immutable", chunk.keeping.max_age.as_secs());
    set(&mut response, header::ETAG, &tag);
    set(&mut response, header::CACHE_CONTROL, &control);
    Ok(response)
}

async fn whole(door: &Door, chunk: &Chunk, takes_trailers: bool) -> Result<Response, Refused> {
    let known = chunk.layout.as_deref();
    let digest = known.and_then(digest_of);
    let with_digest = takes_trailers && digest.is_none();
    let frames = door.gateway.send_chunk(chunk.clone(), Wanted::All { with_digest }).await?;
    let mut response = body_of(frames);
    set(&mut response, header::ACCEPT_RANGES, "bytes");
    if with_digest {
        // Trailers need chunks, which a length forbids.
        set(&mut response, header::TRAILER, CONTENT_DIGEST.as_str());
        return Ok(response);
    }
    if let Some(digest) = digest {
        set(&mut response, CONTENT_DIGEST, &digest);
    }
    if let Some(layout) = known {
        set(&mut response, header::CONTENT_LENGTH, &layout.length.to_string());
    }
    Ok(response)
}

/// A part of a chunk, which is read once to the end if nobody has yet: only then its length is known.
async fn part(door: &Door, chunk: &Chunk, bytes: &AskedBytes) -> Result<Response, Refused> {
    let layout = door.gateway.measure_chunk(chunk).await?;
    let length = layout.length;
    let Some(bytes) = bytes.within(length) else {
        let refused = Refused::new(Code::RangeNotSatisfiable, format!("the chunk has {length} bytes"));
        let mut response = refused.into_response();
        set(&mut response, header::CONTENT_RANGE, &format!("bytes */{length}"));
        return Ok(response);
    };
    let digest = digest_of(&layout);
    let frames =
        door.gateway.send_chunk(chunk.clone(), Wanted::Part { bytes: bytes.clone(), layout }).await?;
    let mut response = body_of(frames);
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    let range = format!("bytes {}-{}/{length}", bytes.start, bytes.end - 1);
    set(&mut response, header::CONTENT_RANGE, &range);
    set(&mut response, header::CONTENT_LENGTH, &(bytes.end - bytes.start).to_string());
    if let Some(digest) = digest {
        set(&mut response, REPR_DIGEST, &digest);
    }
    Ok(response)
}

fn body_of(frames: ChunkStream) -> Response {
    let frames = unfold(Some(frames), |frames| async move {
        let mut frames = frames?;
        Some(match frames.next().await? {
            Ok(ChunkFrame::Piece(bytes, claim)) => (Ok(Frame::data(held_bytes(bytes, claim))), Some(frames)),
            Ok(ChunkFrame::Digest(digest)) => {
                let value = HeaderValue::try_from(digest_text(&digest)).ok();
                let trailers = value.into_iter().map(|value| (CONTENT_DIGEST, value)).collect();
                (Ok(Frame::trailers(trailers)), None)
            }
            // The head has left: a body that breaks off is all that can be said.
            Err(refusal) => (Err(io::Error::other(refusal)), None),
        })
    });
    let body = Body::new(StreamBody::new(frames));
    ([(header::CONTENT_TYPE, RECORD_BATCH)], body).into_response()
}

fn digest_of(layout: &Layout) -> Option<String> {
    layout.digest.as_ref().map(digest_text)
}

/// As RFC 9530 writes it.
fn digest_text(digest: &[u8; 32]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(digest))
}

fn set(response: &mut Response, name: HeaderName, value: &str) {
    // Everything that is told here is made of digits, names and ids.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
