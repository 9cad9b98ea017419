//! `State`: where each assigned partition stands, who leads it, and what has to be found out first.

use std::collections::BTreeMap;
use std::sync::Arc;

use aquifer_types::{BatchEpoch, LeaderEpoch, NodeId, Offset, PartitionIndex, TopicId};
use aquifer_wire::{ErrorCode, Text};

use super::settings::OutOfRange;
use super::start::Start;
use crate::cluster::{Leader, Topic};
use crate::error::ClientError;
use crate::fetch_session::Wanted;
use crate::offsets::EpochEnd;
use crate::per_leader::Place;

/// Every assigned partition.
#[derive(Debug)]
pub(crate) struct State {
    out_of_range: OutOfRange,
    partitions: BTreeMap<Place, Tracked>,
    next_version: u64,
}

#[derive(Debug)]
struct Tracked {
    topic: TopicId,
    leader: Option<Leader>,
    at: At,
    /// Changes with every seek, so that what was fetched for another place is known.
    version: u64,
    paused: bool,
    /// Of the last record fetched, to notice a log that was cut back.
    epoch: Option<LeaderEpoch>,
    /// The offset after what whoever consumes has been given.
    consumed: Option<Offset>,
    /// The end it was last told of.
    told_end: Option<Offset>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// To be looked up.
    Start(Start),
    /// Another leader took over; whether it has our records is to be asked.
    Checking(Offset),
    Reading(Offset),
    /// Nothing until it is sought anew.
    Resting,
}

/// What the keeper is to find out.
#[derive(Debug, Default)]
pub(crate) struct Unknowns {
    pub(crate) leaders: Vec<Text>,
    pub(crate) starts: Vec<(Place, u64, Start)>,
    pub(crate) checks: Vec<(Place, u64, LeaderEpoch)>,
}

/// Something that whoever consumes has to know.
#[derive(Debug)]
pub(crate) enum Trouble {
    OutOfRange { place: Place, offset: Offset },
    Truncated { place: Place, offset: Offset, end: Offset },
    Failed { place: Place, error: Arc<ClientError> },
}

impl State {
    pub(crate) fn new(out_of_range: OutOfRange) -> State {
        State { out_of_range, partitions: BTreeMap::new(), next_version: 0 }
    }

    /// Adds a partition, or seeks in one.
    pub(crate) fn seek(&mut self, place: Place, start: Start) {
        let version = self.next_version;
        self.next_version += 1;
        let at = match start {
            Start::Offset(offset) => At::Reading(offset),
            other => At::Start(other),
        };
        let consumed = match start {
            Start::Offset(offset) => Some(offset),
            _ => None,
        };
        let tracked = self.partitions.entry(place).or_insert_with(|| Tracked {
            topic: TopicId::default(),
            leader: None,
            at,
            version,
            paused: false,
            epoch: None,
            consumed,
            told_end: None,
        });
        *tracked = Tracked {
            at,
            version,
            consumed,
            epoch: None,
            told_end: None,
            topic: tracked.topic,
            leader: tracked.leader,
            paused: tracked.paused,
        };
    }

    pub(crate) fn remove(&mut self, place: &Place) {
        self.partitions.remove(place);
    }

    pub(crate) fn pause(&mut self, place: &Place, paused: bool) {
        if let Some(tracked) = self.partitions.get_mut(place) {
            tracked.paused = paused;
        }
    }

    pub(crate) fn places(&self) -> impl Iterator<Item = &Place> {
        self.partitions.keys()
    }

    /// What has to be found out before reading goes on.
    pub(crate) fn unknowns(&self) -> Unknowns {
        let mut unknowns = Unknowns::default();
        for (place, tracked) in &self.partitions {
            if tracked.at == At::Resting {
                continue;
            }
            if tracked.leader.is_none() && unknowns.leaders.last() != Some(&place.0) {
                unknowns.leaders.push(place.0.clone());
            }
            match (tracked.at, tracked.epoch) {
                (At::Start(start), _) => unknowns.starts.push((place.clone(), tracked.version, start)),
                (At::Checking(_), Some(epoch)) => {
                    unknowns.checks.push((place.clone(), tracked.version, epoch));
                }
                _ => {}
            }
        }
        unknowns
    }

    /// Takes in a topic's leaders. Where one has changed, it is asked whether it has what was read.
    pub(crate) fn learn(&mut self, name: &Text, known: &Topic) {
        let first = (name.clone(), PartitionIndex(i32::MIN));
        for (place, tracked) in self.partitions.range_mut(first..).take_while(|(place, _)| place.0 == *name) {
            let leader = known.leaders.get(&place.1).copied();
            let moved = match (tracked.leader, leader) {
                (Some(before), Some(after)) => before.epoch < after.epoch,
                (None, Some(after)) => tracked.epoch.is_some_and(|epoch| epoch < after.epoch),
                _ => false,
            };
            if let At::Reading(offset) = tracked.at
                && moved
                && tracked.epoch.is_some()
            {
                tracked.at = At::Checking(offset);
            }
            tracked.topic = known.id;
            tracked.leader = leader;
        }
    }

    /// Takes in an offset that was looked up, unless it was for another seek.
    pub(crate) fn resolve(&mut self, place: &Place, version: u64, start: Start, answer: Option<Offset>) {
        let Some(tracked) = self.current(place, version) else { return };
        match start.resolve(answer) {
            Ok(offset) => {
                tracked.at = At::Reading(offset);
                tracked.consumed = Some(offset);
            }
            Err(next) => tracked.at = At::Start(next),
        }
    }

    /// Takes in where a leader's epoch ends; a log that ends before what was read was cut back.
    pub(crate) fn check(&mut self, place: &Place, version: u64, end: EpochEnd) -> Option<Trouble> {
        let policy = self.out_of_range;
        let tracked = self.current(place, version)?;
        let At::Checking(offset) = tracked.at else { return None };
        let Some(end) = end.end.filter(|end| *end < offset) else {
            tracked.at = At::Reading(offset);
            return None;
        };
        if policy == OutOfRange::Tell {
            tracked.at = At::Resting;
            return Some(Trouble::Truncated { place: place.clone(), offset, end });
        }
        tracked.at = At::Reading(end);
        tracked.epoch = None;
        None
    }

    /// The leader could not be asked, or is another: it is looked up again.
    pub(crate) fn lose_leader(&mut self, place: &Place) {
        if let Some(tracked) = self.partitions.get_mut(place) {
            tracked.leader = None;
        }
    }

    /// The partition cannot be read; it rests until it is sought anew.
    pub(crate) fn fail(&mut self, place: &Place, version: u64, error: Arc<ClientError>) -> Option<Trouble> {
        self.current(place, version)?.at = At::Resting;
        Some(Trouble::Failed { place: place.clone(), error })
    }

    /// The same, whatever it was sought for.
    pub(crate) fn fail_any(&mut self, place: &Place, error: Arc<ClientError>) -> Option<Trouble> {
        let version = self.partitions.get(place)?.version;
        self.fail(place, version, error)
    }

    /// The brokers that have something to be read.
    pub(crate) fn leaders(&self) -> impl Iterator<Item = NodeId> {
        self.partitions.values().filter_map(|tracked| tracked.leader).map(|leader| leader.node)
    }

    /// What to fetch from a broker: place, topic id, version, from where.
    pub(crate) fn fetchable(&self, node: NodeId) -> impl Iterator<Item = (&Place, TopicId, u64, Wanted)> {
        self.partitions.iter().filter_map(move |(place, tracked)| {
            let leader = tracked.leader.filter(|leader| leader.node == node && !tracked.paused)?;
            let At::Reading(offset) = tracked.at else { return None };
            let wanted = Wanted { offset, epoch: Some(leader.epoch) };
            Some((place, tracked.topic, tracked.version, wanted))
        })
    }

    /// Takes in that a partition was read on to `end`; `false` if that was for another seek.
    pub(crate) fn advance(&mut self, place: &Place, version: u64, end: Offset, epoch: BatchEpoch) -> bool {
        let Some(tracked) = self.current(place, version) else { return false };
        tracked.at = At::Reading(end);
        tracked.epoch = Some(LeaderEpoch(epoch.0)).filter(|epoch| epoch.0 >= 0);
        true
    }

    /// Whether whoever consumes is to be told that it has all up to the high watermark; said once for each.
    pub(crate) fn reached_end(&mut self, place: &Place, version: u64, high_watermark: Offset) -> bool {
        let Some(tracked) = self.current(place, version) else { return false };
        let reached = matches!(tracked.at, At::Reading(offset) if offset >= high_watermark);
        reached && tracked.told_end.replace(high_watermark) != Some(high_watermark)
    }

    /// Takes in an error that a broker gave instead of records.
    pub(crate) fn refuse(
        &mut self,
        place: &Place,
        version: u64,
        code: ErrorCode,
        hint: Option<Leader>,
    ) -> Option<Trouble> {
        let policy = self.out_of_range;
        let tracked = self.current(place, version)?;
        match code {
            ErrorCode::OFFSET_OUT_OF_RANGE => {
                let At::Reading(offset) = tracked.at else { return None };
                let start = match policy {
                    OutOfRange::Earliest => Start::Earliest,
                    OutOfRange::Latest => Start::Latest,
                    OutOfRange::Tell => {
                        tracked.at = At::Resting;
                        return Some(Trouble::OutOfRange { place: place.clone(), offset });
                    }
                };
                tracked.at = At::Start(start);
                None
            }
            ErrorCode::OFFSET_NOT_AVAILABLE => None,
            code if code.retriable() => {
                let newer = hint.filter(|hint| tracked.leader.is_none_or(|leader| leader.epoch < hint.epoch));
                tracked.leader = None;
                if let (Some(leader), At::Reading(offset)) = (newer, tracked.at) {
                    tracked.leader = Some(leader);
                    tracked.at =
                        if tracked.epoch.is_some() { At::Checking(offset) } else { At::Reading(offset) };
                }
                None
            }
            code => {
                tracked.at = At::Resting;
                let error = Arc::new(ClientError::Refused { code, message: None });
                Some(Trouble::Failed { place: place.clone(), error })
            }
        }
    }

    /// Notes that whoever consumes was given everything below `end`; `false` if a seek came between.
    pub(crate) fn consume(&mut self, place: &Place, version: u64, end: Offset) -> bool {
        let Some(tracked) = self.current(place, version) else { return false };
        tracked.consumed = Some(end);
        true
    }

    pub(crate) fn is_current(&self, place: &Place, version: u64) -> bool {
        self.partitions.get(place).is_some_and(|tracked| tracked.version == version)
    }

    /// Where whoever consumes stands in each partition that has a place.
    pub(crate) fn consumed(&self) -> impl Iterator<Item = (&Place, Offset)> {
        self.partitions.iter().filter_map(|(place, tracked)| Some((place, tracked.consumed?)))
    }

    fn current(&mut self, place: &Place, version: u64) -> Option<&mut Tracked> {
        self.partitions.get_mut(place).filter(|tracked| tracked.version == version)
    }
}
