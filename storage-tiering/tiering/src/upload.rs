//! Uploading an object, with an end to every attempt.

use std::time::Duration;

use aquifer_objects::{ObjectError, Store};
use aquifer_runtime::Runtime;
use bytes::Bytes;

use crate::bundle::Bundled;
use crate::pack::Packed;

/// The slowest upload that is waited for.
const BYTES_PER_SECOND_MIN: u64 = 1 << 20;
const PATIENCE_MIN: Duration = Duration::from_secs(60);

/// An object that did not get into the bucket, or of which nobody said so.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    #[error(transparent)]
    Store(#[from] ObjectError),
    #[error("the upload took longer than {0:?}; it is tried again under another name")]
    TooSlow(Duration),
}

/// Returns once the object is wholly in the bucket. What hangs is given up; its name is never used again.
pub async fn upload(store: &Store, packed: &Packed, runtime: &Runtime) -> Result<(), UploadError> {
    create(store, (&packed.key(), &packed.parts), packed.range.object_bytes(), runtime).await
}

/// The same for a bundle.
pub async fn upload_bundle(store: &Store, bundled: &Bundled, runtime: &Runtime) -> Result<(), UploadError> {
    create(store, (&bundled.name, &bundled.parts), bundled.bytes, runtime).await
}

async fn create(
    store: &Store,
    (name, parts): (&str, &[Bytes]),
    bytes: u64,
    runtime: &Runtime,
) -> Result<(), UploadError> {
    let patience = PATIENCE_MIN + Duration::from_secs(bytes / BYTES_PER_SECOND_MIN);
    let created = runtime.timeout(patience, store.create(name, parts)).await;
    Ok(created.ok_or(UploadError::TooSlow(patience))??)
}
