//! The walker: draws what happens next, tells core and model, and compares.

use aquifer_partition::{
    Acks, Append, Core, Durability, Effect, Follow, Input, Isolation, Lead, Readable, Recovered, Refusal,
    Settings, Ticket,
};
use aquifer_record::{Attributes, BatchHeader};
use aquifer_types::{
    BatchEpoch, LeaderEpoch, NodeId, Offset, PartitionEpoch, ProducerEpoch, ProducerId, TimestampMs,
};

use super::model::{Expected, Held, Holds, Model};

/// Numbers that look random and are the same for the same seed.
pub struct Random(u64);

pub struct Walker {
    random: Random,
    core: Core,
    model: Model,
    now: TimestampMs,
    epoch: i32,
    partition_epoch: i32,
    in_sync_min: usize,
    leading: bool,
    next_ticket: u64,
    effects: Vec<Effect>,
}

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_add(0x9e37_79b9_7f4a_7c15))
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn between(&mut self, from: Offset, upto: Offset) -> Offset {
        from.plus(self.below(u64::try_from(upto.since(from)).expect("in order") + 1).cast_signed())
    }
}

impl Walker {
    pub fn new(mut random: Random) -> Walker {
        let durability = if random.below(2) == 0 { Durability::Flushed } else { Durability::PageCache };
        let recovered = Recovered { log_start: Offset::ZERO, log_end: Offset::ZERO, durability };
        let mut walker = Walker {
            random,
            core: Core::new(NodeId(0), recovered, Settings::default()),
            model: Model::new(durability),
            now: TimestampMs(1_000_000),
            epoch: 0,
            partition_epoch: 0,
            in_sync_min: 1,
            leading: false,
            next_ticket: 0,
            effects: Vec::new(),
        };
        walker.lead(true);
        walker
    }

    pub fn acknowledged(&self) -> u64 {
        self.model.acknowledged
    }

    pub fn step(&mut self) {
        self.now.0 += self.random.below(50).cast_signed();
        match self.random.below(100) {
            0..=44 => self.append(),
            45..=61 => self.write(),
            62..=76 => self.flush(),
            77..=90 => self.hear_follower(),
            91..=92 => self.fail_write(),
            93..=94 => self.lead(false),
            95 => self.move_log_start(),
            96 => self.change_durability(),
            97 => self.be_deposed_and_return(),
            98 => self.hear_stale_news(),
            _ => drop(self.tell(Input::Tick)),
        }
        self.compare();
    }

    /// Lets everything finish: then nobody waits any more.
    pub fn settle(&mut self) {
        self.in_sync_min = 1;
        self.change_in_sync(&[]);
        let end = self.model.end();
        self.model.me = Holds { written: end, flushed: self.model.me.flushed };
        self.tell(Input::Written { upto: end });
        self.model.me.flushed = end;
        self.flushed(end);
        self.compare();
        assert!(self.model.waiting.is_empty(), "left waiting: {:?}", self.model.waiting);
        assert_eq!(self.core.marks().high_watermark(), end);
    }

    fn append(&mut self) {
        let batch = self.draw_batch();
        let acks = [Acks::None, Acks::Leader, Acks::All][self.random.below(3) as usize];
        let named = self.random.below(10);
        let expected_epoch = match named {
            0 => Some(LeaderEpoch(self.epoch - 1)),
            1 => Some(LeaderEpoch(self.epoch + 1)),
            2..=4 => Some(LeaderEpoch(self.epoch)),
            _ => None,
        };
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        let allowed = named > 1 && (acks != Acks::All || 1 + self.model.in_sync.len() >= self.in_sync_min);
        if !allowed {
            return self.tell_refused(Append {
                ticket,
                expected_epoch,
                batch,
                acks,
                token: None,
                expected_end: None,
                strict: false,
            });
        }
        let end = self.model.end();
        let expected = match self.model.original_of(&batch) {
            Some(original) => {
                Expected { acks, base: original.base_offset, end: original.end(), duplicate: true }
            }
            None if self.model.is_next(&batch) => {
                let header = BatchHeader { base_offset: end, ..batch };
                self.model.log.push(Held { header, seen: self.now });
                Expected { acks, base: end, end: header.end(), duplicate: false }
            }
            None => {
                return self.tell_refused(Append {
                    ticket,
                    expected_epoch,
                    batch,
                    acks,
                    token: None,
                    expected_end: None,
                    strict: false,
                });
            }
        };
        if acks != Acks::None {
            self.model.waiting.insert(ticket, expected);
        }
        let appends = self.tell(Input::Append(Append {
            ticket,
            expected_epoch,
            batch,
            acks,
            token: None,
            expected_end: None,
            strict: false,
        }));
        let assigned = Effect::Append { ticket, base: end, epoch: BatchEpoch(self.epoch) };
        assert_eq!(appends, if expected.duplicate { vec![] } else { vec![assigned] });
    }

    fn tell_refused(&mut self, append: Append) {
        self.effects.clear();
        self.core.step(self.now, Input::Append(append), &mut self.effects);
        assert!(
            matches!(self.effects[..], [Effect::Refuse { ticket, .. }] if ticket == append.ticket),
            "{append:?} was not refused but {:?}",
            self.effects
        );
    }

    fn draw_batch(&mut self) -> BatchHeader {
        let count = 1 + i32::try_from(self.random.below(4)).expect("small");
        let plain = BatchHeader {
            base_offset: Offset(self.random.below(100).cast_signed()),
            length: 49,
            epoch: BatchEpoch(-1),
            crc: 0,
            attributes: Attributes(0),
            last_offset_delta: count - 1,
            base_timestamp: TimestampMs::NONE,
            max_timestamp: TimestampMs::NONE,
            producer_id: ProducerId(-1),
            producer_epoch: ProducerEpoch(-1),
            base_sequence: -1,
            count,
        };
        if self.random.below(3) == 0 {
            return plain;
        }
        let producer_id = ProducerId(self.random.below(3).cast_signed());
        let known = self.model.log.iter().rev().filter(|held| held.header.producer_id == producer_id);
        let recent: Vec<BatchHeader> = known.take(7).map(|held| held.header).collect();
        let Some(last) = recent.first() else {
            let base_sequence = i32::MAX - i32::try_from(self.random.below(10)).expect("small");
            return BatchHeader { producer_id, producer_epoch: ProducerEpoch(0), base_sequence, ..plain };
        };
        match self.random.below(12) {
            0..=2 => recent[self.random.below(recent.len() as u64) as usize],
            3 => BatchHeader {
                producer_epoch: ProducerEpoch(last.producer_epoch.0 + 1),
                base_sequence: 0,
                ..*last
            },
            4 => BatchHeader { producer_epoch: ProducerEpoch(last.producer_epoch.0 - 1), ..*last },
            5 => BatchHeader { base_sequence: last.base_sequence / 2 + 1, ..*last },
            _ => {
                let next = (i64::from(last.base_sequence) + i64::from(last.count)) % (1 << 31);
                let base_sequence = i32::try_from(next).expect("below 2^31");
                BatchHeader { producer_id, producer_epoch: last.producer_epoch, base_sequence, ..plain }
            }
        }
    }

    /// Segments are written batch by batch.
    fn write(&mut self) {
        let unwritten = self.model.log.iter().filter(|held| held.header.end() > self.model.me.written);
        let ends: Vec<Offset> = unwritten.map(|held| held.header.end()).collect();
        if let Some(last) = ends.len().checked_sub(1) {
            let upto = ends[self.random.below(last as u64 + 1) as usize];
            self.model.me.written = upto;
            self.tell(Input::Written { upto });
        }
    }

    fn flush(&mut self) {
        let upto = self.random.between(self.model.me.flushed, self.model.me.written);
        self.model.me.flushed = upto;
        self.flushed(upto);
    }

    fn flushed(&mut self, upto: Offset) {
        let effects = self.tell(Input::Flushed { upto });
        assert!(effects.iter().all(|effect| matches!(effect, Effect::DurabilityHolds(_))), "{effects:?}");
    }

    fn fail_write(&mut self) {
        let from = self.model.me.written;
        self.model.cut(from);
        self.model.written_suffices_upto = self.model.written_suffices_upto.min(from);
        self.effects.clear();
        self.core.step(self.now, Input::WriteFailed { from }, &mut self.effects);
        for effect in std::mem::take(&mut self.effects) {
            if let Effect::Refuse { ticket, refusal } = effect {
                let expected = self.model.waiting.remove(&ticket).expect("refused once");
                assert_eq!(refusal, Refusal::WriteFailed);
                assert!(expected.end > from, "refused what was written");
            }
        }
        assert!(self.model.waiting.values().all(|expected| expected.end <= from), "left waiting for ever");
        assert_eq!(self.core.producers().copied().collect::<Vec<_>>(), self.model.producers());
    }

    fn hear_follower(&mut self) {
        let node = 1 + i32::try_from(self.random.below(2)).expect("small");
        let Some(&holds) = self.model.in_sync.get(&node) else { return };
        let epoch = LeaderEpoch(self.epoch);
        if self.random.below(2) == 0 {
            let from = self.random.between(holds.written, self.model.me.written.max(holds.written));
            self.model.in_sync.insert(node, Holds { written: from, ..holds });
            self.tell(Input::FollowerFetched { epoch, follower: NodeId(node), from });
        } else {
            let upto = self.random.between(holds.flushed, holds.written);
            self.model.in_sync.insert(node, Holds { flushed: upto, ..holds });
            self.tell(Input::FollowerFlushed { epoch, follower: NodeId(node), upto });
        }
    }

    fn lead(&mut self, new_epoch: bool) {
        if new_epoch {
            self.epoch += 1;
            self.leading = true;
            self.model.in_sync.clear();
        }
        self.in_sync_min = 1 + self.random.below(2) as usize;
        let followers: &[i32] = [&[][..], &[1], &[2], &[1, 2]][self.random.below(4) as usize];
        self.change_in_sync(followers);
    }

    fn change_in_sync(&mut self, followers: &[i32]) {
        self.partition_epoch += 1;
        self.model.in_sync.retain(|node, _| followers.contains(node));
        for &node in followers {
            self.model.in_sync.entry(node).or_default();
        }
        let lead = Lead {
            epoch: LeaderEpoch(self.epoch),
            partition_epoch: PartitionEpoch(self.partition_epoch),
            replicas: vec![NodeId(0), NodeId(1), NodeId(2)],
            in_sync: std::iter::once(0).chain(followers.iter().copied()).map(NodeId).collect(),
            in_sync_min: self.in_sync_min,
            tier_end: Offset::ZERO,
        };
        self.tell(Input::Lead(lead));
    }

    fn move_log_start(&mut self) {
        let marks = *self.core.marks();
        let upto = self.random.between(marks.log_start(), marks.high_watermark());
        let moved = self.tell(Input::MoveLogStart { upto });
        let expected = (upto > marks.log_start()).then_some(Effect::LogStartMoved { log_start: upto });
        assert_eq!(moved, Vec::from_iter(expected));
    }

    fn change_durability(&mut self) {
        let (durability, suffices) = match self.random.below(2) {
            0 => (Durability::PageCache, Offset::ZERO),
            _ if self.model.durability == Durability::Flushed => return,
            _ => (Durability::Flushed, self.model.end()),
        };
        self.model.durability = durability;
        self.model.written_suffices_upto = suffices;
        self.tell(Input::SetDurability(durability));
    }

    /// Another replica leads for a while; this one cuts what was never committed, and leads again.
    fn be_deposed_and_return(&mut self) {
        self.epoch += 1;
        self.partition_epoch += 1;
        let follow = Follow {
            epoch: LeaderEpoch(self.epoch),
            partition_epoch: PartitionEpoch(self.partition_epoch),
            leader: Some(NodeId(1)),
        };
        self.effects.clear();
        self.core.step(self.now, Input::Follow(follow), &mut self.effects);
        let refused = self.effects.iter().filter(|effect| matches!(effect, Effect::Refuse { .. })).count();
        assert_eq!(refused, self.model.waiting.len());
        self.model.waiting.clear();
        assert_eq!(self.core.readable(Offset::ZERO, Isolation::default(), None), Readable::NotLeader);
        assert_eq!(self.core.marks().high_watermark(), self.core.marks().log_start());
        let committed = std::mem::replace(&mut self.model.high_watermark, self.core.marks().log_start());

        self.write_everything();
        let ends: Vec<Offset> = self.model.log.iter().map(|held| held.header.end()).collect();
        let cuts: Vec<Offset> = ends.into_iter().filter(|&end| end >= committed).collect();
        if !cuts.is_empty() {
            let to = cuts[self.random.below(cuts.len() as u64) as usize];
            self.model.cut(to);
            self.model.me =
                Holds { written: self.model.me.written.min(to), flushed: self.model.me.flushed.min(to) };
            self.model.written_suffices_upto = self.model.written_suffices_upto.min(to);
            self.step_only(Input::Truncated { to });
            self.core.restore_producers(self.model.producers());
        }
        self.lead(true);
        assert!(self.core.marks().high_watermark() >= committed, "forgot what was committed");
    }

    fn write_everything(&mut self) {
        let end = self.model.end();
        self.model.me.written = end;
        self.step_only(Input::Written { upto: end });
    }

    fn hear_stale_news(&mut self) {
        let before = (self.core.role().clone(), *self.core.marks());
        let epoch = LeaderEpoch(self.epoch - i32::try_from(self.random.below(2)).expect("small"));
        let partition_epoch = PartitionEpoch(self.partition_epoch);
        let follow = Follow { epoch, partition_epoch, leader: None };
        assert_eq!(self.tell(Input::Follow(follow)), []);
        assert_eq!((self.core.role().clone(), *self.core.marks()), before);
    }

    fn step_only(&mut self, input: Input) {
        self.effects.clear();
        self.core.step(self.now, input, &mut self.effects);
        assert!(
            self.effects.iter().all(|effect| matches!(effect, Effect::DurabilityHolds(_))),
            "{:?}",
            self.effects
        );
    }

    /// Steps, has the model check commits and acknowledgements, and returns the other effects.
    fn tell(&mut self, input: Input) -> Vec<Effect> {
        self.effects.clear();
        self.core.step(self.now, input, &mut self.effects);
        let mut others = Vec::new();
        for effect in &self.effects {
            match effect {
                Effect::Wake { high_watermark } => self.model.committed(*high_watermark),
                Effect::Acknowledge(answer) => self.model.acknowledge(answer),
                Effect::Refuse { .. } => panic!("refused: {effect:?}"),
                Effect::Flush { .. } => {}
                other => others.push(*other),
            }
        }
        others
    }

    fn compare(&mut self) {
        let marks = self.core.marks();
        assert_eq!(marks.log_end(), self.model.end());
        assert_eq!(marks.written(), self.model.me.written);
        assert_eq!(marks.flushed(), self.model.me.flushed);
        assert_eq!(marks.high_watermark(), self.model.high_watermark);
        assert_eq!(self.core.pending(), self.model.waiting.len());
        if self.leading && 1 + self.model.in_sync.len() >= self.in_sync_min {
            let safe = self.model.safe().max(self.model.high_watermark);
            assert_eq!(marks.high_watermark(), safe, "what all keep is not committed");
        }
    }
}
