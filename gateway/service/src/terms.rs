//! `Terms`: on what conditions records are appended, and what becomes of those that are not met.

use aquifer_client::{AppendAnswer, AppendIf, CallError, ClientError};
use aquifer_types::{FencingToken, Offset, PartitionIndex};

use crate::fencing::another_token;
use crate::gateway::Gateway;
use crate::principal::Principal;
use crate::produce::{Appended, Record};
use crate::producers::{Once, Settled, placed};
use crate::refusal::{Code, Refusal};

/// How records are to be appended: as they come, unless something is said here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    pub once: Option<Once>,
    /// If this is the fencing token of the partition, which every record names.
    pub token: Option<FencingToken>,
    /// If the partition, which every record names, ends there. Not with `once`.
    pub expected: Option<i64>,
}

impl Terms {
    #[must_use]
    pub fn are_plain(&self) -> bool {
        *self == Terms::default()
    }
}

impl Gateway {
    /// Appends records on the terms of whoever sent them.
    pub async fn append_on(
        &self,
        caller: &Principal,
        topic: &str,
        records: &[Record<'_>],
        terms: &Terms,
    ) -> Result<Settled, Refusal> {
        if terms.are_plain() {
            return Ok(Settled { results: self.append(topic, records).await, state: None });
        }
        let named = if terms.token.is_some() || terms.expected.is_some() {
            Some(one_partition(records)?)
        } else {
            None
        };
        // In memory of their own: plain requests, which are most, have no use for it.
        match (&terms.once, named) {
            (Some(once), _) => Box::pin(self.append_once(caller, topic, records, once, terms.token)).await,
            (None, Some(partition)) => {
                let results = Box::pin(self.append_if(topic, partition, records, terms)).await?;
                Ok(Settled { results, state: None })
            }
            (None, None) => Err(Refusal::new(Code::Internal, "terms that say nothing")),
        }
    }

    /// Appends records to their one partition if it ends where it is expected to and has the token that was named.
    async fn append_if(
        &self,
        topic: &str,
        partition: PartitionIndex,
        records: &[Record<'_>],
        terms: &Terms,
    ) -> Result<Vec<Result<Appended, Refusal>>, Refusal> {
        let expected = terms.expected.map(Offset);
        if expected.is_some_and(|expected| expected < Offset(0)) {
            return Err(Refusal::new(Code::InvalidParameter, "Expected-Offset is negative"));
        }
        self.topic_of(topic, partition.0).await?;
        let batch = self.batch(records.iter(), None)?;
        let conditions = AppendIf { token: terms.token, end: expected };
        let answer = self.client().append(topic, partition, conditions, &batch, false).await;
        let refused = |refusal: Refusal| refusal.at(topic, Some(partition.0));
        match answer {
            Ok(AppendAnswer::Appended { base, .. }) => {
                Ok((0..).zip(records).map(|(index, _)| Ok(placed(partition, base, index, false))).collect())
            }
            Ok(AppendAnswer::AnotherToken { current }) => Err(refused(another_token(terms.token, current))),
            Ok(AppendAnswer::UnexpectedEnd { end }) => {
                let expected = expected.unwrap_or(end);
                let detail = format!("the partition ends at {end}, not at {expected}");
                let mut refusal = refused(Refusal::new(Code::UnexpectedOffset, detail));
                refusal.facts.expected = Some(expected.to_string());
                refusal.facts.actual = Some(end.to_string());
                Err(refusal)
            }
            Ok(_) => {
                Err(refused(Refusal::new(Code::Internal, "the broker refused a sequence that was not sent")))
            }
            Err(error @ ClientError::Call(CallError::Closed(_) | CallError::TimedOut)) => {
                Err(refused(Refusal::new(Code::OutcomeUnknown, error.to_string())))
            }
            Err(error) => Err(refused(Refusal::of_client(&error))),
        }
    }
}

/// The partition that all records name.
fn one_partition(records: &[Record<'_>]) -> Result<PartitionIndex, Refusal> {
    let mut named = records.iter().map(|record| record.partition);
    let first = named.next().flatten();
    let one = first.filter(|first| named.all(|partition| partition == Some(*first)));
    one.map(PartitionIndex).ok_or_else(|| {
        let detail = "records with an Expected-Offset or a Fencing-Token name their partition, all the same";
        Refusal::new(Code::InvalidRecord, detail)
    })
}
