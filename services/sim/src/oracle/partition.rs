//! `Partition`: what clients were told of one partition's records.

use std::collections::BTreeMap;

use aquifer_record::batches;
use aquifer_types::Offset;

/// A batch by its checksum, which its content alone decides: what is sent is made unique in its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BatchId(pub u32);

/// What a producer may count on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    pub producer: u64,
    /// Its batches in their order.
    pub number: u64,
    pub expects: Expectation,
}

/// How often a batch may stand in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// Once, behind the producer's batches before it.
    Once,
    /// At least once when acknowledged.
    AtLeastOnce,
    /// As `AtLeastOnce`, and a power cut may take what was acknowledged but never read.
    PageCache,
}

/// One partition's promises.
#[derive(Debug)]
pub struct Partition {
    /// Acknowledged and read records survive power loss.
    flushed: bool,
    /// Records may go by themselves.
    retained: bool,
    sent: BTreeMap<BatchId, Sent>,
    /// What is known to stand at an offset: acknowledged or read.
    known: BTreeMap<Offset, Known>,
    /// No answer said that the partition starts below.
    started: Offset,
    /// The furthest that deletion of records was asked for.
    delete_asked: Offset,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    ask: Ask,
    refused: bool,
    acknowledged: Option<Offset>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    id: BatchId,
    /// `None` until it was read: an acknowledgement tells the base alone.
    end: Option<Offset>,
}

impl Partition {
    pub fn new(flushed: bool, retained: bool) -> Partition {
        Partition {
            flushed,
            retained,
            sent: BTreeMap::new(),
            known: BTreeMap::new(),
            started: Offset::ZERO,
            delete_asked: Offset::ZERO,
        }
    }

    /// Whether a batch of this content was sent before, so that another must be made.
    pub fn was_sent(&self, id: BatchId) -> bool {
        self.sent.contains_key(&id)
    }

    pub fn sent(&mut self, id: BatchId, ask: Ask) {
        self.sent.insert(id, Sent { ask, refused: false, acknowledged: None });
    }

    /// A batch was refused for good, so it must never be seen.
    pub fn refused(&mut self, id: BatchId) -> Result<(), String> {
        if let Some((base, _)) = self.known.iter().find(|(_, known)| known.id == id) {
            return Err(format!("{id:?} was read at {base} and refused"));
        }
        self.sent.get_mut(&id).expect("sent before it is refused").refused = true;
        Ok(())
    }

    pub fn acknowledged(&mut self, id: BatchId, base: Offset) -> Result<(), String> {
        let Sent { ask, refused, acknowledged } =
            *self.sent.get(&id).ok_or("acknowledged what was not sent")?;
        if refused {
            return Err(format!("{ask:?} was refused and then acknowledged"));
        }
        if let Some(before) = acknowledged
            && (ask.expects == Expectation::Once && before != base)
        {
            return Err(format!("{ask:?} was acknowledged at {before}, then at {base}"));
        }
        if let Some(known) = self.known.get(&base).filter(|known| known.id != id) {
            return Err(format!(
                "{ask:?} was acknowledged at {base}, where {:?} stands",
                self.sent.get(&known.id)
            ));
        }
        if let Some((below, known)) = self.known.range(..base).next_back()
            && known.end.is_some_and(|end| end > base)
        {
            return Err(format!("{ask:?} was acknowledged at {base}, within the batch at {below}"));
        }
        self.sent.get_mut(&id).expect("just seen").acknowledged = Some(base);
        self.known.entry(base).or_insert(Known { id, end: None });
        Ok(())
    }

    /// Takes what was read from `from` on; returns where it ends, and how many batches it was.
    pub fn read(&mut self, from: Offset, records: &[u8]) -> Result<(Offset, u64), String> {
        let (mut next, mut count) = (from, 0);
        for view in batches(records) {
            let (base, end) = (view.header.base_offset, view.header.end());
            if !view.checksum_holds() {
                return Err(format!("the batch at {base} is damaged"));
            }
            let id = BatchId(view.header.crc);
            let first = count == 0;
            if (first && !(base <= from && from < end)) || (!first && base != next) {
                return Err(format!("asked from {from}, after {next} came the batch at {base}..{end}"));
            }
            self.stands(id, base, end)?;
            (next, count) = (end, count + 1);
        }
        Ok((next, count))
    }

    fn stands(&mut self, id: BatchId, base: Offset, end: Offset) -> Result<(), String> {
        let sent = self.sent.get(&id).ok_or_else(|| format!("at {base} stands what nobody sent"))?;
        let ask = sent.ask;
        if sent.refused {
            return Err(format!("at {base} stands what was refused: {ask:?}"));
        }
        if let Some(known) = self.known.get(&base)
            && (known.id != id || known.end.is_some_and(|known| known != end))
        {
            let before = self.sent.get(&known.id);
            return Err(format!("at {base} stood {before:?} to {:?}, and now {ask:?} to {end}", known.end));
        }
        if let Some((other, _)) = self.known.range(base..end).find(|(other, _)| **other != base) {
            return Err(format!("the batch at {base}..{end} covers the one at {other}"));
        }
        if ask.expects == Expectation::Once {
            let elsewhere = sent.acknowledged.filter(|acknowledged| *acknowledged != base);
            if let Some(other) = elsewhere {
                return Err(format!("{ask:?} stands at {other} and at {base}"));
            }
        }
        self.known.insert(base, Known { id, end: Some(end) });
        Ok(())
    }

    /// A read at `at` was refused as out of range.
    pub fn out_of_range(&self, at: Offset) -> Result<(), String> {
        if self.flushed && !self.retained && at >= self.delete_asked {
            return Err(format!("{at} is out of range, though what was read ends there"));
        }
        Ok(())
    }

    /// Where the partition is known to start.
    pub fn started(&self) -> Offset {
        self.started
    }

    /// The node said where the partition starts, asked when it was known to start at `before`.
    pub fn starts(&mut self, start: Offset, before: Offset) -> Result<(), String> {
        // What the page cache alone held may be gone, with its deletions.
        if start < before.min(self.started) {
            return Err(format!("starts at {start} again, after {before}"));
        }
        if start > self.delete_asked && !self.retained {
            return Err(format!("starts at {start}, though only {} was asked for", self.delete_asked));
        }
        self.started = self.started.max(start);
        Ok(())
    }

    /// A deletion of all records before `upto` is about to be asked for.
    pub fn delete_asked(&mut self, upto: Offset) {
        self.delete_asked = self.delete_asked.max(upto);
    }

    /// How far what is known reaches.
    pub fn known_end(&self) -> Offset {
        self.known.iter().next_back().map_or(Offset::ZERO, |(base, known)| known.end.unwrap_or(base.plus(1)))
    }

    /// What only the page cache held may be gone.
    pub fn page_cache_lost(&mut self) {
        if !self.flushed {
            self.known.clear();
            self.sent.values_mut().for_each(|sent| sent.acknowledged = None);
            self.started = Offset::ZERO;
            return;
        }
        let sent = &self.sent;
        self.known.retain(|_, known| {
            known.end.is_some()
                || sent.get(&known.id).is_none_or(|sent| sent.ask.expects != Expectation::PageCache)
        });
    }

    /// Everything from `start` to `end` was read: whatever is missing is lost.
    pub fn all_read(
        &self,
        start: Offset,
        end: Offset,
        found: &BTreeMap<Offset, BatchId>,
    ) -> Result<(), String> {
        for (base, known) in self.known.range(start..) {
            let sent = self.sent.get(&known.id);
            match found.get(base) {
                Some(id) if *id == known.id => {}
                other => {
                    return Err(format!(
                        "lost: at {base} stood {sent:?}, {}; now {other:?}; the log is {start}..{end}",
                        if known.end.is_some() { "which was read" } else { "which was acknowledged" },
                    ));
                }
            }
        }
        let mut last: BTreeMap<u64, (u64, Offset)> = BTreeMap::new();
        for (base, id) in found {
            let Some(Sent { ask, .. }) = self.sent.get(id) else { continue };
            if ask.expects != Expectation::Once {
                continue;
            }
            if let Some((number, at)) = last.insert(ask.producer, (ask.number, *base))
                && number >= ask.number
            {
                return Err(format!("{ask:?} at {base} stands behind number {number} at {at}"));
            }
        }
        Ok(())
    }
}
