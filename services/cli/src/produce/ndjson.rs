//! `Parsed`: a record from a line of JSON, as `consume -o ndjson` writes it or as people do.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;

/// A record with what its line said of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parsed {
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    pub(super) partition: Option<i32>,
    pub(super) timestamp: Option<i64>,
}

/// A line is not such an object.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidLine {
    #[error("not a JSON object of key, value, headers, partition and timestamp: {0}")]
    Json(#[from] serde_json::Error),
    #[error("not a JSON object")]
    NoObject,
    #[error("{field} is not base64: {source}")]
    Base64 { field: &'static str, source: base64::DecodeError },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow, default)]
    key: Option<&'a RawValue>,
    #[serde(default)]
    key_base64: Option<String>,
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
    #[serde(default)]
    value_base64: Option<String>,
    #[serde(default)]
    headers: Option<Headers>,
    #[serde(default)]
    partition: Option<i32>,
    #[serde(default)]
    timestamp: Option<i64>,
    /// Where a record was read from says nothing of where it goes.
    #[serde(default, rename = "topic")]
    _topic: Option<String>,
    #[serde(default, rename = "offset")]
    _offset: Option<i64>,
}

/// In order, or as people write them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Headers {
    Listed(Vec<Header>),
    Named(BTreeMap<String, Option<String>>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    key: String,
    #[serde(default)]
    value: Option<String>,
    #[serde(default)]
    value_base64: Option<String>,
}

impl Parsed {
    pub(super) fn parse(line: &[u8]) -> Result<Parsed, InvalidLine> {
        // A list would be taken for the fields in their order.
        if line.trim_ascii_start().first() != Some(&b'{') {
            return Err(InvalidLine::NoObject);
        }
        let line: Line<'_> = serde_json::from_slice(line)?;
        let headers = match line.headers {
            None => Vec::new(),
            Some(Headers::Named(named)) => {
                let named = named.into_iter();
                named.map(|(key, value)| (key.into_bytes(), value.map(String::into_bytes))).collect()
            }
            Some(Headers::Listed(listed)) => {
                let listed = listed.into_iter().map(|header| {
                    let value = binary("a header", header.value_base64)?;
                    Ok((header.key.into_bytes(), value.or(header.value.map(String::into_bytes))))
                });
                listed.collect::<Result<_, InvalidLine>>()?
            }
        };
        Ok(Parsed {
            key: binary("key_base64", line.key_base64)?.or(text(line.key)?),
            value: binary("value_base64", line.value_base64)?.or(text(line.value)?),
            headers,
            partition: line.partition,
            timestamp: line.timestamp,
        })
    }
}

/// A JSON string stands for its text, null for nothing, anything else for itself as it is written.
fn text(value: Option<&RawValue>) -> Result<Option<Vec<u8>>, InvalidLine> {
    let Some(value) = value.map(RawValue::get) else { return Ok(None) };
    if value == "null" {
        return Ok(None);
    }
    if value.starts_with('"') {
        let text: String = serde_json::from_str(value)?;
        return Ok(Some(text.into_bytes()));
    }
    Ok(Some(value.as_bytes().to_vec()))
}

fn binary(field: &'static str, text: Option<String>) -> Result<Option<Vec<u8>>, InvalidLine> {
    let decoded = text.map(|text| STANDARD.decode(text)).transpose();
    decoded.map_err(|source| InvalidLine::Base64 { field, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_null_json_and_binary_are_told_apart() {
        let text = |text: &str| Some(text.as_bytes().to_vec());
        for (line, key, value) in [
            (r#"{"key":"k","value":"v"}"#, text("k"), text("v")),
            (r#"{"value":null}"#, None, None),
            (r#"{"key":7,"value":{"a": [1, 2]}}"#, text("7"), text(r#"{"a": [1, 2]}"#)),
            (r#"{"value_base64":"/wA="}"#, None, Some(vec![0xff, 0])),
            (r#"{"value":"ä\n"}"#, None, text("ä\n")),
        ] {
            let parsed = Parsed::parse(line.as_bytes()).expect("parses");
            assert_eq!((parsed.key, parsed.value), (key, value), "{line}");
        }
    }

    #[test]
    fn headers_are_a_list_or_an_object() {
        let listed = br#"{"headers":[{"key":"a","value":"1"},{"key":"a"}],"partition":3,"timestamp":5}"#;
        let named = br#"{"headers":{"b":"2"}}"#;

        let (listed, named) = (Parsed::parse(listed).expect("parses"), Parsed::parse(named).expect("parses"));

        let header = |key: &str, value: Option<&str>| {
            (key.as_bytes().to_vec(), value.map(|it| it.as_bytes().to_vec()))
        };
        assert_eq!(listed.headers, [header("a", Some("1")), header("a", None)]);
        assert_eq!((listed.partition, listed.timestamp), (Some(3), Some(5)));
        assert_eq!(named.headers, [header("b", Some("2"))]);
    }

    #[test]
    fn what_is_no_record_is_refused() {
        for line in
            ["", "[]", "7", r#"{"valu":1}"#, r#"{"value_base64":"%"}"#, r#"{"partition":"x"}"#, r#"{"a"#]
        {
            assert!(Parsed::parse(line.as_bytes()).is_err(), "{line}");
        }
    }
}
