//! Prints what groups cost: memory, heartbeats, new targets, and taking in a log. `cargo run --release --example figures`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aquifer_group::{
    Answer, ConsumerHeartbeat, GroupId, GroupRecord, HeartbeatAnswer, Input, Loading, MemberId, Now,
    OffsetValue, Partitions, Request, Settings, Shard, Ticket, Topics,
};
use aquifer_types::{Offset, TimestampMs, TopicId, TopicName, Uuid};

/// Counts what is held on the heap.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed to the system's allocator as it came; the count has no part in what is allocated.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of this very method.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn held() -> usize {
    HELD.load(Ordering::Relaxed)
}

#[expect(
    clippy::disallowed_methods,
    reason = "an example that measures has no runtime to take the time from"
)]
fn clock() -> Instant {
    Instant::now()
}

/// Topics of so many partitions each, in one rack.
struct Cluster {
    by_name: BTreeMap<String, TopicId>,
    by_id: BTreeMap<TopicId, String>,
    partitions: i32,
}

impl Cluster {
    fn new(topics: usize, partitions: i32) -> Cluster {
        let names = (0..topics).map(|at| {
            let mut id = [7; 16];
            id[..8].copy_from_slice(&(at as u64).to_be_bytes());
            (format!("topic-{at}"), TopicId(Uuid::from_bytes(id)))
        });
        let by_name: BTreeMap<String, TopicId> = names.collect();
        let by_id = by_name.iter().map(|(name, id)| (*id, name.clone())).collect();
        Cluster { by_name, by_id, partitions }
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.by_name.keys().map(|name| name.as_str().into()).collect()
    }
}

impl Topics for Cluster {
    fn topic(&self, name: &str) -> Option<(TopicId, i32)> {
        self.by_name.get(name).map(|id| (*id, self.partitions))
    }

    fn name(&self, id: TopicId) -> Option<TopicName> {
        self.by_id.get(&id).and_then(|name| TopicName::new(name).ok())
    }

    fn racks(&self, _id: TopicId, _partition: i32, racks: &mut Vec<Arc<str>>) {
        racks.push("rack".into());
    }

    fn version(&self) -> i64 {
        1
    }
}

struct Driver {
    shard: Shard,
    cluster: Cluster,
    elapsed_ms: u64,
}

impl Driver {
    fn new(cluster: Cluster) -> Driver {
        let mut settings = Settings::default();
        settings.consumer.assignment_interval_ms = 0;
        let now = Now { elapsed_ms: 0, wall: TimestampMs(0) };
        let shard = Shard::lead(Loading::new(), Offset::ZERO, now, &cluster, settings);
        Driver { shard, cluster, elapsed_ms: 0 }
    }

    fn beat(&mut self, group: &str, member: &str, epoch: i32, owned: Option<Partitions>) -> HeartbeatAnswer {
        self.elapsed_ms += 1;
        let beat = ConsumerHeartbeat {
            member: MemberId::new(member),
            epoch,
            instance: None,
            rack: None,
            client_id: "consumer-1".into(),
            client_host: "/127.0.0.1".into(),
            rebalance_timeout_ms: if epoch == 0 { 300_000 } else { -1 },
            topics: (epoch == 0).then(|| self.cluster.names()),
            pattern: None,
            assignor: None,
            owned,
            session_timeout_ms: None,
        };
        let request = Request::ConsumerHeartbeat(beat);
        let input = Input::Request { ticket: Ticket(1), group: GroupId::new(group), request };
        let now = Now { elapsed_ms: self.elapsed_ms, wall: TimestampMs(0) };
        let step = self.shard.handle(now, &self.cluster, input);
        let mut replies = step.replies;
        replies.extend(self.shard.commit(step.base.plus(step.records.len() as i64)));
        match replies.pop().map(|reply| reply.answer) {
            Some(Answer::ConsumerHeartbeat(Ok(answer))) => answer,
            other => panic!("refused: {other:?}"),
        }
    }

    /// Lets these join, and everyone follow until nothing changes.
    fn settle(&mut self, group: &str, members: &[String]) {
        let mut places: Vec<(i32, Partitions)> = Vec::new();
        for member in members {
            let answer = self.beat(group, member, 0, Some(Partitions::new()));
            places.push((answer.epoch, answer.assignment.unwrap_or_default()));
        }
        for _ in 0..4 {
            for (member, place) in members.iter().zip(&mut places) {
                let answer = self.beat(group, member, place.0, Some(place.1.clone()));
                place.0 = answer.epoch;
                if let Some(assignment) = answer.assignment {
                    place.1 = assignment;
                }
            }
        }
    }
}

fn members(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("member-{at:04}-0123456789abcdef01234567")).collect()
}

fn memory(groups: usize, members: &[String], partitions: i32) {
    let mut driver = Driver::new(Cluster::new(1, partitions));
    let before = held();
    for group in 0..groups {
        driver.settle(&format!("group-{group}"), members);
    }
    let mib = (held() - before) as f64 / f64::from(1 << 20);
    let estimated = driver.shard.bytes() as f64 / f64::from(1 << 20);
    let count = members.len();
    println!(
        "{groups} groups of {count}, each group reading {partitions}: {mib:.1} MiB, estimated {estimated:.1}"
    );
}

fn leave(count: usize, topics: usize, partitions: i32) {
    let mut driver = Driver::new(Cluster::new(topics, partitions));
    let members = members(count);
    driver.settle("group", &members);
    let start = clock();
    driver.beat("group", &members[count / 2], -1, None);
    let took = start.elapsed();
    println!("{count} members, {topics} topics of {partitions}: one leaves, new target after {took:?}");
}

fn heartbeats(count: usize) {
    let mut driver = Driver::new(Cluster::new(1, 1_000));
    let members = members(count);
    driver.settle("group", &members);
    let epoch = count as i32;
    let beats = 200_000;
    let start = clock();
    for at in 0..beats {
        driver.beat("group", &members[at % count], epoch, None);
    }
    println!("a heartbeat among {count} members: {:?}", start.elapsed() / beats as u32);
}

fn replay() {
    let count = 1_000_000;
    let log: Vec<(Vec<u8>, Option<Vec<u8>>)> = (0..count)
        .map(|at| {
            let value = OffsetValue {
                offset: Offset(i64::from(at)),
                leader_epoch: 1,
                metadata: "".into(),
                committed_at: TimestampMs(1),
                expires_at: None,
                topic_id: TopicId::default(),
            };
            let record = GroupRecord::Offset {
                group: GroupId::new(&format!("group-{}", at % 1_000)),
                topic: TopicName::new(&format!("topic-{}", at / 1_000 % 100)).expect("a name"),
                partition: at / 100_000,
                value: Some(value),
            };
            (record.key(), record.value())
        })
        .collect();
    let before = held();
    let start = clock();
    let mut loading = Loading::new();
    for (at, (key, value)) in log.iter().enumerate() {
        loading.replay(Offset(at as i64), key, value.as_deref());
    }
    let replayed = start.elapsed();
    let mib = (held() - before) as f64 / f64::from(1 << 20);
    let start = clock();
    let checkpoint = loading.checkpoint();
    let written: Duration = start.elapsed();
    let start = clock();
    let restored = Loading::restore(&checkpoint).expect("a checkpoint");
    println!(
        "1,000,000 committed offsets: taken in within {replayed:?}, {mib:.0} MiB; checkpoint written within {written:?}, \
         read within {:?}",
        start.elapsed()
    );
    assert_eq!(restored.next(), loading.next());
}

fn main() {
    memory(1_000, &members(4), 1_000);
    memory(20_000, &members(1), 1);
    memory(1_000, &members(30), 30);
    leave(100, 1, 1_000);
    leave(100, 1_000, 1);
    leave(100, 100, 100);
    leave(1_000, 1, 10_000);
    heartbeats(10);
    heartbeats(1_000);
    replay();
}
