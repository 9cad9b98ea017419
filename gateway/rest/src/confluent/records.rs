//! Records out of a consumer instance.

use std::time::Duration;

use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::fault::Fault;
use super::media::{format_accepted, of_records};
use crate::answer::held;
use crate::caller::Caller;
use crate::extract::{Asked, Named};

const BYTES: usize = 4 * 1024 * 1024;
const BYTES_MAX: usize = 64 * 1024 * 1024;
const WAIT_MAX: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
pub(super) struct Query {
    timeout: Option<u64>,
    max_bytes: Option<i64>,
}

#[derive(Serialize)]
struct Shown<'a> {
    topic: &'a str,
    key: Content<'a>,
    value: Content<'a>,
    partition: i32,
    offset: i64,
}

/// A key or value in the instance's format.
#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Json(&'a RawValue),
    Text(String),
    Nothing,
}

impl<'a> Content<'a> {
    fn of(bytes: Option<&'a [u8]>, is_json: bool) -> Content<'a> {
        let Some(bytes) = bytes else { return Content::Nothing };
        if !is_json {
            return Content::Text(STANDARD.encode(bytes));
        }
        match (serde_json::from_slice(bytes), std::str::from_utf8(bytes)) {
            (Ok(json), _) => Content::Json(json),
            // Whoever wrote it did not mean JSON; a reader that fails on it would never get past it.
            (Err(_), Ok(text)) => Content::Text(text.to_owned()),
            (Err(_), Err(_)) => Content::Text(STANDARD.encode(bytes)),
        }
    }
}

pub(super) async fn read(
    Caller { door, principal: caller }: Caller,
    Named((group, name)): Named<(String, String)>,
    Asked(query): Asked<Query>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let is_json = format_accepted(&headers)?;
    let wait = query.timeout.map(|wait| Duration::from_millis(wait).min(WAIT_MAX));
    // Less than zero is as much as there may be, as this API has it.
    let bytes_max = query.max_bytes.map_or(BYTES, |bytes| usize::try_from(bytes).unwrap_or(BYTES_MAX));
    let bytes_max = bytes_max.clamp(1, BYTES_MAX);
    let mut read = door.gateway.read_instance(&caller, (&group, &name), is_json, wait, bytes_max).await?;
    let is_json = read.is_json();
    let claim = door.gateway.answers().claim(read.bytes()).await?;
    let mut body = Vec::with_capacity(256 + read.bytes());
    body.push(b'[');
    read.take(|(topic, partition), record| {
        if body.len() > 1 {
            body.push(b',');
        }
        let shown = Shown {
            topic,
            key: Content::of(record.key, is_json),
            value: Content::of(record.value, is_json),
            partition: partition.0,
            offset: record.offset.0,
        };
        // Writing into memory cannot fail, and none of the fields refuses to be written.
        let _ = serde_json::to_writer(&mut body, &shown);
    })?;
    body.push(b']');
    door.gateway.keep_read(&caller, read).await?;
    let headers = [(header::CONTENT_TYPE, of_records(is_json)), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, held(body, claim)).into_response())
}
