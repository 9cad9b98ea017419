//! Which epochs a consumer group accepts, in heartbeats, commits and reads.

use aquifer_types::TopicName;

use super::group::{ConsumerGroup, Member};
use crate::answer::Refusal;
use crate::input::{Commit, ConsumerHeartbeat, FetchOffsets, Topics};
use crate::names::MemberId;
use crate::record::Partitions;
use crate::turn::Turn;

/// The epoch of a static member that is away for a moment.
pub(super) const AWAY: i32 = -2;

impl ConsumerGroup {
    /// A member may be one epoch behind, if the answer that told it was lost: what it owns shows that.
    pub(super) fn check_epoch(
        member: &Member,
        epoch: i32,
        owned: Option<&Partitions>,
    ) -> Result<(), Refusal> {
        let current = &member.current;
        if epoch > current.epoch {
            return Err(Refusal::FencedEpoch);
        }
        if epoch < current.epoch {
            let is_subset = |owned: &Partitions| {
                owned.iter().all(|(topic, partitions)| {
                    let assigned = current.assigned.get(topic);
                    partitions.iter().all(|partition| {
                        assigned.is_some_and(|pairs| pairs.iter().any(|(have, _)| have == partition))
                    })
                })
            };
            if epoch != current.previous_epoch || !owned.is_some_and(is_subset) {
                return Err(Refusal::FencedEpoch);
            }
        }
        Ok(())
    }

    /// What no group takes, whatever its state.
    pub(crate) fn check_heartbeat(turn: &Turn<'_>, beat: &ConsumerHeartbeat) -> Result<(), Refusal> {
        let limits = &turn.settings.limits;
        let names = [
            beat.member.as_str().len(),
            beat.instance.as_ref().map_or(0, |instance| instance.as_str().len()),
            beat.rack.as_ref().map_or(0, |rack| rack.len()),
            beat.client_id.len(),
            beat.client_host.len(),
        ];
        if beat.member.is_empty() {
            return Err(Refusal::InvalidRequest("member id is empty"));
        }
        if names.into_iter().any(|length| length > limits.name_bytes_max) {
            return Err(Refusal::InvalidRequest("a name is too long"));
        }
        let topics: usize = beat.topics.iter().flatten().map(|topic| topic.len() + 16).sum();
        if topics > limits.member_bytes_max {
            return Err(Refusal::InvalidRequest("too many subscribed topics"));
        }
        if beat.pattern.as_ref().is_some_and(|pattern| pattern.len() > limits.pattern_bytes_max) {
            return Err(Refusal::InvalidPattern);
        }
        let assignor = beat.assignor.as_deref();
        if assignor.is_some_and(|name| crate::assignor::Assignor::named(name).is_none()) {
            return Err(Refusal::UnsupportedAssignor);
        }
        if beat.epoch == 0 && beat.rebalance_timeout_ms <= 0 {
            return Err(Refusal::InvalidRequest("rebalance timeout must be positive when joining"));
        }
        if beat.epoch == 0 && !beat.owned.as_ref().is_some_and(|owned| owned.values().all(Vec::is_empty)) {
            return Err(Refusal::InvalidRequest("a member that joins owns nothing and says so"));
        }
        if beat.epoch == 0 && beat.topics.is_none() && beat.pattern.is_none() {
            return Err(Refusal::InvalidRequest("a member that joins names topics or a pattern"));
        }
        if beat.epoch < AWAY || (beat.epoch == AWAY && beat.instance.is_none()) {
            return Err(Refusal::InvalidRequest("only static members leave with epoch -2"));
        }
        Ok(())
    }

    /// Whether the member may commit at all; which partitions, `check_commit_partition` says.
    pub(crate) fn check_commit(&self, commit: &Commit) -> Result<(), Refusal> {
        if commit.generation < 0 && self.members.is_empty() {
            return Ok(());
        }
        let member = self.check_identity(&commit.member, commit.instance.as_ref())?;
        if member.is_guest() {
            let is_its_own = commit.generation == member.current.epoch;
            return if is_its_own { Ok(()) } else { Err(Refusal::IllegalGeneration) };
        }
        if !commit.knows_epochs {
            return Err(Refusal::UnsupportedVersion);
        }
        if commit.generation > member.current.epoch || commit.generation < 0 {
            return Err(Refusal::StaleEpoch);
        }
        Ok(())
    }

    /// An older epoch may commit what was assigned by then and is assigned still.
    pub(crate) fn check_commit_partition(
        &self,
        topics: &dyn Topics,
        member: &MemberId,
        epoch: i32,
        topic: &TopicName,
        partition: i32,
    ) -> Result<(), Refusal> {
        let Some(member) = self.members.get(member) else { return Ok(()) };
        if epoch == member.current.epoch {
            return Ok(());
        }
        let (id, _) = topics.topic(topic.as_str()).ok_or(Refusal::UnknownTopicOrPartition)?;
        let pairs = member.current.assigned.get(&id).into_iter().flatten();
        let assigned_by_then = pairs.into_iter().any(|(have, since)| *have == partition && *since <= epoch);
        if assigned_by_then { Ok(()) } else { Err(Refusal::StaleEpoch) }
    }

    pub(crate) fn check_fetch(&self, fetch: &FetchOffsets) -> Result<(), Refusal> {
        let Some(member) = &fetch.member else { return Ok(()) };
        if fetch.epoch < 0 && member.is_empty() {
            return Ok(());
        }
        let member = self.members.get(member).ok_or(Refusal::UnknownMember)?;
        if fetch.epoch == member.current.epoch { Ok(()) } else { Err(Refusal::StaleEpoch) }
    }
}
