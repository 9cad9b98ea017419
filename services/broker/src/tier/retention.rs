//! Retention over both tiers: a partition's log starts later once its oldest ranges are too old or too many.

use std::sync::Arc;

use aquifer_manifest::Tier as Ranges;
use aquifer_metadata::{Answer, Change, Image, TierMove, TierTrim, TopicConfig};
use aquifer_replica::Replica;
use aquifer_types::{Offset, TimestampMs};

use crate::broker::Broker;

impl Broker {
    /// Has every led partition's start moved as its topic's retention wants. `now` must not jump ahead of real time.
    pub(crate) async fn trim_tiers(&self, now: TimestampMs) {
        let image = self.image();
        let mut starts = Vec::new();
        for (at, ranges) in image.tiers() {
            let Some(topic) = image.topic_by_id(at.topic) else { continue };
            let Some(replica) = self.replica(at) else { continue };
            let Some(leader_epoch) = replica.describe().leads_in else { continue };
            if !topic.config().cleanup.delete {
                continue;
            }
            let offset = kept_from(ranges, topic.config(), &replica, now);
            if offset > ranges.start() {
                starts.push(TierMove { partition: at, leader_epoch, offset });
            }
        }
        if !starts.is_empty() {
            self.trim(starts).await;
        }
    }

    /// `true` if all of it was decided.
    pub(crate) async fn trim(&self, starts: Vec<TierMove>) -> bool {
        match self.decide(Change::TierTrim(TierTrim { run: self.run, starts })).await {
            Ok(Answer::TierTrimmed(outcomes)) => {
                for refusal in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
                    tracing::warn!(%refusal, "the start of a tiered log is not moved");
                }
                outcomes.iter().all(Result::is_ok)
            }
            Ok(_) => false,
            Err(error) => {
                tracing::warn!(%error, "the starts of tiered logs are not moved");
                false
            }
        }
    }
}

/// Where the log would start if retention had its way; whole ranges go.
fn kept_from(ranges: &Ranges, config: &TopicConfig, replica: &Arc<Replica>, now: TimestampMs) -> Offset {
    let behind = replica.bytes_from(ranges.end());
    let whole = config.retention_bytes.and_then(|bytes| u64::try_from(bytes).ok());
    let mut excess = whole.map_or(0, |most| (ranges.live_bytes() + behind).saturating_sub(most));
    let mut from = ranges.start();
    for range in ranges.live() {
        let bytes = u64::from(range.bytes);
        let too_many = excess >= bytes && excess > 0;
        let age = now.0.saturating_sub(range.max_timestamp.0);
        let too_old = config.retention_ms.is_some_and(|most| age > most);
        if !(too_many || too_old) {
            break;
        }
        excess = excess.saturating_sub(bytes);
        from = range.end;
    }
    from
}

/// The move of a tiered log's start that a client asks for; none where there is nothing to move, or no right to.
pub(crate) fn tiered_start(image: &Image, replica: &Replica, upto: Option<Offset>) -> Option<TierMove> {
    let log = replica.describe();
    let upto = upto.unwrap_or(log.high_watermark);
    image.tier(replica.id())?;
    (log.log_start < upto && upto <= log.high_watermark).then_some(())?;
    Some(TierMove { partition: replica.id(), leader_epoch: log.leads_in?, offset: upto })
}
