//! `Client`: a consumer of either protocol, as far as groups see it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aquifer_group::{
    ConsumerHeartbeat, Heartbeat, HeartbeatAnswer, InstanceId, Join, Joined, MemberId, Partitions, Refusal,
    Sync, Ticket,
};
use aquifer_types::TopicId;

use crate::cluster::Cluster;
use crate::embedded::{Named, assignment, read_assignment, read_subscription, subscription};

/// Partitions of topics as they were when they were assigned.
pub type Owned = BTreeSet<(TopicId, i32)>;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speaks {
    #[default]
    Modern,
    /// The classic protocol; gives everything up before it joins.
    Eager,
    /// The classic protocol; keeps what it has while it joins.
    Cooperative,
}

#[derive(Clone, Debug, Default)]
pub struct Client {
    pub speaks: Speaks,
    pub member: Option<MemberId>,
    pub instance: Option<InstanceId>,
    pub rack: Option<Arc<str>>,
    pub topics: Vec<Arc<str>>,
    pub pattern: Option<Arc<str>>,
    pub long_session: bool,
    /// The member epoch or generation.
    pub epoch: i32,
    pub owned: Owned,
    /// In which generation a classic client was assigned what it owns, or was heard to own it.
    pub owned_in: i32,
    /// Asked back, and not given up yet.
    pub giving_up: Owned,
    pub asleep: bool,
    /// What it waits for an answer to.
    pub asked: Option<(Ticket, Asked)>,
    /// Whether it says what it reads, though it has joined.
    pub has_changed: bool,
    /// What a classic client has to do next.
    pub next: Next,
    /// Against which metadata a leader assigned.
    pub led_at: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    Beat,
    Join,
    /// With the topics as they were.
    Sync(BTreeMap<String, TopicId>),
    ClassicBeat,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Next {
    #[default]
    Join,
    Sync(Vec<(MemberId, Arc<[u8]>)>),
    Beat,
}

pub fn pairs(partitions: &Partitions) -> Owned {
    let topics = partitions.iter();
    topics.flat_map(|(topic, partitions)| partitions.iter().map(|partition| (*topic, *partition))).collect()
}

fn partitions(pairs: &Owned) -> Partitions {
    let mut partitions = Partitions::new();
    for (topic, partition) in pairs {
        partitions.entry(*topic).or_default().push(*partition);
    }
    partitions
}

pub fn ids(cluster: &Cluster) -> BTreeMap<String, TopicId> {
    cluster.topics.iter().map(|(name, (id, _))| (name.clone(), *id)).collect()
}

impl Client {
    /// Where it is, in short.
    pub fn brief(&self) -> String {
        let member = self.member.as_ref().map_or("-", MemberId::as_str);
        let owned: Vec<String> =
            self.owned.iter().map(|(topic, at)| format!("{}:{at}", &topic.to_string()[..8])).collect();
        let instance = self.instance.as_ref().map_or("-", InstanceId::as_str);
        let (speaks, epoch, next) = (self.speaks, self.epoch, &self.next);
        format!(
            "\n{member} {instance} {speaks:?} {epoch} {owned:?} gives up {:?}, next {next:?}",
            self.giving_up
        )
    }

    /// Falls over: it comes back without a memory, but for its configuration.
    pub fn forget(&mut self) {
        *self = Client {
            speaks: self.speaks,
            instance: self.instance.clone(),
            rack: self.rack.clone(),
            topics: self.topics.clone(),
            pattern: self.pattern.clone(),
            long_session: self.long_session,
            ..Client::default()
        };
    }

    /// Its place is gone and what it owned with it; it goes on under its id.
    pub fn lose(&mut self) {
        self.owned.clear();
        self.giving_up.clear();
        self.epoch = 0;
        self.next = Next::Join;
    }

    pub fn gives_up(&mut self) {
        for pair in std::mem::take(&mut self.giving_up) {
            self.owned.remove(&pair);
        }
    }

    /// A heartbeat of the consumer protocol, of a client that has an id.
    pub fn beat(&mut self) -> ConsumerHeartbeat {
        let joins = self.epoch == 0;
        let says = joins || std::mem::take(&mut self.has_changed);
        ConsumerHeartbeat {
            member: self.member.clone().expect("drawn"),
            epoch: self.epoch,
            instance: self.instance.clone(),
            rack: self.rack.clone().filter(|_| says),
            client_id: "c".into(),
            client_host: "h".into(),
            rebalance_timeout_ms: if joins { 15_000 } else { -1 },
            topics: says.then(|| self.topics.clone()),
            pattern: says.then(|| self.pattern.clone().unwrap_or_default()),
            assignor: None,
            owned: Some(partitions(&self.owned)),
            session_timeout_ms: (joins && self.long_session).then_some(600_000),
        }
    }

    pub fn leaving(&self, epoch: i32) -> Option<ConsumerHeartbeat> {
        Some(ConsumerHeartbeat {
            member: self.member.clone()?,
            epoch,
            instance: self.instance.clone(),
            rack: None,
            client_id: "c".into(),
            client_host: "h".into(),
            rebalance_timeout_ms: -1,
            topics: None,
            pattern: None,
            assignor: None,
            owned: None,
            session_timeout_ms: None,
        })
    }

    pub fn follow(&mut self, answer: &HeartbeatAnswer) {
        self.epoch = answer.epoch;
        if let Some(assignment) = &answer.assignment {
            let assigned = pairs(assignment);
            self.giving_up = self.owned.difference(&assigned).copied().collect();
            self.owned.extend(assigned);
        }
    }

    fn owned_by_name(&self, cluster: &Cluster) -> Named {
        let ids = ids(cluster);
        let named = ids.iter().flat_map(|(name, id)| {
            let of_topic = self.owned.iter().filter(move |(topic, _)| topic == id);
            of_topic.map(move |(_, partition)| (name.clone(), *partition))
        });
        named.collect()
    }

    pub fn join(&mut self, cluster: &Cluster, fresh_id: MemberId) -> Join {
        if self.speaks == Speaks::Eager {
            self.owned.clear();
        }
        let protocol = if self.speaks == Speaks::Eager { "eager" } else { "cooperative" };
        let metadata = subscription(&self.topics, &self.owned_by_name(cluster));
        Join {
            member: self.member.clone().unwrap_or_else(|| MemberId::new("")),
            instance: self.instance.clone(),
            client_id: "c".into(),
            client_host: "h".into(),
            session_timeout_ms: 20_000,
            rebalance_timeout_ms: 15_000,
            protocol_type: "consumer".into(),
            protocols: vec![(protocol.into(), metadata)],
            needs_known_id: !self.long_session,
            can_skip_assignment: true,
            fresh_id,
        }
    }

    pub fn sync(&self, assignments: Vec<(MemberId, Arc<[u8]>)>) -> Option<Sync> {
        Some(Sync {
            member: self.member.clone()?,
            instance: self.instance.clone(),
            generation: self.epoch,
            protocol_type: None,
            protocol: None,
            assignments,
        })
    }

    pub fn classic_beat(&self) -> Option<Heartbeat> {
        Some(Heartbeat {
            member: self.member.clone()?,
            instance: self.instance.clone(),
            generation: self.epoch,
        })
    }

    pub fn hear_join(&mut self, cluster: &Cluster, outcome: Result<Joined, Refusal>) {
        match outcome {
            Ok(joined) => {
                self.member = Some(joined.member.clone());
                self.epoch = joined.generation;
                if joined.leader.is_empty() {
                    self.owned_in = joined.generation;
                }
                let leads = joined.leader == joined.member;
                // Who takes over from a leader does not know which topics that one knew.
                self.led_at = leads.then_some(if joined.skip_assignment { -1 } else { cluster.version });
                let assigns = leads && !joined.skip_assignment;
                self.next = Next::Sync(if assigns { shares(cluster, &joined) } else { Vec::new() });
            }
            Err(Refusal::MemberIdRequired { member }) => self.member = Some(member),
            Err(refusal) => self.hear_refusal(&refusal),
        }
    }

    pub fn hear_sync(&mut self, ids: &BTreeMap<String, TopicId>, outcome: Result<Arc<[u8]>, Refusal>) {
        match outcome {
            Ok(bytes) => {
                let named = read_assignment(&bytes).into_iter();
                let assigned: Owned =
                    named.filter_map(|(name, partition)| Some((*ids.get(&name)?, partition))).collect();
                // Who had to give something up joins again, so that others get it.
                let gave_up = self.speaks == Speaks::Cooperative && !self.owned.is_subset(&assigned);
                self.owned = assigned;
                self.owned_in = self.epoch;
                self.next = if gave_up { Next::Join } else { Next::Beat };
            }
            Err(refusal) => self.hear_refusal(&refusal),
        }
    }

    pub fn hear_refusal(&mut self, refusal: &Refusal) {
        match refusal {
            Refusal::RebalanceInProgress => self.next = Next::Join,
            Refusal::IllegalGeneration => self.lose(),
            Refusal::UnknownMember | Refusal::FencedInstance => self.forget(),
            // Members of the other kind, who speak another protocol, or too many.
            Refusal::InconsistentProtocol => self.lose(),
            refusal => panic!("{refusal}"),
        }
    }
}

/// What a leader gives to whom: evenly, and, as cooperative ones do, nothing that somebody else has not given up.
fn shares(cluster: &Cluster, joined: &Joined) -> Vec<(MemberId, Arc<[u8]>)> {
    let said: Vec<_> = joined.members.iter().map(|member| read_subscription(&member.metadata)).collect();
    let mut given = vec![Named::new(); said.len()];
    for (name, (_, count)) in &cluster.topics {
        let readers: Vec<usize> = (0..said.len()).filter(|at| said[*at].0.contains(name)).collect();
        for partition in 0..*count {
            let Some(reader) = readers.get(partition as usize % readers.len().max(1)) else { continue };
            let pair = (name.clone(), partition);
            let owner = (0..said.len()).find(|at| said[*at].1.contains(&pair));
            if owner.is_none_or(|owner| owner == *reader) {
                given[*reader].insert(pair);
            }
        }
    }
    joined.members.iter().zip(&given).map(|(member, given)| (member.id.clone(), assignment(given))).collect()
}
