//! `meta`: whose directory this is.

use aquifer_types::{ClusterId, DirectoryId, NodeId, Uuid};
use bytes::{Buf, BufMut};

use super::checked::{self, FormatError};

const MAGIC: [u8; 4] = *b"AQME";
const VERSION: u32 = 1;

/// The ids a data directory was made with; they never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    pub cluster: ClusterId,
    pub node: NodeId,
    pub directory: DirectoryId,
}

impl Meta {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        body.put_slice(self.cluster.0.as_bytes());
        body.put_i32_le(self.node.0);
        body.put_slice(self.directory.0.as_bytes());
        checked::frame(MAGIC, VERSION, &body)
    }

    pub fn decode(bytes: &[u8]) -> Result<Meta, FormatError> {
        let mut rest = checked::body(MAGIC, VERSION, bytes)?;
        let meta = Meta {
            cluster: ClusterId(uuid(&mut rest)?),
            node: NodeId(rest.try_get_i32_le()?),
            directory: DirectoryId(uuid(&mut rest)?),
        };
        checked::ends(rest)?;
        Ok(meta)
    }
}

pub(super) fn uuid(rest: &mut &[u8]) -> Result<Uuid, FormatError> {
    let mut bytes = [0; 16];
    rest.try_copy_to_slice(&mut bytes)?;
    Ok(Uuid::from_bytes(bytes))
}
