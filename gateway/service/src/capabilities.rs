//! What the cluster behind a gateway can do beyond what any Kafka 4 cluster does.

use aquifer_client::ClientError;
use aquifer_wire::ApiKey;

use crate::gateway::Gateway;
use crate::refusal::Refusal;

/// What is there, and what is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether the brokers are Aquifer's.
    pub is_aquifer: bool,
    /// Whether members may ask for a session timeout of their own.
    pub session_timeouts: bool,
    /// Whether groups of KIP-848 are there, which sessions need.
    pub consumer_groups: bool,
    /// Whether appends may depend on the partition's end or fencing token.
    pub conditional_appends: bool,
    /// Whether old records move to object storage, as far as the cluster tells.
    pub tier: bool,
}

impl Gateway {
    pub async fn capabilities(&self) -> Result<Capabilities, Refusal> {
        let connection =
            self.client().any_connection().await.map_err(|error: ClientError| Refusal::of_client(&error))?;
        let versions = connection.versions();
        let is_aquifer = versions.advertised(ApiKey::AquiferTier.number()).is_some();
        Ok(Capabilities {
            is_aquifer,
            session_timeouts: is_aquifer,
            consumer_groups: versions.advertised(ApiKey::ConsumerGroupHeartbeat.number()).is_some(),
            conditional_appends: versions.advertised(ApiKey::AquiferFence.number()).is_some(),
            tier: is_aquifer,
        })
    }
}
