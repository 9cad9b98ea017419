//! A long seeded walk of classic clients that join, sync, commit, fall silent, come back, repeat themselves and are late,
//! over a broker that loses what is not committed. Asserts I7.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aquifer_group::{
    Answer, Commit, CommitPartition, FetchOffsets, Heartbeat, InstanceId, Join, Leaver, MemberId, Refusal,
    Request, Settings, Sync, Ticket,
};
use aquifer_types::Offset;

use crate::cluster::{Cluster, name};
use crate::driver::Driver;
use crate::random::{Random, walks};

const GROUPS: [&str; 3] = ["g0", "g1", "g2"];
const PARTITIONS: i32 = 6;
const CLIENTS: usize = 12;
const SESSION_MS: i32 = 10_000;

#[derive(Clone, Debug, Default)]
struct Client {
    group: usize,
    instance: Option<InstanceId>,
    member: Option<MemberId>,
    generation: i32,
    owned: Vec<i32>,
    is_member: bool,
    /// A new one each time its subscription changes.
    subscription: u8,
    next_sync: Option<Vec<(MemberId, Arc<[u8]>)>>,
    join: Option<Ticket>,
    sync: Option<Ticket>,
}

#[derive(Clone, Debug)]
enum Asked {
    Join(usize),
    Sync(usize, i32),
    Heartbeat(usize, i32),
    Leave,
    Commit { group: usize, partition: i32, offset: i64 },
    Fetch { group: usize, least: Vec<i64> },
}

struct Walk {
    random: Random,
    driver: Driver,
    clients: Vec<Client>,
    asked: BTreeMap<Ticket, Asked>,
    drawn: u64,
    next_offset: i64,
    /// What an acknowledged commit or a read has shown, by group and partition.
    shown: Vec<Vec<i64>>,
    /// Who had a partition in a generation: by instance where there is one.
    owners: BTreeMap<(usize, i32, i32), String>,
    synced: u64,
    committed: u64,
}

impl Walk {
    fn new(seed: u64) -> Walk {
        let mut random = Random::new(seed);
        let delay = if random.one_in(2) { 0 } else { 3_000 };
        let settings = Settings { initial_rebalance_delay_ms: delay, ..Settings::default() };
        let mut driver = Driver::new(Cluster::with(&[("t", PARTITIONS)]), settings);
        driver.commits_at_once = false;
        let clients = (0..CLIENTS).map(|at| Client {
            group: at % GROUPS.len(),
            instance: (at % 4 == 3).then(|| InstanceId::new(&format!("i{at}"))),
            ..Client::default()
        });
        Walk {
            random,
            driver,
            clients: clients.collect(),
            asked: BTreeMap::new(),
            drawn: 0,
            next_offset: 0,
            shown: vec![vec![-1; PARTITIONS as usize]; GROUPS.len()],
            owners: BTreeMap::new(),
            synced: 0,
            committed: 0,
        }
    }

    fn step(&mut self) {
        let at = self.random.below(CLIENTS);
        let drawn = self.random.below(100);
        // Troubles come often enough for each walk, and not so often that no generation ever lives.
        let drawn = if (92..=96).contains(&drawn) && !self.random.one_in(4) { 0 } else { drawn };
        match drawn {
            0..=24 => self.go_on(at),
            25..=44 => self.heartbeat(at),
            45..=64 => self.commit(at),
            65..=79 => {
                let from = self.driver.committed;
                let more = self.random.below(self.driver.log.len() - from + 1);
                self.driver.commit(from + more);
            }
            80..=84 => self.fetch(at),
            85..=91 => {
                let ms = self.random.below(1_200) as u64;
                self.driver.advance(ms);
            }
            92 => self.leave(at),
            // Falls over and comes back, forgetting who it was.
            93..=94 => self.forget(at),
            95 => {
                self.clients[at].subscription = self.clients[at].subscription.wrapping_add(1);
                self.clients[at].is_member = false;
                self.join(at);
            }
            // The client joins again though nothing has changed, or while it waits.
            96 => self.join(at),
            // It asks again for what it may have been told.
            97 => {
                if self.clients[at].next_sync.is_none() {
                    self.sync(at, Vec::new());
                }
            }
            98 => {
                if self.random.one_in(4) {
                    self.restart();
                }
            }
            _ => self.driver.commit_all(),
        }
        self.hear();
    }

    fn send(&mut self, group: usize, request: Request, asked: Asked) -> Ticket {
        let ticket = self.driver.send(GROUPS[group], request);
        self.asked.insert(ticket, asked);
        ticket
    }

    /// What a client would do next.
    fn go_on(&mut self, at: usize) {
        let client = &self.clients[at];
        if client.is_member || client.join.is_some() || client.sync.is_some() {
            return;
        }
        if let Some(assignments) = self.clients[at].next_sync.take() {
            self.sync(at, assignments);
        } else {
            self.join(at);
        }
    }

    fn join(&mut self, at: usize) {
        self.drawn += 1;
        let client = &self.clients[at];
        let protocols = [("range", 0u8), ("sticky", 1)];
        let protocols =
            protocols.iter().map(|(name, tag)| (Arc::from(*name), Arc::from([*tag, client.subscription])));
        let join = Join {
            member: client.member.clone().unwrap_or_else(|| MemberId::new("")),
            instance: client.instance.clone(),
            client_id: "c".into(),
            client_host: "h".into(),
            session_timeout_ms: SESSION_MS,
            rebalance_timeout_ms: 20_000,
            protocol_type: "consumer".into(),
            protocols: protocols.collect(),
            needs_known_id: at.is_multiple_of(2),
            can_skip_assignment: at % 8 == 3,
            fresh_id: MemberId::new(&format!("m{}", self.drawn)),
        };
        let ticket = self.send(client.group, Request::Join(join), Asked::Join(at));
        self.clients[at].join = Some(ticket);
        self.clients[at].is_member = false;
    }

    fn sync(&mut self, at: usize, assignments: Vec<(MemberId, Arc<[u8]>)>) {
        let client = &self.clients[at];
        let Some(member) = client.member.clone() else { return };
        let sync = Sync {
            member,
            instance: client.instance.clone(),
            generation: client.generation,
            protocol_type: None,
            protocol: None,
            assignments,
        };
        let asked = Asked::Sync(at, client.generation);
        let ticket = self.send(client.group, Request::Sync(sync), asked);
        self.clients[at].sync = Some(ticket);
    }

    fn heartbeat(&mut self, at: usize) {
        let client = &self.clients[at];
        // Who only has an id is no member yet.
        let (Some(member), 1..) = (client.member.clone(), client.generation) else { return };
        let late = i32::from(self.random.one_in(20));
        let generation = client.generation - late;
        let beat = Heartbeat { member, instance: client.instance.clone(), generation };
        self.send(client.group, Request::Heartbeat(beat), Asked::Heartbeat(at, generation));
    }

    fn commit(&mut self, at: usize) {
        let client = &self.clients[at];
        let (Some(member), true) = (client.member.clone(), client.is_member) else { return };
        if client.owned.is_empty() {
            return;
        }
        let partition = client.owned[self.random.below(client.owned.len())];
        self.next_offset += 1;
        let offset = self.next_offset;
        let part =
            CommitPartition { partition, offset: Offset(offset), leader_epoch: -1, metadata: "".into() };
        let commit = Commit {
            member,
            instance: client.instance.clone(),
            generation: client.generation,
            knows_epochs: false,
            retention_ms: None,
            topics: vec![(name("t"), vec![part])],
        };
        let group = client.group;
        self.send(group, Request::Commit(commit), Asked::Commit { group, partition, offset });
    }

    fn fetch(&mut self, at: usize) {
        let group = self.clients[at].group;
        let fetch = FetchOffsets {
            member: None,
            epoch: -1,
            topics: Some(vec![(name("t"), (0..PARTITIONS).collect())]),
        };
        let least = self.shown[group].clone();
        self.send(group, Request::FetchOffsets(fetch), Asked::Fetch { group, least });
    }

    fn leave(&mut self, at: usize) {
        let client = self.clients[at].clone();
        let Some(member) = client.member.clone() else { return };
        let leaver = Leaver { member, instance: client.instance };
        self.send(client.group, Request::Leave(vec![leaver]), Asked::Leave);
        self.forget(at);
    }

    fn forget(&mut self, at: usize) {
        let client = &self.clients[at];
        self.clients[at] =
            Client { group: client.group, instance: client.instance.clone(), ..Client::default() };
    }

    fn restart(&mut self) {
        let mut lost: Vec<Ticket> = self.driver.restart_somehow(&mut self.random);
        lost.sort_unstable();
        lost.dedup();
        let asked: Vec<Ticket> =
            self.asked.keys().filter(|ticket| !self.driver.answers.contains_key(ticket)).copied().collect();
        assert_eq!(lost, asked, "every request is answered or named at the end");
        for ticket in lost {
            self.asked.remove(&ticket);
            for client in &mut self.clients {
                client.join = client.join.filter(|waits| *waits != ticket);
                if client.sync == Some(ticket) {
                    client.sync = None;
                    client.is_member = false;
                }
            }
        }
    }

    fn hear(&mut self) {
        while let Some((ticket, answer)) = self.driver.answers.pop_first() {
            let asked = self.asked.remove(&ticket).expect("asked once");
            match (asked, answer) {
                (Asked::Join(at), Answer::Join(outcome)) => {
                    if self.clients[at].join == Some(ticket) {
                        self.hear_join(at, outcome);
                    }
                }
                (Asked::Sync(at, generation), Answer::Sync(outcome)) => {
                    if self.clients[at].sync == Some(ticket) {
                        self.hear_sync(at, generation, outcome.map(|synced| synced.assignment));
                    }
                }
                (Asked::Heartbeat(at, generation), Answer::Heartbeat(Err(refusal))) => {
                    if self.clients[at].generation == generation {
                        self.lose(at, &refusal);
                    }
                }
                (Asked::Commit { group, partition, offset }, Answer::Commit(Ok(outcome))) => {
                    assert_eq!(outcome, [(name("t"), vec![(partition, Ok(()))])]);
                    let shown = &mut self.shown[group][partition as usize];
                    *shown = offset.max(*shown);
                    self.committed += 1;
                }
                (Asked::Fetch { group, least }, Answer::FetchOffsets(Ok(fetched))) => {
                    for found in &fetched[0].1 {
                        let at = found.partition as usize;
                        assert!(found.offset.0 >= least[at], "an offset went back: {found:?} {least:?}");
                        self.shown[group][at] = self.shown[group][at].max(found.offset.0);
                    }
                }
                (Asked::Heartbeat(..), Answer::Heartbeat(Ok(())))
                | (Asked::Leave, Answer::Leave(_))
                | (Asked::Commit { .. }, Answer::Commit(Err(_))) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn hear_join(&mut self, at: usize, outcome: Result<aquifer_group::Joined, Refusal>) {
        let client = &mut self.clients[at];
        client.join = None;
        match outcome {
            Ok(joined) => {
                client.member = Some(joined.member.clone());
                client.generation = joined.generation;
                let leads = joined.leader == joined.member && !joined.skip_assignment;
                let count = joined.members.len().max(1) as i32;
                let shares = joined.members.iter().enumerate().map(|(index, member)| {
                    let share = (0..PARTITIONS).filter(|partition| partition % count == index as i32);
                    (member.id.clone(), share.map(|partition| partition as u8).collect())
                });
                client.next_sync = Some(if leads { shares.collect() } else { Vec::new() });
            }
            Err(Refusal::MemberIdRequired { member }) => client.member = Some(member),
            Err(Refusal::RebalanceInProgress) => {}
            Err(Refusal::UnknownMember | Refusal::FencedInstance) => self.forget(at),
            Err(refusal) => panic!("join: {refusal}"),
        }
    }

    fn hear_sync(&mut self, at: usize, generation: i32, outcome: Result<Arc<[u8]>, Refusal>) {
        self.clients[at].sync = None;
        match outcome {
            Ok(assignment) => {
                let client = &mut self.clients[at];
                client.owned = assignment.iter().map(|byte| i32::from(*byte)).collect();
                client.is_member = client.join.is_none();
                client.next_sync = None;
                self.synced += 1;
                let who = client.instance.as_ref().map_or_else(
                    || client.member.clone().expect("a member").to_string(),
                    |instance| instance.to_string(),
                );
                for partition in client.owned.clone() {
                    let key = (client.group, generation, partition);
                    let owner = self.owners.entry(key).or_insert_with(|| who.clone());
                    assert_eq!(*owner, who, "two owners of {key:?}");
                }
            }
            Err(refusal) => self.lose(at, &refusal),
        }
    }

    fn lose(&mut self, at: usize, refusal: &Refusal) {
        match refusal {
            Refusal::UnknownMember | Refusal::FencedInstance => {
                if self.clients[at].join.is_none() {
                    self.forget(at);
                }
            }
            Refusal::RebalanceInProgress | Refusal::IllegalGeneration => {
                self.clients[at].is_member = false;
                self.clients[at].next_sync = None;
            }
            other => panic!("{other}"),
        }
    }

    /// Everyone does as it should for a while; then everyone is a member and every partition has an owner.
    fn settle(&mut self) {
        self.driver.commits_at_once = true;
        self.driver.commit_all();
        for _ in 0..60 {
            self.hear();
            for at in 0..CLIENTS {
                self.go_on(at);
                self.hear();
                self.heartbeat(at);
                self.hear();
            }
            self.driver.advance(1_000);
        }
        self.hear();
        for group in 0..GROUPS.len() {
            let members: Vec<&Client> = self.clients.iter().filter(|client| client.group == group).collect();
            let generations: BTreeSet<i32> = members.iter().map(|client| client.generation).collect();
            assert!(members.iter().all(|client| client.is_member), "not all are members: {members:#?}");
            assert_eq!(generations.len(), 1, "{members:?}");
            let mut owned: Vec<i32> = members.iter().flat_map(|client| client.owned.clone()).collect();
            owned.sort_unstable();
            assert_eq!(owned, (0..PARTITIONS).collect::<Vec<_>>(), "{members:#?}");
        }
        self.restart_changes_nothing();
    }

    fn restart_changes_nothing(&mut self) {
        let seen = |driver: &mut Driver| {
            GROUPS.map(|group| {
                let all = FetchOffsets { member: None, epoch: -1, topics: None };
                (driver.ask(group, Request::Describe), driver.ask(group, Request::FetchOffsets(all)))
            })
        };
        let before = seen(&mut self.driver);
        self.driver.restart();
        assert_eq!(seen(&mut self.driver), before);
    }
}

fn walk(seed: u64, steps: usize) -> (u64, u64) {
    let mut walk = Walk::new(seed);
    for _ in 0..steps {
        walk.step();
    }
    walk.settle();
    (walk.synced, walk.committed)
}

const STEPS: usize = 2_000;

#[test]
fn classic_groups_keep_every_promise() {
    // Many steps in release, where they take seconds; fewer where they would take minutes.
    let walks = walks(25, 500);
    let (mut synced, mut committed) = (0, 0);
    for seed in 0..walks {
        let (more_synced, more_committed) = walk(seed, STEPS);
        synced += more_synced;
        committed += more_committed;
    }
    // A walk that is refused everything proves nothing.
    assert!(synced > walks * 50 && committed > walks * 50, "{synced} synced, {committed} committed");
}
