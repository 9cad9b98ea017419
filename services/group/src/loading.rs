//! `Loading`: a shard that takes its log in, and answers nobody yet.

use std::collections::BTreeMap;

use aquifer_types::Offset;

use crate::group::Group;
use crate::names::GroupId;
use crate::record::{Decoded, GroupRecord};

/// Groups as their records tell, up to some offset. Holds what is stored and nothing else.
#[derive(Clone, Debug, Default)]
pub struct Loading {
    pub(crate) groups: BTreeMap<GroupId, Group>,
    pub(crate) next: Offset,
    skipped: u64,
}

impl Loading {
    /// The state before the first record.
    #[must_use]
    pub fn new() -> Loading {
        Loading::default()
    }

    /// Takes the record at `offset` in. What nobody here understands is counted and passed over.
    pub fn replay(&mut self, offset: Offset, key: &[u8], value: Option<&[u8]>) {
        match GroupRecord::decode(key, value) {
            Ok(Decoded::Record(record)) => self.apply(record),
            Ok(Decoded::Unknown) | Err(_) => self.skipped += 1,
        }
        self.next = offset.plus(1);
    }

    /// Takes one record in; records that compaction took away may be missing before it.
    pub fn apply(&mut self, record: GroupRecord) {
        let id = record.group();
        if !self.groups.contains_key(id) {
            self.groups.insert(id.clone(), Group::new(id.clone()));
        }
        let id = id.clone();
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.apply(record);
        if group.is_void() {
            self.groups.remove(&id);
        }
    }

    /// The offset after the last record that was taken in.
    #[must_use]
    pub fn next(&self) -> Offset {
        self.next
    }

    /// Where the log goes on, if what lies before holds nothing for this shard: aborted or compacted batches.
    pub fn skip_to(&mut self, offset: Offset) {
        self.next = self.next.max(offset);
    }

    /// How many records were of a kind or version that is not known here, or damaged.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }
}
