//! Garbage: objects that no reader may know any more are deleted, after the quorum decided so. Keeps I6.

use std::sync::Arc;
use std::time::Duration;

use aquifer_manifest::{ObjectKey, Place, Tier as Ranges, TierRange};
use aquifer_metadata::{Change, Image, TierDelete, TierDeleteReplaced};
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
        let forgotten = ranges.inspect(|range| tier.cold.forget(range));
        let keys: Vec<String> = forgotten.map(|range| place.key(range)).collect();
        let deletions = stream::iter(keys).map(|key| async move { tier.store.delete(&key).await });
        let outcomes: Vec<_> = deletions.buffer_unordered(DELETES_MAX).collect().await;
        let failure = outcomes.into_iter().find_map(Result::err);
        if let Some(error) = &failure {
            tracing::warn!(partition = %at, %error, "objects are not deleted yet");
        }
        failure.is_none()
    }

    async fn forget(&self, change: Change) {
        if let Err(error) = self.decide(change).await {
            tracing::warn!(%error, "deleted objects are not forgotten yet");
        }
    }
}
