//! Garbage: objects that no reader may know any more are deleted, after the quorum decided so. Keeps I6.

use std::sync::Arc;
use std::time::Duration;

use aquifer_manifest::{BundleKey, ObjectKey, Place, Tier as Ranges, TierRange};
use aquifer_metadata::{Change, Image, TierDelete, TierDeleteReplaced};
use aquifer_objects::ObjectError;
use aquifer_types::{Offset, TimestampMs, TopicPartition};
use futures_util::StreamExt as _;
use futures_util::stream;

use super::Tier;
use crate::broker::Broker;

const INTERVAL: Duration = Duration::from_secs(10);
/// Deletions at a time, and partitions of one decision.
pub(super) const DELETES_MAX: usize = 16;
const PARTITIONS_MAX: usize = 1_000;

impl Broker {
    /// Deletes for as long as the broker runs.
    pub(crate) async fn collect_garbage(self: Arc<Broker>, tier: Arc<Tier>) {
        loop {
            tokio::select! {
                biased;
                () = self.stop.wait() => return,
                () = self.runtime.sleep(INTERVAL.min(tier.settings.grace)) => {}
            }
            // What a restored cluster reads is its own to delete.
            if !self.look_for_successor(&tier).await || self.successor().is_some() {
                continue;
            }
            self.decide_deletions(&tier).await;
            self.delete_objects(&tier).await;
            self.delete_bundles(&tier).await;
            self.delete_given_up(&tier).await;
        }
    }

    async fn decide_deletions(&self, tier: &Tier) {
        let image = self.image();
        let grace_ms = i64::try_from(tier.settings.grace.as_millis()).unwrap_or(i64::MAX);
        // The quorum counts by its own clock, which only moves with commands.
        let now = self.runtime.now().wall.max(image.time());
        let by = TimestampMs(now.0.saturating_sub(grace_ms));
        let Some(told) = self.told(tier).await else { return };
        let below = |(at, ranges): (TopicPartition, &Arc<Ranges>)| {
            let upto = ranges.deletable(by)?;
            told.start(at).is_none_or(|start| upto <= start).then_some((at, upto))
        };
        let replaced = |(at, ranges): (TopicPartition, &Arc<Ranges>)| {
            let deletable = ranges.replaced().deletable(by).iter();
            let last = deletable.take_while(|replaced| !told.needs(at, &replaced.range)).last()?;
            Some((at, ObjectKey::of(&last.range)))
        };
        let ours = || image.tiers().filter(|(at, _)| self.collects(&image, *at));
        let upto: Vec<_> = ours().filter_map(below).take(PARTITIONS_MAX).collect();
        if !upto.is_empty() {
            self.decide_deletion(Change::TierDelete(TierDelete { grace_ms, upto })).await;
        }
        let upto: Vec<_> = ours().filter_map(replaced).take(PARTITIONS_MAX).collect();
        if !upto.is_empty() {
            self.decide_deletion(Change::TierDeleteReplaced(TierDeleteReplaced { grace_ms, upto })).await;
        }
    }

    async fn decide_deletion(&self, change: Change) {
        if let Err(error) = self.decide(change).await {
            tracing::warn!(%error, "deletions in the tier are not decided");
        }
    }

    /// A partition's leader collects for it; for what has no leader, whoever comes by.
    fn collects(&self, image: &Image, at: TopicPartition) -> bool {
        image.partition(at).is_none_or(|partition| partition.leader() == Some(self.run.node))
    }

    /// What was decided is done, and then forgotten.
    async fn delete_objects(&self, tier: &Tier) {
        let image = self.image();
        let mut below: Vec<(TopicPartition, Offset)> = Vec::new();
        let mut replaced: Vec<(TopicPartition, ObjectKey)> = Vec::new();
        for (at, ranges) in image.tiers().filter(|(at, _)| self.collects(&image, *at)) {
            if let Some(last) = ranges.deleting().last()
                && self.delete_all(tier, at, ranges.deleting().iter()).await
            {
                below.push((at, last.end));
            }
            let going = ranges.replaced().deleting();
            if let Some(last) = going.last()
                && self.delete_all(tier, at, going.iter().map(|replaced| &replaced.range)).await
            {
                replaced.push((at, ObjectKey::of(&last.range)));
            }
        }
        if !below.is_empty() {
            self.forget(Change::TierForget(below)).await;
        }
        if !replaced.is_empty() {
            self.forget(Change::TierForgetReplaced(replaced)).await;
        }
    }

    /// `true` if all of these objects are gone.
    async fn delete_all(
        &self,
        tier: &Tier,
        at: TopicPartition,
        ranges: impl Iterator<Item = &TierRange>,
    ) -> bool {
        let place = Place { cluster: self.cluster, partition: at };
        // What lies in a bundle is gone for good once the quorum forgets it: nobody finds it there any more.
        let own =
            ranges.inspect(|range| tier.cold.forget(range)).filter(|range| BundleKey::of(range).is_none());
        let keys: Vec<((), String)> = own.map(|range| ((), place.key(range))).collect();
        let count = keys.len();
        self.delete_keys(tier, keys).await.len() == count
    }

    /// Bundles of which nobody knows a range any more are the quorum's leader's to delete.
    async fn delete_bundles(&self, tier: &Tier) {
        if self.quorum.metrics().leader != Some(self.run.node) {
            return;
        }
        let image = self.image();
        let going = image.bundles().filter(|(_, held)| held.is_deleting());
        let keys: Vec<(BundleKey, String)> =
            going.map(|(key, _)| (key, key.name(self.cluster))).take(PARTITIONS_MAX).collect();
        let gone = self.delete_keys(tier, keys).await;
        if !gone.is_empty() {
            self.forget(Change::TierForgetBundles(gone)).await;
        }
    }

    /// Deletes objects; those that are gone.
    async fn delete_keys<T>(&self, tier: &Tier, keys: Vec<(T, String)>) -> Vec<T> {
        let deletions = stream::iter(keys).map(|(what, key)| async move {
            let deleted = tier.store.delete(&key).await;
            deleted.map(|()| what)
        });
        let outcomes: Vec<Result<T, ObjectError>> = deletions.buffer_unordered(DELETES_MAX).collect().await;
        if let Some(error) = outcomes.iter().find_map(|outcome| outcome.as_ref().err()) {
            tracing::warn!(%error, "objects are not deleted yet");
        }
        outcomes.into_iter().filter_map(Result::ok).collect()
    }

    async fn forget(&self, change: Change) {
        if let Err(error) = self.decide(change).await {
            tracing::warn!(%error, "deleted objects are not forgotten yet");
        }
    }
}
