//! Frames that are none: cut off, too long, of unknown kinds, of random bytes; and a thousand claims at once.

use aquifer_runtime::Runtime;
use aquifer_types::TimestampMs;
use aquifer_wire::messages::{ApiVersionsRequest, ApiVersionsResponse, MetadataRequest};
use aquifer_wire::{ErrorCode, SUPPORTED, SupportedVersions};

use super::node::{Assaulted, GROWTH_MAX};
use crate::wire::{Port, encoded, fetch};

/// Key, version, correlation id, a client id of no bytes, and the tags' count where the version has tags.
fn header(key: i16, version: i16, flexible: bool) -> Vec<u8> {
    let mut header = [key.to_be_bytes(), version.to_be_bytes()].concat();
    header.extend([0, 0, 0, 7, 0, 0]);
    header.extend(flexible.then_some(0));
    header
}

/// Sent on a connection of its own, it is answered or the connection is closed; it never hangs.
fn answered_or_closed(assaulted: &Assaulted, frame: &[u8]) {
    let mut port = assaulted.port();
    port.send_frame(frame);
    // Whoever still waits for more of the request learns that there is none.
    port.finish();
    while port.receive().is_some() {}
}

fn closed(port: &mut Port) -> bool {
    port.receive().is_none()
}

#[test]
fn lengths_that_cannot_be_close_their_connection() {
    let mut assaulted = Assaulted::start();
    for length in [-1, i32::MIN, (100 << 20) + 1, i32::MAX] {
        let mut port = assaulted.port();
        port.send_raw(&length.to_be_bytes());
        port.send_raw(&[0; 64]);
        assert!(closed(&mut port), "{length}");
    }
    assaulted.unharmed(GROWTH_MAX);
}

#[test]
fn frames_cut_off_anywhere_close_their_connection() {
    let mut assaulted = Assaulted::start();
    let whole = encoded(12, &fetch("steady", 0, 0));
    for length in 0..whole.len() {
        let mut port = assaulted.port();
        port.send_raw(&whole[..length]);
        port.finish();
        assert!(closed(&mut port), "{length} of {} bytes were answered", whole.len());
    }
    assaulted.unharmed(GROWTH_MAX);
}

#[test]
fn unknown_keys_and_versions_close_their_connection() {
    let mut assaulted = Assaulted::start();
    let unknown = [(-1, 0), (999, 0), (i16::MAX, 0), (7, 0), (3, -1), (3, 99), (0, 2), (1, i16::MAX)];
    for (key, version) in unknown {
        let mut port = assaulted.port();
        port.send_frame(&[header(key, version, true), vec![0; 32]].concat());
        assert!(closed(&mut port), "key {key} in version {version}");
    }
    assaulted.unharmed(GROWTH_MAX);
}

#[test]
fn a_client_of_the_future_learns_our_versions() {
    let mut assaulted = Assaulted::start();
    let mut port = assaulted.port();
    port.send_frame(&[header(18, 99, true), vec![0xff; 8]].concat());
    let answer: ApiVersionsResponse = port.answer(0).expect("an answer");
    assert_eq!(answer.error_code, ErrorCode::UNSUPPORTED_VERSION);
    assert!(answer.api_keys.iter().any(|key| key.api_key == 18 && key.max_version == 4));
    // The same connection goes on.
    let again = port.call(4, &ApiVersionsRequest::default());
    assert_ne!(again.error_code, ErrorCode::UNSUPPORTED_VERSION);
    assaulted.unharmed(GROWTH_MAX);
}

#[test]
fn bodies_of_nothing_but_claims_are_answered_or_close_their_connection() {
    let mut assaulted = Assaulted::start();
    // Negative counts, huge counts, varints without an end, nothing at all.
    let bodies: [&[u8]; 5] = [&[0xff; 64], &[0x7f; 64], &[0x80; 64], &[], &[0x7f, 0xff, 0xff, 0xff]];
    for SupportedVersions { key, min, max, flexible_from } in SUPPORTED.iter().copied() {
        for version in [min, max] {
            let header = header(key.number(), version, version >= flexible_from);
            for body in bodies {
                answered_or_closed(&assaulted, &[&header[..], body].concat());
            }
        }
    }
    assaulted.unharmed(GROWTH_MAX);
}

#[test]
fn random_bytes_are_answered_or_close_their_connection() {
    const SEED: u64 = 20_261_121;
    let mut assaulted = Assaulted::start();
    let random = Runtime::simulated(SEED, TimestampMs(0));
    for round in 0..600 {
        let mut frame = vec![0; 1 + (random.random_u64() % 400) as usize];
        random.fill_random(&mut frame);
        if round % 2 == 0 && frame.len() > 16 {
            // A header that holds, so that the body is looked at.
            let api = SUPPORTED[(random.random_u64() % SUPPORTED.len() as u64) as usize];
            let versions = (api.max - api.min + 1) as u64;
            let version = api.min + (random.random_u64() % versions) as i16;
            let header = header(api.key.number(), version, version >= api.flexible_from);
            frame[..header.len()].copy_from_slice(&header);
        }
        answered_or_closed(&assaulted, &frame);
    }
    assaulted.unharmed(GROWTH_MAX);
}

#[test]
fn a_thousand_claims_of_a_hundred_mebibytes_cost_less_than_32() {
    let mut assaulted = Assaulted::start();
    let claim: i32 = 100 << 20;
    let mut ports: Vec<Port> = (0..1000).map(|_| assaulted.port()).collect();
    for port in &mut ports {
        port.send_raw(&claim.to_be_bytes());
        port.send_raw(&[0; 4]);
    }
    // A round trip behind the claims: they were all read by now, or wait their turn.
    assaulted.unharmed(32 << 20);
    drop(ports);
    assaulted.unharmed(32 << 20);
}

/// A request of so many entries, each of them the same few bytes.
fn many(header: &[u8], before: &[u8], entry: &[u8], count: usize, after: &[u8]) -> Vec<u8> {
    let mut frame = [header, before].concat();
    let mut claimed = count + 1;
    while claimed > 0x7f {
        frame.push(0x80 | (claimed & 0x7f) as u8);
        claimed >>= 7;
    }
    frame.push(claimed as u8);
    frame.extend(entry.iter().cycle().take(entry.len() * count));
    frame.extend(after);
    frame
}

#[test]
fn requests_of_millions_of_partitions_cost_a_small_multiple_of_their_length() {
    const BYTES: usize = 24 << 20;
    // What a frame may come to once decoded, and itself.
    const PEAK_MAX: u64 = 16 * (24 << 20);
    let mut assaulted = Assaulted::start();
    let before = assaulted.node.peak_bytes();
    // Acks, a timeout, one topic by the name of x; then partition 0 without records, again and again.
    let acks_and_topic = [0, 0xff, 0xff, 0, 0, 0x10, 0, 2, 2, b'x'];
    let produce = many(&header(0, 9, true), &acks_and_topic, &[0; 6], BYTES / 6, &[0, 0]);
    // No replica, no isolation, one topic by the name of x; then the latest offset of partition 0, again and again.
    let latest = [&[0; 4][..], &[0xff; 12], &[0]].concat();
    let isolation_and_topic = [0xff, 0xff, 0xff, 0xff, 0, 2, 2, b'x'];
    let list_offsets =
        many(&header(2, 7, true), &isolation_and_topic, &latest, BYTES / latest.len(), &[0, 0]);
    for frame in [produce, list_offsets] {
        let mut port = assaulted.port();
        port.send_frame(&frame);
        assert!(closed(&mut port), "a request of {} bytes was answered", frame.len());
    }
    let peak = assaulted.node.peak_bytes();
    assert!(peak < before + PEAK_MAX, "the peak of memory grew from {before} to {peak}");
    assaulted.unharmed(GROWTH_MAX);
}

#[test]
fn requests_behind_a_refused_one_are_not_answered_in_its_place() {
    let mut assaulted = Assaulted::start();
    let mut port = assaulted.port();
    port.send(12, &MetadataRequest::default());
    port.send_frame(&header(999, 0, false));
    port.send(12, &MetadataRequest::default());
    assert!(port.receive().is_some(), "what came before is answered");
    assert!(closed(&mut port), "what came after is not");
    assaulted.unharmed(GROWTH_MAX);
}
