//! Appending: the core decides, the header is stamped, the log gives a position, the write is queued; all in one hold
//! of the lock, so that the order of the queue is the order of offsets.

use aquifer_hotlog::{Command, Health, Write};
use aquifer_partition::{Acknowledgement, Acks, Append, Effect, Input, Refusal};
use aquifer_record::{BatchHeader, CheckedBatch, HEADER_BYTES, stamp, stamp_log_append_time};
use aquifer_types::{BatchEpoch, FencingToken, LeaderEpoch, Offset, TimestampMs};
use bytes::Bytes;
use tokio::sync::oneshot;

use crate::replica::{Outcomes, Replica, State};

/// What becomes of an append.
pub type AppendOutcome = Result<Acknowledgement, Refusal>;

/// A client's batch at a replica's door.
#[derive(Clone, Debug)]
pub struct NewBatch {
    pub batch: CheckedBatch,
    pub acks: Acks,
    /// The epoch the client believes in, if it said one.
    pub expected_epoch: Option<LeaderEpoch>,
    /// The topic stamps this time over the client's.
    pub log_append_time: Option<TimestampMs>,
    /// The fencing token that the client knows, if it said one.
    pub token: Option<FencingToken>,
    /// Where the log must end for the batch to be taken, if that matters to the client.
    pub expected_end: Option<Offset>,
    /// Whether a producer that is not known must begin with sequence 0.
    pub strict: bool,
}

/// What an append has come to by the time the lock is released.
#[derive(Debug)]
pub enum Appended {
    Done(AppendOutcome),
    Waiting(oneshot::Receiver<AppendOutcome>),
    /// It was taken, and nobody asked to hear of it.
    Unanswered,
    /// Space on the disk is short. It heals by itself.
    DiskFull,
}

/// A batch with the bytes of its header as they will stand in the log.
struct Incoming {
    bytes: [u8; HEADER_BYTES],
    header: BatchHeader,
    body: Bytes,
}

impl Replica {
    /// Takes a checked batch. Call `nudge` on the directory once all batches of a request were handed in.
    #[must_use]
    pub fn append(&self, new: &NewBatch) -> Appended {
        if self.directory.health() == Health::Full {
            return Appended::DiskFull;
        }
        let incoming = Incoming::new(&new.batch, new.log_append_time);
        let now = self.runtime.now().wall;
        let mut outcomes = Outcomes::default();
        let mut done = None;
        let mut state = self.state();
        let ticket = state.appends.next();
        let append = Append {
            ticket,
            expected_epoch: new.expected_epoch,
            batch: incoming.header,
            acks: new.acks,
            token: new.token,
            expected_end: new.expected_end,
            strict: new.strict,
        };
        let mut effects = std::mem::take(&mut state.effects);
        state.core.step(now, Input::Append(append), &mut effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Append { base, epoch, .. } => self.put(&mut state, &incoming, (base, epoch), now),
                Effect::Acknowledge(acknowledgement) if acknowledgement.ticket == ticket => {
                    done = Some(Ok(acknowledgement));
                }
                Effect::Refuse { ticket: refused, refusal } if refused == ticket => done = Some(Err(refusal)),
                other => self.carry_out(&mut state, other, &mut outcomes),
            }
        }
        state.effects = effects;
        let appended = match (done, new.acks) {
            (Some(outcome), _) => Appended::Done(outcome),
            (None, Acks::None) => Appended::Unanswered,
            (None, _) => Appended::Waiting(state.appends.wait(ticket)),
        };
        drop(state);
        self.finish(outcomes);
        appended
    }

    fn put(&self, state: &mut State, incoming: &Incoming, place: (Offset, BatchEpoch), now: TimestampMs) {
        let (base, epoch) = place;
        let mut bytes = incoming.bytes;
        stamp(&mut bytes, base, epoch);
        let header = BatchHeader { base_offset: base, epoch, ..incoming.header };
        if state.log.should_roll(&header, now, &state.config.roll) {
            self.roll(state);
        }
        let attempt = state.log.attempt();
        let position = state.log.append(&header, now);
        self.directory.enqueue(Command::Write(Write {
            log: self.handle.clone(),
            segment: position.segment,
            position: position.position,
            header: bytes,
            body: incoming.body.clone(),
            epoch,
            base,
            end: header.end(),
            attempt,
            durable: state.is_flushed(),
        }));
    }

    /// Closes the segment that takes appends.
    pub(crate) fn roll(&self, state: &mut State) {
        let producers = state.core.producers_at(state.log.end());
        let attempt = state.log.attempt();
        if let Some(task) = state.log.roll(producers) {
            self.directory.enqueue(Command::Seal { log: self.handle.clone(), attempt, task: Box::new(task) });
        }
    }
}

impl Incoming {
    fn new(batch: &CheckedBatch, log_append_time: Option<TimestampMs>) -> Incoming {
        let mut bytes = [0; HEADER_BYTES];
        bytes.copy_from_slice(&batch.bytes()[..HEADER_BYTES]);
        let body = batch.body();
        let mut header = *batch.header();
        if let Some(time) = log_append_time {
            stamp_log_append_time(&mut bytes, &body, time);
            header = BatchHeader::parse(&bytes).expect("stamping keeps a checked header sound");
        }
        Incoming { bytes, header, body }
    }
}
