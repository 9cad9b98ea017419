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
            let behind = replica.bytes_from(ranges.end());
            let offset = kept_from(ranges, topic.config(), behind, now);
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
/// `behind` bytes are not in the tier yet.
fn kept_from(ranges: &Ranges, config: &TopicConfig, behind: u64, now: TimestampMs) -> Offset {
    let whole = config.retention_bytes.and_then(|bytes| u64::try_from(bytes).ok());
    let mut excess = whole.map_or(0, |most| (ranges.live_bytes() + behind).saturating_sub(most));
    let mut from = ranges.start();
    for range in ranges.live() {
        let bytes = u64::from(range.bytes);
        let too_many = excess >= bytes && excess > 0;
        // Records without a time are never too old.
        let has_time = range.max_timestamp != TimestampMs::NONE;
        let age = now.0.saturating_sub(range.max_timestamp.0);
        let too_old = has_time && config.retention_ms.is_some_and(|most| age > most);
        if !(too_many || too_old) {
            break;
        }
        excess = excess.saturating_sub(bytes);
        from = range.end;
    }
    from
}

impl Broker {
    /// A log that lost records which were never tiered, while its topic was not to be, is tiered from its start on.
    pub(crate) async fn close_gaps(&self) {
        let image = self.image();
        let gap = |replica: Arc<Replica>| {
            let end = image.tier(replica.id())?.end();
            let log = replica.describe();
            let leader_epoch = log.leads_in?;
            let is_gap = replica.is_tiered() && end < log.log_start;
            is_gap.then_some(TierMove { partition: replica.id(), leader_epoch, offset: log.log_start })
        };
        let starts: Vec<TierMove> = self.replicas.all().into_iter().filter_map(gap).collect();
        if !starts.is_empty() {
            self.trim(starts).await;
        }
    }
}

/// The move of a tiered log's start that a client asks for; none where there is nothing to move, or no right to.
pub(crate) fn tiered_start(image: &Image, replica: &Replica, upto: Option<Offset>) -> Option<TierMove> {
    let log = replica.describe();
    let upto = upto.unwrap_or(log.high_watermark);
    (replica.is_tiered() || image.tier(replica.id()).is_some()).then_some(())?;
    (log.log_start < upto && upto <= log.high_watermark).then_some(())?;
    Some(TierMove { partition: replica.id(), leader_epoch: log.leads_in?, offset: upto })
}

#[cfg(test)]
mod tests {
    use aquifer_manifest::TierRange;
    use aquifer_metadata::Image;
    use aquifer_types::LeaderEpoch;

    use super::*;

    const DAY: i64 = 24 * 60 * 60 * 1000;

    fn tier(newest: &[i64]) -> Ranges {
        let mut tier = Ranges::new(Offset::ZERO);
        for (number, newest) in (0..).zip(newest) {
            let base = Offset(number * 10);
            let range = TierRange {
                base,
                end: Offset(base.0 + 10),
                bytes: 100,
                footer_bytes: 10,
                max_timestamp: TimestampMs(*newest),
                leader_epoch: LeaderEpoch(0),
                generation: 0,
                nonce: 0,
                position: 0,
            };
            tier.add(base, range).expect("it goes on");
        }
        tier
    }

    fn config(retention_ms: Option<i64>, retention_bytes: Option<i64>) -> TopicConfig {
        let defaults = aquifer_metadata::State::new();
        let image: &Image = defaults.image();
        TopicConfig { retention_ms, retention_bytes, ..(**image.default_topic_config()).clone() }
    }

    #[test]
    fn whole_ranges_go_that_are_too_old_and_those_without_a_time_stay() {
        let now = TimestampMs(100 * DAY);
        let week = config(Some(7 * DAY), None);

        assert_eq!(kept_from(&tier(&[80 * DAY, 92 * DAY, 95 * DAY]), &week, 0, now), Offset(20));
        assert_eq!(kept_from(&tier(&[-1, 80 * DAY]), &week, 0, now), Offset(0));
        assert_eq!(
            kept_from(&tier(&[99 * DAY, 80 * DAY]), &week, 0, now),
            Offset(0),
            "only from the oldest on"
        );
    }

    #[test]
    fn bytes_count_over_both_tiers_and_never_less_than_wanted_is_kept() {
        let now = TimestampMs(0);
        let tier = tier(&[0, 0, 0]);

        let kept = |most, behind| kept_from(&tier, &config(None, Some(most)), behind, now);

        assert_eq!((kept(300, 0), kept(299, 0), kept(200, 0)), (Offset(0), Offset(0), Offset(10)));
        assert_eq!((kept(300, 100), kept(0, 0)), (Offset(10), Offset(30)));
    }
}
