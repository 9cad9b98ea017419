//! Orphans: objects that no commit names and that none ever will, left by runs that ended in the middle or by uploads that
//! were given up. Keeps I4.
//!
//! A commit is refused to runs that another one of the same broker followed, and this run knows what it may yet commit. So
//! what belongs to neither when the bucket was listed, and is not named after that, is nobody's. What older incarnations
//! left is not looked at: somebody may yet want to go back to it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aquifer_manifest::{ObjectKey, Place, generation, incarnation_of};
use aquifer_metadata::Image;
use aquifer_objects::ObjectError;
use aquifer_tiering::{FoundObject, Survey, survey};
use aquifer_types::{ClusterId, TimestampMs};
use futures_util::{StreamExt as _, stream};

use super::Tier;
use super::garbage::DELETES_MAX;
use crate::broker::Broker;

/// The first look comes after so many times the time for which objects stay: what the run before began may still arrive.
const FIRST_LOOK: u32 = 2;

/// Who may still commit what was uploaded.
struct Alive {
    /// Generations of runs that nobody followed yet, this one's included.
    generations: BTreeSet<u64>,
    own: u64,
    incarnation: u16,
    /// Whether runs that ended are ours to clean up after.
    leads: bool,
}

impl Broker {
    /// Looks for orphans for as long as the broker runs, first for those of the run before it.
    pub(crate) async fn collect_orphans(self: Arc<Broker>, tier: Arc<Tier>) {
        let interval = tier.settings.orphan_interval;
        let mut pause = interval.min(tier.settings.grace * FIRST_LOOK);
        loop {
            tokio::select! {
                biased;
                () = self.stop.wait() => return,
                () = self.runtime.sleep(pause) => {}
            }
            pause = interval;
            if let Err(error) = self.collect_once(&tier).await {
                tracing::warn!(%error, "the tier is not searched for orphans");
            }
        }
    }

    async fn collect_once(&self, tier: &Tier) -> Result<(), ObjectError> {
        let _copying = tier.copying.lock().await;
        let alive = self.alive();
        let listed = survey(&tier.store, self.cluster).await?;
        let flying = tier.in_flight.lock().expect("noting does not panic").clone();
        let image = self.image();
        let grace_ms = i64::try_from(tier.settings.grace.as_millis()).unwrap_or(i64::MAX);
        let by = TimestampMs(self.runtime.now().wall.0.saturating_sub(grace_ms));
        let orphans = orphans(&listed, &image, self.cluster, |(generation, nonce), object| {
            object.uploaded <= by && alive.are_done_with((generation, nonce), &flying)
        });
        if orphans.is_empty() || !self.look_for_successor(tier).await || self.successor().is_some() {
            return Ok(());
        }
        let deletions = stream::iter(orphans)
            .map(|(name, object)| async move { (object, tier.store.delete(&name).await) });
        let mut deletions = deletions.buffer_unordered(DELETES_MAX);
        while let Some((object, deleted)) = deletions.next().await {
            deleted?;
            tier.totals.orphans.fetch_add(1, Ordering::Relaxed);
            tier.totals.orphan_bytes.fetch_add(object.bytes, Ordering::Relaxed);
        }
        Ok(())
    }

    fn alive(&self) -> Alive {
        let image = self.image();
        let number = |epoch: i64| u64::try_from(epoch).unwrap_or(0);
        let runs = image.brokers().map(|broker| generation(self.incarnation, number(broker.epoch.0)));
        Alive {
            generations: runs.collect(),
            own: self.upload_generation(),
            incarnation: self.incarnation,
            leads: self.quorum.metrics().leader == Some(self.run.node),
        }
    }
}

impl Alive {
    /// Whether nobody will commit the object any more who has not done so.
    fn are_done_with(&self, (generation, nonce): (u64, u64), flying: &BTreeSet<u64>) -> bool {
        if incarnation_of(generation) != self.incarnation {
            return false;
        }
        if generation == self.own {
            return !flying.contains(&nonce);
        }
        self.leads && !self.generations.contains(&generation)
    }
}

/// The objects that the quorum does not name, bundles too, of those that may be collected.
fn orphans(
    listed: &Survey,
    image: &Image,
    cluster: ClusterId,
    may_go: impl Fn((u64, u64), &FoundObject) -> bool,
) -> Vec<(String, FoundObject)> {
    let mut found = Vec::new();
    for (at, objects) in &listed.objects {
        let named: BTreeSet<ObjectKey> =
            image.tier(*at).iter().flat_map(|tier| tier.named()).map(ObjectKey::of).collect();
        let unnamed = objects
            .iter()
            .filter(|(key, object)| !named.contains(key) && may_go((key.generation, key.nonce), object));
        let place = Place { cluster, partition: *at };
        found.extend(unnamed.map(|(key, object)| (place.name(key), *object)));
    }
    let unnamed = listed
        .bundles
        .iter()
        .filter(|(key, object)| image.bundle(**key).is_none() && may_go((key.generation, key.nonce), object));
    found.extend(unnamed.map(|(key, object)| (key.name(cluster), *object)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_can_commit_any_more_goes() {
        let own = generation(2, 9);
        let alive = |leads| Alive {
            generations: BTreeSet::from([own, generation(2, 7)]),
            own,
            incarnation: 2,
            leads,
        };
        let flying = BTreeSet::from([55]);
        let goes = |generation, nonce| {
            [true, false].map(|leads| alive(leads).are_done_with((generation, nonce), &flying))
        };

        assert_eq!(goes(own, 55), [false, false], "it is on its way");
        assert_eq!(goes(own, 56), [true, true], "it was given up");
        assert_eq!(goes(generation(2, 7), 56), [false, false], "another broker may commit it");
        assert_eq!(goes(generation(2, 6), 56), [true, false], "its run ended");
        assert_eq!(goes(generation(1, 6), 56), [false, false], "of another life");
        assert_eq!(goes(generation(3, 6), 56), [false, false]);
    }
}
