//! Chunks that come, are read, and make room.

use aquifer_objects::{Operation, Problem};
use proptest::prelude::*;

use super::*;

const BYTES_MAX: u64 = 40;

fn id(chunk: u32) -> ChunkId {
    ChunkId { object: (1, 1, 0, 0), chunk: Some(chunk) }
}

fn at(milliseconds: u64) -> Monotonic {
    Monotonic(Duration::from_millis(milliseconds))
}

/// Begins to fetch a chunk of ten bytes, if there is room.
fn begin(chunks: &mut Chunks, chunk: u32, now: u64, need: Need) -> bool {
    let has_room = chunks.make_room(10, BYTES_MAX, at(now), need);
    if has_room {
        chunks.note(id(chunk));
        chunks.count(10);
    }
    has_room
}

fn come(chunks: &mut Chunks, chunk: u32, now: u64) {
    chunks.end(id(chunk), 10, Ok(Bytes::from(vec![0; 10])), at(now));
}

fn is_read(chunks: &mut Chunks, chunk: u32, bytes: u32, now: u64) {
    let position = id(chunk).position();
    assert!(matches!(chunks.look(id(chunk), position, at(now), None), Lookup::Ready { .. }));
    chunks.served(id(chunk), &(position..position + bytes), position + bytes);
}

fn full() -> Chunks {
    let mut chunks = Chunks::default();
    for chunk in 0..4 {
        assert!(begin(&mut chunks, chunk, 0, Need::Waiting));
        come(&mut chunks, chunk, 0);
    }
    chunks
}

#[test]
fn what_was_read_to_its_end_makes_room_first_and_what_is_on_its_way_never_does() {
    let mut chunks = full();
    is_read(&mut chunks, 2, 10, 0);

    assert!(begin(&mut chunks, 4, 0, Need::Ahead));

    assert!(!chunks.is_known(id(2)) && chunks.is_known(id(0)));
    assert!(!begin(&mut chunks, 5, 0, Need::Ahead), "the others may still be read");
    assert!(!begin(&mut chunks, 5, 0, Need::Waiting));
    assert_eq!((chunks.bytes(), chunks.evicted_unread), (40, 0));
}

#[test]
fn what_nobody_comes_back_to_makes_room_sooner_for_one_who_waits() {
    let mut chunks = full();
    is_read(&mut chunks, 0, 3, 400);

    assert!(!begin(&mut chunks, 4, 600, Need::Ahead));
    assert!(begin(&mut chunks, 4, 600, Need::Waiting));
    assert!(!chunks.is_known(id(1)), "the first that was not read");
    assert!(begin(&mut chunks, 5, 5_001, Need::Ahead));
    assert_eq!(chunks.evicted_unread, 2);
}

#[test]
fn what_was_read_of_a_chunk_makes_room_and_its_reader_finds_the_rest() {
    let mut chunks = full();
    is_read(&mut chunks, 1, 6, 0);

    assert!(!begin(&mut chunks, 4, 0, Need::Ahead));
    assert_eq!(chunks.bytes(), 40, "nothing is copied for what nobody waits for");
    assert!(!begin(&mut chunks, 4, 0, Need::Waiting), "six bytes are not ten");

    let position = id(1).position();
    assert_eq!(chunks.bytes(), 34);
    let found = chunks.look(id(1), position + 6, at(0), None);
    assert!(matches!(found, Lookup::Ready { bytes, position: p } if bytes.len() == 4 && p == position + 6));
    assert!(
        matches!(chunks.look(id(1), position, at(0), None), Lookup::Absent),
        "who comes later fetches it again"
    );
    assert_eq!(chunks.bytes(), 30);
}

#[test]
fn a_failure_is_believed_for_a_while_and_those_who_wait_are_woken() {
    let woken = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let count = woken.clone();
    let wake: Wake = Arc::new(move || {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    });
    let mut chunks = Chunks::default();
    begin(&mut chunks, 0, 0, Need::Waiting);
    assert!(matches!(chunks.look(id(0), 0, at(0), Some(&wake)), Lookup::Filling));
    let message = "the store is away";
    let error = ObjectError::new(Operation::Read, "none", Problem::Unavailable, message);

    for wake in chunks.end(id(0), 10, Err(error), at(5_000)) {
        wake();
    }

    assert_eq!(woken.load(std::sync::atomic::Ordering::Relaxed), 1);
    assert!(matches!(chunks.look(id(0), 0, at(5_000), None), Lookup::Failed(_)));
    assert!(matches!(chunks.look(id(0), 0, at(6_000), None), Lookup::Absent));
    assert_eq!(chunks.bytes(), 0);
}

#[derive(Clone, Debug)]
enum Step {
    Begin(u32, Need),
    Come(u32),
    Read(u32, u32),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..8_u32, prop_oneof![Just(Need::Waiting), Just(Need::Ahead)])
            .prop_map(|(chunk, need)| Step::Begin(chunk, need)),
        (0..8_u32).prop_map(Step::Come),
        (0..8_u32, 1..=10_u32).prop_map(|(chunk, bytes)| Step::Read(chunk, bytes)),
        (0..2_000_u64).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn chunks_stay_within_their_bound_and_are_counted_as_they_are(steps in prop::collection::vec(step(), 1..200)) {
        let mut chunks = Chunks::default();
        let (mut now, mut on_their_way) = (0, BTreeSet::new());
        for step in steps {
            match step {
                Step::Begin(chunk, need)
                    if !chunks.is_known(id(chunk)) && begin(&mut chunks, chunk, now, need) =>
                {
                    on_their_way.insert(chunk);
                }
                Step::Come(chunk) if on_their_way.remove(&chunk) => come(&mut chunks, chunk, now),
                Step::Read(chunk, bytes) => {
                    let position = id(chunk).position();
                    if let Lookup::Ready { .. } = chunks.look(id(chunk), position, at(now), None) {
                        chunks.served(id(chunk), &(position..position + bytes), position + bytes);
                    }
                }
                Step::Wait(milliseconds) => now += milliseconds,
                _ => {}
            }
            let held: usize = chunks.chunks.values().map(|chunk| match chunk {
                Chunk::Ready(ready) => ready.bytes.len(),
                _ => 0,
            }).sum();
            prop_assert_eq!(chunks.bytes(), (held + on_their_way.len() * 10) as u64);
            prop_assert!(chunks.bytes() <= BYTES_MAX);
            let ready = chunks.chunks.values().filter(|chunk| matches!(chunk, Chunk::Ready(_))).count();
            prop_assert_eq!(chunks.order.len() + chunks.spent.len(), ready);
        }
    }
}
