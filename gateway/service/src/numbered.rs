//! `Numbered`: one batch of an idempotent producer on its way, until the log or somebody newer says what became of it.

use std::time::Duration;

use aquifer_client::{Acks, AppendAnswer, AppendIf};
use aquifer_types::{FencingToken, Offset, PartitionIndex, ProducerEpoch, ProducerId};
use aquifer_wire::ErrorCode;
use bytes::Bytes;

use crate::fencing::another_token;
use crate::gateway::Gateway;
use crate::refusal::{Code, Refusal};

/// How long records that came before may still be under way through another node.
const OVERTAKEN: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Who a batch is of, and its first sequence number.
#[derive(Clone, Copy)]
pub(crate) struct Numbered {
    pub(crate) id: ProducerId,
    pub(crate) epoch: ProducerEpoch,
    pub(crate) sequence: i32,
    pub(crate) count: i32,
    /// Whether more follows, so that what lies before the expected sequence was sent before.
    pub(crate) is_session: bool,
    /// The fencing token that the partition must have.
    pub(crate) token: Option<FencingToken>,
}

impl Gateway {
    /// Where the batch stands, and whether it stood there before.
    pub(crate) async fn append_numbered(
        &self,
        topic: &str,
        partition: PartitionIndex,
        batch: &Bytes,
        numbered: Numbered,
    ) -> Result<(Option<Offset>, bool), Refusal> {
        let conditions = AppendIf { token: numbered.token, end: None };
        let until = self.runtime().now().monotonic.plus(OVERTAKEN);
        loop {
            let answer = self.client().append(topic, partition, conditions, batch, true).await;
            let refusal = match answer {
                Ok(AppendAnswer::Appended { base, duplicate }) => return Ok((Some(base), duplicate)),
                Ok(AppendAnswer::Fenced { epoch }) => return Err(fenced(numbered, i32::from(epoch.0))),
                Ok(AppendAnswer::OutOfSequence { expected }) => {
                    if numbered.is_old(expected) {
                        return Ok((None, true));
                    }
                    gap(numbered, expected)
                }
                Ok(AppendAnswer::AnotherToken { current }) => {
                    return Err(another_token(numbered.token, current));
                }
                Ok(AppendAnswer::UnexpectedEnd { .. }) => {
                    return Err(Refusal::new(Code::Internal, "the broker expects an end that was not sent"));
                }
                Err(error) if error.is_unsupported() && numbered.token.is_none() => {
                    match self.append_foreign(topic, partition, batch, numbered).await? {
                        Ok(settled) => return Ok(settled),
                        Err(refusal) => refusal,
                    }
                }
                Err(error) => return Err(Refusal::of_client(&error)),
            };
            if !numbered.is_session || self.runtime().now().monotonic >= until {
                return Err(refusal);
            }
            self.runtime().sleep(LOOK_AGAIN).await;
        }
    }

    /// The same through a cluster that knows Kafka's requests alone; a gap is the inner error.
    async fn append_foreign(
        &self,
        topic: &str,
        partition: PartitionIndex,
        batch: &Bytes,
        numbered: Numbered,
    ) -> Result<Result<(Option<Offset>, bool), Refusal>, Refusal> {
        let error = match self.client().produce(topic, partition, Acks::All, batch).await {
            Ok(produced) => return Ok(Ok((produced.map(|produced| produced.base), false))),
            Err(error) => error,
        };
        match error.code() {
            // So old that its offset is forgotten.
            Some(ErrorCode::DUPLICATE_SEQUENCE_NUMBER) => Ok(Ok((None, true))),
            Some(
                ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
                | ErrorCode::INVALID_PRODUCER_EPOCH
                | ErrorCode::UNKNOWN_PRODUCER_ID,
            ) => {
                let known = self.client().known_producers(topic, partition).await;
                let known = known.ok().and_then(|known| known.get(&numbered.id).copied());
                match known {
                    Some(known) if known.epoch > i32::from(numbered.epoch.0) => {
                        Err(fenced(numbered, known.epoch))
                    }
                    Some(known) => {
                        let expected = aquifer_record::sequence_after(known.last_sequence, 1);
                        Ok(Err(gap(numbered, expected)))
                    }
                    None => Ok(Err(gap(numbered, 0))),
                }
            }
            _ => Err(Refusal::of_client(&error)),
        }
    }
}

impl Numbered {
    /// Whether all of it lies before the expected sequence, within half of their circle: it was appended so long ago
    /// that the broker forgot where.
    fn is_old(&self, expected: i32) -> bool {
        let ahead = expected.wrapping_sub(self.sequence) & i32::MAX;
        self.is_session && ahead >= self.count && ahead < 1 << 30
    }
}

fn fenced(numbered: Numbered, epoch: i32) -> Refusal {
    let detail = format!("epoch {} is over, {epoch} has written", numbered.epoch);
    let mut refusal = Refusal::new(Code::ProducerFenced, detail);
    refusal.facts.expected = Some(epoch.to_string());
    refusal.facts.actual = Some(numbered.epoch.to_string());
    refusal
}

fn gap(numbered: Numbered, expected: i32) -> Refusal {
    let detail = format!("sequence {} does not follow, {expected} does", numbered.sequence);
    let mut refusal = Refusal::new(Code::SequenceGap, detail);
    refusal.facts.expected = Some(expected.to_string());
    refusal.facts.actual = Some(numbered.sequence.to_string());
    refusal
}

#[cfg(test)]
mod numbered_test {
    use super::*;

    #[test]
    fn what_is_old_is_told_from_what_is_ahead_across_the_turn() {
        let is_old = |sequence, count, expected| {
            let (id, epoch) = (ProducerId(1), ProducerEpoch(0));
            Numbered { id, epoch, sequence, count, is_session: true, token: None }.is_old(expected)
        };
        assert!(is_old(0, 5, 5) && is_old(4, 1, 5));
        assert!(!is_old(3, 3, 5), "its last record is new");
        assert!(!is_old(5, 1, 5) && !is_old(6, 1, 5) && !is_old(1000, 1, 5) && !is_old(1000, 1, 0));
        assert!(is_old(i32::MAX, 1, 0) && is_old(i32::MAX - 3, 2, 2));
        assert!(!is_old(2, 1, i32::MAX));
    }
}
