//! Refusals as gRPC tells them: a status, with the catalogue's code in its metadata.

use aquifer_contract::v1::Problem;
use aquifer_gateway::{Gateway, Principal, Refusal};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};

const CODE: &str = "aquifer-code";
const RETRYABLE: &str = "aquifer-retryable";
const RETRY_AFTER: &str = "retry-after";
const EXPECTED: &str = "aquifer-expected";

/// The whole request was refused.
pub(crate) fn status(refusal: &Refusal) -> Status {
    let entry = refusal.code.entry();
    let mut status = Status::new(Code::from_i32(entry.grpc), format!("{}: {}", entry.title, refusal.detail));
    let metadata = status.metadata_mut();
    metadata.insert(CODE, MetadataValue::from_static(entry.name));
    metadata.insert(RETRYABLE, MetadataValue::from_static(if entry.retryable { "true" } else { "false" }));
    if let Some(wait) = refusal.retry_after {
        metadata.insert(RETRY_AFTER, MetadataValue::from(wait.as_secs().max(1)));
    }
    let expected = refusal.facts.expected.as_deref().and_then(|text| MetadataValue::try_from(text).ok());
    if let Some(expected) = expected {
        metadata.insert(EXPECTED, expected);
    }
    status
}

/// Part of a request was refused.
pub(crate) fn problem(refusal: &Refusal) -> Problem {
    let entry = refusal.code.entry();
    Problem {
        code: entry.name.to_owned(),
        detail: refusal.detail.clone(),
        retryable: entry.retryable,
        hint: entry.hint.to_owned(),
        expected: refusal.facts.expected.clone(),
        actual: refusal.facts.actual.clone(),
    }
}

/// Who calls, and the gateway that acts for it.
pub(crate) async fn caller(
    gateway: &Gateway,
    metadata: &MetadataMap,
) -> Result<(Principal, Gateway), Status> {
    let text = |name: &str| metadata.get(name).and_then(|value| value.to_str().ok());
    let admitted = gateway.admit(text("authorization"), text("x-api-key")).await;
    admitted.map_err(|refusal| status(&refusal))
}
