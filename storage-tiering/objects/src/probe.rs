//! The probe at start: whether a store does what everything here relies on.

use bytes::Bytes;
use object_store::{ObjectStoreExt as _, PutMode, PutOptions, PutPayload};

use crate::counters::Operation;
use crate::error::ObjectError;
use crate::store::Store;

/// A store that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    #[error("the store does not let us {0} objects: {1}")]
    Refused(Operation, ObjectError),
    #[error(
        "the store overwrites an object that was to be created only if it is not there (it ignores If-None-Match): \
         with such a store data can be lost; use another"
    )]
    Overwrites,
    #[error("the store gives back other bytes than it was given")]
    Garbles,
}

impl Store {
    /// Creates, creates again, reads, lists and deletes an object of this name, which must not be in use.
    pub async fn probe(&self, name: &str) -> Result<(), ProbeError> {
        let key = format!("probe/{name}");
        let path = self.path(&key);
        let refused = |operation| {
            move |error: object_store::Error| {
                ProbeError::Refused(operation, ObjectError::of(operation, "probe", &error))
            }
        };
        let create = |content: &'static [u8]| {
            let options = PutOptions::from(PutMode::Create);
            self.clients.small.put_opts(&path, PutPayload::from(Bytes::from_static(content)), options)
        };
        create(b"first").await.map_err(refused(Operation::Create))?;
        let again = create(b"second").await;
        let found = self.clients.small.get_range(&path, 0..5).await.map_err(refused(Operation::Read));
        let listed = self.list("probe").await.map_err(|error| ProbeError::Refused(Operation::List, error));
        let deleted = self.clients.small.delete(&path).await.map_err(refused(Operation::Delete));
        match again {
            Ok(_) => return Err(ProbeError::Overwrites),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {}
            Err(error) => return Err(refused(Operation::Create)(error)),
        }
        let same = found? == b"first"[..] && listed?.iter().any(|listed| listed.key == name);
        deleted?;
        if same { Ok(()) } else { Err(ProbeError::Garbles) }
    }
}
