//! A long seeded walk of consumers of both protocols in one group: they join, follow slowly, fall silent, leave, come back
//! with the other protocol, repeat themselves and are late, while topics change and the broker loses what is not
//! committed. Asserts I7.

mod client;

use std::collections::{BTreeMap, BTreeSet};

use aquifer_group::{
    Answer, Commit, CommitPartition, ConsumerDescribed, ConsumerHeartbeat, FetchOffsets, GroupConfig, Input,
    InstanceId, Leaver, MemberId, Refusal, Request, Settings, Ticket,
};
use aquifer_types::{Offset, TopicId, TopicName};

use crate::cluster::{Cluster, name};
use crate::driver::Driver;
use crate::random::{Random, walks};
use client::{Asked, Client, Next, Owned, Speaks, ids};

const CLIENTS: usize = 8;
const GROUP: &str = "group";

struct Walk {
    random: Random,
    driver: Driver,
    clients: Vec<Client>,
    /// How classic clients go about a rebalance: all alike, or they could not share a group.
    classic: Speaks,
    /// Heartbeats that may be on their way still.
    late: Vec<(usize, ConsumerHeartbeat)>,
    /// Commits that may be on their way still, and those that were sent.
    late_commits: Vec<(Committed, Commit)>,
    commits: BTreeMap<Ticket, Committed>,
    /// The last offset that a partition's readers were told is kept, and who had sent it.
    kept: BTreeMap<(TopicId, i32), (usize, i64)>,
    /// Whether answers get lost.
    is_troubled: bool,
    drawn: u64,
    kept_count: u64,
    answered: u64,
    synced: u64,
}

/// An offset that a client has committed.
#[derive(Clone, Copy, Debug)]
struct Committed {
    at: usize,
    pair: (TopicId, i32),
    offset: i64,
}

impl Walk {
    fn new(seed: u64) -> Walk {
        let mut random = Random::new(seed);
        let mut settings = Settings { initial_rebalance_delay_ms: 0, ..Settings::default() };
        settings.consumer.assignment_interval_ms = [0, 1_000, 4_000][random.below(3)];
        let mut driver = Driver::new(Cluster::with(&[("a", 5), ("b", 3), ("x-1", 2)]), settings);
        driver.commits_at_once = false;
        let classic = [Speaks::Eager, Speaks::Cooperative][random.below(2)];
        // Some walks are of one protocol alone.
        let mixes = random.below(4);
        let clients = (0..CLIENTS).map(|at| Client {
            speaks: match mixes {
                0 => Speaks::Modern,
                1 => classic,
                _ => [Speaks::Modern, classic][random.below(2)],
            },
            instance: (at % 3 == 2).then(|| InstanceId::new(&format!("i{at}"))),
            topics: if at % 4 == 3 { vec!["a".into()] } else { vec!["a".into(), "b".into()] },
            pattern: (at % 4 == 0).then(|| "x-.*".into()),
            rack: (at % 2 == 0).then(|| ["rack-a", "rack-b"][at / 2 % 2].into()),
            long_session: at == 1,
            ..Client::default()
        });
        let clients = clients.collect();
        Walk {
            random,
            driver,
            clients,
            classic,
            late: Vec::new(),
            late_commits: Vec::new(),
            commits: BTreeMap::new(),
            kept: BTreeMap::new(),
            is_troubled: true,
            drawn: 0,
            kept_count: 0,
            answered: 0,
            synced: 0,
        }
    }

    fn step(&mut self) {
        let at = self.random.below(CLIENTS);
        match self.random.below(100) {
            0..=45 => self.go_on(at),
            46..=51 => self.commit_offset(at),
            52..=74 => {
                let from = self.driver.committed;
                let more = self.random.below(self.driver.log.len() - from + 1);
                self.driver.commit(from + more);
            }
            75..=80 => self.clients[at].gives_up(),
            81..=87 => {
                let ms = self.random.below(6_000) as u64;
                self.driver.advance(ms);
            }
            88 => self.leave(at, -1),
            89 => self.leave(at, -2),
            90 => self.clients[at].asleep = !self.clients[at].asleep,
            91 => self.clients[at].forget(),
            92 => {
                if self.random.one_in(2) {
                    self.change_protocol(at);
                }
            }
            93 => self.change_topics(),
            94..=95 => self.resolve(),
            96 => {
                if self.random.one_in(3) {
                    self.restart();
                }
            }
            97 => {
                self.be_late();
                self.commit_late();
            }
            98 => self.change_mind(at),
            _ => self.driver.commit_all(),
        }
        self.hear();
        if self.random.one_in(8) {
            self.nobody_owns_what_another_does();
        }
    }

    fn go_on(&mut self, at: usize) {
        if self.clients[at].asleep || self.clients[at].asked.is_some() {
            return;
        }
        if self.clients[at].speaks == Speaks::Modern {
            return self.beat(at);
        }
        let cluster = &self.driver.cluster;
        let client = &mut self.clients[at];
        // Topics have changed: a leader has everyone agree anew.
        if client.next == Next::Beat && client.led_at.is_some_and(|led_at| led_at != cluster.version) {
            client.next = Next::Join;
        }
        self.drawn += 1;
        let (request, asked) = match &client.next {
            Next::Join => {
                let fresh_id = MemberId::new(&format!("m{}", self.drawn));
                (Some(Request::Join(client.join(cluster, fresh_id))), Asked::Join)
            }
            Next::Sync(assignments) => {
                (client.sync(assignments.clone()).map(Request::Sync), Asked::Sync(ids(cluster)))
            }
            Next::Beat => (client.classic_beat().map(Request::Heartbeat), Asked::ClassicBeat),
        };
        if let Some(request) = request {
            let ticket = self.driver.send(GROUP, request);
            self.clients[at].asked = Some((ticket, asked));
        }
    }

    fn beat(&mut self, at: usize) {
        if self.clients[at].member.is_none() {
            self.drawn += 1;
            self.clients[at].member = Some(MemberId::new(&format!("m{}", self.drawn)));
        }
        let beat = self.clients[at].beat();
        let mut ticket = self.driver.send(GROUP, Request::ConsumerHeartbeat(beat.clone()));
        if self.random.one_in(20) {
            let again = self.driver.send(GROUP, Request::ConsumerHeartbeat(beat.clone()));
            ticket = [ticket, again][self.random.below(2)];
        }
        self.clients[at].asked = Some((ticket, Asked::Beat));
        self.late.push((at, beat));
        if self.late.len() > 50 {
            self.late.remove(0);
        }
    }

    /// A heartbeat comes that its client has given up long ago: it has heard of a later epoch since. (One of the same
    /// epoch is processed before the client sends the next, for they share a connection.)
    fn be_late(&mut self) {
        if self.late.is_empty() {
            return;
        }
        let (at, beat) = self.late.remove(self.random.below(self.late.len()));
        let client = &self.clients[at];
        if beat.epoch > 0 && beat.epoch < client.epoch && client.member.as_ref() == Some(&beat.member) {
            self.driver.send(GROUP, Request::ConsumerHeartbeat(beat));
        }
    }

    /// Commits one of the partitions that the client owns, now or later.
    fn commit_offset(&mut self, at: usize) {
        let ids = ids(&self.driver.cluster);
        let client = &self.clients[at];
        let is_assigned = client.speaks == Speaks::Modern || client.owned_in == client.epoch;
        let owned: Vec<_> =
            client.owned.iter().filter(|(topic, _)| ids.values().any(|id| id == topic)).copied().collect();
        let (Some(member), 1.., true, false) =
            (client.member.clone(), client.epoch, is_assigned, owned.is_empty() || client.asleep)
        else {
            return;
        };
        let (topic, partition) = owned[self.random.below(owned.len())];
        let named =
            ids.iter().find(|(_, id)| **id == topic).map(|(name, _)| name.clone()).expect("it exists");
        self.drawn += 1;
        let offset = self.drawn.cast_signed();
        let part =
            CommitPartition { partition, offset: Offset(offset), leader_epoch: -1, metadata: "".into() };
        let commit = Commit {
            member,
            instance: client.instance.clone(),
            generation: client.epoch,
            knows_epochs: true,
            retention_ms: None,
            topics: vec![(name(&named), vec![part])],
        };
        let committed = Committed { at, pair: (topic, partition), offset };
        if self.random.one_in(4) {
            self.late_commits.push((committed, commit));
        } else {
            let ticket = self.driver.send(GROUP, Request::Commit(commit));
            self.commits.insert(ticket, committed);
        }
    }

    /// A commit comes late: its client has gone on to another epoch, or is gone.
    fn commit_late(&mut self) {
        if self.late_commits.is_empty() {
            return;
        }
        let at = self.random.below(self.late_commits.len());
        let (committed, commit) = self.late_commits.swap_remove(at);
        let client = &self.clients[committed.at];
        let has_gone_on = client.epoch != commit.generation || client.member.as_ref() != Some(&commit.member);
        let exists = ids(&self.driver.cluster).values().any(|id| *id == committed.pair.0);
        if has_gone_on && exists {
            let ticket = self.driver.send(GROUP, Request::Commit(commit));
            self.commits.insert(ticket, committed);
        }
    }

    /// I7: what one member has committed no other takes back.
    fn hear_commit(&mut self, committed: &Committed, answer: &Answer) {
        let Answer::Commit(Ok(topics)) = answer else { return };
        if topics[0].1[0].1.is_err() {
            return;
        }
        self.kept_count += 1;
        let kept = self.kept.entry(committed.pair).or_insert((committed.at, committed.offset));
        assert!(
            kept.0 == committed.at || kept.1 <= committed.offset,
            "I7: {committed:?} was kept after {kept:?}: {}",
            self.clients.iter().map(Client::brief).collect::<String>()
        );
        *kept = (committed.at, committed.offset);
    }

    fn leave(&mut self, at: usize, epoch: i32) {
        let client = &self.clients[at];
        if client.asked.is_some() || (epoch == -2 && client.instance.is_none()) {
            return;
        }
        if client.speaks == Speaks::Modern {
            let Some(beat) = client.leaving(epoch) else { return };
            self.driver.send(GROUP, Request::ConsumerHeartbeat(beat));
        } else if let (Some(member), None) = (&client.member, &client.instance) {
            let leaver = Leaver { member: member.clone(), instance: None };
            self.driver.send(GROUP, Request::Leave(vec![leaver]));
        }
        self.clients[at].forget();
    }

    fn change_protocol(&mut self, at: usize) {
        self.leave(at, -1);
        let client = &mut self.clients[at];
        client.forget();
        client.speaks = if client.speaks == Speaks::Modern { self.classic } else { Speaks::Modern };
    }

    fn change_topics(&mut self) {
        let cluster = &mut self.driver.cluster;
        let mut changed = vec!["b", "x-1", "x-2"][self.random.below(3)];
        match cluster.topics.get(changed).copied() {
            None => {
                cluster.create(changed, 2);
            }
            Some((_, size)) if size < 7 && self.random.one_in(2) => cluster.grow(changed),
            Some((id, _)) if self.random.one_in(2) => {
                cluster.delete(changed);
                if changed == "b" || self.random.one_in(2) {
                    cluster.create(changed, 3);
                }
                self.driver.handle(Input::TopicsDeleted(vec![(name(changed), id)]));
            }
            Some(_) => {
                cluster.version += 1;
                cluster.rack_shift += 1;
                changed = "a";
            }
        }
        if self.random.one_in(2) {
            self.driver.handle(Input::TopicsChanged(vec![name(changed)]));
        }
        if self.random.one_in(4) {
            let heartbeat_interval_ms = Some(3_000 + self.random.below(9_000) as i32);
            let assignment_interval_ms = [None, Some(0), Some(2_000)][self.random.below(3)];
            self.driver.cluster.config = GroupConfig {
                session_timeout_ms: Some(45_000),
                heartbeat_interval_ms,
                assignment_interval_ms,
            };
        }
    }

    fn change_mind(&mut self, at: usize) {
        let client = &mut self.clients[at];
        client.has_changed = true;
        match self.random.below(3) {
            0 => {
                client.topics =
                    if client.topics.len() == 1 { vec!["b".into(), "a".into()] } else { vec!["a".into()] }
            }
            1 => client.pattern = if client.pattern.is_some() { None } else { Some("x-.*".into()) },
            _ => client.rack = Some(["rack-a", "rack-b", "rack-c"][self.random.below(3)].into()),
        }
        if client.next == Next::Beat {
            client.next = Next::Join;
        }
    }

    /// Answers what the shard wants to know of patterns, if it has not been lost.
    fn resolve(&mut self) {
        for asked in std::mem::take(&mut self.driver.patterns) {
            let prefix = asked.pattern.trim_end_matches(".*").to_owned();
            let topics = self.driver.cluster.topics.keys().filter(|topic| topic.starts_with(&prefix));
            let topics = topics.map(|topic| topic.as_str().into()).collect();
            let version = self.driver.cluster.version;
            let resolved =
                Input::PatternResolved { group: asked.group, pattern: asked.pattern, topics, version };
            self.driver.handle(resolved);
        }
    }

    fn restart(&mut self) {
        let lost = self.driver.restart_somehow(&mut self.random);
        for client in &mut self.clients {
            if client.asked.take_if(|(ticket, _)| lost.contains(ticket)).is_some() {
                client.has_changed = true;
            }
        }
    }

    fn hear(&mut self) {
        while let Some((ticket, answer)) = self.driver.answers.pop_first() {
            if let Some(committed) = self.commits.remove(&ticket) {
                self.hear_commit(&committed, &answer);
                continue;
            }
            let waits =
                |client: &&mut Client| client.asked.as_ref().is_some_and(|(asked, _)| *asked == ticket);
            let Some(client) = self.clients.iter_mut().find(waits) else { continue };
            let Some((_, asked)) = client.asked.take() else { continue };
            if self.is_troubled && self.random.one_in(25) {
                // It is lost. The client asks again, and says everything.
                client.has_changed = true;
                continue;
            }
            match (asked, answer) {
                (Asked::Beat, Answer::ConsumerHeartbeat(Ok(answer))) => {
                    self.answered += 1;
                    client.follow(&answer);
                }
                (Asked::Beat, Answer::ConsumerHeartbeat(Err(refusal))) => match refusal {
                    Refusal::FencedEpoch | Refusal::UnknownMember | Refusal::GroupIdNotFound => client.lose(),
                    // The one before has not said that it leaves, and its session runs.
                    Refusal::UnreleasedInstance | Refusal::FencedInstance => client.forget(),
                    refusal => panic!("{refusal}"),
                },
                (Asked::Join, Answer::Join(outcome)) => client.hear_join(&self.driver.cluster, outcome),
                (Asked::Sync(ids), Answer::Sync(outcome)) => {
                    self.synced += u64::from(outcome.is_ok());
                    client.hear_sync(&ids, outcome.map(|synced| synced.assignment));
                }
                (Asked::ClassicBeat, Answer::Heartbeat(Ok(()))) => {}
                (Asked::ClassicBeat, Answer::Heartbeat(Err(refusal))) => client.hear_refusal(&refusal),
                other => panic!("{other:?}"),
            }
        }
    }

    fn brief(&self) -> String {
        self.clients.iter().map(Client::brief).collect()
    }

    fn described(&mut self) -> Option<ConsumerDescribed> {
        let ticket = self.driver.send(GROUP, Request::ConsumerDescribe);
        match self.driver.take(ticket) {
            Some(Answer::ConsumerDescribe(described)) => described.ok(),
            None => None,
            other => panic!("{other:?}"),
        }
    }

    /// I7, among those that are members, and among what the coordinator believes.
    fn nobody_owns_what_another_does(&mut self) {
        self.driver.commit_all();
        self.hear();
        let Some(described) = self.described() else { return self.nobody_owns_twice_in_a_generation() };
        let mut assigned = BTreeMap::new();
        for member in &described.members {
            for (topic, _, partitions) in &member.assigned {
                for partition in partitions {
                    let other = assigned.insert((*topic, *partition), member.id.clone());
                    assert_eq!(other, None, "I7: assigned twice: {topic} {partition} {}", member.id);
                }
            }
        }
        // Of topics that are gone there is nothing to own.
        let ids = ids(&self.driver.cluster);
        let exists = |topic: &TopicId| ids.values().any(|id| id == topic);
        let mut owned = BTreeMap::new();
        for client in &self.clients {
            let Some(id) = &client.member else { continue };
            let Some(member) = described.members.iter().find(|member| member.id == *id) else { continue };
            // A classic client that never heard of its last assignment is fenced, or hears it, as soon as it says a word.
            let is_current = client.epoch == member.epoch && client.owned_in == member.epoch;
            if client.speaks != Speaks::Modern && !is_current {
                continue;
            }
            for pair in client.owned.iter().filter(|(topic, _)| exists(topic)) {
                let other = owned.insert(*pair, id.clone());
                assert_eq!(
                    other,
                    None,
                    "I7: {pair:?} owned twice, also by {id}: {}{}",
                    self.brief(),
                    short(&described)
                );
            }
        }
    }

    /// Classic members among themselves: each generation has its own owners.
    fn nobody_owns_twice_in_a_generation(&mut self) {
        let ticket = self.driver.send(GROUP, Request::Describe);
        let Some(Answer::Describe(Ok(described))) = self.driver.take(ticket) else { return };
        let members: BTreeSet<&MemberId> = described.members.iter().map(|member| &member.id).collect();
        // Of topics that are gone there is nothing to own.
        let ids = ids(&self.driver.cluster);
        let exists = |topic: &TopicId| ids.values().any(|id| id == topic);
        let mut owned = BTreeMap::new();
        for client in self.clients.iter().filter(|client| client.speaks != Speaks::Modern) {
            let Some(id) = client.member.as_ref().filter(|id| members.contains(id)) else { continue };
            for pair in client.owned.iter().filter(|(topic, _)| exists(topic)) {
                let other = owned.insert((client.owned_in, *pair), id.clone());
                assert_eq!(other, None, "I7: {pair:?} owned twice, also by {id}: {}", self.brief());
            }
        }
    }

    /// Everyone does as it should for a while; then everyone is a member, and every partition that is read has an owner.
    fn settle(&mut self) {
        self.is_troubled = false;
        self.driver.commits_at_once = true;
        self.driver.commit_all();
        for _ in 0..160 {
            self.resolve();
            for at in 0..CLIENTS {
                self.hear();
                self.clients[at].asleep = false;
                self.clients[at].gives_up();
                // A classic client that was told to join goes through with it at once.
                for _ in 0..4 {
                    self.go_on(at);
                    self.hear();
                    if self.clients[at].speaks == Speaks::Modern || self.clients[at].next == Next::Beat {
                        break;
                    }
                }
            }
            self.driver.advance(5_000);
        }
        let mut owned: Vec<(TopicId, i32)> = Vec::new();
        for client in &self.clients {
            assert!(
                client.member.is_some() && client.epoch > 0 && client.giving_up.is_empty(),
                "{client:#?}"
            );
            owned.extend(client.owned.iter().copied());
        }
        owned.sort_unstable();
        let mut read: Owned = Owned::new();
        for (topic, (id, size)) in &self.driver.cluster.topics {
            let reads = |client: &Client| {
                let matches =
                    client.speaks == Speaks::Modern && client.pattern.is_some() && topic.starts_with("x-");
                matches || client.topics.iter().any(|name| **name == **topic)
            };
            if self.clients.iter().any(reads) {
                read.extend((0..*size).map(|partition| (*id, partition)));
            }
        }
        self.offsets_are_kept();
        let described = self.described();
        let members = described.as_ref().map(short).unwrap_or_default();
        assert_eq!(owned, read.into_iter().collect::<Vec<_>>(), "{}{members}", self.brief());
        let is_modern = self.clients.iter().any(|client| client.speaks == Speaks::Modern);
        assert_eq!(described.is_some(), is_modern, "{members}");
        if let Some(described) = described {
            assert_eq!(described.state, "Stable", "{} {}", self.brief(), short(&described));
            assert_eq!(described.members.len(), CLIENTS, "{members}");
            assert!(self.clients.iter().all(|client| client.epoch == described.epoch), "{members}");
        }
        self.nobody_owns_what_another_does();
        self.restart_changes_nothing();
    }

    fn offsets_are_kept(&mut self) {
        let all = FetchOffsets { member: None, epoch: -1, topics: None };
        let Answer::FetchOffsets(Ok(fetched)) = self.driver.ask(GROUP, Request::FetchOffsets(all)) else {
            panic!("no offsets")
        };
        for (topic, partitions) in fetched {
            let Some((id, _)) = self.driver.cluster.topics.get(topic.as_str()) else { continue };
            for found in partitions {
                let kept = self.kept.get(&(*id, found.partition));
                assert!(kept.is_none_or(|kept| found.offset.0 >= kept.1), "I7: {topic} {found:?} {kept:?}");
            }
        }
        let ids = ids(&self.driver.cluster);
        for (topic, partition) in self.kept.keys().filter(|(topic, _)| ids.values().any(|id| id == topic)) {
            let (named, _) = ids.iter().find(|(_, id)| *id == topic).expect("it exists");
            let wanted = Some(vec![(name(named), vec![*partition])]);
            let fetch = FetchOffsets { member: None, epoch: -1, topics: wanted };
            let ticket = self.driver.send(GROUP, Request::FetchOffsets(fetch));
            let Some(Answer::FetchOffsets(Ok(found))) = self.driver.take(ticket) else { panic!("no answer") };
            assert!(found[0].1[0].offset.0 >= 0, "I7: the offset of {named} {partition} is lost");
        }
    }

    fn restart_changes_nothing(&mut self) {
        let seen = |driver: &mut Driver| {
            (driver.ask(GROUP, Request::ConsumerDescribe), driver.ask(GROUP, Request::Describe))
        };
        let before = seen(&mut self.driver);
        let bytes = self.driver.shard.bytes();
        self.driver.restart_by(|driver| driver.loaded_thinned(&mut self.random));
        assert_eq!(seen(&mut self.driver), before);
        assert_eq!(self.driver.shard.bytes(), bytes, "the estimate has drifted");
    }
}

/// Who is to have what, and has it, in short.
fn short(described: &ConsumerDescribed) -> String {
    let listed = |topics: &[(TopicId, TopicName, Vec<i32>)]| {
        let topics = topics.iter().map(|(_, name, partitions)| format!("{name}:{partitions:?}"));
        topics.collect::<Vec<_>>().join(" ")
    };
    let members = described.members.iter().map(|member| {
        let kind = if member.said.classic.is_some() { "classic" } else { "modern" };
        let (has, target) = (listed(&member.assigned), listed(&member.target));
        format!("\n{} {kind} {} has {has}, is to have {target}", member.id, member.epoch)
    });
    format!(
        "\n{} {} {}{}",
        described.state,
        described.epoch,
        described.assignment_epoch,
        members.collect::<String>()
    )
}

const STEPS: usize = 2_000;

#[test]
fn consumer_groups_keep_every_promise() {
    let walks = walks(15, 500);
    let (mut answered, mut synced, mut kept) = (0, 0, 0);
    for seed in 0..walks {
        let mut walk = Walk::new(seed);
        for _ in 0..STEPS {
            walk.step();
        }
        walk.settle();
        answered += walk.answered;
        synced += walk.synced;
        kept += walk.kept_count;
    }
    // A walk that is refused everything proves nothing.
    let is_enough = answered > walks * 100 && synced > walks * 20 && kept > walks * 10;
    assert!(is_enough, "{answered} heartbeats, {synced} syncs, {kept} commits");
}
