//! Fencing tokens of partitions: the present one, and another one in its place.

use aquifer_types::{FencingToken, PartitionIndex};
use aquifer_wire::Text;
use aquifer_wire::messages::AquiferFenceRequest;

use crate::client::Client;
use crate::error::ClientError;

/// On what condition a partition is given a fencing token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FenceIf {
    Any,
    /// The token is this one, or there is none.
    Is(Option<FencingToken>),
}

/// What became of a fencing token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FenceAnswer {
    /// Appends are compared with it.
    Set,
    /// Nothing changed: the token is this one, or there is none.
    Another(Option<FencingToken>),
}

impl Client {
    /// The fencing token that a partition's leader compares appends with.
    pub async fn fencing_token(
        &self,
        topic: &str,
        partition: PartitionIndex,
    ) -> Result<Option<FencingToken>, ClientError> {
        let answer = self.ask_fence(topic, partition, &AquiferFenceRequest::default()).await?;
        answer.map_err(|_no_condition| ClientError::Incomplete("the fencing token"))
    }

    /// Gives a partition a fencing token, or none. Asked again when an answer was lost, as the same token twice is the same.
    pub async fn fence(
        &self,
        topic: &str,
        partition: PartitionIndex,
        token: Option<FencingToken>,
        condition: FenceIf,
    ) -> Result<FenceAnswer, ClientError> {
        let request = AquiferFenceRequest {
            token: Some(text_of(token)),
            expected_token: match condition {
                FenceIf::Any => None,
                FenceIf::Is(expected) => Some(text_of(expected)),
            },
            ..AquiferFenceRequest::default()
        };
        let answer = self.ask_fence(topic, partition, &request).await?;
        Ok(answer.map_or_else(FenceAnswer::Another, |_set| FenceAnswer::Set))
    }

    /// The token that is in force; as an error where it is another one than was expected.
    async fn ask_fence(
        &self,
        topic: &str,
        partition: PartitionIndex,
        request: &AquiferFenceRequest,
    ) -> Result<Result<Option<FencingToken>, Option<FencingToken>>, ClientError> {
        let mut retry = self.retry();
        loop {
            match self.ask_fence_once(topic, partition, request).await {
                Ok(answer) => return Ok(answer),
                Err(error) => retry.after(error, Some(topic)).await?,
            }
        }
    }

    async fn ask_fence_once(
        &self,
        topic: &str,
        partition: PartitionIndex,
        request: &AquiferFenceRequest,
    ) -> Result<Result<Option<FencingToken>, Option<FencingToken>>, ClientError> {
        let (known, leader) = self.leader(topic, partition).await?;
        let request =
            AquiferFenceRequest { topic_id: known.id.0, partition_index: partition.0, ..request.clone() };
        let response = self.call(leader.node, &request).await?;
        match (&response.token, response.error_code.is_none()) {
            (token, true) => Ok(Ok(token_of(token.as_ref())?)),
            (Some(token), false) => Ok(Err(token_of(Some(token))?)),
            (None, false) => {
                ClientError::check(response.error_code, response.error_message.as_ref())?;
                Err(ClientError::Incomplete("the error"))
            }
        }
    }
}

fn text_of(token: Option<FencingToken>) -> Text {
    Text::from(token.as_ref().map_or("", FencingToken::as_str))
}

/// A token as brokers tell it: empty for none.
pub(crate) fn token_of(text: Option<&Text>) -> Result<Option<FencingToken>, ClientError> {
    let text = text.ok_or(ClientError::Incomplete("the fencing token"))?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_invalid| ClientError::Incomplete("the fencing token"))
}
