//! The model: what a log holds, who holds how much of it, and what follows for acknowledgements.

use std::collections::BTreeMap;

use aquifer_partition::{Acknowledgement, Acks, Durability, Ticket};
use aquifer_record::{BatchHeader, ProducerState};
use aquifer_types::{Offset, TimestampMs};

/// One batch in the log, by our own count.
#[derive(Clone, Debug)]
pub struct Held {
    pub header: BatchHeader,
    pub seen: TimestampMs,
}

/// What the model expects of one append that is not answered yet.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    pub acks: Acks,
    pub base: Offset,
    pub end: Offset,
    pub duplicate: bool,
}

/// How much one replica has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Holds {
    pub written: Offset,
    pub flushed: Offset,
}

#[derive(Debug)]
pub struct Model {
    pub log: Vec<Held>,
    pub me: Holds,
    pub in_sync: BTreeMap<i32, Holds>,
    pub durability: Durability,
    /// While a change to flushed waits: up to here being written is enough.
    pub written_suffices_upto: Offset,
    pub waiting: BTreeMap<Ticket, Expected>,
    pub high_watermark: Offset,
    pub acknowledged: u64,
    /// Nothing below may ever be taken back.
    pub promised: Offset,
}

impl Model {
    pub fn new(durability: Durability) -> Model {
        Model {
            log: Vec::new(),
            me: Holds::default(),
            in_sync: BTreeMap::new(),
            durability,
            written_suffices_upto: Offset::ZERO,
            waiting: BTreeMap::new(),
            high_watermark: Offset::ZERO,
            acknowledged: 0,
            promised: Offset::ZERO,
        }
    }

    pub fn end(&self) -> Offset {
        self.log.last().map_or(Offset::ZERO, |held| held.header.end())
    }

    /// What every in-sync replica keeps through whatever the topic's durability covers.
    pub fn safe(&self) -> Offset {
        let of = |holds: &Holds| match self.durability {
            Durability::PageCache => holds.written.max(holds.flushed),
            Durability::Flushed => holds.flushed.max(holds.written.min(self.written_suffices_upto)),
        };
        self.in_sync.values().map(of).fold(of(&self.me), Offset::min)
    }

    pub fn committed(&mut self, high_watermark: Offset) {
        assert!(high_watermark > self.high_watermark, "the high watermark went back");
        assert!(
            high_watermark <= self.safe().max(self.promised),
            "committed what not all in-sync replicas keep"
        );
        self.high_watermark = high_watermark;
        self.promised = self.promised.max(high_watermark);
    }

    pub fn acknowledge(&mut self, answer: &Acknowledgement) {
        let expected = self.waiting.remove(&answer.ticket).expect("answered once, and only if asked");
        assert_eq!(answer.base, expected.base);
        assert_eq!(answer.duplicate, expected.duplicate);
        match expected.acks {
            Acks::None => panic!("acks=0 was acknowledged"),
            Acks::Leader => assert!(expected.end <= self.me.written, "acknowledged before it was written"),
            Acks::All => {
                assert!(expected.end <= self.high_watermark, "acknowledged before it was committed");
            }
        }
        self.acknowledged += 1;
    }

    /// The batch in the log that `header` repeats, by the rule that the last five of an epoch are known.
    pub fn original_of(&self, header: &BatchHeader) -> Option<&BatchHeader> {
        let of_producer = |held: &&Held| held.header.producer_id == header.producer_id;
        let mut newest_first = self.log.iter().rev().filter(of_producer).map(|held| &held.header);
        let last = newest_first.clone().next()?;
        if !header.has_producer() || last.producer_epoch != header.producer_epoch {
            return None;
        }
        newest_first
            .by_ref()
            .take_while(|held| held.producer_epoch == header.producer_epoch)
            .take(5)
            .find(|held| held.base_sequence == header.base_sequence && held.count == header.count)
    }

    /// Whether `header` is the next batch of its producer.
    pub fn is_next(&self, header: &BatchHeader) -> bool {
        let last = self.log.iter().rev().find(|held| held.header.producer_id == header.producer_id);
        let Some(last) = last.map(|held| &held.header).filter(|_| header.has_producer()) else { return true };
        if header.producer_epoch != last.producer_epoch {
            return header.producer_epoch > last.producer_epoch && header.base_sequence == 0;
        }
        let next = (i64::from(last.base_sequence) + i64::from(last.count)) % (1 << 31);
        i64::from(header.base_sequence) == next
    }

    pub fn cut(&mut self, from: Offset) {
        assert!(from >= self.promised.min(self.end()), "took back what was promised");
        self.log.retain(|held| held.header.end() <= from);
    }

    /// The producers as recovery would find them from the log alone.
    pub fn producers(&self) -> Vec<ProducerState> {
        let mut states: BTreeMap<i64, ProducerState> = BTreeMap::new();
        for held in self.log.iter().filter(|held| held.header.has_producer()) {
            let header = &held.header;
            states
                .entry(header.producer_id.0)
                .or_insert_with(|| ProducerState::new(header.producer_id, header.producer_epoch))
                .observe(header, held.seen);
        }
        states.into_values().collect()
    }
}
