//! What tiers know of idempotent producers, for logs that go on where their tiers end: what a producer sends again there is
//! not appended twice.

use std::collections::BTreeMap;
use std::time::Duration;

use aquifer_disk::DiskError;
use aquifer_hotlog::FilePool;
use aquifer_hotlog::format::{ProducersFile, SegmentName, Suffix};
use aquifer_manifest::{ObjectKey, Place, TierRange};
use aquifer_metadata::Image;
use aquifer_record::ProducerState;
use aquifer_tiering::{FoundObject, read_footer};
use aquifer_types::{Offset, TopicPartition};
use futures_util::{StreamExt as _, stream};

use super::Tier;
use crate::broker::Broker;

/// Footers that are read at a time.
const FOOTERS_MAX: usize = 64;
/// What a footer takes of producers; a log with more of them has none in its footers.
const SNAPSHOT_BYTES_MAX: u64 = 16 << 20;
/// How long a start waits for them.
const PATIENCE: Duration = Duration::from_secs(60);

/// Producers of logs that have not begun yet.
pub(crate) type TieredProducers = BTreeMap<TopicPartition, Vec<ProducerState>>;

/// The bytes of what the log on our disk knew of its producers at an offset at which one of its files ends.
pub(super) fn producers_at(files: &FilePool, at: TopicPartition, end: Offset) -> Vec<u8> {
    let bytes = files.disk().read(&snapshot(files, at, end), SNAPSHOT_BYTES_MAX).unwrap_or_default();
    let fits = ProducersFile::decode(&bytes).is_ok_and(|file| file.end == end);
    if fits { bytes } else { Vec::new() }
}

fn snapshot(files: &FilePool, at: TopicPartition, end: Offset) -> std::path::PathBuf {
    files.layout().segment(at, SegmentName { base: end, generation: 0 }, Suffix::Producers)
}

impl Broker {
    /// Reads what the tier knows of the producers of every log that is to go on where its tier ends, and keeps it where a
    /// start looks for it that comes after.
    pub(crate) async fn recover_tiered_producers(&self, tier: &Tier, image: &Image) {
        let begins = |(at, range): &(TopicPartition, TierRange)| {
            let known = self.replicas.get(*at).map(|replica| replica.describe().log_end);
            self.is_alone(image, *at) && known.is_none_or(|log_end| log_end < range.end)
        };
        let last = image.tiers().filter_map(|(at, ranges)| Some((at, *ranges.live().last()?)));
        let wanted: Vec<(TopicPartition, TierRange)> = last.filter(begins).collect();
        if wanted.is_empty() {
            return;
        }
        let count = wanted.len();
        let reads = stream::iter(wanted).map(|(at, range)| self.recover_producers(tier, at, range));
        let mut reads = reads.buffer_unordered(FOOTERS_MAX);
        let deadline = self.runtime.now().monotonic.plus(PATIENCE);
        let mut read = 0;
        loop {
            let left = deadline.since(self.runtime.now().monotonic);
            match self.runtime.timeout(left, reads.next()).await {
                Some(Some(true)) => read += 1,
                Some(Some(false)) => {}
                Some(None) | None => break,
            }
        }
        if read < count {
            tracing::warn!(
                logs = count - read,
                "the tier does not say what it knows of idempotent producers: what they send again may be appended twice"
            );
        }
    }

    /// Whether our copy of the partition is the only one.
    fn is_alone(&self, image: &Image, at: TopicPartition) -> bool {
        image
            .partition(at)
            .is_some_and(|partition| partition.replicas().len() == 1 && partition.has_replica(self.run.node))
    }

    async fn recover_producers(&self, tier: &Tier, at: TopicPartition, range: TierRange) -> bool {
        let place = Place { cluster: self.cluster, partition: at };
        let object = FoundObject::named(&range);
        let footer = match read_footer(&tier.store, &place, ObjectKey::of(&range), object).await {
            Ok((_, footer)) => footer,
            Err(error) => {
                tracing::info!(partition = %at, %error, "the last footer of a tier is not read");
                return false;
            }
        };
        let Ok(file) = ProducersFile::decode(&footer.producers) else { return true };
        if file.end != range.end || file.producers.is_empty() {
            return true;
        }
        let files = self.directory.files().clone();
        let kept = move || keep(&files, at, &file).map(|()| file.producers);
        match self.runtime.spawn_blocking("keep-producers", kept).await {
            Some(Ok(producers)) => {
                tier.producers.lock().expect("noting does not panic").insert(at, producers);
                true
            }
            Some(Err(error)) => {
                tracing::warn!(partition = %at, %error, "producers are not kept");
                false
            }
            None => false,
        }
    }
}

fn keep(files: &FilePool, at: TopicPartition, file: &ProducersFile) -> Result<(), DiskError> {
    let (disk, layout) = (files.disk(), files.layout());
    disk.create_dir(&layout.partition(at))?;
    disk.replace(&snapshot(files, at, file.end), &file.encode())?;
    disk.sync_dir(&layout.topic(at.topic))?;
    disk.sync_dir(&layout.partitions())
}
