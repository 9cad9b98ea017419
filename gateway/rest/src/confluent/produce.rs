//! Records in: each answered for itself, errors among them, under status 200.

use std::borrow::Cow;

use aquifer_gateway::{Appended, Record, Refusal};
use axum::body::Body;
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::fault::{Fault, record_error};
use super::media::{Shown, format_sent};
use crate::body::take;
use crate::caller::Caller;
use crate::door::Door;
use crate::extract::Named;

/// What a body without records is, and one with what no schema of this API allows.
const UNPROCESSABLE: u16 = 422;

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    records: Vec<NewRecord<'a>>,
}

#[derive(Deserialize)]
struct NewRecord<'a> {
    #[serde(borrow, default)]
    key: Option<&'a RawValue>,
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
    #[serde(default)]
    partition: Option<i32>,
}

#[derive(Serialize)]
pub(super) struct Produced {
    offsets: Vec<Placed>,
    key_schema_id: Option<i32>,
    value_schema_id: Option<i32>,
}

#[derive(Serialize)]
struct Placed {
    partition: Option<i32>,
    offset: Option<i64>,
    error_code: Option<i32>,
    error: Option<String>,
}

impl From<Result<Appended, Refusal>> for Placed {
    fn from(result: Result<Appended, Refusal>) -> Placed {
        match result {
            Ok(appended) => Placed {
                partition: Some(appended.partition.0),
                offset: appended.offset,
                error_code: None,
                error: None,
            },
            Err(refusal) => Placed {
                partition: refusal.facts.partition,
                offset: None,
                error_code: Some(record_error(&refusal)),
                error: Some(refusal.detail),
            },
        }
    }
}

pub(super) async fn to_topic(
    Caller { door, .. }: Caller,
    Named(topic): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Shown<Produced>, Fault> {
    produce(&door, &topic, None, &headers, body).await
}

pub(super) async fn to_partition(
    Caller { door, .. }: Caller,
    Named((topic, partition)): Named<(String, i32)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Shown<Produced>, Fault> {
    door.gateway.topic_of(&topic, partition).await?;
    produce(&door, &topic, Some(partition), &headers, body).await
}

async fn produce(
    door: &Door,
    topic: &str,
    partition: Option<i32>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Shown<Produced>, Fault> {
    let is_json = format_sent(headers)?;
    let taken = take(door, headers, body).await?;
    let request: Request<'_> = serde_json::from_slice(&taken.bytes)
        .map_err(|error| Fault::unprocessable(UNPROCESSABLE, error.to_string()))?;
    if request.records.is_empty() {
        return Err(Fault::unprocessable(UNPROCESSABLE, "records is empty"));
    }
    let mut records = Vec::with_capacity(request.records.len());
    for (index, record) in request.records.into_iter().enumerate() {
        let read = |part: Option<&'_ RawValue>| {
            part.map(|raw| bytes_of(raw, is_json)).transpose().map(Option::flatten)
        };
        let wrong = |why: String| Fault::unprocessable(UNPROCESSABLE, format!("records[{index}]: {why}"));
        records.push(Record {
            partition: partition.or(record.partition),
            key: read(record.key).map_err(wrong)?.map(Cow::Owned),
            value: read(record.value).map_err(wrong)?.map(Cow::Owned),
            ..Record::default()
        });
    }
    // A topic that is not there is told as such, not for each record.
    if let Some(named) = records.iter().find_map(|record| record.partition) {
        door.gateway.topic_of(topic, named.max(0)).await.map(drop).or_else(|refusal| match refusal.code {
            aquifer_gateway::Code::UnknownPartition => Ok(()),
            _ => Err(Fault::from(refusal)),
        })?;
    } else {
        door.gateway.topic_of(topic, 0).await?;
    }
    let appended = door.gateway.append(topic, &records).await;
    let offsets = appended.into_iter().map(Placed::from).collect();
    Ok(Shown(Produced { offsets, key_schema_id: None, value_schema_id: None }))
}

/// The bytes of a key or value; nothing of `null`.
fn bytes_of(raw: &RawValue, is_json: bool) -> Result<Option<Vec<u8>>, String> {
    if raw.get() == "null" {
        return Ok(None);
    }
    if is_json {
        return Ok(Some(raw.get().as_bytes().to_vec()));
    }
    let text: Cow<'_, str> = serde_json::from_str::<Text<'_>>(raw.get())
        .map(|Text(text)| text)
        .map_err(|_other| "is not text in base64".to_owned())?;
    STANDARD.decode(text.as_bytes()).map(Some).map_err(|error| format!("is not base64: {error}"))
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod produce_test {
    use proptest::prelude::*;

    use super::*;
    use crate::mangled::mangled;

    fn body() -> impl Strategy<Value = Vec<u8>> {
        let field = prop_oneof![
            "\"(key|value)\":(null|true|-?[0-9]{1,20}|\"[ -!#-\\[^-~]{0,9}\"|\\{\"a\":[0-9]\\})",
            "\"(key|value)\":\"([A-Za-z0-9+/]{4}){0,3}\"",
            "\"partition\":-?[0-9]{1,11}",
        ];
        let record =
            prop::collection::vec(field, 0..4).prop_map(|fields| format!("{{{}}}", fields.join(",")));
        let records = prop::collection::vec(record, 0..4);
        records.prop_map(|records| format!("{{\"records\":[{}]}}", records.join(",")).into_bytes())
    }

    proptest! {
        #[test]
        fn no_body_makes_reading_panic_and_json_stays_as_it_stands(body in mangled(body())) {
            let Ok(request) = serde_json::from_slice::<Request<'_>>(&body) else { return Ok(()) };
            for part in request.records.iter().flat_map(|record| [record.key, record.value]).flatten() {
                let _refused = bytes_of(part, false);
                let json = bytes_of(part, true).expect("any JSON is taken");
                prop_assert_eq!(json.as_deref().unwrap_or(b"null"), part.get().as_bytes());
            }
        }
    }
}
