//! Cleanings beside a life: one at a time, a few steps now and then.

use std::ops::Range;

use aquifer_hotlog::{Cleaning, CompactionPolicy, Directory, Limits, Step};
use aquifer_runtime::Runtime;
use aquifer_types::Offset;

use crate::compacted::records;
use crate::life::Partition;
use crate::oracle::{Oracle, read};

const POLICY: CompactionPolicy = CompactionPolicy {
    min_dirty_ratio: 0.0,
    min_lag_ms: 0,
    max_lag_ms: i64::MAX,
    tombstone_retention_ms: 1,
    segment_bytes: 2_500,
};

/// The cleaning under way, and whose.
#[derive(Default)]
pub struct Cleaner {
    running: Option<(usize, Cleaning, Directory)>,
    begun: u64,
}

impl Cleaner {
    pub fn go_on(
        &mut self,
        partitions: &mut [Partition],
        (directory, runtime): (&Directory, &Runtime),
        oracle: &mut Oracle,
    ) {
        if self.running.is_none() && runtime.random_u64().is_multiple_of(2) {
            let at = usize::try_from(runtime.random_u64() % partitions.len() as u64).unwrap();
            self.begin(at, &partitions[at], (directory, runtime), oracle);
        }
        for _ in 0..runtime.random_u64() % 5 {
            self.step(partitions, oracle);
        }
        directory.sweep();
    }

    pub fn has_begun(&self) -> bool {
        self.begun > 0
    }

    pub fn clean_all(
        &mut self,
        partitions: &mut [Partition],
        around: (&Directory, &Runtime),
        oracle: &mut Oracle,
    ) {
        for at in 0..partitions.len() {
            for _turn in 0..3 {
                while self.running.is_some() {
                    self.step(partitions, oracle);
                }
                self.begin(at, &partitions[at], around, oracle);
            }
        }
    }

    fn begin(
        &mut self,
        at: usize,
        partition: &Partition,
        (directory, runtime): (&Directory, &Runtime),
        oracle: &mut Oracle,
    ) {
        let id = partition.log.id();
        let Some(synced) = directory.sync(id) else { return };
        let promise = oracle.logs.get_mut(&id).expect("known");
        let committed = synced.min(promise.durable);
        let now = runtime.now().wall;
        let Some(plan) = partition.log.plan_cleaning(committed, now, &POLICY, Default::default()) else {
            return;
        };
        let Some(permit) = directory.begin_cleaning(&partition.handle) else { return };
        promise.cleaned_below = promise.cleaned_below.max(committed);
        self.begun += 1;
        // Often too few keys for the whole dirty part.
        let limits = Limits { keys_max: 1 + (self.begun % 7) as usize, chunk_bytes: 300 };
        let cleaning = Cleaning::new(permit, plan, limits, [self.begun, 7]);
        self.running = Some((at, cleaning, directory.clone()));
    }

    fn step(&mut self, partitions: &mut [Partition], oracle: &mut Oracle) {
        let Some((at, cleaning, directory)) = &mut self.running else { return };
        let partition = &mut partitions[*at];
        match cleaning.step() {
            Ok(Step::More) => {}
            Ok(Step::Replace(replacement)) => {
                let span = replacement.cleaned.summary.replaces_from..replacement.cleaned.summary.end;
                let outcome = partition.log.replace(replacement.cleaned, &replacement.sources);
                let replaced = outcome.is_some();
                cleaning.replaced(outcome);
                if replaced {
                    note_gone(partition, span, directory, oracle);
                }
            }
            // Given up, as after a power cut.
            Ok(Step::Done | Step::Abandoned) | Err(_) => self.running = None,
        }
    }
}

/// What the committed segment does not hold must never be seen again.
fn note_gone(partition: &Partition, span: Range<Offset>, directory: &Directory, oracle: &mut Oracle) {
    let promise = oracle.logs.get_mut(&partition.log.id()).expect("known");
    let segment = partition.log.segments().iter().find(|segment| segment.summary.end == span.end);
    let segment = segment.expect("just put there");
    let Ok(file) = directory.files().open(&segment.file, false) else { return };
    let Some(cleaned) = read(&file, 0, segment.summary.bytes) else { return };
    let kept: Vec<_> = records(&cleaned).into_iter().map(|record| record.offset).collect();
    for batch in promise.appended.iter().filter(|batch| span.contains(&batch.base)) {
        let offsets = records(&batch.bytes).into_iter().map(|record| record.offset);
        promise.gone.extend(offsets.filter(|offset| !kept.contains(offset)));
    }
}
