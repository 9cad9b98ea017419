//! Cleaning of a compacted log: planned and applied under the lock, carried out without it.

use std::collections::BTreeMap;
use std::sync::Arc;

use aquifer_hotlog::{
    Cleaning, CleaningError, CleaningPlan, CleaningReport, CompactionPolicy, Dirtiness, Limits, Replacement,
    Segment, Step,
};
use aquifer_partition::Role;
use aquifer_types::{Offset, ProducerId, TimestampMs};

use crate::replica::{Replica, State};

/// How much of a compacted log awaits cleaning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dirty {
    pub ratio: f64,
    pub is_overdue: bool,
    pub is_due: bool,
}

impl Replica {
    /// How dirty the log is; `None` where the topic does not compact.
    #[must_use]
    pub fn dirtiness(&self, now: TimestampMs) -> Option<Dirty> {
        let state = self.state();
        let policy = state.compaction()?;
        let dirtiness: Dirtiness = state.log.dirtiness(state.cleanable(), now, &policy);
        Some(Dirty {
            ratio: dirtiness.ratio(),
            is_overdue: dirtiness.is_overdue,
            is_due: dirtiness.is_due(&policy),
        })
    }

    /// Cleans the log, if that is due; what was done, or `None` if nothing had to be or could be. `now` must not jump
    /// ahead of real time: a tombstone that goes does not come back.
    pub async fn clean(
        self: &Arc<Replica>,
        now: TimestampMs,
        limits: Limits,
    ) -> Result<Option<CleaningReport>, CleaningError> {
        let (directory, id) = (self.directory.clone(), self.id);
        let synced = self.runtime.spawn_blocking("sync-segments", move || directory.sync(id)).await;
        let Some(plan) = synced.flatten().and_then(|synced| self.plan_cleaning(synced, now)) else {
            return Ok(None);
        };
        let Some(permit) = self.directory.begin_cleaning(&self.handle) else { return Ok(None) };
        let seed = [self.runtime.random_u64(), self.runtime.random_u64()];
        let mut cleaning = Cleaning::new(permit, plan, limits, seed);
        let ended = loop {
            let work = move || {
                let stepped = cleaning.step();
                (cleaning, stepped)
            };
            let Some((back, stepped)) = self.runtime.spawn_blocking("clean", work).await else {
                return Ok(None);
            };
            cleaning = back;
            if self.state().compaction().is_none() {
                break Ok(None);
            }
            match stepped {
                Ok(Step::More) => {}
                Ok(Step::Replace(replacement)) => cleaning.replaced(self.replace(replacement)),
                Ok(Step::Done) => break Ok(Some(cleaning.report())),
                Ok(Step::Abandoned) => break Ok(None),
                Err(error) => break Err(error),
            }
        };
        // Removes files.
        self.runtime.spawn_blocking("end-cleaning", move || drop(cleaning)).await;
        ended
    }

    fn plan_cleaning(&self, synced: Offset, now: TimestampMs) -> Option<CleaningPlan> {
        let state = self.state();
        let policy = state.compaction()?;
        let upto = state.cleanable().min(synced);
        let plan = state.log.plan_cleaning(upto, now, &policy, state.last_batches())?;
        // What only the tier has is never cleaned, so that tombstones go on standing against it.
        let is_whole = state.marks().log_start() == state.marks().local_start();
        Some(CleaningPlan { keeps_tombstones: !is_whole, ..plan })
    }

    fn replace(&self, replacement: Replacement) -> Option<Vec<Segment>> {
        let mut state = self.state();
        // The topic may have ceased to compact since the step began.
        state.compaction()?;
        state.log.replace(replacement.cleaned, &replacement.sources)
    }
}

impl State {
    fn compaction(&self) -> Option<CompactionPolicy> {
        let serves = !self.dropped && *self.core.role() != Role::Offline;
        self.config.compaction.filter(|_| serves)
    }

    /// Nothing below is taken back, nor is its fate open. Of a log that is mirrored only what is in the tier is cleaned: a
    /// record goes only once the tier has the one that supersedes it, so that a restore finds one of them.
    fn cleanable(&self) -> Offset {
        let committed = self.marks().high_watermark().min(self.marks().last_stable_offset());
        if self.config.local.is_some() { committed.min(self.marks().tier_end()) } else { committed }
    }

    fn last_batches(&self) -> BTreeMap<ProducerId, Offset> {
        let last =
            |producer: &aquifer_record::ProducerState| Some((producer.id, producer.batches.last()?.end));
        self.core.producers().filter_map(last).collect()
    }

    /// The segment that takes appends holds a record that should be cleaned by now, which only closed ones are.
    pub(crate) fn active_is_overdue(&self, now: TimestampMs) -> bool {
        let Some(policy) = self.compaction() else { return false };
        let Some(active) = self.log.segments().back() else { return false };
        !active.is_empty() && now.0.saturating_sub(active.summary.first_append.0) > policy.max_lag_ms
    }
}
