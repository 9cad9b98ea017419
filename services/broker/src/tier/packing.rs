//! Packing: what a load becomes in the bucket, from local disk or from what is there already. Keeps I4.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use aquifer_manifest::{FoundRange, Link, ObjectKey, Place, generation};
use aquifer_replica::{Replica, Sealed};
use aquifer_tiering::{
    FoundObject, PackError, Packed, Renamed, Source, Surroundings, SurveyError, UploadError, pack,
    read_footer, repack, upload,
};
use aquifer_types::{Offset, TopicPartition};

use super::Tier;
use super::producers::producers_at;
use super::shipment::{Content, Load, Purpose};
use crate::broker::Broker;

/// Objects are no larger.
const OBJECT_BYTES_MAX: u64 = 256 << 20;

/// A range that could not be uploaded.
#[derive(Debug, thiserror::Error)]
pub(super) enum OffloadError {
    #[error(transparent)]
    Read(#[from] aquifer_hotlog::ReadError),
    #[error(transparent)]
    Pack(#[from] PackError),
    #[error(transparent)]
    Survey(#[from] SurveyError),
    #[error(transparent)]
    Upload(#[from] UploadError),
    #[error("packing failed in the middle")]
    Panicked,
}

impl Broker {
    /// Has a load in the bucket, or says why not. Its name is noted as one that may yet be committed.
    pub(super) async fn upload_alone(&self, tier: &Arc<Tier>, load: Load) -> Option<Packed> {
        if !self.is_admitted(tier, load.bytes()).await {
            return None;
        }
        let nonce = self.runtime.random_u64();
        tier.takes_off(nonce);
        let uploaded = async {
            let packed = self.pack(tier, &load, nonce).await?;
            if let Err(error) = upload(&tier.store, &packed, &self.runtime).await {
                tier.given_up.add(packed.key(), self.runtime.now().monotonic);
                return Err(error.into());
            }
            Ok::<Packed, OffloadError>(packed)
        };
        match uploaded.await {
            Ok(packed) => {
                tier.totals.uploads.fetch_add(1, Ordering::Relaxed);
                tier.totals.bytes.fetch_add(packed.range.object_bytes(), Ordering::Relaxed);
                tier.pace.went_well();
                tracing::debug!(key = packed.key(), "uploaded");
                Some(packed)
            }
            Err(error) => {
                if let OffloadError::Upload(error) = &error {
                    tier.pace.failed(error);
                }
                // It may yet arrive, and is then nobody's.
                tier.landed([nonce]);
                tier.totals.failures.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(partition = %load.replica.id(), %error, "upload failed");
                None
            }
        }
    }

    /// Waits for an upload's turn, which may take long: `false` if nothing is to be uploaded any more by then.
    pub(super) async fn is_admitted(&self, tier: &Tier, bytes: u64) -> bool {
        tier.rate.admit(bytes, &self.runtime).await;
        self.successor().is_none() && !self.stop.is_given()
    }

    /// What is to be uploaded, checked.
    pub(super) async fn pack(
        &self,
        tier: &Arc<Tier>,
        load: &Load,
        nonce: u64,
    ) -> Result<Packed, OffloadError> {
        match &load.content {
            Content::Local(sealed, purpose) => {
                self.pack_local(tier, &load.replica, sealed.clone(), (nonce, *purpose)).await
            }
            Content::Held(range, leader_epoch) => {
                let renamed = Renamed {
                    incarnation: u64::from(self.incarnation),
                    leader_epoch: *leader_epoch,
                    generation: self.upload_generation(),
                    nonce,
                };
                let place = Place { cluster: self.cluster, partition: load.replica.id() };
                Ok(repack(&tier.store, &place, range, renamed).await?)
            }
        }
    }

    /// The generation of what this run uploads.
    pub(super) fn upload_generation(&self) -> u64 {
        generation(self.incarnation, u64::try_from(self.run.epoch.0).unwrap_or(0))
    }

    /// The same of a stretch of local disk.
    async fn pack_local(
        &self,
        tier: &Arc<Tier>,
        replica: &Replica,
        sealed: Sealed,
        (nonce, purpose): (u64, Purpose),
    ) -> Result<Packed, OffloadError> {
        let files = self.directory.files().clone();
        let surroundings = Surroundings {
            place: Place { cluster: self.cluster, partition: replica.id() },
            from: sealed.from,
            is_rewrite: purpose == Purpose::Replace,
            incarnation: u64::from(self.incarnation),
            leader_epoch: sealed.leader_epoch,
            generation: self.upload_generation(),
            nonce,
            previous: match purpose {
                Purpose::GoOn => self.last_before(tier, replica.id(), sealed.from).await,
                Purpose::Replace => None,
            },
            epochs: sealed.epochs,
            producers: Vec::new(),
        };
        let pieces = sealed.files;
        let at = replica.id();
        let work = move || -> Result<Packed, OffloadError> {
            let mut sources = Vec::new();
            let mut end = surroundings.from;
            for (located, file_end) in pieces {
                let range = located.resolve(&files, OBJECT_BYTES_MAX)?;
                let bytes = u32::try_from(range.len).expect("one batch or 256 MiB");
                sources.push(Source { file: range.file, at: range.at, bytes });
                end = range.next;
                // What follows a file that is too large for one object comes with its rest.
                if end < file_end {
                    break;
                }
            }
            let surroundings = Surroundings { producers: producers_at(&files, at, end), ..surroundings };
            Ok(pack(&sources, surroundings)?)
        };
        tier.aside.spawn_blocking("pack-range", work).await.ok_or(OffloadError::Panicked)?
    }

    /// The last batch of what is in the tier, if that ends at the offset and somebody can tell.
    async fn last_before(&self, tier: &Tier, at: TopicPartition, tier_end: Offset) -> Option<Link> {
        let known = tier.links.lock().expect("noting does not panic").get(&at).copied();
        if let Some(link) = known.filter(|link| link.end == tier_end) {
            return Some(link);
        }
        let range = *self.image().tier(at)?.live().last().filter(|range| range.end == tier_end)?;
        let place = Place { cluster: self.cluster, partition: at };
        let object = FoundObject::named(&range);
        match read_footer(&tier.store, &place, ObjectKey::of(&range), object).await {
            Ok((range, footer)) => FoundRange::new(range, &footer, object.uploaded).last,
            Err(error) => {
                tracing::debug!(partition = %at, %error, "what is uploaded does not say what it follows");
                None
            }
        }
    }
}
