//! `Queue`: one partition's batches, from their first record until they are settled, in order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use aquifer_record::{BatchBuilder, BuildError, Encoding, NewRecord, sequence_after};
use aquifer_runtime::Monotonic;
use aquifer_types::ProducerEpoch;
use aquifer_wire::ErrorCode;
use bytes::Bytes;

use super::delivery::{DeliveryError, Landed, Outcome};
use crate::backoff::Backoff;
use crate::error::ClientError;
use crate::produce::{Produced, ProducerIdentity};

const BACKOFF_FIRST: Duration = Duration::from_millis(20);
const BACKOFF_LIMIT: Duration = Duration::from_secs(1);

/// Records that go to a partition together.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Kept until the batch is settled, as other sequence numbers make other bytes.
    builder: BatchBuilder,
    packed: Option<Bytes>,
    outcome: Arc<Outcome>,
    opened: Monotonic,
    deadline: Monotonic,
    /// Place among the partition's batches, whatever their sequence numbers.
    number: u64,
    /// The producer and the first record's sequence number, once it was sent.
    sequence: Option<(ProducerIdentity, i32)>,
    last_error: Option<Arc<ClientError>>,
    /// What its records hold of the producer's buffer.
    pub(crate) claimed: usize,
}

/// One partition's batches.
#[derive(Debug)]
pub(crate) struct Queue {
    open: Option<Batch>,
    /// Sealed and not yet sent, or to be sent again.
    ready: VecDeque<Batch>,
    /// Came back unsettled; they go first once nothing is under way.
    returned: Vec<Batch>,
    under_way: VecDeque<(u64, Arc<Outcome>)>,
    identity: Option<ProducerIdentity>,
    next_sequence: i32,
    next_number: u64,
    /// Brokers have something of this epoch. Until then they take any sequence number for the first, so that only one
    /// batch may be under way: were it refused, the next one would come to stand before it.
    is_known: bool,
    /// Sequence numbers have a gap that brokers would refuse: the next ones belong to another epoch.
    renew: bool,
    /// The producer's epochs are used up; only another id goes on.
    is_exhausted: bool,
    not_before: Monotonic,
    backoff: Backoff,
    /// Bytes of settled batches that nobody has given back yet.
    freed: usize,
}

/// What became of a batch that was sent.
#[derive(Debug)]
pub(crate) enum Answer {
    Produced(Produced),
    /// Sent without asking for an acknowledgement.
    Unacknowledged,
    Failed(ClientError),
    Unpackable(BuildError),
}

/// When a queue wants to be looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Now,
    At(Monotonic),
    /// When records or answers come.
    Later,
}

impl Batch {
    /// The bytes to send.
    pub(crate) fn pack(&mut self) -> Result<Bytes, BuildError> {
        if let Some(packed) = &self.packed {
            return Ok(packed.clone());
        }
        let packed = Bytes::from(self.builder.build()?);
        Ok(self.packed.insert(packed).clone())
    }

    pub(crate) fn unpacked_bytes(&self) -> usize {
        self.packed.as_ref().map_or(self.builder.unpacked_bytes(), Bytes::len)
    }

    fn give_sequence(&mut self, identity: ProducerIdentity, sequence: i32) {
        self.builder.producer(identity.id, identity.epoch, sequence);
        self.sequence = Some((identity, sequence));
        self.packed = None;
    }
}

impl Default for Queue {
    fn default() -> Queue {
        Queue {
            open: None,
            ready: VecDeque::new(),
            returned: Vec::new(),
            under_way: VecDeque::new(),
            identity: None,
            next_sequence: 0,
            next_number: 0,
            is_known: false,
            renew: false,
            is_exhausted: false,
            not_before: Monotonic::default(),
            backoff: Backoff::new(BACKOFF_FIRST, BACKOFF_LIMIT),
            freed: 0,
        }
    }
}

impl Queue {
    /// Adds a record of at most `bytes` to the open batch, or to a new one where that is full; says which record of
    /// which batch it became, and whether whoever sends should look.
    pub(crate) fn push(
        &mut self,
        record: &NewRecord<'_>,
        bytes: usize,
        limits: &Limits,
        now: Monotonic,
    ) -> Result<(Arc<Outcome>, i32, bool), BuildError> {
        let full = |batch: &Batch| {
            !batch.builder.is_empty() && batch.builder.unpacked_bytes() + bytes > limits.batch_bytes_max
        };
        let mut look = false;
        if self.open.as_ref().is_some_and(full) {
            self.seal();
            look = true;
        }
        let mut open = match self.open.take() {
            Some(open) => open,
            None => {
                look = true;
                self.begin(limits, now)
            }
        };
        let index = open.builder.count();
        let pushed = open.builder.push(record);
        let outcome = Arc::clone(&open.outcome);
        if pushed.is_ok() {
            open.claimed += bytes;
        }
        let is_full = open.builder.unpacked_bytes() >= limits.batch_bytes_max;
        self.open = Some(open).filter(|open| !open.builder.is_empty());
        if is_full {
            self.seal();
        }
        pushed.map(|()| (outcome, index, look || is_full))
    }

    fn begin(&mut self, limits: &Limits, now: Monotonic) -> Batch {
        let number = self.next_number;
        self.next_number += 1;
        Batch {
            builder: BatchBuilder::new(limits.encoding),
            packed: None,
            outcome: Arc::default(),
            opened: now,
            deadline: now.plus(limits.delivery_timeout),
            number,
            sequence: None,
            last_error: None,
            claimed: 0,
        }
    }

    /// No further record joins the batch that is being filled.
    pub(crate) fn seal(&mut self) {
        self.ready.extend(self.open.take());
    }

    /// The next batch to send, if one may be sent at this moment. `identity` is the producer's own.
    pub(crate) fn take(
        &mut self,
        identity: Option<ProducerIdentity>,
        limits: &Limits,
        now: Monotonic,
    ) -> Option<Batch> {
        self.expire(now);
        if self.due(limits, now) != Due::Now {
            return None;
        }
        if self.ready.is_empty() {
            self.seal();
        }
        let mut batch = self.ready.pop_front()?;
        if batch.sequence.is_none()
            && let Some(first) = identity
        {
            let identity = *self.identity.get_or_insert(first);
            batch.give_sequence(identity, self.next_sequence);
            self.next_sequence = sequence_after(self.next_sequence, batch.builder.count());
        }
        self.under_way.push_back((batch.number, Arc::clone(&batch.outcome)));
        Some(batch)
    }

    /// When the next batch may be sent.
    pub(crate) fn due(&self, limits: &Limits, now: Monotonic) -> Due {
        let waits = match (self.ready.front(), &self.open) {
            (Some(_), _) => now,
            (None, Some(open)) => open.opened.plus(limits.linger),
            (None, None) => return Due::Later,
        };
        let under_way_max = if self.is_known { limits.per_partition } else { 1 };
        if !self.returned.is_empty() || self.renew || self.under_way.len() >= under_way_max {
            return Due::Later;
        }
        match waits.max(self.not_before) {
            at if at <= now => Due::Now,
            at => Due::At(at),
        }
    }

    /// Whether there is something to send, at whatever time.
    pub(crate) fn has_unsent(&self) -> bool {
        self.open.is_some() || !self.ready.is_empty() || !self.returned.is_empty()
    }

    /// Fails what waited too long to be sent.
    pub(crate) fn expire(&mut self, now: Monotonic) {
        if self.open.as_ref().is_some_and(|open| open.deadline <= now) {
            self.seal();
        }
        while self.ready.front().is_some_and(|batch| batch.deadline <= now) {
            let Some(batch) = self.ready.pop_front() else { break };
            self.give_up(&batch);
        }
        self.regroup();
    }

    /// When the oldest unsent batch is given up.
    pub(crate) fn expires(&self) -> Option<Monotonic> {
        self.ready.front().or(self.open.as_ref()).map(|batch| batch.deadline)
    }

    /// Takes in what became of a batch that [`Queue::take`] gave.
    pub(crate) fn settle(&mut self, batch: Batch, answer: Answer, now: Monotonic, random: u64) {
        let place = self.under_way.iter().position(|(number, _)| *number == batch.number);
        let was_first = place == Some(0) && self.returned.is_empty();
        if let Some(place) = place {
            self.under_way.remove(place);
        }
        match answer {
            Answer::Produced(produced) => {
                self.is_known = true;
                self.backoff = Backoff::new(BACKOFF_FIRST, BACKOFF_LIMIT);
                let stamped = (produced.appended_at.0 >= 0).then_some(produced.appended_at);
                let base = (produced.base.0 >= 0).then_some(produced.base);
                self.finish(&batch, Ok(Landed { base, appended_at: stamped }));
            }
            Answer::Unacknowledged => self.finish(&batch, Ok(Landed { base: None, appended_at: None })),
            Answer::Unpackable(error) => {
                self.renew |= batch.sequence.is_some();
                self.finish(&batch, Err(DeliveryError::Pack(Arc::new(error))));
            }
            Answer::Failed(error) => self.failed(batch, error, was_first, now, random),
        }
        self.regroup();
    }

    fn failed(&mut self, mut batch: Batch, error: ClientError, was_first: bool, now: Monotonic, random: u64) {
        let again = match error.code() {
            // The broker has it, and no longer knows where.
            Some(ErrorCode::DUPLICATE_SEQUENCE_NUMBER) => {
                return self.finish(&batch, Ok(Landed { base: None, appended_at: None }));
            }
            Some(
                ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
                | ErrorCode::UNKNOWN_PRODUCER_ID
                | ErrorCode::INVALID_PRODUCER_EPOCH,
            ) if batch.sequence.is_some() => {
                // Behind a batch that failed this is to be expected; by itself it means that the broker's memory of us is
                // gone, and a new epoch starts it over.
                self.renew |= was_first;
                true
            }
            _ => error.retriable(),
        };
        if !again {
            self.renew |= batch.sequence.is_some();
            let refused = match error {
                ClientError::Refused { code, message } => DeliveryError::Refused { code, message },
                other => DeliveryError::TimedOut { last: Some(Arc::new(other)) },
            };
            return self.finish(&batch, Err(refused));
        }
        self.not_before = now.plus(self.backoff.draw(random));
        batch.last_error = Some(Arc::new(error));
        if batch.deadline <= now {
            return self.give_up(&batch);
        }
        let place = self.returned.partition_point(|other| other.number < batch.number);
        self.returned.insert(place, batch);
    }

    /// Once nothing is under way, what came back goes first, under a new epoch if need be.
    fn regroup(&mut self) {
        if !self.under_way.is_empty() {
            return;
        }
        for batch in self.returned.drain(..).rev() {
            self.ready.push_front(batch);
        }
        if self.renew {
            self.renew = false;
            self.is_known = false;
            self.next_sequence = 0;
            let renewed = self.identity.and_then(next_epoch);
            self.is_exhausted = self.identity.is_some() && renewed.is_none();
            self.identity = renewed;
            for batch in &mut self.ready {
                batch.sequence = None;
            }
        }
    }

    fn give_up(&mut self, batch: &Batch) {
        self.renew |= batch.sequence.is_some();
        let last = batch.last_error.clone();
        self.finish(batch, Err(DeliveryError::TimedOut { last }));
    }

    fn finish(&mut self, batch: &Batch, result: Result<Landed, DeliveryError>) {
        self.freed += batch.claimed;
        batch.outcome.settle(result);
    }

    /// Fails whatever is not under way.
    pub(crate) fn close(&mut self) {
        self.seal();
        let left: Vec<Batch> = self.ready.drain(..).chain(self.returned.drain(..)).collect();
        for batch in left {
            self.finish(&batch, Err(DeliveryError::Closed));
        }
    }

    /// Everything that is not settled.
    pub(crate) fn unsettled(&self) -> impl Iterator<Item = &Arc<Outcome>> {
        let held = self.open.iter().chain(&self.ready).chain(&self.returned).map(|batch| &batch.outcome);
        held.chain(self.under_way.iter().map(|(_, outcome)| outcome))
    }

    /// Whether it needs another producer id; said once.
    pub(crate) fn needs_identity(&mut self) -> bool {
        std::mem::take(&mut self.is_exhausted)
    }

    /// What settled batches gave back since it was last asked.
    pub(crate) fn freed(&mut self) -> usize {
        std::mem::take(&mut self.freed)
    }
}

/// The same producer a generation later; after the last one it must ask for another id.
fn next_epoch(identity: ProducerIdentity) -> Option<ProducerIdentity> {
    let epoch = identity.epoch.0.checked_add(1)?;
    Some(ProducerIdentity { epoch: ProducerEpoch(epoch), ..identity })
}

/// The producer's settings as far as queues need them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) encoding: Encoding,
    pub(crate) batch_bytes_max: usize,
    pub(crate) linger: Duration,
    pub(crate) delivery_timeout: Duration,
    pub(crate) per_partition: usize,
}
