//! The cluster's state in the bucket: topics, ranges and groups' offsets, for a restore that has nothing else.
//!
//! The quorum's leader writes what the quorum knows, the leader of each partition of groups writes their offsets; each
//! after a change, and not more often than every so often. Ranges alone are no such change: a bucket can be listed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aquifer_coordinator::OFFSETS_TOPIC;
use aquifer_group::{Answer, GroupRecord};
use aquifer_manifest::{StateKey, StateKind, StateObject, TierRange, encode_records};
use aquifer_metadata::{Image, encode_snapshot};
use aquifer_objects::{ObjectError, Problem};
use aquifer_runtime::Monotonic;
use aquifer_types::{Offset, TopicPartition};
use bytes::Bytes;

use super::Tier;
use crate::broker::Broker;

/// Ranges are written down after so long, so that a restore need not read the footers of too many.
const RANGES_INTERVAL: Duration = Duration::from_secs(300);
/// No more than a small part of the time is spent on writing.
const REST_FACTOR: u32 = 20;
/// So many objects of a kind are kept.
const KEPT: usize = 4;
/// How long the shard of a partition is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// What stands in the bucket.
#[derive(Debug, Default)]
pub(crate) struct Written {
    meta: Option<(Image, Monotonic)>,
    /// Where the log of each partition of groups ended.
    groups: BTreeMap<i32, i64>,
    /// Of this life of the cluster, oldest first.
    keys: BTreeMap<StateKind, Vec<StateKey>>,
}

/// What a restore would begin with, as far as this broker wrote it.
#[derive(Debug)]
pub(crate) struct Told(Option<Image>);

/// State that is not in the bucket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    #[error(transparent)]
    Store(#[from] ObjectError),
    #[error("the groups of partition {0} are not at hand")]
    Groups(i32),
    #[error("encoding failed in the middle")]
    Panicked,
}

impl Broker {
    /// Keeps the bucket's state up to date for as long as the broker runs.
    pub(crate) async fn keep_state(self: Arc<Broker>, tier: Arc<Tier>) {
        let mut pause = tier.settings.state_interval;
        loop {
            tokio::select! {
                biased;
                () = self.stop.wait() => return,
                () = self.runtime.sleep(pause) => {}
            }
            let began = self.runtime.now().monotonic;
            self.look_for_successor(&tier).await;
            if let Err(error) = self.write_state(&tier, false).await {
                tracing::warn!(%error, "the cluster's state is not in the tier yet: a restore would begin with an older one");
            }
            let took = self.runtime.now().monotonic.since(began);
            pause = tier.settings.state_interval.max(took * REST_FACTOR);
        }
    }

    /// Writes what has changed; with `ranges`, also if nothing but ranges has.
    pub(crate) async fn write_state(&self, tier: &Tier, ranges: bool) -> Result<(), StateError> {
        if self.successor().is_some() {
            return Ok(());
        }
        let mut written = tier.state.lock().await;
        let image = self.image();
        let now = self.runtime.now().monotonic;
        let leads = self.quorum.metrics().leader == Some(self.run.node);
        if leads && is_due(written.meta.as_ref(), &image, now, ranges) {
            let encoding = {
                let image = image.clone();
                tier.aside.spawn_blocking("encode-state", move || encode_snapshot(&image))
            };
            let body = encoding.await.ok_or(StateError::Panicked)?;
            self.write_object(tier, &mut written, StateKind::Meta, body).await?;
            written.meta = Some((image.clone(), now));
        }
        let Some(topic) = image.topic(OFFSETS_TOPIC) else { return Ok(()) };
        for replica in self.replicas.of_topic(topic.id()) {
            let (partition, log) = (replica.id().partition.0, replica.describe());
            let end = log.log_end.0;
            let known = written.groups.get(&partition).copied().unwrap_or(0);
            if log.leads_in.is_none() || end == known {
                continue;
            }
            let body = encode_records(&self.exported(partition).await?);
            self.write_object(tier, &mut written, StateKind::Groups(partition), body).await?;
            written.groups.insert(partition, end);
        }
        Ok(())
    }

    /// Every committed offset of a partition's groups, as its log would hold them.
    async fn exported(&self, partition: i32) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StateError> {
        let asked = self.coordinator.export(partition).answer();
        match self.runtime.timeout(PATIENCE, asked).await {
            Some(Ok(Answer::Export(records))) => {
                let stored = |record: &GroupRecord| Some((record.key(), record.value()?));
                Ok(records.iter().filter_map(stored).collect())
            }
            _ => Err(StateError::Groups(partition)),
        }
    }

    /// What the state in the bucket says; none before there is one. Who does not write it trusts who does.
    pub(crate) async fn told(&self, tier: &Tier) -> Option<Told> {
        let written = tier.state.lock().await;
        let image = written.meta.as_ref().map(|(image, _)| image.clone());
        let writes = self.quorum.metrics().leader == Some(self.run.node);
        (image.is_some() || !writes).then_some(Told(image))
    }

    async fn write_object(
        &self,
        tier: &Tier,
        written: &mut Written,
        kind: StateKind,
        body: Vec<u8>,
    ) -> Result<(), StateError> {
        let known = match written.keys.remove(&kind) {
            Some(known) => known,
            None => self.own_keys(tier, kind).await?,
        };
        let first = StateKey { incarnation: self.incarnation, sequence: 1 };
        let key = known.last().map_or(first, |last| last.next());
        let object = StateObject { cluster: self.cluster, kind, key, written: self.runtime.now().wall, body };
        // A name that is taken, or of which nobody said so, is looked up again before the next attempt.
        tier.store.create(&object.name(), &[Bytes::from(object.encode())]).await?;
        let mut keys = known;
        keys.push(key);
        let old = keys.len().saturating_sub(KEPT);
        for old in keys.drain(..old) {
            if let Err(error) = tier.store.delete(&format!("{}{old}", kind.prefix(self.cluster))).await {
                // It is in nobody's way.
                tracing::debug!(%error, "an old state is not deleted");
            }
        }
        written.keys.insert(kind, keys);
        Ok(())
    }

    /// The objects of a kind that this life of the cluster wrote, oldest first.
    async fn own_keys(&self, tier: &Tier, kind: StateKind) -> Result<Vec<StateKey>, ObjectError> {
        let listed = tier.store.list(&kind.prefix(self.cluster)).await?;
        let keys = listed.iter().filter_map(|listed| listed.key.parse().ok());
        Ok(keys.filter(|key: &StateKey| key.incarnation == self.incarnation).collect())
    }

    /// Looks whether the cluster was restored elsewhere: then nothing is written to the bucket, nor deleted from it, nor
    /// produced any more. `false` where nobody can say.
    pub(crate) async fn look_for_successor(&self, tier: &Tier) -> bool {
        let listed = match tier.store.list(&StateKind::Meta.prefix(self.cluster)).await {
            Ok(listed) => listed,
            Err(error) if error.problem == Problem::Missing => return true,
            Err(error) => {
                tracing::warn!(%error, "the tier does not say whether this cluster was restored elsewhere");
                return false;
            }
        };
        let keys = listed.iter().filter_map(|listed| listed.key.parse::<StateKey>().ok());
        let newest = keys.map(|key| key.incarnation).max();
        if let Some(newer) = newest.filter(|newest| *newest > self.incarnation)
            && tier.successor.set(newer).is_ok()
        {
            tracing::error!(
                own = self.incarnation,
                newer,
                "this cluster was restored elsewhere from its tier: nothing is uploaded, deleted or produced here any more; \
                 move its clients to the restored one and stop it"
            );
        }
        true
    }

    /// The incarnation that this cluster goes on as elsewhere.
    pub(crate) fn successor(&self) -> Option<u16> {
        self.tier.as_ref().and_then(|tier| tier.successor.get().copied())
    }
}

impl Told {
    /// Where a log starts, below which a restore misses nothing. Of a partition that it does not name it says nothing.
    pub(crate) fn start(&self, at: TopicPartition) -> Option<Offset> {
        Some(self.0.as_ref()?.tier(at)?.start())
    }

    /// Whether a restore would look for a range that was replaced meanwhile: it is named, or what took its place is not.
    pub(crate) fn needs(&self, at: TopicPartition, replaced: &TierRange) -> bool {
        let Some(image) = &self.0 else { return false };
        match image.tier(at) {
            Some(tier) => tier.ranges().contains(replaced) || tier.end() < replaced.end,
            None => image.partition(at).is_some(),
        }
    }
}

/// Whether the quorum's state is to be written again.
fn is_due(written: Option<&(Image, Monotonic)>, image: &Image, now: Monotonic, ranges: bool) -> bool {
    let Some((before, at)) = written else { return true };
    if before.applied() == image.applied() {
        return false;
    }
    let rests = now.since(*at) < RANGES_INTERVAL && !ranges;
    !before.is_same_for_a_restore(image, rests)
}
