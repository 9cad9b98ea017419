//! `Producers`: who wrote idempotently, bounded, and exactly undone when a write fails.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use aquifer_record::{BatchHeader, ProducerBatch, ProducerState};
use aquifer_types::{Offset, ProducerId, TimestampMs};

use crate::effect::Refusal;

/// Silence is counted in these, so that a busy producer's place in the order of silence seldom moves.
const AGE_STEP_MS: i64 = 60_000;

/// The producers of one partition.
#[derive(Clone, Debug)]
pub(crate) struct Producers {
    states: BTreeMap<ProducerId, ProducerState>,
    /// The same producers, those silent longest first.
    by_age: BTreeSet<(i64, ProducerId)>,
    /// What each append not yet written changed, in their order.
    undo: VecDeque<Undo>,
    max: usize,
}

/// What there was before an append.
#[derive(Clone, Debug)]
struct Undo {
    end: Offset,
    id: ProducerId,
    before: Option<ProducerState>,
    forgotten: Option<Box<ProducerState>>,
}

/// What a batch is to its producer's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    New,
    Duplicate(ProducerBatch),
}

impl Producers {
    pub(crate) fn new(max: usize) -> Producers {
        Producers { states: BTreeMap::new(), by_age: BTreeSet::new(), undo: VecDeque::new(), max: max.max(1) }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &ProducerState> {
        self.states.values()
    }

    /// How many appends could still be undone.
    pub(crate) fn unwritten(&self) -> usize {
        self.undo.len()
    }

    /// Judges a batch of a producer by what came before.
    pub(crate) fn judge(&self, batch: &BatchHeader, strict: bool) -> Result<Verdict, Refusal> {
        // Of a producer that is unknown, or forgotten since, any sequence may come next, unless its records may come
        // through several hands: then what comes first need not have been sent first.
        let Some(state) = self.states.get(&batch.producer_id) else {
            return match batch.base_sequence {
                named if strict && named != 0 => Err(Refusal::OutOfOrderSequence { expected: 0, named }),
                _ => Ok(Verdict::New),
            };
        };
        if let Some(original) = state.duplicate_of(batch) {
            return Ok(Verdict::Duplicate(original));
        }
        let (current, named) = (state.epoch, batch.producer_epoch);
        if named < current {
            return Err(Refusal::FencedProducer { current, named });
        }
        let expected = if named > current { 0 } else { state.next_sequence().unwrap_or(0) };
        if batch.base_sequence != expected {
            return Err(Refusal::OutOfOrderSequence { expected, named: batch.base_sequence });
        }
        Ok(Verdict::New)
    }

    /// Notes a batch that was given its offsets.
    pub(crate) fn accept(&mut self, batch: &BatchHeader, now: TimestampMs) {
        let id = batch.producer_id;
        let before = self.states.get(&id).copied();
        let forgotten = if before.is_none() { self.make_room().map(Box::new) } else { None };
        let mut state = before.unwrap_or_else(|| ProducerState::new(id, batch.producer_epoch));
        state.observe(batch, now);
        self.put(state);
        self.undo.push_back(Undo { end: batch.end(), id, before, forgotten });
    }

    /// What is written is not undone any more.
    pub(crate) fn written(&mut self, upto: Offset) {
        while self.undo.pop_front_if(|undo| undo.end <= upto).is_some() {}
    }

    /// Undoes, newest first, every append that reaches beyond `from`.
    pub(crate) fn rewind(&mut self, from: Offset) {
        while let Some(undo) = self.undo.pop_back_if(|undo| undo.end > from) {
            match undo.before {
                Some(before) => self.put(before),
                None => drop(self.take(undo.id)),
            }
            if let Some(forgotten) = undo.forgotten {
                self.put(*forgotten);
            }
        }
    }

    /// The states before every append that reaches beyond `end`.
    pub(crate) fn at(&self, end: Offset) -> Vec<ProducerState> {
        let mut states = self.states.clone();
        for undo in self.undo.iter().rev().take_while(|undo| undo.end > end) {
            match undo.before {
                Some(before) => drop(states.insert(undo.id, before)),
                None => drop(states.remove(&undo.id)),
            }
            if let Some(forgotten) = &undo.forgotten {
                states.insert(forgotten.id, **forgotten);
            }
        }
        states.into_values().collect()
    }

    /// Forgets who was silent for too long, unless a transaction of theirs is open.
    pub(crate) fn expire(&mut self, now: TimestampMs, after_ms: i64) {
        let latest = now.0.saturating_sub(after_ms);
        let silent: Vec<ProducerId> = self
            .by_age
            .iter()
            .take_while(|&&(age, _)| age <= latest.div_euclid(AGE_STEP_MS))
            .map(|&(_, id)| id)
            .filter(|id| {
                let state = &self.states[id];
                state.last_timestamp.0 <= latest && state.first_open_offset.is_none()
            })
            .collect();
        for id in silent {
            self.take(id);
        }
    }

    pub(crate) fn restore(&mut self, producers: impl IntoIterator<Item = ProducerState>) {
        *self = Producers::new(self.max);
        for state in producers {
            self.make_room();
            self.put(state);
        }
    }

    /// Forgets the producer silent longest if there is no room for another.
    fn make_room(&mut self) -> Option<ProducerState> {
        if self.states.len() < self.max {
            return None;
        }
        let &(_, oldest) = self.by_age.first()?;
        self.take(oldest)
    }

    fn put(&mut self, state: ProducerState) {
        let age = age(&state);
        match self.states.insert(state.id, state) {
            Some(before) if self::age(&before) == age => {}
            Some(before) => {
                self.by_age.remove(&(self::age(&before), state.id));
                self.by_age.insert((age, state.id));
            }
            None => {
                self.by_age.insert((age, state.id));
            }
        }
    }

    fn take(&mut self, id: ProducerId) -> Option<ProducerState> {
        let state = self.states.remove(&id)?;
        self.by_age.remove(&(age(&state), id));
        Some(state)
    }
}

fn age(state: &ProducerState) -> i64 {
    state.last_timestamp.0.div_euclid(AGE_STEP_MS)
}

#[cfg(test)]
#[path = "producers_test.rs"]
mod tests;
