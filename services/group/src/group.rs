//! `Group`: one group of either protocol, its offsets, and how far its records are committed.

use std::collections::BTreeSet;

use aquifer_types::{Offset, TopicName};

use crate::classic::ClassicGroup;
use crate::consumer::ConsumerGroup;
use crate::names::GroupId;
use crate::offsets::{Expiry, Offsets};
use crate::record::{ClassicValue, GroupRecord};
use crate::turn::Turn;

/// What any group is estimated to take, whatever is in it.
const GROUP_BYTES: usize = 700;

#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) id: GroupId,
    pub(crate) offsets: Offsets,
    pub(crate) kind: Kind,
    /// What group and members are estimated to take, as of their last change.
    pub(crate) state_bytes: usize,
    /// Below here lie all records of its members and generations.
    pub(crate) state_end: Offset,
    /// Below here lie all records of its offsets.
    pub(crate) offsets_end: Offset,
    /// When it is to be looked at; `u64::MAX` for never.
    pub(crate) wake_at: u64,
}

/// By which protocol the group's members work together.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Also groups that only keep offsets.
    Classic(ClassicGroup),
    Consumer(Box<ConsumerGroup>),
}

impl Group {
    pub(crate) fn new(id: GroupId) -> Group {
        Group {
            kind: Kind::Classic(ClassicGroup::new(id.clone())),
            id,
            offsets: Offsets::default(),
            state_bytes: 0,
            state_end: Offset::ZERO,
            offsets_end: Offset::ZERO,
            wake_at: u64::MAX,
        }
    }

    /// Takes one record in.
    pub(crate) fn apply(&mut self, record: GroupRecord) {
        match record {
            GroupRecord::Offset { topic, partition, value, .. } => {
                self.offsets.apply(&topic, partition, value);
            }
            GroupRecord::Classic { value, .. } => self.apply_classic(value.as_ref()),
            consumer => self.apply_consumer(consumer),
        }
    }

    fn apply_classic(&mut self, value: Option<&ClassicValue>) {
        let Some(value) = value else {
            if matches!(self.kind, Kind::Classic(_)) {
                self.kind = Kind::Classic(ClassicGroup::new(self.id.clone()));
            }
            return;
        };
        if matches!(self.kind, Kind::Consumer(_)) {
            self.kind = Kind::Classic(ClassicGroup::new(self.id.clone()));
        }
        if let Kind::Classic(classic) = &mut self.kind {
            classic.apply(value);
        }
    }

    fn apply_consumer(&mut self, record: GroupRecord) {
        if matches!(self.kind, Kind::Classic(_)) {
            if record.is_removal() {
                return;
            }
            self.kind = Kind::Consumer(Box::new(ConsumerGroup::new(self.id.clone())));
        }
        if let Kind::Consumer(consumer) = &mut self.kind {
            consumer.apply(record);
            if consumer.is_void() {
                self.kind = Kind::Classic(ClassicGroup::new(self.id.clone()));
            }
        }
    }

    /// Nobody being in it, the next member may speak the other protocol; offsets stay.
    pub(crate) fn become_classic_if_empty(&mut self, turn: &mut Turn<'_>) {
        if matches!(&self.kind, Kind::Consumer(consumer) if consumer.is_empty()) {
            self.remove(turn);
        }
    }

    /// A member of the consumer protocol comes: a classic group takes it in if it is empty or can go over to that
    /// protocol with all its members.
    pub(crate) fn become_consumer_if_possible(&mut self, turn: &mut Turn<'_>) {
        let Kind::Classic(classic) = &mut self.kind else { return };
        let mut consumer = ConsumerGroup::new(self.id.clone());
        if classic.is_empty() {
            self.remove(turn);
        } else {
            let handover = classic.handover().filter(|handover| {
                let settings = &turn.settings.consumer;
                settings.migration.upgrades() && handover.members.len() < settings.size_max
            });
            let Some(handover) = handover else { return };
            classic.dismiss(turn);
            self.remove(turn);
            if !handover.members.is_empty() {
                consumer.take_in(turn, &handover);
            }
        }
        self.kind = Kind::Consumer(Box::new(consumer));
    }

    /// A group in which only classic members are left goes back to their protocol.
    pub(crate) fn become_classic_if_left_to_guests(&mut self, turn: &mut Turn<'_>) {
        let Kind::Consumer(consumer) = &mut self.kind else { return };
        if !consumer.is_left_to_guests(turn.settings) {
            return;
        }
        let generation = consumer.epoch();
        let members = consumer.give_back(turn);
        let mut classic = ClassicGroup::new(self.id.clone());
        classic.take_back(turn, generation, members);
        self.kind = Kind::Classic(classic);
    }

    /// Ends the loading.
    pub(crate) fn settle(&mut self) {
        if let Kind::Consumer(consumer) = &mut self.kind {
            consumer.settle();
        }
    }

    /// See `ConsumerGroup::topics_may_have_changed`; classic members look at the topics themselves.
    pub(crate) fn topics_may_have_changed(&mut self, turn: &mut Turn<'_>, names: &BTreeSet<TopicName>) {
        if let Kind::Consumer(consumer) = &mut self.kind {
            consumer.topics_may_have_changed(turn, names);
        }
    }

    /// Whether nothing would be forgotten with it.
    pub(crate) fn is_void(&self) -> bool {
        let is_void = match &self.kind {
            Kind::Classic(classic) => classic.is_void(),
            Kind::Consumer(consumer) => consumer.is_void(),
        };
        is_void && self.offsets.is_empty()
    }

    /// Whether nobody is a member.
    pub(crate) fn is_empty(&self) -> bool {
        match &self.kind {
            Kind::Classic(classic) => classic.is_empty(),
            Kind::Consumer(consumer) => consumer.is_empty(),
        }
    }

    pub(crate) fn state(&self) -> &'static str {
        match &self.kind {
            Kind::Classic(classic) => classic.state(),
            Kind::Consumer(consumer) => consumer.state(),
        }
    }

    pub(crate) fn type_name(&self) -> &'static str {
        match &self.kind {
            Kind::Classic(_) => "classic",
            Kind::Consumer(_) => "consumer",
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        GROUP_BYTES + 2 * self.id.as_str().len() + self.state_bytes + self.offsets.bytes()
    }

    pub(crate) fn measure(&mut self) {
        self.state_bytes = match &self.kind {
            Kind::Classic(classic) => classic.bytes(),
            Kind::Consumer(consumer) => consumer.bytes(),
        };
    }

    pub(crate) fn tick(&mut self, turn: &mut Turn<'_>) {
        match &mut self.kind {
            Kind::Classic(classic) => classic.tick(turn),
            Kind::Consumer(consumer) => consumer.tick(turn),
        }
        self.become_classic_if_left_to_guests(turn);
    }

    pub(crate) fn rearm(&mut self, turn: &mut Turn<'_>) {
        match &mut self.kind {
            Kind::Classic(classic) => classic.rearm(turn),
            Kind::Consumer(consumer) => consumer.rearm(turn),
        }
    }

    /// Whether somebody reads this topic, so that its offsets are needed.
    pub(crate) fn subscribes(&self) -> impl Fn(&str) -> bool + use<> {
        let topics = match &self.kind {
            Kind::Classic(classic) => classic.subscriptions(),
            Kind::Consumer(consumer) => Some(consumer.subscriptions()),
        };
        move |topic: &str| topics.as_ref().is_none_or(|topics| topics.contains(topic))
    }

    /// Removes offsets that have expired, and the group with the last of them if nobody is in it.
    pub(crate) fn expire(&mut self, turn: &mut Turn<'_>, max: usize) {
        let idle_since = match &self.kind {
            Kind::Classic(classic) => Some(classic.state_since())
                .filter(|since| classic.is_empty() && classic.is_stored() && since.0 >= 0),
            Kind::Consumer(_) => None,
        };
        let expiry =
            Expiry { now: turn.now.wall, retention_ms: turn.settings.offsets_retention_ms, idle_since };
        let expired = self.offsets.expired(&expiry, self.subscribes(), max);
        self.offsets.remove_all(turn, &self.id, expired);
        if self.is_empty() && self.offsets.is_empty() {
            self.remove(turn);
        }
    }

    /// Removes the group's own records, nobody being in it.
    pub(crate) fn remove(&mut self, turn: &mut Turn<'_>) {
        match &mut self.kind {
            Kind::Classic(classic) if classic.is_stored() => {
                let record = GroupRecord::Classic { group: self.id.clone(), value: None };
                self.apply(record.clone());
                turn.records.push(record);
            }
            Kind::Classic(_) => {}
            Kind::Consumer(consumer) => {
                consumer.remove_group(turn);
                self.kind = Kind::Classic(ClassicGroup::new(self.id.clone()));
            }
        }
    }

    pub(crate) fn remove_offsets(&mut self, turn: &mut Turn<'_>) {
        let all: Vec<_> =
            self.offsets.values().map(|(topic, partition, _)| (topic.clone(), partition)).collect();
        self.offsets.remove_all(turn, &self.id, all);
    }

    /// Everything that is stored of it, as records.
    pub(crate) fn records(&self) -> Vec<GroupRecord> {
        let mut records = match &self.kind {
            Kind::Classic(classic) if classic.is_stored() => {
                vec![GroupRecord::Classic { group: self.id.clone(), value: Some(classic.value()) }]
            }
            Kind::Classic(_) => Vec::new(),
            Kind::Consumer(consumer) => consumer.records(),
        };
        records.extend(self.offsets.values().map(|(topic, partition, value)| GroupRecord::Offset {
            group: self.id.clone(),
            topic: topic.clone(),
            partition,
            value: Some(value),
        }));
        records
    }
}
