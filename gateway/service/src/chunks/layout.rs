//! `Layout`: what was learnt of a chunk's bytes while they went by, so that parts of it can be served without the rest.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use aquifer_types::{BatchEpoch, Offset, TopicPartition};
use ring::digest::{Context, SHA256};

/// Of a layout; with more, every other one goes.
const MARKS_MAX: usize = 64;
/// How many chunks are remembered: some four MiB.
const LAYOUTS_MAX: usize = 4096;

/// Where a chunk's bytes stand in its partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    pub length: u64,
    /// SHA-256 of all bytes, where somebody asked for it.
    pub digest: Option<[u8; 32]>,
    /// Places that reading can begin at, in their order.
    marks: Vec<Mark>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// In the chunk's bytes.
    pub(super) position: u64,
    /// Of the batch that begins there.
    pub(super) offset: Offset,
}

impl Layout {
    /// The last mark that is not behind a position.
    pub(super) fn mark_before(&self, position: u64) -> Option<Mark> {
        let behind = self.marks.partition_point(|mark| mark.position <= position);
        self.marks[..behind].last().copied()
    }
}

/// Makes a layout from all pieces of a chunk.
pub(super) struct Learning {
    position: u64,
    spacing: u64,
    marks: Vec<Mark>,
    digest: Option<Context>,
}

impl Learning {
    pub(super) fn new(wants_digest: bool) -> Learning {
        let digest = wants_digest.then(|| Context::new(&SHA256));
        Learning { position: 0, spacing: 0, marks: Vec::new(), digest }
    }

    /// The next piece, which begins with the batch at `offset`.
    pub(super) fn add(&mut self, offset: Offset, bytes: &[u8]) {
        if self.marks.last().is_none_or(|last| self.position >= last.position + self.spacing) {
            self.marks.push(Mark { position: self.position, offset });
        }
        if self.marks.len() > MARKS_MAX {
            let mut index = 0;
            self.marks.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.spacing = self.position / (MARKS_MAX as u64 / 2);
        }
        if let Some(digest) = &mut self.digest {
            digest.update(bytes);
        }
        self.position += bytes.len() as u64;
    }

    pub(super) fn finish(self) -> Layout {
        let digest = self.digest.map(|digest| {
            let mut bytes = [0; 32];
            bytes.copy_from_slice(digest.finish().as_ref());
            bytes
        });
        Layout { length: self.position, digest, marks: self.marks }
    }
}

/// A chunk as long as nobody rewrote history.
pub(super) type Key = (TopicPartition, i64, BatchEpoch);

/// The layouts of the chunks that were read last.
#[derive(Default)]
pub(super) struct Layouts {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_key: BTreeMap<Key, Arc<Layout>>,
    order: VecDeque<Key>,
}

impl Layouts {
    pub(super) fn get(&self, key: &Key) -> Option<Arc<Layout>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).by_key.get(key).cloned()
    }

    pub(super) fn put(&self, key: Key, layout: Layout) -> Arc<Layout> {
        let layout = Arc::new(layout);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let before = kept.by_key.insert(key, Arc::clone(&layout));
        match before {
            // One that knows the digest is worth more than a later one that does not.
            Some(before) if before.digest.is_some() && layout.digest.is_none() => {
                kept.by_key.insert(key, before);
            }
            Some(_) => {}
            None => kept.order.push_back(key),
        }
        while kept.order.len() > LAYOUTS_MAX {
            if let Some(oldest) = kept.order.pop_front() {
                kept.by_key.remove(&oldest);
            }
        }
        layout
    }
}

#[cfg(test)]
mod layout_test {
    use aquifer_types::{PartitionIndex, TopicId, Uuid};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn reading_can_begin_not_far_before_any_position(pieces in prop::collection::vec(1..5_000_usize, 1..600), at in 0.0..1.0) {
            let mut learning = Learning::new(false);
            let mut begins = Vec::new();
            let mut position = 0;
            for (index, length) in (0..).zip(&pieces) {
                learning.add(Offset(index), &vec![0; *length]);
                begins.push(Mark { position, offset: Offset(index) });
                position += *length as u64;
            }
            let layout = learning.finish();
            prop_assert_eq!(layout.length, position);
            prop_assert!(layout.marks.len() <= MARKS_MAX);
            let wanted = (position as f64 * at) as u64;
            let mark = layout.mark_before(wanted).expect("the start is a mark");
            prop_assert!(mark.position <= wanted && begins.contains(&mark));
            prop_assert!(wanted - mark.position <= position / 8 + 10_000, "{} of {}", wanted - mark.position, position);
        }
    }

    #[test]
    fn layouts_are_bounded_and_digests_are_not_forgotten_for_want_of_one() {
        let layouts = Layouts::default();
        let topic = TopicId(Uuid::from_bytes([1; 16]));
        let key = |number| (TopicPartition { topic, partition: PartitionIndex(0) }, number, BatchEpoch(1));
        let of = |wants_digest| {
            let mut learning = Learning::new(wants_digest);
            learning.add(Offset(0), b"abc");
            learning.finish()
        };
        layouts.put(key(0), of(true));
        layouts.put(key(0), of(false));
        assert!(layouts.get(&key(0)).expect("kept").digest.is_some());
        for number in 1..=i64::try_from(LAYOUTS_MAX).expect("small") {
            layouts.put(key(number), of(false));
        }
        assert_eq!(layouts.get(&key(0)), None);
        assert!(layouts.get(&key(1)).is_some());
    }
}
