//! Records as the messages of `openapi/proto`, for whoever has them rather than JSON. Refusals stay problems.

use aquifer_contract::v1::{ProduceRequest, ProduceResponse, ReadResponse};
use aquifer_gateway::{Appended, Claim, Code, Record, Refusal};
use aquifer_grpc::message;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use prost::Message;

use crate::answer::held;
use crate::body::is_of;
use crate::problem::Refused;

pub(crate) const PROTOBUF: &str = "application/x-protobuf";

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Protobuf,
}

impl Form {
    /// As the caller accepts it; one that accepts either has it as its own body came.
    pub(crate) fn of_answer(headers: &HeaderMap) -> Form {
        let own = if is_of(headers, PROTOBUF) { Form::Protobuf } else { Form::Json };
        let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let ranges = accepted.flat_map(|value| value.split(',')).filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let form = match parts.next()?.to_ascii_lowercase().as_str() {
                PROTOBUF => Form::Protobuf,
                "application/json" => Form::Json,
                "*/*" | "application/*" => own,
                _ => return None,
            };
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
            (weight > 0.0).then_some((form, weight))
        });
        // Of those that are liked alike, the first.
        let best = ranges.reduce(|best, next| if next.1 > best.1 { next } else { best });
        best.map_or(own, |(form, _)| form)
    }
}

/// A request to append, whose topic is the path's.
pub(crate) fn request(topic: &str, body: &Bytes) -> Result<ProduceRequest, Refused> {
    let request = ProduceRequest::decode(&**body);
    let request = request.map_err(|error| {
        Refused::new(Code::MalformedBody, format!("the body is no ProduceRequest: {error}"))
    })?;
    if !request.topic.is_empty() && request.topic != topic {
        let detail = format!("the body names the topic {}, and the path {topic}", request.topic);
        return Err(Refused::new(Code::InvalidParameter, detail));
    }
    Ok(request)
}

/// What a request is to append.
pub(crate) fn records(request: &ProduceRequest) -> Result<Vec<Record<'_>>, Refused> {
    let below = request.records.iter().position(|record| record.partition.is_some_and(|index| index < 0));
    if let Some(index) = below {
        return Err(Refused::new(Code::InvalidRecord, format!("records[{index}] has a partition below 0")));
    }
    Ok(request.records.iter().map(message::to_append).collect())
}

pub(crate) fn produced(
    results: Vec<Result<Appended, Refusal>>,
    failed: i32,
    producer_state: Option<String>,
) -> Response {
    let results = results.into_iter().map(message::result).collect();
    answer(&ProduceResponse { results, failed, producer_state })
}

/// A page of a partition.
pub(crate) fn page(page: &ReadResponse, claim: Claim) -> Response {
    let headers = [(header::CONTENT_TYPE, PROTOBUF), (header::CACHE_CONTROL, "no-store")];
    (headers, held(page.encode_to_vec(), claim)).into_response()
}

fn answer(message: &impl Message) -> Response {
    ([(header::CONTENT_TYPE, PROTOBUF)], message.encode_to_vec()).into_response()
}

#[cfg(test)]
mod protobuf_test {
    use super::*;

    fn form(media: Option<&str>, accept: Option<&str>) -> Form {
        let mut headers = HeaderMap::new();
        for (name, value) in [(header::CONTENT_TYPE, media), (header::ACCEPT, accept)] {
            if let Some(value) = value {
                headers.insert(name, value.parse().expect("a value"));
            }
        }
        Form::of_answer(&headers)
    }

    #[test]
    fn an_answer_is_written_as_it_is_accepted_and_else_as_the_body_came() {
        for (media, accept, expected) in [
            (None, None, Form::Json),
            (None, Some("*/*"), Form::Json),
            (None, Some("application/x-protobuf"), Form::Protobuf),
            (Some("application/json"), Some("text/html, Application/X-Protobuf;q=0.5"), Form::Protobuf),
            (None, Some("application/x-protobuf;q=0.5, application/json"), Form::Json),
            (Some(PROTOBUF), None, Form::Protobuf),
            (Some(PROTOBUF), Some("*/*"), Form::Protobuf),
            (Some(PROTOBUF), Some("application/json"), Form::Json),
            (Some("application/json"), Some("application/x-protobuf;q=0, application/json"), Form::Json),
        ] {
            assert_eq!(form(media, accept), expected, "{media:?} {accept:?}");
        }
    }

    #[test]
    fn a_body_that_is_no_message_or_names_another_topic_is_refused() {
        let body = ProduceRequest { topic: "a".to_owned(), ..ProduceRequest::default() }.encode_to_vec();

        assert!(request("a", &body.clone().into()).is_ok());
        assert!(request("b", &body.into()).is_err());
        assert!(request("a", &Bytes::from_static(&[255; 9])).is_err());
    }
}
