//! `PendingAcknowledgements`: appends that wait to be written or committed.

use std::collections::VecDeque;

use aquifer_types::{Offset, TimestampMs};

use crate::effect::{Acknowledgement, Effect, Refusal};
use crate::input::Ticket;
use crate::marks::Marks;

/// An append that will be acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) ticket: Ticket,
    pub(crate) base: Offset,
    pub(crate) end: Offset,
    pub(crate) log_append_time: TimestampMs,
    pub(crate) duplicate: bool,
}

/// Two queues, each in the order of the appends' ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct PendingAcknowledgements {
    until_written: VecDeque<Pending>,
    until_committed: VecDeque<Pending>,
}

impl PendingAcknowledgements {
    pub(crate) fn len(&self) -> usize {
        self.until_written.len() + self.until_committed.len()
    }

    pub(crate) fn await_written(&mut self, pending: Pending, marks: &Marks, effects: &mut Vec<Effect>) {
        if pending.end <= marks.written() {
            return effects.push(pending.acknowledge(marks));
        }
        enqueue(&mut self.until_written, pending);
    }

    /// A duplicate waits as its original does: it may have come before that was committed.
    pub(crate) fn await_committed(&mut self, pending: Pending, marks: &Marks, effects: &mut Vec<Effect>) {
        if pending.end <= marks.high_watermark() {
            return effects.push(pending.acknowledge(marks));
        }
        enqueue(&mut self.until_committed, pending);
    }

    pub(crate) fn written(&mut self, marks: &Marks, effects: &mut Vec<Effect>) {
        release(&mut self.until_written, marks.written(), marks, effects);
    }

    pub(crate) fn committed(&mut self, marks: &Marks, effects: &mut Vec<Effect>) {
        release(&mut self.until_committed, marks.high_watermark(), marks, effects);
    }

    /// Refuses what reaches beyond `from`, which will never be written.
    pub(crate) fn refuse_from(&mut self, from: Offset, effects: &mut Vec<Effect>) {
        for queue in [&mut self.until_written, &mut self.until_committed] {
            let kept = queue.partition_point(|pending| pending.end <= from);
            effects.extend(queue.drain(kept..).map(|pending| pending.refuse(Refusal::WriteFailed)));
        }
    }

    /// Their outcome is up to another leader now.
    pub(crate) fn refuse_all(&mut self, refusal: Refusal, effects: &mut Vec<Effect>) {
        for queue in [&mut self.until_written, &mut self.until_committed] {
            effects.extend(queue.drain(..).map(|pending| pending.refuse(refusal)));
        }
    }
}

impl Pending {
    fn acknowledge(&self, marks: &Marks) -> Effect {
        Effect::Acknowledge(Acknowledgement {
            ticket: self.ticket,
            base: self.base,
            log_start: marks.log_start(),
            log_append_time: self.log_append_time,
            duplicate: self.duplicate,
        })
    }

    fn refuse(&self, refusal: Refusal) -> Effect {
        Effect::Refuse { ticket: self.ticket, refusal }
    }
}

/// Only a duplicate ever ends before what is queued already.
fn enqueue(queue: &mut VecDeque<Pending>, pending: Pending) {
    if queue.back().is_none_or(|last| last.end <= pending.end) {
        return queue.push_back(pending);
    }
    let at = queue.partition_point(|queued| queued.end <= pending.end);
    queue.insert(at, pending);
}

fn release(queue: &mut VecDeque<Pending>, upto: Offset, marks: &Marks, effects: &mut Vec<Effect>) {
    while let Some(pending) = queue.pop_front_if(|next| next.end <= upto) {
        effects.push(pending.acknowledge(marks));
    }
}
