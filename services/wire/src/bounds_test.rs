//! Whatever the bytes, decoding neither panics nor claims more memory than they bear out.

use bytes::Bytes;
use proptest::prelude::*;

use crate::api::{MessageVisitor, visit_messages};
use crate::decoder::{DecodeError, Decoder};
use crate::golden_test::joined;
use crate::message::Message;
use crate::sample::{Sample, Source};

/// What one byte of a body may claim, and what any body may.
const MEMORY_PER_BYTE: usize = 16;
const MEMORY_FLOOR: usize = 64 * 1024;

/// Decodes bytes as every message and version. Memory claimed on the way is bounded, and what was read can be written
/// and read again as the same.
struct Everything<'a>(&'a Bytes);

impl MessageVisitor for Everything<'_> {
    fn visit<M: Message + Sample>(&mut self, _direction: &'static str) {
        for version in M::VERSION_MIN - 1..=M::VERSION_MAX + 1 {
            if let Ok(message) = M::decode_body(version, self.0) {
                let written = joined(&message.encode_body(version).expect("what was read can be written"));
                assert_eq!(M::decode_body(version, &written), Ok(message));
            }
            let mut decoder = Decoder::new(self.0, version, M::is_flexible(version));
            let _ = M::decode(&mut decoder, false);
            assert!(decoder.memory_claimed() <= self.0.len() * MEMORY_PER_BYTE + MEMORY_FLOOR);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn random_bytes_are_refused_or_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        visit_messages(&mut Everything(&Bytes::from(bytes)));
    }

    #[test]
    fn bytes_that_look_like_lengths_are_refused_or_read_without_panic(
        bytes in proptest::collection::vec(
            prop_oneof![Just(0u8), Just(1), Just(2), Just(0x7f), Just(0x80), Just(0xff)],
            0..60,
        ),
    ) {
        visit_messages(&mut Everything(&Bytes::from(bytes)));
    }
}

/// Cuts, changes and lengthens valid messages.
struct Damage {
    seed: u64,
}

impl Damage {
    fn check<M: Message + Sample>(&self, version: i16) {
        let mut source = Source::new(self.seed, version);
        let case = format!("{:?} {version} seed {}", M::KEY, self.seed);
        let body = joined(&M::sample(&mut source, false).encode_body(version).expect(&case));

        for length in 0..body.len().min(600) {
            assert!(M::decode_body(version, &body.slice(..length)).is_err(), "{case} cut to {length}");
        }

        let longer = Bytes::from([&body[..], &[0]].concat());
        assert_eq!(M::decode_body(version, &longer), Err(DecodeError::TrailingBytes { length: 1 }), "{case}");

        for _ in 0..20 {
            let mut changed = body.to_vec();
            if let Some(byte) = changed.get_mut(source.below(body.len().max(1) as u64) as usize) {
                *byte = source.next() as u8;
            }
            if let Ok(message) = M::decode_body(version, &Bytes::from(changed)) {
                let written = joined(&message.encode_body(version).expect(&case));
                assert_eq!(M::decode_body(version, &written), Ok(message), "{case}");
            }
        }
    }
}

impl MessageVisitor for Damage {
    fn visit<M: Message + Sample>(&mut self, _direction: &'static str) {
        (M::VERSION_MIN..=M::VERSION_MAX).for_each(|version| self.check::<M>(version));
    }
}

#[test]
fn every_prefix_of_a_message_and_every_trailing_byte_is_refused() {
    for seed in 0..3 {
        visit_messages(&mut Damage { seed });
    }
}

#[test]
fn a_count_that_the_frame_cannot_hold_is_refused_before_anything_is_allocated() {
    struct HugeCounts;
    impl MessageVisitor for HugeCounts {
        fn visit<M: Message + Sample>(&mut self, _direction: &'static str) {
            for version in M::VERSION_MIN..=M::VERSION_MAX {
                for claim in [[0x7f, 0xff, 0xff, 0xff, 0x0f], [0xff, 0xff, 0xff, 0xff, 0x0f]] {
                    for padding in 0..40 {
                        let body = Bytes::from([&vec![0; padding][..], &claim].concat());
                        let mut decoder = Decoder::new(&body, version, M::is_flexible(version));
                        let _ = M::decode(&mut decoder, false);
                        assert!(decoder.memory_claimed() < 8 * 1024, "{:?} {version}", M::KEY);
                    }
                }
            }
        }
    }
    visit_messages(&mut HugeCounts);
}

#[test]
fn a_frame_full_of_empty_elements_may_not_claim_much_more_memory_than_it_is_long() {
    use crate::messages::MetadataRequest;
    let topics = 1 << 20;
    let mut body = vec![0, 0x10, 0, 0];
    body.resize(4 + 2 * topics, 0);

    let read = MetadataRequest::decode_body(4, &Bytes::from(body));

    assert!(matches!(read, Err(DecodeError::TooMuchMemory { field: "topics", .. })), "{read:?}");
}

#[test]
fn a_metadata_request_of_four_bytes_that_claims_two_billion_topics_is_refused() {
    use crate::messages::MetadataRequest;
    let body = Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff]);

    let refusal = DecodeError::CountTooLarge { field: "topics", count: 0x7fff_ffff, remaining: 0 };

    assert_eq!(MetadataRequest::decode_body(4, &body), Err(refusal));
}

#[test]
fn lengths_that_mean_nothing_are_refused() {
    use crate::messages::{MetadataRequest, SaslHandshakeRequest};
    let field = "mechanism";
    let cases: [(&[u8], DecodeError); 3] = [
        (&[0xff, 0xfe], DecodeError::InvalidLength { field, length: -2 }),
        (&[0xff, 0xff], DecodeError::UnexpectedNull { field }),
        (&[0, 2, b'a'], DecodeError::Truncated { field, needed: 2, remaining: 1 }),
    ];
    for (body, refusal) in cases {
        assert_eq!(SaslHandshakeRequest::decode_body(1, &Bytes::from_static(body)), Err(refusal));
    }

    let beyond_32_bits = Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 0x1f]);
    let refusal = DecodeError::InvalidVarint { field: "topics" };
    assert_eq!(MetadataRequest::decode_body(9, &beyond_32_bits), Err(refusal));
}

#[test]
fn text_beyond_kafkas_limit_is_refused_even_where_its_length_is_compact() {
    use crate::messages::ApiVersionsRequest;
    let mut body = vec![0x81, 0x80, 0x02];
    body.resize(40_000, b'a');

    let refusal = DecodeError::InvalidLength { field: "client_software_name", length: 32_768 };

    assert_eq!(ApiVersionsRequest::decode_body(3, &Bytes::from(body)), Err(refusal));
}
