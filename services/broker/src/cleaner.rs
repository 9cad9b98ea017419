//! The cleaner: one compacted partition after the other, the dirtiest first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aquifer_hotlog::{CleaningError, CleaningReport};
use aquifer_replica::Replica;
use aquifer_runtime::{Monotonic, Now};
use aquifer_types::{TimestampMs, TopicPartition};

use crate::broker::Broker;
use crate::upkeep::CautiousClock;

/// How long a partition is left alone whose cleaning could not be done, for a reason that passes or one that does not.
const REST: Duration = Duration::from_secs(60);
const LONG_REST: Duration = Duration::from_secs(3600);

/// What cleaning did since the broker started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CleaningTotals {
    pub(crate) cleanings: u64,
    pub(crate) failures: u64,
    pub(crate) bytes_read: u64,
    pub(crate) bytes_written: u64,
    pub(crate) records_removed: u64,
    pub(crate) undecodable_batches: u64,
    pub(crate) last_duration: Duration,
    pub(crate) dirtiest_ratio: f64,
}

/// Partitions that are left alone for a while.
type Resting = BTreeMap<TopicPartition, Monotonic>;

impl Broker {
    pub(crate) async fn keep_clean(self: Arc<Broker>) {
        let mut clock = CautiousClock::new(self.runtime.now());
        let mut resting = Resting::new();
        loop {
            tokio::select! {
                biased;
                () = self.stop.wait() => return,
                () = self.runtime.sleep(self.settings.cleaning_interval) => {}
            }
            let directory = self.directory.clone();
            self.runtime.spawn_blocking("sweep", move || directory.sweep()).await;
            loop {
                let now = self.runtime.now();
                let time = clock.advance(now);
                resting.retain(|_, until| now.monotonic < *until);
                let Some(replica) = self.dirtiest(time, &resting) else { break };
                if self.stop.is_given() {
                    return;
                }
                self.clean(replica, (now, time), &mut resting).await;
            }
        }
    }

    /// The log to clean next: one that is overdue, else the one with the largest dirty share.
    fn dirtiest(&self, time: TimestampMs, resting: &Resting) -> Option<Arc<Replica>> {
        let mut dirtiest: Option<((bool, f64), Arc<Replica>)> = None;
        let mut ratio: f64 = 0.0;
        for replica in self.replicas.all() {
            let Some(dirty) = replica.dirtiness(time) else { continue };
            ratio = ratio.max(dirty.ratio);
            let rank = (dirty.is_overdue, dirty.ratio);
            if dirty.is_due
                && !resting.contains_key(&replica.id())
                && dirtiest.as_ref().is_none_or(|(most, _)| *most < rank)
            {
                dirtiest = Some((rank, replica));
            }
        }
        self.cleanings.lock().expect("counting does not panic").dirtiest_ratio = ratio;
        dirtiest.map(|(_, replica)| replica)
    }

    async fn clean(&self, replica: Arc<Replica>, (now, time): (Now, TimestampMs), resting: &mut Resting) {
        let id = replica.id();
        let limits = self.settings.cleaning;
        // A task of its own: a replica that fails is fenced by itself, the cleaner goes on for the others.
        let cleaning = self.runtime.spawn("clean", async move { replica.clean(time, limits).await });
        let outcome = cleaning.await;
        let duration = self.runtime.now().monotonic.since(now.monotonic);
        let rest = match outcome {
            Some(Ok(Some(report))) => {
                tracing::info!(partition = %id, ?report, ?duration, "cleaned");
                self.cleanings.lock().expect("counting does not panic").add(&report, duration);
                return;
            }
            Some(Ok(None)) => self.settings.cleaning_interval,
            Some(Err(error)) => self.cleaning_failed(id, &error),
            None => {
                tracing::error!(partition = %id, "cleaning failed in the middle");
                LONG_REST
            }
        };
        resting.insert(id, self.runtime.now().monotonic.plus(rest));
    }

    fn cleaning_failed(&self, id: TopicPartition, error: &CleaningError) -> Duration {
        self.cleanings.lock().expect("counting does not panic").failures += 1;
        if error.is_passing() {
            tracing::warn!(partition = %id, %error, "cleaning is put off");
            REST
        } else {
            tracing::error!(partition = %id, %error, "cleaning failed: superseded records stay");
            LONG_REST
        }
    }
}

impl CleaningTotals {
    fn add(&mut self, report: &CleaningReport, duration: Duration) {
        self.cleanings += 1;
        self.bytes_read += report.bytes_read;
        self.bytes_written += report.bytes_written;
        self.records_removed += report.tally.records_removed;
        self.undecodable_batches += report.tally.undecodable;
        self.last_duration = duration;
    }
}
