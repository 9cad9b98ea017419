//! Garbage: objects that no reader may know any more are deleted, after the quorum decided so. Keeps I6.

use std::sync::Arc;
use std::time::Duration;

use aquifer_manifest::{Place, Tier as Ranges};
use aquifer_metadata::{Change, Image, TierDelete};
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
        let Some(told) = self.told_starts(tier).await else { return };
        let due = |(at, ranges): (TopicPartition, &Arc<Ranges>)| {
            let upto = ranges.deletable(by)?;
            told(at).is_none_or(|start| upto <= start).then_some((at, upto))
        };
        let upto: Vec<_> = image
            .tiers()
            .filter(|(at, _)| self.collects(&image, *at))
            .filter_map(due)
            .take(PARTITIONS_MAX)
            .collect();
        if upto.is_empty() {
            return;
        }
        if let Err(error) = self.decide(Change::TierDelete(TierDelete { grace_ms, upto })).await {
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
        let mut gone: Vec<(TopicPartition, Offset)> = Vec::new();
        for (at, ranges) in image.tiers().filter(|(at, _)| self.collects(&image, *at)) {
            let Some(last) = ranges.deleting().last() else { continue };
            let place = Place { cluster: self.cluster, partition: at };
            let keys: Vec<String> = ranges.deleting().iter().map(|range| place.key(range)).collect();
            let deletions = stream::iter(keys).map(|key| async move { tier.store.delete(&key).await });
            let outcomes: Vec<_> = deletions.buffer_unordered(DELETES_MAX).collect().await;
            match outcomes.into_iter().find_map(Result::err) {
                None => gone.push((at, last.end)),
                Some(error) => tracing::warn!(partition = %at, %error, "objects are not deleted yet"),
            }
        }
        if gone.is_empty() {
            return;
        }
        if let Err(error) = self.decide(Change::TierForget(gone)).await {
            tracing::warn!(%error, "deleted objects are not forgotten yet");
        }
    }
}
