//! Offload: what is closed, committed and on our disk for good is uploaded, and then committed to the quorum. Keeps I4.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aquifer_manifest::{BUNDLE_RANGES_MAX, Link};
use aquifer_metadata::{Answer, Change, TierAdd, TierCommit, TierMove};
use aquifer_replica::{JoinLimits, Replica, Sealed};
use aquifer_tiering::Packed;
use aquifer_types::{Offset, TimestampMs, TopicPartition};
use futures_util::StreamExt as _;

use super::Tier;
use super::replace::joined_bytes_max;
use super::shipment::{BUNDLED_BYTES_MAX, Load, Purpose, flight};
use crate::broker::Broker;

/// Files that are uploaded as one object take no more together.
pub(super) const JOINED_BYTES_MAX: u64 = 64 << 20;
/// Uploads of one round.
pub(super) const ROUND_MAX: usize = 64;
/// What was uploaded within so long is committed together.
const COMMIT_INTERVAL: Duration = Duration::from_secs(1);
/// Rounds after which it is somebody else's turn, however much waits to be uploaded.
const ROUNDS_MAX: usize = 16;
/// How often a bundle that waits for what was closed with it looks for that.
const CLOSING_PAUSE: Duration = Duration::from_millis(50);
/// How often small ranges are looked for.
const MERGE_INTERVAL: Duration = Duration::from_secs(60);
/// After a round in which nothing went well.
const REST: Duration = Duration::from_secs(1);
const REST_MAX: Duration = Duration::from_secs(4);

/// What uploads came to.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) uploads: AtomicU64,
    /// Of these, such as hold ranges of many partitions.
    pub(crate) bundles: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) bytes: AtomicU64,
    /// Bytes of tiered partitions that are closed or not, and not in the tier.
    pub(crate) behind_bytes: AtomicU64,
    /// Objects that nobody named, and were deleted.
    pub(crate) orphans: AtomicU64,
    pub(crate) orphan_bytes: AtomicU64,
}

/// A stretch to be uploaded, and where the tier ends before it.
struct Candidate {
    replica: Arc<Replica>,
    sealed: Sealed,
    tier_end: Offset,
}

impl Candidate {
    /// Where it goes on.
    fn place(&self) -> (Arc<Replica>, TierMove) {
        let Candidate { replica, sealed, tier_end } = self;
        let at = TierMove { partition: replica.id(), leader_epoch: sealed.leader_epoch, offset: *tier_end };
        (replica.clone(), at)
    }

    fn load(self) -> Load {
        Load::local(self.replica, self.sealed, Purpose::GoOn)
    }
}

/// A range that is in the bucket and may be committed.
struct Uploaded {
    add: TierAdd,
    last: Link,
    replica: Arc<Replica>,
}

impl Tier {
    /// An upload begins that may be committed.
    pub(super) fn takes_off(&self, nonce: u64) {
        self.in_flight.lock().expect("noting does not panic").insert(nonce);
    }

    /// The partition's tier ends with this batch now.
    fn ends_with(&self, at: TopicPartition, last: Link) {
        self.links.lock().expect("noting does not panic").insert(at, last);
    }

    /// Uploads are committed, or never will be. Of those of which nobody can say they stay noted for as long as the run lasts.
    pub(super) fn landed(&self, nonces: impl IntoIterator<Item = u64>) {
        let mut in_flight = self.in_flight.lock().expect("noting does not panic");
        for nonce in nonces {
            in_flight.remove(&nonce);
        }
    }
}

impl Broker {
    /// Uploads for as long as the broker runs.
    pub(crate) async fn offload(self: Arc<Broker>, tier: Arc<Tier>) {
        let mut rest = REST;
        let mut pause = tier.settings.interval;
        let mut merged_at = self.runtime.now().monotonic;
        loop {
            let mut is_hurried = tokio::select! {
                biased;
                () = self.stop.wait() => return,
                () = tier.hurry.notified() => true,
                () = self.runtime.sleep(pause) => false,
            };
            pause = tier.settings.interval;
            if self.successor().is_some() {
                continue;
            }
            self.close_gaps().await;
            let mut closing = self.close_due(&tier);
            let mut rounds = 0;
            loop {
                let now = self.runtime.now().monotonic;
                let waits = closing.goes_on(now, |replica| replica.is_sealing()) && !is_hurried;
                let candidates = self.candidates(&tier, is_hurried, waits);
                if self.stop.is_given() || self.successor().is_some() {
                    break;
                }
                if candidates.is_empty() {
                    if !waits {
                        break;
                    }
                    tokio::select! {
                        biased;
                        () = tier.hurry.notified() => is_hurried = true,
                        () = self.runtime.sleep(CLOSING_PAUSE) => {}
                    }
                    continue;
                }
                if !self.offload_round(&tier, candidates).await {
                    pause = rest;
                    rest = (rest * 2).min(REST_MAX);
                    break;
                }
                rest = REST;
                rounds += 1;
                if rounds == ROUNDS_MAX {
                    pause = Duration::ZERO;
                    break;
                }
            }
            self.replace_cleaned(&tier).await;
            let now = self.runtime.now().monotonic;
            if now.since(merged_at) >= MERGE_INTERVAL.min(tier.settings.max_age) {
                self.merge_small(&tier).await;
                self.rewrite_sparse(&tier).await;
                merged_at = now;
            }
        }
    }

    /// The next stretch of every partition that has one. Small ones, where more of them are waited for, only once a bundle is full.
    fn candidates(&self, tier: &Tier, is_hurried: bool, waits: bool) -> Vec<Candidate> {
        let image = self.image();
        let now = self.runtime.now().wall;
        let delay = i64::try_from(tier.settings.upload_delay.as_millis()).unwrap_or(i64::MAX);
        // Whoever waits for an upload does not wait for company.
        let appended_by =
            if is_hurried { TimestampMs(i64::MAX) } else { TimestampMs(now.0.saturating_sub(delay)) };
        let mut behind_bytes = 0;
        let (mut large, mut small) = (Vec::new(), Vec::new());
        for replica in self.replicas.all().into_iter().filter(|replica| replica.is_tiered()) {
            replica.sync_closed();
            let tier_end = self.tier_end(&image, &replica);
            let Some(topic) = image.topic_by_id(replica.id().topic) else { continue };
            let limits = JoinLimits { bytes_max: joined_bytes_max(topic.config()), appended_by };
            if let Some(sealed) = replica.sealed_from(tier_end, limits) {
                behind_bytes += sealed.behind_bytes;
                let (kind, most) = if sealed.bytes <= BUNDLED_BYTES_MAX {
                    (&mut small, BUNDLE_RANGES_MAX)
                } else {
                    (&mut large, ROUND_MAX)
                };
                if kind.len() < most {
                    kind.push(Candidate { replica, sealed, tier_end });
                }
            }
        }
        tier.totals.behind_bytes.store(behind_bytes, Ordering::Relaxed);
        if !waits || small.len() == BUNDLE_RANGES_MAX {
            large.append(&mut small);
        }
        large
    }

    /// Where the partition's tier ends; of one that has none yet, where its log starts.
    pub(crate) fn tier_end(&self, image: &aquifer_metadata::Image, replica: &Replica) -> Offset {
        image.tier(replica.id()).map_or_else(|| replica.describe().log_start, |tier| tier.end())
    }

    /// Uploads one stretch of each, and has what went well committed now and then. `false` if nothing did.
    async fn offload_round(&self, tier: &Arc<Tier>, candidates: Vec<Candidate>) -> bool {
        let places: Vec<(Arc<Replica>, TierMove)> = candidates.iter().map(Candidate::place).collect();
        let loads = candidates.into_iter().map(Candidate::load).collect();
        let mut shipped = pin!(self.ship(tier, loads));
        let mut any_went_well = false;
        while let Some(first) = shipped.next().await {
            let mut arrived = vec![first];
            let until = self.runtime.now().monotonic.plus(COMMIT_INTERVAL);
            while let rest = until.since(self.runtime.now().monotonic)
                && !rest.is_zero()
                && let Some(Some(more)) = self.runtime.timeout(rest, shipped.next()).await
            {
                arrived.push(more);
            }
            let uploaded = arrived.into_iter().flatten().map(|(place, Packed { range, last, .. })| {
                let (replica, at) = places[place].clone();
                Uploaded { add: TierAdd { at, range }, last, replica }
            });
            any_went_well |= self.commit(tier, uploaded.collect()).await;
        }
        any_went_well
    }

    /// `false` if none of it is committed.
    async fn commit(&self, tier: &Tier, uploaded: Vec<Uploaded>) -> bool {
        let ranges = uploaded.iter().map(|uploaded| uploaded.add).collect();
        let commit = TierCommit { run: self.run, ranges };
        match self.decide(Change::TierCommit(commit)).await {
            Ok(Answer::TierCommitted(outcomes)) => {
                tier.landed(uploaded.iter().map(|uploaded| flight(&uploaded.add.range)));
                let now = self.runtime.now().wall;
                for (outcome, Uploaded { add, last, replica }) in outcomes.iter().zip(&uploaded) {
                    match outcome {
                        Ok(()) => tier.ends_with(add.at.partition, *last),
                        // The object is nobody's and stays: its name is never used again.
                        Err(refusal) => {
                            tracing::warn!(partition = %add.at.partition, %refusal, "an uploaded range is not committed");
                        }
                    }
                    replica.keep(now);
                }
                outcomes.iter().any(Result::is_ok)
            }
            Ok(other) => {
                tracing::error!(?other, "the quorum gave an answer to another question");
                false
            }
            Err(error) => {
                tracing::warn!(%error, "uploaded ranges are not committed");
                false
            }
        }
    }
}
