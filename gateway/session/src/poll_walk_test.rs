//! A long seeded walk of sessions over the real coordinator core: clients read ahead, acknowledge late, lose answers and
//! repeat themselves while others do the same, sessions run out and the group's members change. Nothing is committed that
//! nobody dealt with, offsets never go back, a repeated request begins where the first did, and in the end all is read.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use aquifer_group::{
    Answer, Commit, CommitPartition, ConsumerHeartbeat, FetchOffsets, GroupId, Input, Loading, MemberId, Now,
    Refusal, Reply, Request, Settings, Shard, Ticket, Topics,
};
use aquifer_types::{
    ClusterId, Offset, PartitionIndex, TimestampMs, TopicId, TopicName, TopicPartition, Uuid,
};

use crate::cursor::Progress;
use crate::places::{Partitions, Positions, Tenures};
use crate::poll::Poll;
use crate::session::{Session, StartAt};
use crate::step::{Assignment, Beat, CommitAnswer, HeartbeatAnswer, Intent, Step};

const TOPIC: TopicId = TopicId(Uuid::from_bytes([7; 16]));
const PARTITIONS: i32 = 5;
const CLIENTS: usize = 4;
const RECORDS: i64 = 200;
const TTL_MS: i32 = 20_000;

struct Cluster;

impl Topics for Cluster {
    fn topic(&self, name: &str) -> Option<(TopicId, i32)> {
        (name == "orders").then_some((TOPIC, PARTITIONS))
    }

    fn name(&self, id: TopicId) -> Option<TopicName> {
        (id == TOPIC).then(|| TopicName::new("orders").expect("a name"))
    }

    fn racks(&self, _id: TopicId, _partition: i32, _racks: &mut Vec<Arc<str>>) {}

    fn version(&self) -> i64 {
        1
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }
}

/// The coordinator, which answers at once.
struct Coordinator {
    shard: Shard,
    now_ms: u64,
    tickets: u64,
}

impl Coordinator {
    fn new() -> Coordinator {
        let mut settings = Settings::default();
        settings.consumer.assignment_interval_ms = 0;
        let now = Now { elapsed_ms: 0, wall: TimestampMs(0) };
        let shard = Shard::lead(Loading::new(), Offset::ZERO, now, &Cluster, settings);
        Coordinator { shard, now_ms: 0, tickets: 0 }
    }

    fn now(&self) -> Now {
        Now { elapsed_ms: self.now_ms, wall: TimestampMs(self.now_ms.cast_signed()) }
    }

    fn ask(&mut self, request: Request) -> Answer {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let input = Input::Request { ticket, group: GroupId::new("group"), request };
        let step = self.shard.handle(self.now(), &Cluster, input);
        let committed = self.shard.commit(step.base.plus(step.records.len() as i64));
        let mut replies = step.replies.into_iter().chain(committed);
        let Reply { answer, .. } = replies.find(|reply| reply.ticket == ticket).expect("an answer at once");
        answer
    }

    fn pass(&mut self, ms: u64) {
        let end = self.now_ms + ms;
        while self.shard.next_deadline() <= end {
            self.now_ms = self.now_ms.max(self.shard.next_deadline());
            let step = self.shard.tick(self.now(), &Cluster);
            self.shard.commit(step.base.plus(step.records.len() as i64));
        }
        self.now_ms = end;
    }

    fn beat(&mut self, session: &Session, beat: &Beat) -> HeartbeatAnswer {
        let owned = beat.owned.iter().map(|place| place.partition.0).collect::<Vec<_>>();
        let owned = if owned.is_empty() { BTreeMap::new() } else { BTreeMap::from([(TOPIC, owned)]) };
        let request = Request::ConsumerHeartbeat(ConsumerHeartbeat {
            member: MemberId::new(&session.member),
            epoch: beat.epoch,
            instance: None,
            rack: None,
            client_id: "gateway".into(),
            client_host: "here".into(),
            rebalance_timeout_ms: 10_000,
            topics: Some(vec!["orders".into()]),
            pattern: None,
            assignor: None,
            owned: Some(owned),
            session_timeout_ms: Some(TTL_MS),
        });
        match self.ask(request) {
            Answer::ConsumerHeartbeat(Ok(answer)) => HeartbeatAnswer::Member(Assignment {
                epoch: answer.epoch,
                partitions: answer.assignment.map(|topics| {
                    let all = topics.iter().flat_map(|(topic, partitions)| {
                        partitions.iter().map(|index| (*topic, PartitionIndex(*index)))
                    });
                    all.map(|(topic, partition)| TopicPartition { topic, partition }).collect()
                }),
            }),
            Answer::ConsumerHeartbeat(Err(
                Refusal::FencedEpoch | Refusal::UnknownMember | Refusal::GroupIdNotFound,
            )) => HeartbeatAnswer::Fenced,
            other => panic!("{other:?}"),
        }
    }

    fn committed(&mut self, partitions: &Partitions) -> Positions {
        let indices = partitions.iter().map(|place| place.partition.0).collect();
        let topics = Some(vec![(TopicName::new("orders").expect("a name"), indices)]);
        let fetch = FetchOffsets { member: None, epoch: -1, topics };
        let Answer::FetchOffsets(Ok(topics)) = self.ask(Request::FetchOffsets(fetch)) else {
            panic!("offsets")
        };
        let found = topics.into_iter().flat_map(|(_, found)| found).filter(|found| found.offset.0 >= 0);
        found.map(|found| (at(found.partition), found.offset)).collect()
    }

    fn commit(&mut self, session: &Session, epoch: i32, offsets: &Positions) -> CommitAnswer {
        let partitions = offsets.iter().map(|(place, offset)| CommitPartition {
            partition: place.partition.0,
            offset: *offset,
            leader_epoch: -1,
            metadata: "".into(),
        });
        let request = Request::Commit(Commit {
            member: MemberId::new(&session.member),
            instance: None,
            generation: epoch,
            knows_epochs: true,
            retention_ms: None,
            topics: vec![(TopicName::new("orders").expect("a name"), partitions.collect())],
        });
        match self.ask(request) {
            Answer::Commit(Ok(topics)) => {
                let mut each = topics.iter().flat_map(|(_, partitions)| partitions);
                if each.all(|(_, outcome)| outcome.is_ok()) {
                    CommitAnswer::Taken
                } else {
                    CommitAnswer::Stale
                }
            }
            Answer::Commit(Err(Refusal::StaleEpoch)) => CommitAnswer::Stale,
            Answer::Commit(Err(Refusal::UnknownMember | Refusal::IllegalGeneration)) => CommitAnswer::Fenced,
            other => panic!("{other:?}"),
        }
    }
}

/// What a client sends, again and again until it hears.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    session: Session,
    ack: Progress,
    after: Option<Progress>,
}

/// What a gateway answers.
#[derive(Clone, Debug)]
struct Answered {
    session: Session,
    /// Where reading began, and the cursor.
    from: Positions,
    cursor: Progress,
    kept: Partitions,
    revoked: Partitions,
}

struct Client {
    session: Session,
    asked: Option<Asked>,
    /// Read and not dealt with: where each answer began and ended, and its cursor.
    queue: VecDeque<(Positions, Positions, Progress)>,
    /// Whether it drops what it holds of partitions that it hears it has lost.
    drops: bool,
    ack: Progress,
    after: Option<Progress>,
    /// Where the same request began before, of what had not been lost.
    begun: Option<(Positions, Partitions)>,
}

/// A request under way at some gateway.
struct Running {
    client: usize,
    asked: Asked,
    poll: Poll,
    is_parked: bool,
}

fn at(partition: i32) -> TopicPartition {
    TopicPartition { topic: TOPIC, partition: PartitionIndex(partition) }
}

struct Walk {
    random: Random,
    coordinator: Coordinator,
    clients: Vec<Client>,
    running: Vec<Running>,
    dealt_with: BTreeSet<(i32, i64)>,
    reached: Positions,
    answered: u64,
    repeated: u64,
}

impl Walk {
    fn new(seed: u64) -> Walk {
        let clients = (0..CLIENTS).map(|at| Client {
            session: Session {
                cluster: ClusterId::default(),
                principal: String::new(),
                group: "group".to_owned(),
                member: format!("m-{at}"),
                instance: None,
                epoch: 0,
                topics: vec!["orders".to_owned()],
                start: StartAt::Earliest,
                owned: Some(Tenures::new()),
                tenure: 0,
                ttl_ms: TTL_MS,
                expires_at: TimestampMs(0),
            },
            asked: None,
            queue: VecDeque::new(),
            drops: at % 2 == 0,
            ack: Progress::default(),
            after: None,
            begun: None,
        });
        Walk {
            random: Random(seed),
            coordinator: Coordinator::new(),
            clients: clients.collect(),
            running: Vec::new(),
            dealt_with: BTreeSet::new(),
            reached: Positions::new(),
            answered: 0,
            repeated: 0,
        }
    }

    /// One thing that happens; where nothing is troubled, nothing is lost and everybody is quick.
    fn step(&mut self, is_troubled: bool) {
        let at = self.random.below(CLIENTS as u64) as usize;
        match self.random.below(if is_troubled { 20 } else { 12 }) {
            0..=5 => self.go_on(),
            6..=8 => self.send(at, is_troubled),
            9..=11 => self.deal_with(at),
            12..=16 => self.go_on(),
            // The answer will never come, and perhaps the gateway goes on regardless.
            17 if self.random.one_in(2) => self.running.retain(|running| running.client != at),
            18 => self.coordinator.pass(1_000),
            19 if self.random.one_in(10) => self.coordinator.pass(TTL_MS.cast_unsigned().into()),
            _ => {}
        }
        self.nothing_goes_back();
    }

    /// A client asks, or asks again what it heard nothing of.
    fn send(&mut self, at: usize, is_troubled: bool) {
        let under_way = self.running.iter().filter(|running| running.client == at).count();
        if under_way > usize::from(is_troubled) {
            return;
        }
        let client = &mut self.clients[at];
        if client.asked.is_some() && under_way > 0 && !self.random.one_in(4) {
            return;
        }
        let (ack, after) = (client.ack.clone(), client.after.clone());
        let fresh = Asked { session: client.session.clone(), ack, after };
        let asked = client.asked.get_or_insert(fresh).clone();
        let poll = Poll::new(&asked.session, Intent::Read, &asked.ack, asked.after.as_ref());
        self.running.push(Running { client: at, asked, poll, is_parked: false });
    }

    /// A request goes on until it waits: for the coordinator's word, or for records.
    fn go_on(&mut self) {
        if self.running.is_empty() {
            return;
        }
        let which = self.random.below(self.running.len() as u64) as usize;
        let Walk { coordinator, running, .. } = self;
        let Running { asked, poll, is_parked, .. } = &mut running[which];
        loop {
            match poll.step().clone() {
                Step::Beat(beat) => {
                    let heard = coordinator.beat(&asked.session, &beat);
                    if poll.heard(heard).is_err() {
                        self.running.remove(which);
                        return;
                    }
                    return;
                }
                Step::AskCommitted(places) => {
                    let committed = coordinator.committed(&places);
                    poll.committed_are(&committed);
                }
                Step::FindStarts(places) => {
                    poll.starts_are(&places.iter().map(|place| (*place, Offset::ZERO)).collect());
                }
                Step::Commit { epoch, offsets } => {
                    let answer = coordinator.commit(&asked.session, epoch, &offsets);
                    if poll.commit_answered(answer).is_err() {
                        self.running.remove(which);
                        return;
                    }
                }
                Step::Read => break,
                Step::Leave | Step::Done => panic!("nobody leaves"),
            }
        }
        // Sometimes nothing comes for a while.
        if !*is_parked && !poll.has_lost() && self.random.one_in(3) {
            *is_parked = true;
            poll.beat();
            return;
        }
        let running = self.running.remove(which);
        let answer = self.read(running.asked, running.poll);
        // A gateway's answer gets lost like the request that others repeat.
        if !self.random.one_in(4) {
            self.answer(running.client, answer);
        } else {
            let begun = (answer.1.from, answer.1.kept);
            self.begins_where_it_did(running.client, &answer.0, &begun);
        }
    }

    fn read(&mut self, asked: Asked, mut poll: Poll) -> (Asked, Answered) {
        let from = poll.positions().clone();
        let mut budget = 1 + self.random.below(20).cast_signed();
        for (place, offset) in &from {
            let next = Offset((offset.0 + budget).min(RECORDS));
            budget -= next.since(*offset);
            poll.read_upto(*place, next);
        }
        poll.finish();
        let outcome = poll.outcome();
        let owned: Partitions = asked.session.owned.iter().flat_map(Tenures::keys).copied().collect();
        let kept = owned.difference(&outcome.revoked).copied().collect();
        let (epoch, tenure) = (outcome.epoch, outcome.tenure);
        let session = Session { epoch, owned: Some(outcome.assigned), tenure, ..asked.session.clone() };
        let cursor = Progress { tenure, positions: outcome.positions };
        (asked, Answered { session, from, cursor, kept, revoked: outcome.revoked })
    }

    /// The same request begins at the same place, in everything that the member has not lost between.
    fn begins_where_it_did(&mut self, client: usize, asked: &Asked, (from, kept): &(Positions, Partitions)) {
        let client = &mut self.clients[client];
        let is_current = client.asked.as_ref() == Some(asked);
        if !is_current {
            return;
        }
        if let Some((before, kept_before)) = &client.begun {
            for place in kept.intersection(kept_before) {
                assert_eq!(before.get(place), from.get(place), "{place} begins elsewhere when asked again");
                self.repeated += 1;
            }
        }
        client.begun = Some((from.clone(), kept.clone()));
    }

    fn answer(&mut self, at: usize, (asked, answered): (Asked, Answered)) {
        let begun = (answered.from.clone(), answered.kept.clone());
        self.begins_where_it_did(at, &asked, &begun);
        let client = &mut self.clients[at];
        // An answer to what was answered already meets nobody.
        let awaits = client.asked.as_ref() == Some(&asked);
        if !awaits {
            return;
        }
        client.asked = None;
        client.begun = None;
        client.session = answered.session;
        client.after = Some(answered.cursor.clone());
        if client.drops {
            for (from, _, _) in &mut client.queue {
                from.retain(|place, _| !answered.revoked.contains(place));
            }
        }
        let upto = answered.cursor.positions.clone();
        client.queue.push_back((answered.from, upto, answered.cursor));
        self.answered += 1;
    }

    /// A client deals with what it got first, and acknowledges it with its next request.
    fn deal_with(&mut self, at: usize) {
        let Some((from, upto, cursor)) = self.clients[at].queue.pop_front() else { return };
        for (place, from) in &from {
            let end = upto.get(place).copied().unwrap_or(*from);
            self.dealt_with.extend((from.0..end.0).map(|offset| (place.partition.0, offset)));
        }
        self.clients[at].ack = cursor;
    }

    fn nothing_goes_back(&mut self) {
        let all = (0..PARTITIONS).map(at).collect();
        let committed = self.coordinator.committed(&all);
        for (place, offset) in &committed {
            let before = self.reached.get(place).copied().unwrap_or_default();
            assert!(*offset >= before, "{place} went back from {before} to {offset}");
            for passed in before.0..offset.0 {
                let record = (place.partition.0, passed);
                assert!(self.dealt_with.contains(&record), "{record:?} was committed and nobody has seen it");
            }
        }
        self.reached = committed;
    }

    fn is_through(&self) -> bool {
        (0..PARTITIONS).all(|index| self.reached.get(&at(index)) == Some(&Offset(RECORDS)))
    }
}

#[test]
fn sessions_lose_nothing_and_come_through() {
    let walks = if cfg!(debug_assertions) { 60 } else { 2_000 };
    let (mut answered, mut repeated) = (0, 0);
    for seed in 0..walks {
        let mut walk = Walk::new(seed);
        for _ in 0..600 {
            walk.step(true);
        }
        let mut left = 20_000;
        while !walk.is_through() && left > 0 {
            walk.step(false);
            left -= 1;
        }
        assert!(walk.is_through(), "seed {seed} stands at {:?}", walk.reached);
        answered += walk.answered;
        repeated += walk.repeated;
    }
    assert!(answered > walks * 50 && repeated > walks, "{answered} answers, {repeated} repeated");
}
