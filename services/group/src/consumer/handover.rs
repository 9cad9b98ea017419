//! How a consumer group takes the members of a classic group in, and gives them back once it has no others.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::group::{ConsumerGroup, plain};
use super::guest::{by_id, by_name};
use crate::classic::Handover;
use crate::embedded::{Subscription, encode_assignment};
use crate::input::Topics;
use crate::names::MemberId;
use crate::record::{
    ConsumerGroupValue, CurrentValue, Epochs, GroupRecord, MemberState, MemberValue, Partitions, TargetValue,
};
use crate::settings::Settings;
use crate::turn::Turn;

impl ConsumerGroup {
    /// Stores the members as guests that have what they had, in an epoch that goes on from their generation.
    pub(crate) fn take_in(&mut self, turn: &mut Turn<'_>, handover: &Handover) {
        let epoch = handover.generation;
        let group = self.id.clone();
        let holdings = holdings(turn.topics, handover);
        for member in &handover.members {
            let value = Some(member.said.clone());
            self.write(turn, GroupRecord::Member { group: group.clone(), member: member.id.clone(), value });
        }
        let value = ConsumerGroupValue { epoch, metadata_hash: 0 };
        self.write(turn, GroupRecord::Consumer { group: group.clone(), value: Some(value) });
        for (id, held) in &holdings {
            let value = Some(held.clone());
            self.write(turn, GroupRecord::TargetMember { group: group.clone(), member: id.clone(), value });
        }
        let value = TargetValue { epoch, assigned_at: turn.now.wall };
        self.write(turn, GroupRecord::Target { group: group.clone(), value: Some(value) });
        for (id, held) in holdings {
            let with_epoch =
                |listed: Vec<i32>| listed.into_iter().map(|partition| (partition, epoch)).collect();
            let value = CurrentValue {
                epoch,
                previous_epoch: epoch,
                state: MemberState::Stable,
                assigned: held.into_iter().map(|(topic, listed)| (topic, with_epoch(listed))).collect(),
                revoking: Epochs::new(),
            };
            self.write(turn, GroupRecord::Current { group: group.clone(), member: id, value: Some(value) });
        }
        self.rearm(turn);
    }

    /// Whether only guests are left, and may go back to a protocol that all of them speak.
    pub(crate) fn is_left_to_guests(&self, settings: &Settings) -> bool {
        settings.consumer.migration.downgrades()
            && self.guests > 0
            && self.guests == self.members.len()
            && self.guests <= settings.classic_size_max
    }

    /// The guests, each with what it has in its own words; everything that is stored of this group goes.
    pub(crate) fn give_back(&mut self, turn: &mut Turn<'_>) -> Vec<(MemberId, MemberValue, Arc<[u8]>)> {
        let mut members = Vec::new();
        for (id, member) in &self.members {
            let protocols = member.said.classic.iter().flat_map(|classic| &classic.protocols);
            let subscription = protocols.map(|(_, metadata)| Subscription::decode(metadata)).next();
            let version = subscription.and_then(Result::ok).map_or(0, |subscription| subscription.version);
            let assigned = by_name(turn.topics, &plain(&member.current));
            members.push((id.clone(), member.said.clone(), encode_assignment(version, &assigned)));
        }
        for (id, _, _) in &members {
            self.write_removal(turn, id);
        }
        self.remove_group(turn);
        members
    }
}

/// What each member holds: what it was assigned, and what it had before as long as nobody else was assigned that. To hold
/// too much delays the others; to hold too little would give them what somebody has.
fn holdings(topics: &dyn Topics, handover: &Handover) -> Vec<(MemberId, Partitions)> {
    let mut taken = BTreeSet::new();
    let mut holdings: Vec<(MemberId, Partitions)> = Vec::new();
    let mut hold = |held: &mut Partitions, more: Partitions| {
        for (topic, listed) in more {
            for partition in listed {
                if taken.insert((topic, partition)) {
                    held.entry(topic).or_default().push(partition);
                }
            }
        }
    };
    for member in &handover.members {
        let mut held = Partitions::new();
        hold(&mut held, by_id(topics, &member.assigned));
        holdings.push((member.id.clone(), held));
    }
    for (member, (_, held)) in handover.members.iter().zip(&mut holdings) {
        hold(held, by_id(topics, &member.owned));
        held.values_mut().for_each(|listed| listed.sort_unstable());
    }
    holdings
}
