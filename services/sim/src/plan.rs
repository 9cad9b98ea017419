//! `Plan`: what a seed draws before anything runs: which faults there are, how lives end, what is asked of the node.

use std::time::Duration;

use crate::dice::Dice;

/// Everything about one simulation that does not depend on how it goes.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub lives: u64,
    pub faults: Faults,
    pub topics: Vec<TopicPlan>,
    pub producers: Vec<ProducerPlan>,
    pub readers: u64,
    /// Whether topics come and go and configs change meanwhile.
    pub admin: bool,
    /// Whether records are deleted meanwhile.
    pub deletes: bool,
    pub wal_bytes: u64,
    /// How many entries of the metadata log make a snapshot.
    pub snapshot_entries: u64,
}

/// The classes of faults. Each seed has its own selection, because faults of one class hide those of another.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    pub power: bool,
    pub kill: bool,
    pub device_errors: bool,
    pub full: bool,
    pub delays: bool,
    pub resets: bool,
    pub pieces: bool,
    pub clock_jumps: bool,
}

/// A topic that exists for the whole simulation.
#[derive(Clone, Debug)]
pub struct TopicPlan {
    pub name: String,
    pub partitions: i32,
    /// Acknowledged means flushed, the default; else the page cache is enough.
    pub flushed: bool,
    pub segment_bytes: u64,
    pub retention_bytes: Option<u64>,
}

/// What one producer does.
#[derive(Clone, Copy, Debug)]
pub struct ProducerPlan {
    pub kind: ProducerKind,
    pub topic: usize,
    pub batch_bytes_max: u64,
    pub pause_ms_max: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProducerKind {
    /// Repeats a batch until it is acknowledged; each stands once, in order.
    Idempotent,
    /// Repeats a batch until it is acknowledged; it may stand twice.
    Plain,
    /// As `Plain`, content with what the page cache holds.
    Leader,
    /// Sends each batch once: what is refused must not be there.
    Once,
}

/// How one life of the node goes and ends.
#[derive(Clone, Copy, Debug)]
pub struct LifePlan {
    pub length: Duration,
    pub end: End,
    pub error: Option<DeviceError>,
    pub full: Option<Full>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Power is lost at this operation of the disk, counted from the start, or when the life is over.
    PowerLoss {
        at: u64,
    },
    Kill,
    Stop,
}

/// Operations `from` to `upto` of the disk fail if they are of the kind.
#[derive(Clone, Copy, Debug)]
pub struct DeviceError {
    pub from: u64,
    pub upto: u64,
    pub syncs_only: bool,
}

/// The disk has so little room left from a time on, for a while.
#[derive(Clone, Copy, Debug)]
pub struct Full {
    pub after: Duration,
    pub lasts: Duration,
    pub room_bytes: u64,
}

impl Plan {
    pub fn draw(seed: u64) -> Plan {
        let mut dice = Dice::of(seed, "plan");
        let faults = Faults {
            power: !dice.one_in(8),
            kill: dice.one_in(2),
            device_errors: dice.one_in(5),
            full: dice.one_in(5),
            delays: dice.one_in(2),
            resets: dice.one_in(3),
            pieces: dice.one_in(4),
            clock_jumps: dice.one_in(6),
        };
        let topics: Vec<TopicPlan> = (0..dice.within(1..=3)).map(|n| TopicPlan::draw(n, &mut dice)).collect();
        let producers = (0..dice.within(1..=4)).map(|_| ProducerPlan::draw(&topics, &mut dice)).collect();
        Plan {
            seed,
            lives: dice.within(3..=8),
            faults,
            producers,
            topics,
            readers: dice.within(1..=2),
            admin: dice.one_in(2),
            deletes: dice.one_in(4),
            wal_bytes: dice.pick(&[256 << 10, 256 << 10, 512 << 10, 1 << 20]),
            snapshot_entries: dice.pick(&[5, 20, 10_000]),
        }
    }

    /// How the node's life number `life` goes. What may happen is the seed's, what happens is drawn anew.
    pub fn life(&self, life: u64) -> LifePlan {
        let mut dice = Dice::of(self.seed, &format!("life {life}"));
        // A boot takes some fifty operations: most cuts fall on what comes after.
        let at = if dice.one_in(4) { dice.within(1..=80) } else { dice.magnitude(80..=4000) };
        let power = End::PowerLoss { at };
        let mut ends = vec![End::Stop];
        if self.faults.power {
            ends.extend([power; 4]);
        }
        if self.faults.kill {
            ends.extend([End::Kill; 2]);
        }
        let length = dice.millis(1..=400);
        let from = dice.magnitude(1..=1000);
        let error = DeviceError { from, upto: from + dice.magnitude(1..=40), syncs_only: dice.one_in(2) };
        let full = Full {
            after: dice.millis(0..=200),
            lasts: dice.millis(1..=3000),
            room_bytes: if dice.one_in(2) {
                dice.magnitude(1..=100_000)
            } else {
                dice.within(4 << 20..=5 << 20)
            },
        };
        LifePlan {
            length,
            end: dice.pick(&ends),
            error: (self.faults.device_errors && dice.one_in(2)).then_some(error),
            full: (self.faults.full && dice.one_in(2)).then_some(full),
        }
    }
}

impl LifePlan {
    /// A life without faults that ends when it is stopped.
    pub fn quiet() -> LifePlan {
        LifePlan { length: Duration::from_secs(60), end: End::Stop, error: None, full: None }
    }
}

impl TopicPlan {
    fn draw(number: u64, dice: &mut Dice) -> TopicPlan {
        let segment_bytes = dice.pick(&[3_000, 20_000, 100_000, 1 << 30]);
        TopicPlan {
            name: format!("t{number}"),
            partitions: i32::try_from(dice.within(1..=4)).expect("small"),
            flushed: number == 0 || !dice.one_in(4),
            segment_bytes,
            retention_bytes: dice.one_in(5).then(|| segment_bytes.min(100_000) * 2),
        }
    }
}

impl ProducerPlan {
    fn draw(topics: &[TopicPlan], dice: &mut Dice) -> ProducerPlan {
        let topic = dice.index(topics.len());
        let kinds = [
            ProducerKind::Idempotent,
            ProducerKind::Idempotent,
            ProducerKind::Plain,
            ProducerKind::Leader,
            ProducerKind::Once,
        ];
        let drawn = dice.pick(&kinds);
        // Where a power cut may take acknowledged batches, their sequences go with them.
        let kind = if topics[topic].flushed { drawn } else { ProducerKind::Plain };
        ProducerPlan {
            kind,
            topic,
            batch_bytes_max: dice.pick(&[200, 2_000, 2_000, 30_000]),
            pause_ms_max: dice.pick(&[0, 5, 5, 40]),
        }
    }
}
