//! Every message and version against the bytes of Kafka's own generated classes (`tests/java/Golden.java`).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bytes::Bytes;

use crate::api::{ApiKey, MessageVisitor, SUPPORTED, visit_messages};
use crate::encoder::{Encoder, Piece};
use crate::error_code::ErrorCode;
use crate::header::{RequestHeader, decode_response_header, encode_response_header};
use crate::message::Message;
use crate::sample::Sample;

/// The lines of one API by direction, version and what they hold.
type Lines = BTreeMap<(String, i16, String), String>;

fn golden(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name).with_extension("txt");
    fs::read_to_string(path).expect("golden file")
}

fn golden_lines(api: ApiKey) -> Lines {
    let parse = |line: &str| {
        let mut parts = line.splitn(4, ' ').map(str::to_owned);
        let mut next = || parts.next().expect("four parts");
        let (direction, version, what, content) = (next(), next(), next(), next());
        ((direction, version.parse().expect("version"), what), content)
    };
    golden(api.name()).lines().map(parse).collect()
}

fn unhex(text: &str) -> Bytes {
    let digits = if text == "-" { "" } else { text };
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).expect("ascii");
        u8::from_str_radix(pair, 16).expect("hexadecimal")
    };
    digits.as_bytes().chunks(2).map(byte).collect()
}

pub(crate) fn joined(pieces: &[Piece]) -> Bytes {
    let bytes = pieces.iter().flat_map(|piece| match piece {
        Piece::Bytes(bytes) => bytes.to_vec(),
        Piece::Hole(hole) => vec![0; hole.length as usize],
    });
    bytes.collect()
}

struct Bodies {
    checked: usize,
}

impl MessageVisitor for Bodies {
    fn visit<M: Message + Sample>(&mut self, direction: &'static str) {
        if M::KEY.is_own() {
            return;
        }
        let lines = golden_lines(M::KEY);
        for ((_, version, what), content) in lines.iter().filter(|((of, ..), _)| of == direction) {
            let case = format!("{:?} {direction} {version} {what}", M::KEY);
            match what.as_str() {
                "schema" => {
                    let mut description = String::new();
                    M::describe(*version, &mut description);
                    assert_eq!(&description, content, "{case}");
                }
                "header" => {}
                _ => {
                    let bytes = unhex(content);
                    let message = M::decode_body(*version, &bytes).expect(&case);
                    assert_eq!(joined(&message.encode_body(*version).expect(&case)), bytes, "{case}");
                    if what == "defaults" {
                        let encoded = M::default().encode_body(*version).expect(&case);
                        assert_eq!(joined(&encoded), bytes, "{case}");
                    }
                    if what == "sparse" {
                        let encoded = M::sparse(M::default(), *version).encode_body(*version).expect(&case);
                        assert_eq!(joined(&encoded), bytes, "{case}");
                    }
                    self.checked += 1;
                }
            }
        }
    }
}

#[test]
fn every_body_that_java_wrote_is_read_and_written_back_byte_by_byte() {
    let mut bodies = Bodies { checked: 0 };

    visit_messages(&mut bodies);

    let kafkas = SUPPORTED.iter().filter(|api| !api.key.is_own());
    let versions: usize = kafkas.map(|api| (api.max - api.min + 1) as usize).sum();
    assert_eq!(bodies.checked, versions * 2 * 5);
}

#[test]
fn the_versions_are_those_of_kafka() {
    for api in SUPPORTED.iter().filter(|api| !api.key.is_own()) {
        let lines = golden_lines(api.key);
        let versions = lines.keys().map(|(_, version, _)| *version);

        let ends = (versions.clone().min(), versions.max());

        assert_eq!(ends, (Some(api.min), Some(api.max)), "{:?}", api.key);
    }
}

#[test]
fn headers_are_those_of_kafka() {
    struct Headers;
    impl MessageVisitor for Headers {
        fn visit<M: Message + Sample>(&mut self, direction: &'static str) {
            if M::KEY.is_own() {
                return;
            }
            for ((_, version, _), content) in
                golden_lines(M::KEY).iter().filter(|((of, _, what), _)| of == direction && what == "header")
            {
                let bytes = unhex(content);
                let flexible = M::is_flexible(*version);
                let mut encoder = Encoder::new(*version, flexible);
                let end = if direction == "request" {
                    let (header, end) = RequestHeader::decode(&bytes, flexible).expect(content);
                    assert_eq!((header.api_key, header.api_version), (M::KEY.number(), *version));
                    header.encode(&mut encoder).expect(content);
                    end
                } else {
                    let flexible = flexible && M::KEY != ApiKey::ApiVersions;
                    let (correlation_id, end) = decode_response_header(&bytes, flexible).expect(content);
                    encode_response_header(&mut encoder, correlation_id, flexible);
                    end
                };
                assert_eq!((end, joined(&encoder.into_pieces())), (bytes.len(), bytes), "{content}");
            }
        }
    }
    visit_messages(&mut Headers);
}

#[test]
fn errors_are_those_of_kafka() {
    let ours: Vec<String> = ErrorCode::all()
        .map(|code| format!("{} {} {}", code.name().expect("known"), code.0, code.retriable()))
        .collect();

    let mut sorted = ours;
    sorted.sort();

    assert_eq!(sorted, golden("errors").lines().collect::<Vec<_>>());
}
