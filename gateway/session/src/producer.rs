//! `ProducerSession`: an idempotent producer of one topic as its `Producer-Id` carries it.

use aquifer_types::{ClusterId, ProducerId, TopicId};

use crate::keys::{Keys, Kind, NONCE_BYTES, TokenError};
use crate::layout::{Malformed, Reader, Writer};

/// An idempotent producer. The number of partitions is the one of when it began, so that a retry chooses as the first try
/// did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerSession {
    pub cluster: ClusterId,
    pub principal: String,
    pub id: ProducerId,
    pub topic: TopicId,
    pub partitions: u32,
}

impl ProducerSession {
    /// Its `Producer-Id`.
    #[must_use]
    pub fn seal(&self, keys: &Keys, nonce: [u8; NONCE_BYTES]) -> String {
        let mut writer = Writer::default();
        writer.uuid(self.cluster.0);
        writer.text(&self.principal);
        writer.signed(self.id.0);
        writer.uuid(self.topic.0);
        writer.number(u64::from(self.partitions));
        keys.seal(Kind::Producer, nonce, &writer.bytes)
    }

    /// The producer of a `Producer-Id` that this principal presents to this cluster's gateway.
    pub fn open(
        keys: &Keys,
        token: &str,
        cluster: ClusterId,
        principal: &str,
    ) -> Result<ProducerSession, TokenError> {
        let bytes = keys.open(Kind::Producer, token)?;
        let producer = ProducerSession::decode(&bytes)?;
        if producer.cluster != cluster {
            return Err(TokenError::OtherCluster);
        }
        if producer.principal != principal {
            return Err(TokenError::OtherPrincipal);
        }
        Ok(producer)
    }

    fn decode(bytes: &[u8]) -> Result<ProducerSession, Malformed> {
        let mut reader = Reader::new(bytes);
        let producer = ProducerSession {
            cluster: ClusterId(reader.uuid()?),
            principal: reader.text()?.to_owned(),
            id: ProducerId(reader.signed()?),
            topic: TopicId(reader.uuid()?),
            partitions: u32::try_from(reader.number()?).map_err(|_too_large| Malformed)?,
        };
        reader.end()?;
        Ok(producer)
    }
}
