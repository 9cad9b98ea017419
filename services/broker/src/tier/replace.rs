//! Ranges are replaced by what our disk has of the same offsets: mirrors follow what was cleaned since it was uploaded, and
//! small neighbours become one object. Keeps I4.
//!
//! Of a log that is cleaned the oldest stretch goes first, like cleaning does: a tombstone goes only after what it stands
//! against.

use std::collections::BTreeSet;
use std::sync::Arc;

use aquifer_manifest::{BUNDLE_RANGES_MAX, MergePolicy, Span, Tier as Ranges, TierRange};
use aquifer_metadata::{Answer, Change, Image, TierMove, TierReplace, TierStretch, TopicConfig};
use aquifer_replica::{JoinLimits, Replica, Sealed, TieredFiles};
use aquifer_tiering::Packed;
use aquifer_types::{Offset, TimestampMs};
use futures_util::StreamExt as _;

use super::Tier;
use super::offload::{JOINED_BYTES_MAX, ROUND_MAX};
use super::shipment::{BUNDLED_BYTES_MAX, Load, Purpose, flight};
use crate::broker::Broker;

/// Ranges that are smaller are merged, so many at a time: fewer only where they fill an object.
const SMALL_BYTES: u32 = 8 << 20;
const MERGED_MAX: usize = 64;
const MERGED_MIN: usize = 8;
/// What is merged is deleted together, so that it is kept longer by this part of its retention at most.
const RETENTION_PART: i64 = 8;

/// What is read of our disk again waits for nothing.
const JOINED: JoinLimits = JoinLimits { bytes_max: JOINED_BYTES_MAX, appended_by: TimestampMs(i64::MAX) };

/// Offsets that our disk has closed files of.
pub(super) struct Stretch {
    pub(super) replica: Arc<Replica>,
    pub(super) from: Offset,
    pub(super) upto: Offset,
}

impl Stretch {
    /// With what of it is to be uploaded, where that is little.
    fn measured(self) -> (Stretch, Option<Load>) {
        let sealed = self.replica.sealed_between(self.from, self.upto, JOINED);
        let is_whole = |sealed: &Sealed| sealed.files.last().is_some_and(|(_, end)| *end == self.upto);
        let sealed = sealed.filter(|sealed| sealed.bytes <= BUNDLED_BYTES_MAX && is_whole(sealed));
        let load = sealed.map(|sealed| Load::local(self.replica.clone(), sealed, Purpose::Replace));
        (self, load)
    }
}

impl Broker {
    /// Replaces the first stretch of every mirrored log that was cleaned since it was uploaded.
    pub(super) async fn replace_cleaned(&self, tier: &Arc<Tier>) {
        let image = self.image();
        let cleaned = self.stretches(&image, |ranges, files, _| {
            files.is_compacted.then(|| ranges.first_difference(&spans(files))).flatten()
        });
        self.replace(tier, cleaned).await;
    }

    /// Merges the first small neighbours of every tiered log, as far as our disk still has them.
    pub(super) async fn merge_small(&self, tier: &Arc<Tier>) {
        let image = self.image();
        let small = self.stretches(&image, |ranges, files, config| {
            // What is cleaned is put together by cleaning.
            (!files.is_compacted).then(|| ranges.mergeable(&spans(files), &merge_policy(config))).flatten()
        });
        self.replace(tier, small).await;
    }

    fn stretches(
        &self,
        image: &Image,
        find: impl Fn(&Ranges, &TieredFiles, &TopicConfig) -> Option<(Offset, Offset)>,
    ) -> Vec<Stretch> {
        let found = self.replicas.all().into_iter().filter_map(|replica: Arc<Replica>| {
            let ranges = image.tier(replica.id())?;
            let topic = image.topic_by_id(replica.id().topic)?;
            let (from, upto) = find(ranges, &replica.tiered_files()?, topic.config())?;
            let replaced = ranges.from(from).iter().take_while(|range| range.end <= upto);
            let bytes: u64 = replaced.map(|range| u64::from(range.bytes)).sum();
            Some((Stretch { replica, from, upto }, bytes))
        });
        bounded(found)
    }

    /// Uploads the stretches and has them take the place of what the tier has of them; how many do.
    pub(super) async fn replace(&self, tier: &Arc<Tier>, stretches: Vec<Stretch>) -> usize {
        let (small, large): (Vec<_>, Vec<_>) =
            stretches.into_iter().map(Stretch::measured).partition(|(_, load)| load.is_some());
        let mut stretches = self.upload_small(tier, small).await;
        let upload = |(stretch, _)| self.upload_stretch(tier, stretch);
        stretches.extend(tier.pace.upload_each(large, upload).collect::<Vec<_>>().await);
        self.commit_replaced(tier, stretches).await
    }

    /// Replaces the ranges of each load by the load, which is small; how many are.
    pub(super) async fn replace_small(&self, tier: &Arc<Tier>, small: Vec<(Stretch, Load)>) -> usize {
        let small = small.into_iter().map(|(stretch, load)| (stretch, Some(load))).collect();
        let stretches = self.upload_small(tier, small).await;
        self.commit_replaced(tier, stretches).await
    }

    async fn commit_replaced(&self, tier: &Tier, stretches: Vec<TierStretch>) -> usize {
        if stretches.is_empty() {
            return 0;
        }
        let replace = TierReplace { run: self.run, stretches: stretches.clone() };
        match self.decide(Change::TierReplace(replace)).await {
            Ok(Answer::TierReplaced(outcomes)) => {
                for (outcome, stretch) in outcomes.iter().zip(&stretches) {
                    tier.landed(stretch.ranges.iter().map(flight));
                    if let Err(refusal) = outcome {
                        // Its log's start was moved meanwhile, or another broker leads; what was uploaded is nobody's.
                        tracing::info!(partition = %stretch.at.partition, %refusal, "ranges are not replaced");
                    }
                }
                outcomes.iter().filter(|outcome| outcome.is_ok()).count()
            }
            Ok(other) => {
                tracing::error!(?other, "the quorum gave an answer to another question");
                0
            }
            Err(error) => {
                tracing::warn!(%error, "ranges are not replaced");
                0
            }
        }
    }

    /// Uploads stretches that are small enough to share objects. None of one that could not be.
    async fn upload_small(&self, tier: &Arc<Tier>, small: Vec<(Stretch, Option<Load>)>) -> Vec<TierStretch> {
        let moved = |stretch: &Stretch, load: &Load| TierMove {
            partition: stretch.replica.id(),
            leader_epoch: load.leader_epoch(),
            offset: stretch.from,
        };
        let (places, loads): (Vec<(TierMove, Offset)>, Vec<Load>) = small
            .into_iter()
            .filter_map(|(stretch, load)| Some(((moved(&stretch, load.as_ref()?), stretch.upto), load?)))
            .unzip();
        let shipped: Vec<Vec<(usize, Packed)>> = self.ship(tier, loads).collect().await;
        let (mut fitting, mut landed) = (Vec::new(), BTreeSet::new());
        for (place, Packed { range, .. }) in shipped.into_iter().flatten() {
            let (at, upto) = places[place];
            match range.base == at.offset && range.end == upto {
                true => fitting.push(TierStretch { at, ranges: vec![range] }),
                false => _ = landed.insert(flight(&range)),
            }
        }
        // A bundle is on its way for as long as some of it may be committed.
        let under_way: BTreeSet<u64> =
            fitting.iter().flat_map(|stretch| &stretch.ranges).map(flight).collect();
        tier.landed(landed.difference(&under_way).copied());
        fitting
    }

    /// Uploads the stretch, in as few objects as may be. None if not all of it could be.
    async fn upload_stretch(&self, tier: &Arc<Tier>, stretch: Stretch) -> Option<TierStretch> {
        let Stretch { replica, from, upto } = stretch;
        let mut ranges: Vec<TierRange> = Vec::new();
        let mut leader_epoch = None;
        let mut next = from;
        while next < upto {
            let sealed = replica.sealed_between(next, upto, JOINED);
            let led_in = sealed.as_ref().map(|sealed| sealed.leader_epoch);
            // Whoever leads in another epoch begins anew.
            let sealed = sealed.filter(|_| leader_epoch.is_none() || leader_epoch == led_in);
            leader_epoch = leader_epoch.or(led_in);
            let packed = match sealed {
                Some(sealed) => {
                    self.upload_alone(tier, Load::local(replica.clone(), sealed, Purpose::Replace)).await
                }
                None => None,
            };
            let fits = |range: &TierRange| range.base == next && range.end <= upto;
            ranges.extend(packed.iter().map(|packed| packed.range));
            let Some(packed) = packed.filter(|packed| fits(&packed.range)) else {
                tier.landed(ranges.iter().map(|range| range.nonce));
                return None;
            };
            next = packed.range.end;
        }
        let at = TierMove { partition: replica.id(), leader_epoch: leader_epoch?, offset: from };
        Some(TierStretch { at, ranges })
    }
}

/// One round of stretches, each with its bytes: what shares objects may be many, what fills its own keeps fresh uploads waiting.
fn bounded<T>(found: impl Iterator<Item = (T, u64)>) -> Vec<T> {
    let mut large = 0;
    let bounded = found.filter(|(_, bytes)| {
        let is_large = *bytes > BUNDLED_BYTES_MAX;
        large += usize::from(is_large);
        !is_large || large <= ROUND_MAX
    });
    bounded.map(|(stretch, _)| stretch).take(BUNDLE_RANGES_MAX).collect()
}

fn spans(files: &TieredFiles) -> Vec<Span> {
    let files = files.files.iter();
    files.map(|file| Span { base: file.base, end: file.end, bytes: file.bytes }).collect()
}

/// What is put together of a topic's files or ranges: it is kept until all of it may go.
pub(super) fn joined_bytes_max(config: &TopicConfig) -> u64 {
    let retained = config.retention_bytes.and_then(|bytes| u64::try_from(bytes).ok());
    retained.map_or(JOINED_BYTES_MAX, |bytes| JOINED_BYTES_MAX.min(bytes / RETENTION_PART.unsigned_abs()))
}

fn merge_policy(config: &TopicConfig) -> MergePolicy {
    MergePolicy {
        small_bytes: SMALL_BYTES,
        bytes_max: joined_bytes_max(config),
        ranges_max: MERGED_MAX,
        ranges_min: MERGED_MIN,
        span_ms_max: config.retention_ms.map(|ms| ms / RETENTION_PART),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_replaces_few_large_stretches_and_many_small_ones() {
        let round = |bytes: u64, count: usize| bounded((0..count).map(|number| (number, bytes))).len();
        assert_eq!(round(BUNDLED_BYTES_MAX, 2_000), BUNDLE_RANGES_MAX);
        assert_eq!(round(BUNDLED_BYTES_MAX + 1, 2_000), ROUND_MAX);

        let mixed = (0..400).map(|number| (number, if number < 200 { u64::MAX } else { 1 }));
        let taken = bounded(mixed);
        assert_eq!(taken.len(), ROUND_MAX + 200, "the small ones are not behind the large ones");
    }

    #[test]
    fn what_is_merged_is_deleted_nearly_as_soon_as_it_would_have_been() {
        let defaults = aquifer_metadata::State::new();
        let default = (**defaults.image().default_topic_config()).clone();
        let policy = |retention_ms, retention_bytes| {
            let policy = merge_policy(&TopicConfig { retention_ms, retention_bytes, ..default.clone() });
            (policy.span_ms_max, policy.bytes_max)
        };

        assert_eq!(policy(None, None), (None, JOINED_BYTES_MAX));
        assert_eq!(policy(Some(8_000), Some(16 << 20)), (Some(1_000), 2 << 20));
        assert_eq!(policy(Some(0), Some(i64::MAX)), (Some(0), JOINED_BYTES_MAX));
    }
}
