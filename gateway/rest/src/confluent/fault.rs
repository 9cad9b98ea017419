//! `Fault`: a refusal as this API tells it, with a number in place of a name.

use aquifer_gateway::{Code, Refusal};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::media::V2;
use crate::problem::Refused;

/// A refusal on its way to becoming an answer.
#[derive(Debug)]
pub(super) struct Fault {
    refusal: Refusal,
    /// Where the request says more about it than the refusal does.
    number: Option<u16>,
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Fault {
        Fault { refusal, number: None }
    }
}

impl From<Refused> for Fault {
    fn from(Refused(refusal): Refused) -> Fault {
        refusal.into()
    }
}

impl Fault {
    pub(super) fn new(code: Code, detail: impl Into<String>) -> Fault {
        Refusal::new(code, detail).into()
    }

    /// What the body says is not what the operation takes.
    pub(super) fn unprocessable(number: u16, detail: impl Into<String>) -> Fault {
        Fault { refusal: Refusal::new(Code::MalformedBody, detail), number: Some(number) }
    }
}

/// The status and the number behind it that clients of this API decide by.
fn status_and_number(code: Code) -> (u16, i32) {
    match code {
        Code::UnknownTopic => (404, 40_401),
        Code::UnknownPartition => (404, 40_402),
        Code::UnknownInstance => (404, 40_403),
        Code::UnknownGroup => (404, 40_405),
        Code::NotAcceptable => (406, 40_601),
        Code::SubscriptionConflict => (409, 40_903),
        Code::InstanceExists => (409, 40_902),
        Code::NotAssigned => (409, 40_903),
        Code::Unauthenticated => (401, 40_101),
        Code::Forbidden => (403, 40_301),
        Code::MalformedBody | Code::InvalidParameter => (422, 422),
        Code::InvalidRecord | Code::RecordTooLarge => (422, 42_201),
        Code::InvalidPosition | Code::OffsetOutOfRange => (422, 42_202),
        Code::Unavailable | Code::NotEnoughReplicas | Code::StorageFull => (503, 50_301),
        Code::GroupFenced | Code::OutcomeUnknown | Code::Timeout => (500, 50_003),
        Code::Corrupt | Code::Internal => (500, 50_002),
        other => {
            let status = other.entry().http;
            (status, i32::from(status))
        }
    }
}

/// The number of a record's own error: whether sending it again may help.
pub(super) fn record_error(refusal: &Refusal) -> i32 {
    if refusal.code.entry().retryable { 2 } else { 1 }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let Fault { refusal, number } = self;
        let (status, own) = status_and_number(refusal.code);
        let (status, number) = match number {
            Some(number) => (422, i32::from(number)),
            None => (status, own),
        };
        if refusal.code == Code::Internal {
            tracing::error!(detail = %refusal.detail, "a request failed inside");
        }
        let title = refusal.code.entry().title;
        let body = json!({"error_code": number, "message": format!("{title}: {}", refusal.detail)});
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(V2));
        if let Some(wait) = refusal.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        response
    }
}
