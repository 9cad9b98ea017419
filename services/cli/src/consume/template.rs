//! `Template`: how a record is written, in the words of kcat.

use std::io::Write as _;
use std::str::FromStr;

use aquifer_record::Record;

/// A template, taken apart once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Topic,
    Partition,
    Offset,
    Key,
    KeyLength,
    Value,
    ValueLength,
    Timestamp,
    Headers,
}

/// The text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTemplate {
    #[error("%{0} stands for nothing; there are %t %p %o %k %K %s %S %T %h and %%")]
    Field(char),
    #[error("\\{0} stands for nothing; there are \\n \\t \\r \\\\ and \\xHH")]
    Escape(char),
    #[error("\\x takes two hexadecimal digits")]
    Hexadecimal,
    #[error("it ends in the middle of something")]
    CutOff,
}

impl Template {
    /// A value a line.
    pub(super) fn values() -> Template {
        Template { pieces: vec![Piece::Value, Piece::Text(b"\n".to_vec())] }
    }

    /// Appends a record.
    pub(super) fn write(&self, topic: &str, partition: i32, record: &Record<'_>, out: &mut Vec<u8>) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text),
                Piece::Topic => out.extend_from_slice(topic.as_bytes()),
                Piece::Partition => put_number(i64::from(partition), out),
                Piece::Offset => put_number(record.offset.0, out),
                Piece::Key => out.extend_from_slice(record.key.unwrap_or_default()),
                Piece::KeyLength => put_number(length(record.key), out),
                Piece::Value => out.extend_from_slice(record.value.unwrap_or_default()),
                Piece::ValueLength => put_number(length(record.value), out),
                Piece::Timestamp => put_number(record.timestamp.0, out),
                Piece::Headers => put_headers(record, out),
            }
        }
    }
}

fn length(bytes: Option<&[u8]>) -> i64 {
    bytes.map_or(-1, |bytes| i64::try_from(bytes.len()).unwrap_or(i64::MAX))
}

fn put_number(number: i64, out: &mut Vec<u8>) {
    // Writing to memory does not fail.
    let _ = write!(out, "{number}");
}

fn put_headers(record: &Record<'_>, out: &mut Vec<u8>) {
    for (index, header) in record.headers.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(header.key);
        out.push(b'=');
        out.extend_from_slice(header.value.unwrap_or(b"NULL"));
    }
}

impl FromStr for Template {
    type Err = InvalidTemplate;

    fn from_str(text: &str) -> Result<Template, InvalidTemplate> {
        let mut pieces = Vec::new();
        let mut plain = Vec::new();
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            let piece = match letter {
                '%' => match letters.next().ok_or(InvalidTemplate::CutOff)? {
                    '%' => {
                        plain.push(b'%');
                        continue;
                    }
                    field => Piece::of(field)?,
                },
                '\\' => {
                    plain.push(escaped(&mut letters)?);
                    continue;
                }
                letter => {
                    plain.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                    continue;
                }
            };
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(piece);
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Template { pieces })
    }
}

impl Piece {
    fn of(field: char) -> Result<Piece, InvalidTemplate> {
        Ok(match field {
            't' => Piece::Topic,
            'p' => Piece::Partition,
            'o' => Piece::Offset,
            'k' => Piece::Key,
            'K' => Piece::KeyLength,
            's' => Piece::Value,
            'S' => Piece::ValueLength,
            'T' => Piece::Timestamp,
            'h' => Piece::Headers,
            other => return Err(InvalidTemplate::Field(other)),
        })
    }
}

fn escaped(letters: &mut std::str::Chars<'_>) -> Result<u8, InvalidTemplate> {
    match letters.next().ok_or(InvalidTemplate::CutOff)? {
        'n' => Ok(b'\n'),
        't' => Ok(b'\t'),
        'r' => Ok(b'\r'),
        '\\' => Ok(b'\\'),
        'x' => {
            let mut digit = || letters.next().and_then(|digit| digit.to_digit(16));
            let (high, low) = (digit(), digit());
            let byte = high.zip(low).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
            byte.ok_or(InvalidTemplate::Hexadecimal)
        }
        other => Err(InvalidTemplate::Escape(other)),
    }
}

#[cfg(test)]
mod tests {
    use aquifer_record::{BatchBuilder, BatchView, Compression, Header, NewRecord, decode};
    use aquifer_types::{Offset, TimestampMs};

    use super::*;

    fn written(template: &str, record: NewRecord<'_>) -> String {
        let mut builder = BatchBuilder::new(Compression::None.into());
        builder.push(&record).expect("fits");
        builder.base_offset(Offset(42));
        let batch = builder.build().expect("builds");
        let view = BatchView::parse(&batch).expect("a batch");
        let (mut scratch, mut out) = (Vec::new(), Vec::new());
        let template: Template = template.parse().expect("a template");
        for record in decode(&view.header, view.body(), 1 << 20, &mut scratch).expect("unpacks") {
            template.write("orders", 3, &record.expect("a record"), &mut out);
        }
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn every_field_stands_where_the_template_says() {
        let headers = [Header { key: b"a", value: Some(b"1") }, Header { key: b"b", value: None }];
        let record = NewRecord {
            timestamp: TimestampMs(99),
            key: Some(b"key"),
            value: Some(b"value"),
            headers: &headers,
        };

        assert_eq!(
            written(r"%t[%p]@%o %k(%K)=%s(%S) %T {%h} 100%%\n\t\x41\\", record),
            "orders[3]@42 key(3)=value(5) 99 {a=1,b=NULL} 100%\n\tA\\"
        );
    }

    #[test]
    fn nothing_has_no_text_and_a_length_of_minus_one() {
        assert_eq!(written("%k|%K|%s|%S|%h", NewRecord::default()), "|-1||-1|");
    }

    #[test]
    fn what_stands_for_nothing_is_refused_with_what_there_is() {
        for (text, error) in [
            ("%q", InvalidTemplate::Field('q')),
            ("\\q", InvalidTemplate::Escape('q')),
            ("%", InvalidTemplate::CutOff),
            ("\\", InvalidTemplate::CutOff),
            ("\\x4", InvalidTemplate::Hexadecimal),
            ("\\xzz", InvalidTemplate::Hexadecimal),
        ] {
            assert_eq!(text.parse::<Template>(), Err(error), "{text}");
        }
    }
}
