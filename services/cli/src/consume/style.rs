//! `Style`: a record as a template, a table row or JSON says it.

use std::io::Write as _;

use aquifer_record::Record;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::template::Template;

const HEAD: &str = "PARTITION  OFFSET      TIMESTAMP      KEY         VALUE\n";

/// How records are written.
#[derive(Debug)]
pub(super) enum Style {
    Template(Template),
    /// Columns of a width of their own, as nobody knows what comes.
    Table,
    Ndjson,
    /// One array, however long.
    Json {
        is_first: bool,
    },
}

#[derive(Serialize)]
struct Shown<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    timestamp: i64,
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_base64: Option<String>,
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
    headers: Vec<ShownHeader<'a>>,
}

#[derive(Serialize)]
struct ShownHeader<'a> {
    key: String,
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
}

impl Style {
    /// What stands before the first record.
    pub(super) fn begin(&self, out: &mut Vec<u8>) {
        match self {
            Style::Table => out.extend_from_slice(HEAD.as_bytes()),
            Style::Json { .. } => out.push(b'['),
            Style::Template(_) | Style::Ndjson => {}
        }
    }

    /// What stands behind the last one.
    pub(super) fn end(&self, out: &mut Vec<u8>) {
        if matches!(self, Style::Json { .. }) {
            out.extend_from_slice(b"]\n");
        }
    }

    /// Appends a record.
    pub(super) fn write(&mut self, topic: &str, partition: i32, record: &Record<'_>, out: &mut Vec<u8>) {
        match self {
            Style::Template(template) => template.write(topic, partition, record, out),
            Style::Table => put_row(partition, record, out),
            Style::Ndjson => {
                put_json(topic, partition, record, out);
                out.push(b'\n');
            }
            Style::Json { is_first } => {
                if !std::mem::take(is_first) {
                    out.push(b',');
                }
                put_json(topic, partition, record, out);
            }
        }
    }
}

fn put_row(partition: i32, record: &Record<'_>, out: &mut Vec<u8>) {
    let text = |bytes: Option<&[u8]>| {
        bytes
            .map_or_else(|| "-".to_owned(), |bytes| String::from_utf8_lossy(bytes).escape_debug().to_string())
    };
    let (key, value) = (text(record.key), text(record.value));
    // Writing to memory does not fail.
    let _ = writeln!(
        out,
        "{partition:<9}  {:<10}  {:<13}  {key:<10}  {value}",
        record.offset.0, record.timestamp.0
    );
}

fn put_json(topic: &str, partition: i32, record: &Record<'_>, out: &mut Vec<u8>) {
    let (key, key_base64) = text_or_base64(record.key);
    let (value, value_base64) = text_or_base64(record.value);
    let headers = record.headers.map(|header| {
        let (value, value_base64) = text_or_base64(header.value);
        ShownHeader { key: String::from_utf8_lossy(header.key).into_owned(), value, value_base64 }
    });
    let shown = Shown {
        topic,
        partition,
        offset: record.offset.0,
        timestamp: record.timestamp.0,
        key,
        key_base64,
        value,
        value_base64,
        headers: headers.collect(),
    };
    // Neither writing to memory nor these types fail.
    let _ = serde_json::to_writer(out, &shown);
}

/// Bytes as text where they are some, else in base64.
fn text_or_base64(bytes: Option<&[u8]>) -> (Option<&str>, Option<String>) {
    match bytes.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
        None => (None, None),
        Some((_, Ok(text))) => (Some(text), None),
        Some((bytes, Err(_not_text))) => (None, Some(STANDARD.encode(bytes))),
    }
}
