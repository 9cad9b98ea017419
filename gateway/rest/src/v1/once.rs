//! What makes a produce request safe to send again, and on what conditions it is done, as headers and body say it.

use aquifer_contract::v1::ProduceRequest;
use aquifer_gateway::{Code, Once, Terms, fencing_token};
use axum::http::{HeaderMap, HeaderName};

use crate::problem::Refused;

const ID: HeaderName = HeaderName::from_static("producer-id");
const EPOCH: HeaderName = HeaderName::from_static("producer-epoch");
const SEQUENCE: HeaderName = HeaderName::from_static("producer-seq");
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const EXPECTED: HeaderName = HeaderName::from_static("expected-offset");
const TOKEN: HeaderName = HeaderName::from_static("fencing-token");

/// What the headers say; `state` is what the body brings of an earlier answer.
pub(super) fn read_terms(headers: &HeaderMap, state: Option<String>) -> Result<Terms, Refused> {
    let refused = |detail: String| Refused::new(Code::InvalidParameter, detail);
    let text = |name: HeaderName| {
        let value = headers.get(&name).map(|value| value.to_str().map(str::trim));
        value.transpose().map_err(|_not_text| refused(format!("{name} is not text")))
    };
    let (producer, key, expected) = (text(ID)?, text(KEY)?, text(EXPECTED)?);
    let said = [producer.is_some(), key.is_some(), expected.is_some()];
    if said.iter().filter(|said| **said).count() > 1 {
        return Err(refused(
            "Producer-Id, Idempotency-Key and Expected-Offset exclude one another".to_owned(),
        ));
    }
    let number = |name: HeaderName, max: i64| {
        let value = text(name.clone())?.ok_or_else(|| refused(format!("{name} is missing")))?;
        let number = value.parse::<i64>().ok().filter(|number| (0..=max).contains(number));
        number.ok_or_else(|| refused(format!("{name} is {value}, not a number from 0 to {max}")))
    };
    let token = text(TOKEN)?.map(fencing_token).transpose()?;
    if let Some(producer) = producer {
        let producer = producer.to_owned();
        let epoch = i16::try_from(number(EPOCH, i64::from(i16::MAX))?).unwrap_or(i16::MAX);
        let once = match state {
            Some(state) => Once::State { producer, epoch, state },
            None => {
                let first = i32::try_from(number(SEQUENCE, i64::from(i32::MAX))?).unwrap_or(i32::MAX);
                Once::Sequence { producer, epoch, first }
            }
        };
        return Ok(Terms { once: Some(once), token, expected: None });
    }
    if state.is_some() {
        return Err(refused("producer_state comes with Producer-Id".to_owned()));
    }
    if let Some(key) = key {
        // A string of RFC 8941, or as most clients write it.
        let key = key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(key);
        return Ok(Terms { once: Some(Once::Key(key.to_owned())), token, expected: None });
    }
    let expected = expected.map(|_said| number(EXPECTED, i64::MAX)).transpose()?;
    Ok(Terms { once: None, token, expected })
}

/// As a message says it; one that says nothing leaves it to the headers.
pub(super) fn terms_of_message(request: &ProduceRequest, headers: &HeaderMap) -> Result<Terms, Refused> {
    let (in_message, in_headers) = (aquifer_grpc::terms(request)?, read_terms(headers, None)?);
    if in_headers.are_plain() {
        return Ok(in_message);
    }
    if in_message.are_plain() {
        return Ok(in_headers);
    }
    let detail = "terms stand in the message or in the headers, not in both";
    Err(Refused::new(Code::InvalidParameter, detail))
}
