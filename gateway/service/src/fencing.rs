//! Fencing tokens: words that partitions are given, so that who was replaced appends nothing any more.

use aquifer_client::{FenceAnswer, FenceIf};
use aquifer_types::{FencingToken, PartitionIndex};

use crate::gateway::Gateway;
use crate::refusal::{Code, Refusal};

impl Gateway {
    /// A partition's fencing token, if it has one.
    pub async fn fencing_token(&self, topic: &str, partition: i32) -> Result<Option<FencingToken>, Refusal> {
        self.topic_of(topic, partition).await?;
        let token = self.client().fencing_token(topic, PartitionIndex(partition)).await;
        token.map_err(|error| Refusal::of_client(&error).at(topic, Some(partition)))
    }

    /// Gives a partition a fencing token, or none. Appends that carry another one are refused from here on.
    pub async fn set_fencing_token(
        &self,
        topic: &str,
        partition: i32,
        token: Option<FencingToken>,
        condition: FenceIf,
    ) -> Result<(), Refusal> {
        self.topic_of(topic, partition).await?;
        let refused = |refusal: Refusal| refusal.at(topic, Some(partition));
        match self.client().fence(topic, PartitionIndex(partition), token, condition).await {
            Ok(FenceAnswer::Set) => Ok(()),
            Ok(FenceAnswer::Another(current)) => {
                let expected = match condition {
                    FenceIf::Is(expected) => expected,
                    FenceIf::Any => None,
                };
                Err(refused(another_token(expected, current)))
            }
            Err(error) => Err(refused(Refusal::of_client(&error))),
        }
    }
}

/// A fencing token as requests say it.
pub fn fencing_token(text: &str) -> Result<FencingToken, Refusal> {
    text.parse().map_err(|invalid: aquifer_types::InvalidFencingToken| {
        Refusal::new(Code::InvalidParameter, invalid.to_string())
    })
}

pub(crate) fn another_token(named: Option<FencingToken>, current: Option<FencingToken>) -> Refusal {
    let detail = match current {
        Some(_) => "the partition's fencing token is another one",
        None => "the partition has no fencing token",
    };
    let mut refusal = Refusal::new(Code::AnotherToken, detail);
    refusal.facts.expected = named.map(|token| token.to_string());
    refusal.facts.actual = current.map(|token| token.to_string());
    refusal
}
