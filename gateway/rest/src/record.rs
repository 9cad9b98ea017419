//! Records in JSON: how they come, and how they are shown.

use std::borrow::Cow;

use aquifer_gateway::{TimeText, time_text};
use aquifer_types::TimestampMs;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// How much of a text is looked at before the next look.
const PLAIN_BLOCK: usize = 64;

/// Text that is borrowed from the body where it can be.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Str<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// A record to be appended. At most one of the `key_` and one of the `value_` fields is set; a record without a value
/// says `tombstone`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
// Not `NewRecord`: that is what a Go client's constructor of a `Record` is called.
#[schema(as = ProduceRecord)]
pub(crate) struct NewRecord<'a> {
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, nullable = false)]
    pub(crate) key_text: Option<Str<'a>>,
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, nullable = false)]
    pub(crate) key_base64: Option<Str<'a>>,
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, nullable = false)]
    pub(crate) value_text: Option<Str<'a>>,
    /// Any JSON; its text is stored as it stands here.
    #[serde(borrow, default, deserialize_with = "as_it_stands")]
    #[schema(value_type = Option<serde_json::Value>, nullable = false)]
    pub(crate) value_json: Option<&'a RawValue>,
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, nullable = false)]
    pub(crate) value_base64: Option<Str<'a>>,
    /// Whether the record has no value on purpose, which deletes its key from a compacted topic.
    #[serde(default)]
    pub(crate) tombstone: bool,
    #[serde(borrow, default)]
    pub(crate) headers: Vec<NewHeader<'a>>,
    /// By key if absent, as Kafka's clients choose it; without a key any.
    #[serde(default)]
    #[schema(nullable = false)]
    pub(crate) partition: Option<i32>,
    /// A time of RFC 3339, or milliseconds since 1970; the time of arrival if absent.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, nullable = false, example = "2026-11-01T00:00:00.000Z")]
    pub(crate) timestamp: Option<Moment<'a>>,
}

/// A header of a record; without a value it has none.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProduceHeader)]
pub(crate) struct NewHeader<'a> {
    #[serde(borrow)]
    #[schema(value_type = String)]
    name: Str<'a>,
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, nullable = false)]
    value_text: Option<Str<'a>>,
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, nullable = false)]
    value_base64: Option<Str<'a>>,
}

/// A time as text or as a number.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Moment<'a> {
    Millis(i64),
    #[serde(borrow)]
    Text(Cow<'a, str>),
}

fn as_it_stands<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    // An Option would take `null` for nothing, and it is a value.
    <&RawValue>::deserialize(deserializer).map(Some).map_err(D::Error::custom)
}

impl<'a> NewRecord<'a> {
    /// The record that is meant, or in what it is none.
    pub(crate) fn read(self) -> Result<aquifer_gateway::Record<'a>, String> {
        let key = one_of(
            "key",
            [self.key_text.map(text), self.key_base64.map(|it| base64("key", &it)).transpose()?],
        )?;
        let json = self.value_json.map(|raw| Cow::Borrowed(raw.get().as_bytes()));
        let base = self.value_base64.map(|it| base64("value", &it)).transpose()?;
        let value = one_of("value", [self.value_text.map(text), json, base])?;
        match (&value, self.tombstone) {
            (Some(_), true) => return Err("has a value and says that it has none (tombstone)".to_owned()),
            (None, false) => {
                return Err(
                    "has no value_text, value_json or value_base64; tombstone: true means that".to_owned()
                );
            }
            _ => {}
        }
        if let Some(partition) = self.partition.filter(|partition| *partition < 0) {
            return Err(format!("has partition {partition}"));
        }
        let mut headers = Vec::with_capacity(self.headers.len());
        for header in self.headers {
            let base = header.value_base64.map(|it| base64("header", &it)).transpose()?;
            let value = one_of("header's value", [header.value_text.map(text), base])?;
            headers.push(aquifer_gateway::RecordHeader { name: header.name.0, value });
        }
        let timestamp = self.timestamp.map(|moment| moment.read()).transpose()?;
        Ok(aquifer_gateway::Record { partition: self.partition, key, value, headers, timestamp })
    }
}

impl Moment<'_> {
    fn read(&self) -> Result<TimestampMs, String> {
        let at = match self {
            Moment::Millis(millis) => (*millis >= 0).then_some(TimestampMs(*millis)),
            Moment::Text(text) => aquifer_gateway::time_of(text),
        };
        at.ok_or_else(|| "has a timestamp that is neither of RFC 3339 nor milliseconds since 1970".to_owned())
    }
}

fn text(text: Str<'_>) -> Cow<'_, [u8]> {
    match text.0 {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

fn base64<'a>(what: &str, text: &Str<'_>) -> Result<Cow<'a, [u8]>, String> {
    let decoded = STANDARD.decode(text.0.as_bytes());
    decoded.map(Cow::Owned).map_err(|error| format!("has a {what} that is not base64: {error}"))
}

fn one_of<'a, const N: usize>(
    what: &str,
    choices: [Option<Cow<'a, [u8]>>; N],
) -> Result<Option<Cow<'a, [u8]>>, String> {
    let mut set = choices.into_iter().flatten();
    let first = set.next();
    if set.next().is_some() {
        return Err(format!("says its {what} more than once"));
    }
    Ok(first)
}

/// How values are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Values {
    /// As text where they are UTF-8, else in base64
    #[default]
    Text,
    /// As JSON where they are that, else as text or in base64
    Json,
    /// In base64
    Base64,
}

/// A record as it is shown. At most one of the `key_` and one of the `value_` fields is set; a tombstone has no value.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Record)]
pub(crate) struct Shown<'a> {
    #[schema(value_type = String)]
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    #[schema(value_type = String, pattern = "^[0-9]+$", example = "12")]
    pub(crate) offset: Number,
    /// Of RFC 3339; absent where the record has none.
    #[schema(value_type = Option<String>, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    timestamp: Option<TimeText>,
    #[schema(value_type = Option<String>, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    key_text: Option<&'a str>,
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    key_base64: Option<String>,
    #[schema(value_type = Option<String>, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    value_text: Option<&'a str>,
    #[schema(value_type = Option<serde_json::Value>, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    value_json: Option<&'a RawValue>,
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    tombstone: bool,
    headers: Vec<ShownHeader<'a>>,
}

/// A header of a record; without a value it has none.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Header)]
pub(crate) struct ShownHeader<'a> {
    #[schema(value_type = String)]
    name: Cow<'a, str>,
    #[schema(value_type = Option<String>, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    value_text: Option<&'a str>,
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
}

/// A whole number that is written as text, so that no reader rounds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number(pub(crate) i64);

impl Serialize for Number {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Number {
    /// As text or as a number.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Number, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either<'a> {
            Number(i64),
            #[serde(borrow)]
            Text(Cow<'a, str>),
        }
        match Either::deserialize(deserializer)? {
            Either::Number(number) => Ok(Number(number)),
            Either::Text(text) => {
                text.parse().map(Number).map_err(|_invalid| D::Error::custom("not a whole number"))
            }
        }
    }
}

fn as_text<S: serde::Serializer>(time: &Option<TimeText>, serializer: S) -> Result<S::Ok, S::Error> {
    time.as_ref().map(TimeText::as_str).serialize(serializer)
}

impl<'a> Shown<'a> {
    pub(crate) fn new(
        topic: &'a str,
        partition: i32,
        record: &aquifer_record::Record<'a>,
        values: Values,
    ) -> Shown<'a> {
        let base64 = values == Values::Base64;
        let (key_text, key_base64) = show(record.key, base64);
        let json = record
            .value
            .filter(|_| values == Values::Json)
            .and_then(|value| serde_json::from_slice(value).ok());
        let (value_text, value_base64) = match json {
            Some(_) => (None, None),
            None => show(record.value, base64),
        };
        let headers = record.headers.map(|header| {
            let (value_text, value_base64) = show(header.value, false);
            ShownHeader { name: String::from_utf8_lossy(header.key), value_text, value_base64 }
        });
        Shown {
            topic,
            partition,
            offset: Number(record.offset.0),
            timestamp: time_text(record.timestamp),
            key_text,
            key_base64,
            value_text,
            value_json: json,
            value_base64,
            tombstone: record.value.is_none(),
            headers: headers.collect(),
        }
    }

    /// Writes it behind what is there, byte for byte as its `Serialize` would, which looks at each byte of a text by
    /// itself.
    pub(crate) fn write(&self, into: &mut Vec<u8>) {
        write_field("{\"topic\":", Some(self.topic), into);
        let (partition, Number(offset)) = (self.partition, self.offset);
        let mut digits = itoa::Buffer::new();
        write_bare(",\"partition\":", digits.format(partition), into);
        write_bare(",\"offset\":\"", digits.format(offset), into);
        into.push(b'"');
        if let Some(timestamp) = &self.timestamp {
            write_bare(",\"timestamp\":\"", timestamp.as_str(), into);
            into.push(b'"');
        }
        write_field(",\"key_text\":", self.key_text, into);
        write_field(",\"key_base64\":", self.key_base64.as_deref(), into);
        write_field(",\"value_text\":", self.value_text, into);
        if let Some(json) = self.value_json {
            write_bare(",\"value_json\":", json.get(), into);
        }
        write_field(",\"value_base64\":", self.value_base64.as_deref(), into);
        if self.tombstone {
            into.extend_from_slice(b",\"tombstone\":true");
        }
        into.extend_from_slice(b",\"headers\":");
        // Writing into memory cannot fail.
        let _ = serde_json::to_writer(&mut *into, &self.headers);
        into.push(b'}');
    }
}

/// What comes before a field, and the field as it is.
fn write_bare(start: &str, text: &str, into: &mut Vec<u8>) {
    into.extend_from_slice(start.as_bytes());
    into.extend_from_slice(text.as_bytes());
}

/// A field and what comes before it, if it is there.
fn write_field(start: &str, text: Option<&str>, into: &mut Vec<u8>) {
    let Some(text) = text else { return };
    into.extend_from_slice(start.as_bytes());
    if is_plain(text.as_bytes()) {
        into.push(b'"');
        into.extend_from_slice(text.as_bytes());
        into.push(b'"');
    } else {
        // None of it refuses to be written.
        let _ = serde_json::to_writer(into, text);
    }
}

/// Whether JSON escapes nothing of a text.
fn is_plain(text: &[u8]) -> bool {
    let is_escaped = |byte: u8| (byte < b' ') | (byte == b'"') | (byte == b'\\');
    let (blocks, rest) = text.as_chunks::<PLAIN_BLOCK>();
    // Without an end within a block, so that it is looked at in a few steps.
    let any = |bytes: &[u8]| bytes.iter().fold(false, |any, byte| any | is_escaped(*byte));
    !blocks.iter().any(|block| any(block)) && !any(rest)
}

/// Bytes as text where they are some and may be, else in base64.
fn show(bytes: Option<&[u8]>, base64: bool) -> (Option<&str>, Option<String>) {
    let Some(bytes) = bytes else { return (None, None) };
    match std::str::from_utf8(bytes) {
        Ok(text) if !base64 => (Some(text), None),
        _ => (None, Some(STANDARD.encode(bytes))),
    }
}

#[cfg(test)]
mod record_test {
    use proptest::prelude::*;

    use super::*;

    fn read(json: &str) -> Result<aquifer_gateway::Record<'_>, String> {
        serde_json::from_str::<NewRecord<'_>>(json).map_err(|error| error.to_string())?.read()
    }

    #[test]
    fn json_is_stored_as_its_exact_text_and_null_is_a_value() {
        let spaced = read(r#"{"value_json": {"b": 1.50, "a": [ ] }}"#).expect("a record");
        assert_eq!(spaced.value.as_deref(), Some(&br#"{"b": 1.50, "a": [ ] }"#[..]));
        let null = read(r#"{"value_json": null}"#).expect("a record");
        assert_eq!(null.value.as_deref(), Some(&b"null"[..]));
    }

    #[test]
    fn keys_values_headers_and_times_are_taken() {
        let record = read(
            r#"{"key_base64":"AAE=","value_text":"a\nb","partition":2,"timestamp":"1970-01-01T00:00:01Z",
                "headers":[{"name":"h","value_text":"x"},{"name":"h"},{"name":"i","value_base64":"/w=="}]}"#,
        )
        .expect("a record");
        assert_eq!(record.key.as_deref(), Some(&[0, 1][..]));
        assert_eq!(record.value.as_deref(), Some(&b"a\nb"[..]));
        assert_eq!((record.partition, record.timestamp), (Some(2), Some(TimestampMs(1000))));
        let values: Vec<_> = record.headers.iter().map(|header| header.value.as_deref()).collect();
        assert_eq!(values, [Some(&b"x"[..]), None, Some(&[255][..])]);
    }

    #[test]
    fn what_is_no_record_is_refused_with_the_reason() {
        for (json, reason) in [
            ("{}", "tombstone"),
            (r#"{"value_text":"a","value_json":1}"#, "more than once"),
            (r#"{"value_text":"a","tombstone":true}"#, "tombstone"),
            (r#"{"value_base64":"*"}"#, "base64"),
            (r#"{"value_text":"a","partition":-1}"#, "partition -1"),
            (r#"{"value_text":"a","timestamp":"soon"}"#, "RFC 3339"),
            (r#"{"value_text":"a","timestamp":-5}"#, "RFC 3339"),
            (r#"{"value":"a"}"#, "unknown field"),
        ] {
            let refused = read(json).expect_err(json);
            assert!(refused.contains(reason), "{json}: {refused}");
        }
        assert!(read(r#"{"tombstone":true,"key_text":"k"}"#).is_ok());
    }

    /// Fields of a record, of which none, some or too many are there, and their values are of any kind.
    fn anything() -> impl Strategy<Value = String> {
        const NAMES: [&str; 10] = [
            "key_text",
            "key_base64",
            "value_text",
            "value_json",
            "value_base64",
            "tombstone",
            "headers",
            "partition",
            "timestamp",
            "other",
        ];
        let value = prop_oneof![
            any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap_or_default()),
            any::<i64>().prop_map(|number| number.to_string()),
            prop::sample::select(vec![
                "null",
                "true",
                "[]",
                "{}",
                "1e400",
                "-0.0",
                "[{\"name\":\"n\"}]",
                "\"\\ud800\""
            ])
            .prop_map(str::to_owned),
        ];
        let fields = prop::collection::vec((prop::sample::select(NAMES.to_vec()), value), 0..6);
        fields.prop_map(|fields| {
            let fields: Vec<_> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            format!("{{{}}}", fields.join(","))
        })
    }

    proptest! {
        #[test]
        fn a_record_is_written_as_its_fields_say(
            texts in prop::collection::vec(prop::option::of(prop_oneof![
                any::<String>(),
                "[ -~]{60,200}",
                "[a-z]{63,66}[\u{0}-\u{ff}]?[a-z]{0,70}",
            ]), 5),
            (partition, offset, tombstone) in (any::<i32>(), any::<i64>(), any::<bool>()),
        ) {
            let json = texts[4].as_ref().map(|text| serde_json::to_string(&[text]).expect("text"));
            let json: Option<&RawValue> = json.as_deref().map(|json| serde_json::from_str(json).expect("JSON"));
            let header = ShownHeader { name: Cow::Borrowed("h"), value_text: texts[0].as_deref(), value_base64: None };
            let shown = Shown {
                topic: texts[1].as_deref().unwrap_or_default(),
                partition,
                offset: Number(offset),
                timestamp: time_text(TimestampMs(offset)),
                key_text: texts[0].as_deref(),
                key_base64: texts[1].clone(),
                value_text: texts[3].as_deref(),
                value_json: json,
                value_base64: texts[2].clone(),
                tombstone,
                headers: if tombstone { Vec::new() } else { vec![header] },
            };
            let mut written = b"before".to_vec();
            shown.write(&mut written);
            let mut derived = b"before".to_vec();
            serde_json::to_writer(&mut derived, &shown).expect("no field refuses");
            prop_assert_eq!(String::from_utf8(written), String::from_utf8(derived));
        }

        #[test]
        fn nothing_that_is_sent_as_a_record_makes_reading_panic(json in anything(), any in any::<String>()) {
            let _refused = read(&any);
            let Ok(record) = read(&json) else { return Ok(()) };
            prop_assert!(record.partition.is_none_or(|partition| partition >= 0), "{}", json);
            prop_assert!(record.timestamp.is_none_or(|time| time.0 >= 0), "{}", json);
        }
    }

    #[test]
    fn numbers_are_read_as_text_and_as_numbers_and_written_as_text() {
        assert_eq!(serde_json::from_str::<Number>("12").ok(), Some(Number(12)));
        assert_eq!(
            serde_json::from_str::<Number>("\"9007199254740993\"").ok(),
            Some(Number(9_007_199_254_740_993))
        );
        assert!(serde_json::from_str::<Number>("\"1.5\"").is_err());
        assert_eq!(serde_json::to_string(&Number(7)).ok().as_deref(), Some("\"7\""));
    }
}
