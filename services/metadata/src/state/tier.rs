//! Tiered ranges are committed, unlinked, deleted and forgotten. Keeps I4, I5 and I6.

use std::collections::BTreeSet;
use std::sync::Arc;

use aquifer_manifest::{BundleKey, HeldBundle, ObjectKey, Tier, TierRange, TierRefusal};
use aquifer_types::{TimestampMs, TopicId, TopicPartition};

use crate::answer::TierCommandRefusal;
use crate::command::{BrokerRun, TierAdd, TierDelete, TierDeleteReplaced, TierMove, TierStretch};
use crate::delta::Delta;
use crate::state::State;

type Outcome = Result<(), TierCommandRefusal>;

impl State {
    /// An object is wholly there: from now on the range is read from it. The same range again is a retry.
    pub(crate) fn commit_range(
        &mut self,
        run: BrokerRun,
        add: &TierAdd,
        new_bundles: &BTreeSet<BundleKey>,
        deltas: &mut Vec<Delta>,
    ) -> Outcome {
        let at = add.at.partition;
        self.image.check_leads(run, at, add.at.leader_epoch)?;
        let known = self.image.tiers.get(&at);
        if known.is_some_and(|tier| tier.ranges().last() == Some(&add.range)) {
            return Ok(());
        }
        check_bundle(&add.range, new_bundles)?;
        let mut tier = known.cloned().unwrap_or_else(|| Arc::new(Tier::new(add.at.offset)));
        Arc::make_mut(&mut tier).add(add.at.offset, add.range)?;
        self.set_tier(at, tier, deltas);
        self.hold(&[add.range]);
        Ok(())
    }

    /// The log starts later: ranges wholly below are unlinked.
    pub(crate) fn trim_tier(&mut self, run: BrokerRun, trim: &TierMove, deltas: &mut Vec<Delta>) -> Outcome {
        let (at, now) = (trim.partition, self.image.time);
        self.image.check_leads(run, at, trim.leader_epoch)?;
        // A log of which nothing is tiered yet has its first range begin there: one that was uploaded meanwhile is refused.
        let known = self.image.tiers.get(&at).cloned();
        let mut tier = known.unwrap_or_else(|| Arc::new(Tier::new(trim.offset)));
        Arc::make_mut(&mut tier).trim(trim.offset, now);
        self.set_tier(at, tier, deltas);
        Ok(())
    }

    /// Ranges that were unlinked long enough ago are to be deleted.
    pub(crate) fn delete_ranges(&mut self, delete: &TierDelete, deltas: &mut Vec<Delta>) -> Vec<Outcome> {
        let unlinked_by = self.time_before(delete.grace_ms);
        let outcomes = delete.upto.iter().map(|(partition, upto)| {
            self.edit_tier(*partition, deltas, |tier| tier.delete(*upto, unlinked_by))
        });
        outcomes.collect()
    }

    /// Objects are gone.
    pub(crate) fn forget_ranges(
        &mut self,
        partition: TopicPartition,
        upto: aquifer_types::Offset,
        deltas: &mut Vec<Delta>,
    ) -> Outcome {
        let gone = self.edit_tier(partition, deltas, |tier| tier.forget(upto))?;
        self.release(&gone);
        self.forget_emptied(partition);
        Ok(())
    }

    /// Other ranges hold the same offsets: from now on these are read from them. The same ranges again are a retry.
    pub(crate) fn replace_ranges(
        &mut self,
        run: BrokerRun,
        stretch: &TierStretch,
        new_bundles: &BTreeSet<BundleKey>,
        deltas: &mut Vec<Delta>,
    ) -> Outcome {
        let TierStretch { at, ranges } = stretch;
        self.image.check_leads(run, at.partition, at.leader_epoch)?;
        let known = self.image.tiers.get(&at.partition);
        let is_there = |range| known.is_some_and(|tier| tier.live().contains(range));
        if !ranges.is_empty() && ranges.iter().all(is_there) {
            return Ok(());
        }
        ranges.iter().try_for_each(|range| check_bundle(range, new_bundles))?;
        let now = self.image.time;
        self.edit_tier(at.partition, deltas, |tier| tier.replace(ranges, now))?;
        self.hold(ranges);
        Ok(())
    }

    /// Ranges that were replaced long enough ago are to be deleted.
    pub(crate) fn delete_replaced(
        &mut self,
        delete: &TierDeleteReplaced,
        deltas: &mut Vec<Delta>,
    ) -> Vec<Outcome> {
        let replaced_by = self.time_before(delete.grace_ms);
        let outcomes = delete.upto.iter().map(|(partition, upto)| {
            self.edit_tier(*partition, deltas, |tier| tier.delete_replaced(upto, replaced_by))
        });
        outcomes.collect()
    }

    /// Objects of replaced ranges are gone.
    pub(crate) fn forget_replaced(
        &mut self,
        partition: TopicPartition,
        upto: &ObjectKey,
        deltas: &mut Vec<Delta>,
    ) -> Outcome {
        let gone = self.edit_tier(partition, deltas, |tier| tier.forget_replaced(upto))?;
        self.release(&gone);
        self.forget_emptied(partition);
        Ok(())
    }

    /// A bundle is gone of which nobody knows a range any more. One that is not there was forgotten before.
    pub(crate) fn forget_bundle(&mut self, key: BundleKey) -> Outcome {
        if self.image.bundles.get(&key).is_some_and(|held| !held.is_deleting()) {
            return Err(TierCommandRefusal::BundleHeld);
        }
        self.image.bundles.remove(&key);
        Ok(())
    }

    /// The bundles of these ranges that no command named before. What such a command does not put in never comes in: once
    /// all of it is forgotten a bundle may go.
    pub(crate) fn new_bundles<'a>(&self, ranges: impl Iterator<Item = &'a TierRange>) -> BTreeSet<BundleKey> {
        ranges.filter_map(BundleKey::of).filter(|key| self.image.bundles.get(key).is_none()).collect()
    }

    /// Ranges are committed.
    fn hold(&mut self, ranges: &[TierRange]) {
        for key in ranges.iter().filter_map(BundleKey::of) {
            let known = self.image.bundles.get(&key).copied();
            let held = known.map_or_else(HeldBundle::first, |mut held| {
                held.hold();
                held
            });
            self.image.bundles.insert(key, held);
        }
    }

    /// Ranges are forgotten: a bundle of which none is left is to be deleted.
    fn release(&mut self, ranges: &[TierRange]) {
        for key in ranges.iter().filter_map(BundleKey::of) {
            let known = self.image.bundles.get(&key).copied();
            let mut held = known.expect("a bundle is known for as long as any of its ranges is (I6)");
            held.release();
            self.image.bundles.insert(key, held);
        }
    }

    fn time_before(&self, grace_ms: i64) -> TimestampMs {
        TimestampMs(self.image.time.0.saturating_sub(grace_ms))
    }

    /// Of a deleted topic nothing is remembered that has no objects any more.
    fn forget_emptied(&mut self, partition: TopicPartition) {
        let orphaned = self.image.topics.get(&partition.topic).is_none();
        if orphaned && self.image.tiers.get(&partition).is_some_and(|tier| tier.is_empty()) {
            self.image.tiers.remove(&partition);
            self.forget_deleted(partition.topic);
        }
    }

    /// A deleted topic's ranges are unlinked at once.
    pub(crate) fn unlink_topic(&mut self, topic: TopicId, partitions: i32, deltas: &mut Vec<Delta>) {
        let now = self.image.time;
        for partition in 0..partitions {
            let at = TopicPartition { topic, partition: aquifer_types::PartitionIndex(partition) };
            let Some(tier) = self.image.tiers.get(&at) else { continue };
            if tier.is_empty() {
                self.image.tiers.remove(&at);
                continue;
            }
            let end = tier.end();
            let unlinked = self.edit_tier(at, deltas, |tier| {
                tier.trim(end, now);
                Ok(())
            });
            assert!(unlinked.is_ok(), "the tier was found just now");
        }
    }

    fn edit_tier<T>(
        &mut self,
        at: TopicPartition,
        deltas: &mut Vec<Delta>,
        edit: impl FnOnce(&mut Tier) -> Result<T, TierRefusal>,
    ) -> Result<T, TierCommandRefusal> {
        let mut tier = self.image.tiers.get(&at).cloned().ok_or(TierCommandRefusal::NoTier)?;
        let edited = edit(Arc::make_mut(&mut tier))?;
        self.set_tier(at, tier, deltas);
        Ok(edited)
    }

    fn set_tier(&mut self, at: TopicPartition, tier: Arc<Tier>, deltas: &mut Vec<Delta>) {
        if self.image.tiers.get(&at) != Some(&tier) {
            self.image.tiers.insert(at, tier);
            deltas.push(Delta::TierChanged(at));
        }
    }
}

/// Refuses a range of a bundle whose contents were decided before.
fn check_bundle(range: &TierRange, new: &BTreeSet<BundleKey>) -> Outcome {
    match BundleKey::of(range) {
        Some(key) if !new.contains(&key) => Err(TierCommandRefusal::BundleCommitted),
        _ => Ok(()),
    }
}
