//! `Problem`: a refusal as RFC 9457 has it told over HTTP.

use aquifer_gateway::{CATALOGUE, Code, Refusal};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::metrics::RefusedAs;

/// What went wrong, for programs by `code` and for people by the rest.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Where the code is explained.
    #[schema(example = "/v1/problems/unknown_topic")]
    pub r#type: String,
    pub title: String,
    #[schema(example = 404)]
    pub status: i32,
    pub detail: String,
    /// Stable: programs decide by it. More codes may come.
    #[schema(example = "unknown_topic")]
    pub code: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// What to do about it.
    pub hint: String,
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<i32>,
    /// What the request would have had to say.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What is, in place of what the request said.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual: Option<String>,
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub earliest_offset: Option<String>,
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latest_offset: Option<String>,
}

/// A refusal on its way to becoming an answer.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) Refusal);

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        Refused(refusal)
    }
}

impl Refused {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Refused {
        Refused(Refusal::new(code, detail))
    }
}

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Problem {
        let entry = refusal.code.entry();
        let facts = (*refusal.facts).clone();
        Problem {
            r#type: format!("/v1/problems/{}", entry.name),
            title: entry.title.to_owned(),
            status: i32::from(entry.http),
            detail: refusal.detail.clone(),
            code: entry.name.to_owned(),
            retryable: entry.retryable,
            hint: entry.hint.to_owned(),
            topic: facts.topic,
            partition: facts.partition,
            expected: facts.expected,
            actual: facts.actual,
            earliest_offset: facts.earliest_offset,
            latest_offset: facts.latest_offset,
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Refused(refusal) = self;
        let status = StatusCode::from_u16(refusal.code.entry().http);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if refusal.code == Code::Internal {
            tracing::error!(detail = %refusal.detail, "a request failed inside");
        }
        let body = serde_json::to_vec(&Problem::from(&refusal)).unwrap_or_default();
        let mut response = (status, body).into_response();
        response.extensions_mut().insert(RefusedAs(refusal.code.entry().name));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        // Caches may keep some statuses that nobody forbids them to; what was refused once may be there soon.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = refusal.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        if refusal.code == Code::Unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The whole catalogue, for `/v1/problems`.
pub(crate) fn catalogue() -> serde_json::Value {
    let entries = CATALOGUE.iter().map(|(_, entry)| {
        serde_json::json!({
            "code": entry.name,
            "status": entry.http,
            "grpc_status": entry.grpc,
            "title": entry.title,
            "retryable": entry.retryable,
            "hint": entry.hint,
        })
    });
    serde_json::json!({ "items": entries.collect::<Vec<_>>() })
}
