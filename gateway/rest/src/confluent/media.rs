//! Media types of this API: the records' format stands in their middle.

use aquifer_gateway::Code;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::fault::Fault;

pub(super) const V2: &str = "application/vnd.kafka.v2+json";
const JSON: &str = "application/vnd.kafka.json.v2+json";
const BINARY: &str = "application/vnd.kafka.binary.v2+json";

/// The value of an answer.
pub(super) struct Shown<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Shown<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, V2)], body).into_response(),
            Err(error) => Fault::new(Code::Internal, error.to_string()).into_response(),
        }
    }
}

/// The media type of records in a format.
pub(super) fn of_records(is_json: bool) -> &'static str {
    if is_json { JSON } else { BINARY }
}

/// Whether records that come are JSON, else base64.
pub(super) fn format_sent(headers: &HeaderMap) -> Result<bool, Fault> {
    let named = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = named.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        JSON => Ok(true),
        // What says no format is binary, as it always was.
        BINARY | V2 | "application/vnd.kafka+json" | "application/json" | "application/octet-stream" => {
            Ok(false)
        }
        other => {
            let detail = format!("Content-Type is {other:?}; {JSON} and {BINARY} are read here");
            Err(Fault::new(Code::UnsupportedMedia, detail))
        }
    }
}

/// Which format the caller accepts; nothing if any will do.
pub(super) fn format_accepted(headers: &HeaderMap) -> Result<Option<bool>, Fault> {
    let Some(accepted) = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()) else {
        return Ok(None);
    };
    let mut found = None;
    for media in accepted.split(',') {
        match media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            JSON => found = found.or(Some(true)),
            BINARY => found = found.or(Some(false)),
            "*/*" | "application/*" | "application/json" | V2 | "application/vnd.kafka+json" | "" => {
                return Ok(None);
            }
            _ => {}
        }
    }
    if found.is_none() {
        let detail = format!("{accepted:?} accepts none of {JSON} and {BINARY}");
        return Err(Fault::new(Code::NotAcceptable, detail));
    }
    Ok(found)
}
