//! The scrubber: every object that can be read is looked at now and then, a part of its bytes with it, and made anew from our
//! disk where it is not what it should be.
//!
//! A round is spread over its interval, so that it costs about a request each for so many objects in so much time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aquifer_manifest::{ObjectKey, Place, TierRange};
use aquifer_objects::Problem;
use aquifer_tiering::{FoundObject, SurveyError, check_chunk, read_footer};
use aquifer_types::TopicPartition;

use super::Tier;
use super::replace::Stretch;
use crate::broker::Broker;

/// One of so many chunks is read.
const SAMPLE: u64 = 100;

/// What scrubbing came to.
#[derive(Debug, Default)]
pub(crate) struct Scrubbed {
    pub(crate) objects: AtomicU64,
    pub(crate) chunks: AtomicU64,
    pub(crate) repaired: AtomicU64,
    /// Found in the last round and not made anew.
    pub(crate) damaged: AtomicU64,
}

impl Broker {
    /// Looks at objects for as long as the broker runs.
    pub(crate) async fn scrub(self: Arc<Broker>, tier: Arc<Tier>) {
        loop {
            let image = self.image();
            let led = |at: &TopicPartition| {
                self.replica(*at).is_some_and(|replica| replica.describe().leads_in.is_some())
            };
            let tiers = image.tiers().filter(|(at, _)| led(at));
            let all: Vec<(TopicPartition, TierRange)> =
                tiers.flat_map(|(at, tier)| tier.live().iter().map(move |range| (at, *range))).collect();
            drop(image);
            let steps = u32::try_from(all.len()).unwrap_or(u32::MAX).saturating_add(1);
            let pause = tier.settings.scrub_interval / steps;
            if self.rests(pause).await {
                return;
            }
            let mut damaged = 0;
            for (at, range) in all {
                damaged += u64::from(!self.scrub_range(&tier, at, range).await);
                if self.rests(pause).await {
                    return;
                }
            }
            tier.scrubbed.damaged.store(damaged, Ordering::Relaxed);
        }
    }

    /// `true` if the broker stops meanwhile.
    async fn rests(&self, pause: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.stop.wait() => true,
            () = self.runtime.sleep(pause) => false,
        }
    }

    /// `false` if the range's object is not what it should be, and could not be made anew.
    async fn scrub_range(&self, tier: &Arc<Tier>, at: TopicPartition, range: TierRange) -> bool {
        // What was replaced, unlinked or is another broker's by now is not looked at.
        if !self.is_live(at, &range) || self.successor().is_some() {
            return true;
        }
        tier.scrubbed.objects.fetch_add(1, Ordering::Relaxed);
        let error = match self.look_at(tier, at, &range).await {
            Ok(()) => return true,
            Err(SurveyError::Store(error)) if error.problem != Problem::Missing => {
                tracing::debug!(partition = %at, %error, "an object is not looked at");
                return true;
            }
            Err(error) => error,
        };
        if !self.is_live(at, &range) {
            return true;
        }
        let key = Place { cluster: self.cluster, partition: at }.key(&range);
        if self.repair(tier, at, &range).await {
            tier.scrubbed.repaired.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(key, %error, "an object of the tier was damaged or gone: it is uploaded again from local disk");
            return true;
        }
        tracing::error!(
            key, %error,
            "an object of the tier is damaged or gone, and local disk has no whole copy of its records: readers of them fail"
        );
        false
    }

    fn is_live(&self, at: TopicPartition, range: &TierRange) -> bool {
        self.image().tier(at).is_some_and(|tier| tier.live().contains(range))
    }

    async fn look_at(&self, tier: &Tier, at: TopicPartition, range: &TierRange) -> Result<(), SurveyError> {
        let place = Place { cluster: self.cluster, partition: at };
        let object = FoundObject::named(range);
        let (_, footer) = read_footer(&tier.store, &place, ObjectKey::of(range), object).await?;
        for number in 0..footer.chunk_crcs.len() {
            if self.runtime.random_u64().is_multiple_of(SAMPLE) {
                tier.scrubbed.chunks.fetch_add(1, Ordering::Relaxed);
                check_chunk(&tier.store, &place, (range, &footer), number).await?;
            }
        }
        Ok(())
    }

    /// Replaces the range by what our disk has of it, if that is all of it.
    async fn repair(&self, tier: &Arc<Tier>, at: TopicPartition, range: &TierRange) -> bool {
        let Some(replica) = self.replica(at) else { return false };
        let Some(files) = replica.tiered_files() else { return false };
        let begins = files.files.iter().any(|file| file.base == range.base);
        let ends = files.files.iter().any(|file| file.end == range.end);
        if !begins || !ends {
            return false;
        }
        self.replace(tier, vec![Stretch { replica, from: range.base, upto: range.end }]).await == 1
    }
}
