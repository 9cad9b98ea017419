//! A long seeded walk of consumer-protocol members that join, follow slowly, fall silent, leave and come back, while
//! topics change and the broker loses what is not committed. Asserts I7.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aquifer_group::{
    Answer, ConsumerDescribed, ConsumerHeartbeat, HeartbeatAnswer, Input, InstanceId, Loading, MemberId,
    Partitions, Refusal, Request, Settings, Ticket,
};
use aquifer_types::{Offset, TopicId};

use crate::cluster::Cluster;
use crate::driver::{Driver, at_once};
use crate::random::{Random, walks};

const CLIENTS: usize = 7;
const GROUP: &str = "group";

#[derive(Clone, Debug, Default)]
struct Client {
    member: Option<MemberId>,
    instance: Option<InstanceId>,
    epoch: i32,
    owned: BTreeSet<(TopicId, i32)>,
    /// Asked back, and not given up yet.
    giving_up: BTreeSet<(TopicId, i32)>,
    topics: Vec<Arc<str>>,
    asleep: bool,
    beat: Option<Ticket>,
}

struct Walk {
    random: Random,
    driver: Driver,
    clients: Vec<Client>,
    drawn: u64,
    answered: u64,
}

fn pairs(partitions: &Partitions) -> BTreeSet<(TopicId, i32)> {
    let topics = partitions.iter();
    topics.flat_map(|(topic, partitions)| partitions.iter().map(|partition| (*topic, *partition))).collect()
}

fn partitions(pairs: &BTreeSet<(TopicId, i32)>) -> Partitions {
    let mut partitions = Partitions::new();
    for (topic, partition) in pairs {
        partitions.entry(*topic).or_default().push(*partition);
    }
    partitions
}

impl Walk {
    fn new(seed: u64) -> Walk {
        let mut random = Random::new(seed);
        let mut settings = Settings::default();
        settings.consumer.assignment_interval_ms = [0, 1_000, 4_000][random.below(3)];
        let mut driver = Driver::new(Cluster::with(&[("a", 5), ("b", 3)]), settings);
        driver.commits_at_once = false;
        let clients = (0..CLIENTS).map(|at| Client {
            instance: (at % 3 == 2).then(|| InstanceId::new(&format!("i{at}"))),
            topics: if at % 4 == 3 { vec!["a".into()] } else { vec!["a".into(), "b".into()] },
            ..Client::default()
        });
        Walk { random, driver, clients: clients.collect(), drawn: 0, answered: 0 }
    }

    fn step(&mut self) {
        let at = self.random.below(CLIENTS);
        match self.random.below(100) {
            0..=49 => {
                if !self.clients[at].asleep {
                    self.beat(at);
                }
            }
            50..=74 => {
                let from = self.driver.committed;
                let more = self.random.below(self.driver.log.len() - from + 1);
                self.driver.commit(from + more);
            }
            75..=84 => self.clients[at].owned_shrinks(),
            85..=91 => {
                let ms = self.random.below(6_000) as u64;
                self.driver.advance(ms);
            }
            92 => self.leave(at, -1),
            93 => self.leave(at, -2),
            94 => self.clients[at].asleep = !self.clients[at].asleep,
            95 => self.clients[at].forget(),
            96 => self.change_topics(),
            97 => {
                if self.random.one_in(3) {
                    self.restart();
                }
            }
            _ => self.driver.commit_all(),
        }
        self.hear();
        if self.random.one_in(8) {
            self.nobody_owns_what_another_does();
        }
    }

    fn beat(&mut self, at: usize) {
        if self.clients[at].beat.is_some() {
            return;
        }
        if self.clients[at].member.is_none() {
            self.drawn += 1;
            self.clients[at].member = Some(MemberId::new(&format!("m{}", self.drawn)));
        }
        let client = &self.clients[at];
        let joins = client.epoch == 0;
        let beat = ConsumerHeartbeat {
            member: client.member.clone().expect("drawn"),
            epoch: client.epoch,
            instance: client.instance.clone(),
            rack: None,
            client_id: "c".into(),
            client_host: "h".into(),
            rebalance_timeout_ms: if joins { 15_000 } else { -1 },
            topics: joins.then(|| client.topics.clone()),
            pattern: None,
            assignor: None,
            owned: Some(partitions(&client.owned)),
            session_timeout_ms: (joins && at == 1).then_some(600_000),
        };
        self.clients[at].beat = Some(self.driver.send(GROUP, Request::ConsumerHeartbeat(beat)));
    }

    fn leave(&mut self, at: usize, epoch: i32) {
        let client = &self.clients[at];
        let Some(member) = client.member.clone() else { return };
        if client.beat.is_some() || (epoch == -2 && client.instance.is_none()) {
            return;
        }
        let beat = ConsumerHeartbeat {
            member,
            epoch,
            instance: client.instance.clone(),
            rack: None,
            client_id: "c".into(),
            client_host: "h".into(),
            rebalance_timeout_ms: -1,
            topics: None,
            pattern: None,
            assignor: None,
            owned: None,
            session_timeout_ms: None,
        };
        self.driver.send(GROUP, Request::ConsumerHeartbeat(beat));
        self.clients[at].forget();
    }

    fn change_topics(&mut self) {
        let (_, size) = self.driver.cluster.topics["b"];
        if self.random.one_in(3) {
            self.driver.cluster.delete("b");
            self.driver.cluster.create("b", 3);
        } else if size < 9 {
            self.driver.cluster.version += 1;
            self.driver.cluster.topics.get_mut("b").expect("there").1 += 1;
        }
    }

    fn restart(&mut self) {
        let lost = self.driver.restart();
        for client in &mut self.clients {
            client.beat = client.beat.filter(|ticket| !lost.contains(ticket));
        }
    }

    fn hear(&mut self) {
        while let Some((ticket, answer)) = self.driver.answers.pop_first() {
            let Answer::ConsumerHeartbeat(outcome) = answer else { panic!("{answer:?}") };
            let Some(client) = self.clients.iter_mut().find(|client| client.beat == Some(ticket)) else {
                continue;
            };
            client.beat = None;
            match outcome {
                Ok(answer) => {
                    self.answered += 1;
                    client.follow(&answer);
                }
                Err(Refusal::FencedEpoch | Refusal::UnknownMember | Refusal::GroupIdNotFound) => {
                    client.forget();
                }
                // The one before has not said that it leaves, and its session runs.
                Err(Refusal::UnreleasedInstance | Refusal::FencedInstance) => client.forget(),
                Err(refusal) => panic!("{refusal}"),
            }
        }
    }

    fn described(&mut self) -> Option<ConsumerDescribed> {
        let ticket = self.driver.send(GROUP, Request::ConsumerDescribe);
        match self.driver.take(ticket) {
            Some(Answer::ConsumerDescribe(described)) => described.ok(),
            None => None,
            other => panic!("{other:?}"),
        }
    }

    /// Among those that are members, and among what the coordinator believes.
    fn nobody_owns_what_another_does(&mut self) {
        self.driver.commit_all();
        self.hear();
        let Some(described) = self.described() else { return };
        let mut assigned = BTreeMap::new();
        for member in &described.members {
            for (topic, _, partitions) in &member.assigned {
                for partition in partitions {
                    let other = assigned.insert((*topic, *partition), member.id.clone());
                    assert_eq!(other, None, "assigned twice: {topic} {partition} {}", member.id);
                }
            }
        }
        let mut owned = BTreeMap::new();
        for client in &self.clients {
            let Some(id) = &client.member else { continue };
            if described.members.iter().any(|member| member.id == *id) {
                for pair in &client.owned {
                    let other = owned.insert(*pair, id.clone());
                    assert_eq!(other, None, "{pair:?} owned twice, also by {id}");
                }
            }
        }
    }

    /// Everyone does as it should for a while; then everyone has its target, and every partition an owner.
    fn settle(&mut self) {
        self.driver.commits_at_once = true;
        self.driver.commit_all();
        for _ in 0..160 {
            for at in 0..CLIENTS {
                self.hear();
                self.clients[at].asleep = false;
                self.clients[at].owned_shrinks();
                self.beat(at);
                self.hear();
            }
            self.driver.advance(5_000);
        }
        let described = self.described().expect("the group");
        assert_eq!(described.state, "Stable", "{described:#?}");
        assert_eq!(described.members.len(), CLIENTS, "{described:#?}");
        let mut owned = BTreeSet::new();
        for client in &self.clients {
            assert_eq!(client.epoch, described.epoch, "{client:?}");
            owned.extend(client.owned.iter().copied());
        }
        let total: i32 = self.driver.cluster.topics.values().map(|(_, size)| *size).sum();
        assert_eq!(owned.len(), total as usize, "{described:#?}");
        self.nobody_owns_what_another_does();
        self.restart_changes_nothing(&described);
    }

    fn restart_changes_nothing(&mut self, before: &ConsumerDescribed) {
        let whole = self.driver.loaded();
        let cut = self.random.below(self.driver.log.len());
        let mut part = Loading::new();
        for (at, (key, value)) in self.driver.log.iter().enumerate() {
            if at == cut {
                part = Loading::restore(&part.checkpoint()).expect("a checkpoint");
            }
            part.replay(Offset(at as i64), key, value.as_deref());
        }
        assert_eq!(part.checkpoint(), whole.checkpoint(), "a checkpoint and the rest are not the whole");

        self.driver.restart();
        assert_eq!(self.described().as_ref(), Some(before));
    }
}

impl Client {
    fn follow(&mut self, answer: &HeartbeatAnswer) {
        self.epoch = answer.epoch;
        if let Some(assignment) = &answer.assignment {
            let assigned = pairs(assignment);
            self.giving_up = self.owned.difference(&assigned).copied().collect();
            self.owned.extend(assigned);
        }
    }

    fn owned_shrinks(&mut self) {
        for pair in std::mem::take(&mut self.giving_up) {
            self.owned.remove(&pair);
        }
    }

    fn forget(&mut self) {
        *self = Client { instance: self.instance.clone(), topics: self.topics.clone(), ..Client::default() };
    }
}

const STEPS: usize = 2_000;

#[test]
fn consumer_groups_keep_every_promise() {
    let walks = walks(15, 500);
    let mut answered = 0;
    for seed in 0..walks {
        let mut walk = Walk::new(seed);
        for _ in 0..STEPS {
            walk.step();
        }
        walk.settle();
        answered += walk.answered;
    }
    // A walk that is refused everything proves nothing.
    assert!(answered > walks * 200, "{answered} heartbeats were accepted");
}

#[test]
fn a_pattern_is_resolved_outside_and_its_topics_are_shared_out() {
    let mut driver = Driver::new(Cluster::with(&[("logs-1", 2), ("other", 2)]), at_once());
    let beat = |epoch: i32, owned: Option<Partitions>| {
        Request::ConsumerHeartbeat(ConsumerHeartbeat {
            member: MemberId::new("m"),
            epoch,
            instance: None,
            rack: None,
            client_id: "c".into(),
            client_host: "h".into(),
            rebalance_timeout_ms: if epoch == 0 { 10_000 } else { -1 },
            topics: None,
            pattern: (epoch == 0).then(|| "logs-.*".into()),
            assignor: None,
            owned,
            session_timeout_ms: None,
        })
    };
    driver.ask(GROUP, beat(0, Some(Partitions::new())));
    let asked = driver.patterns.pop().expect("asked to resolve");

    driver.handle(Input::PatternResolved {
        group: asked.group,
        pattern: asked.pattern,
        topics: vec!["logs-1".into()],
        version: asked.version,
    });
    let Answer::ConsumerHeartbeat(Ok(answer)) = driver.ask(GROUP, beat(1, Some(Partitions::new()))) else {
        panic!("refused")
    };

    let (id, _) = driver.cluster.topics["logs-1"];
    assert_eq!(answer.assignment, Some(Partitions::from([(id, vec![0, 1])])));
}
