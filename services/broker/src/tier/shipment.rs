//! Shipments: what of a round is uploaded as objects of its own, and what small ranges of many partitions share one. Keeps I4.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aquifer_manifest::{BUNDLE_RANGES_MAX, BundleKey, TierRange};
use aquifer_metadata::{Image, TopicConfig};
use aquifer_replica::{Replica, Sealed};
use aquifer_tiering::{Packed, bundle, upload_bundle};
use aquifer_types::LeaderEpoch;
use futures_util::stream;
use futures_util::{Stream, StreamExt as _};

use super::Tier;
use crate::broker::Broker;

/// Larger stretches are objects of their own.
pub(super) const BUNDLED_BYTES_MAX: u64 = 1 << 20;
const BUNDLE_BYTES_MAX: u64 = 64 << 20;
/// Stretches of one bundle that are packed at a time.
const PACKS_MAX: usize = 4;

/// Whether an object goes on after what is in the tier, or takes the place of some of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    GoOn,
    Replace,
}

/// What is to be in the bucket.
pub(super) struct Load {
    pub(super) replica: Arc<Replica>,
    pub(super) content: Content,
}

/// Where that is now.
pub(super) enum Content {
    /// On local disk.
    Local(Sealed, Purpose),
    /// In the bucket, in an object that it is to leave; and the epoch in which its partition is led.
    Held(TierRange, LeaderEpoch),
}

impl Load {
    pub(super) fn local(replica: Arc<Replica>, sealed: Sealed, purpose: Purpose) -> Load {
        Load { replica, content: Content::Local(sealed, purpose) }
    }

    pub(super) fn bytes(&self) -> u64 {
        match &self.content {
            Content::Local(sealed, _) => sealed.bytes,
            Content::Held(range, _) => u64::from(range.bytes),
        }
    }

    pub(super) fn leader_epoch(&self) -> LeaderEpoch {
        match &self.content {
            Content::Local(sealed, _) => sealed.leader_epoch,
            Content::Held(_, leader_epoch) => *leader_epoch,
        }
    }
}

/// A load, and which one of its round it is.
type Placed = (usize, Load);

/// What is deleted at about the same time, so that no bundle is kept for long for the sake of a few of its ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct RetentionClass {
    is_compacted: bool,
    /// The time as a power of two; none of what is kept for ever.
    time: Option<u32>,
    has_limit: bool,
}

impl RetentionClass {
    fn of(config: &TopicConfig) -> RetentionClass {
        RetentionClass {
            is_compacted: config.cleanup.compact,
            time: config.retention_ms.map(|ms| ms.max(1).ilog2()),
            has_limit: config.retention_bytes.is_some(),
        }
    }
}

/// The number by which an upload is noted for as long as it may yet be committed.
pub(super) fn flight(range: &TierRange) -> u64 {
    BundleKey::of(range).map_or(range.nonce, |bundle| bundle.nonce)
}

/// Cuts what can share a bundle, each with its bytes, into as many as it takes.
fn cut<T>(small: Vec<(u64, T)>) -> Vec<Vec<T>> {
    let mut bundles: Vec<Vec<T>> = Vec::new();
    let mut room = 0;
    for (bytes, load) in small {
        match bundles.last_mut() {
            Some(last) if bytes <= room && last.len() < BUNDLE_RANGES_MAX => last.push(load),
            _ => {
                bundles.push(vec![load]);
                room = BUNDLE_BYTES_MAX;
            }
        }
        room = room.saturating_sub(bytes);
    }
    bundles
}

impl Broker {
    /// Has the stretches in the bucket, the small ones in as few objects as may be. Those that are there come object by object, each
    /// with its place among the loads; their names are noted as ones that may yet be committed.
    pub(super) fn ship(
        &self,
        tier: &Arc<Tier>,
        loads: Vec<Load>,
    ) -> impl Stream<Item = Vec<(usize, Packed)>> {
        let image = self.image();
        let mut shipments = Vec::new();
        let mut small: BTreeMap<RetentionClass, Vec<(u64, Placed)>> = BTreeMap::new();
        for (place, load) in loads.into_iter().enumerate() {
            match class(&image, &load) {
                Some(class) => small.entry(class).or_default().push((load.bytes(), (place, load))),
                None => shipments.push(vec![(place, load)]),
            }
        }
        shipments.extend(small.into_values().flat_map(cut));
        tier.pace.upload_each(shipments, async |shipment| {
            let uploaded = self.upload_shipment(tier, shipment).await;
            (!uploaded.is_empty()).then_some(uploaded)
        })
    }

    async fn upload_shipment(&self, tier: &Arc<Tier>, loads: Vec<Placed>) -> Vec<(usize, Packed)> {
        if loads.len() > 1 {
            return self.upload_bundled(tier, loads).await;
        }
        let mut uploaded = Vec::new();
        for (place, load) in loads {
            let packed = self.upload_alone(tier, load).await;
            uploaded.extend(packed.map(|packed| (place, packed)));
        }
        uploaded
    }

    /// Has the stretches in one object, but for those that cannot be packed.
    async fn upload_bundled(&self, tier: &Arc<Tier>, loads: Vec<Placed>) -> Vec<(usize, Packed)> {
        let key = BundleKey::drawn(self.upload_generation(), self.runtime.random_u64());
        if !self.is_admitted(tier, loads.iter().map(|(_, load)| load.bytes()).sum()).await {
            return Vec::new();
        }
        tier.takes_off(key.nonce);
        let packs = stream::iter(loads.into_iter().enumerate()).map(|(number, (place, load))| async move {
            let packed = self.pack(tier, &load, key.nonce_of(number)).await;
            let failed = |error: &_| {
                tier.totals.failures.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(partition = %load.replica.id(), %error, "nothing can be uploaded");
            };
            Some((place, packed.inspect_err(failed).ok()?))
        });
        let packed: Vec<Option<(usize, Packed)>> = packs.buffered(PACKS_MAX).collect().await;
        let (places, mut packed): (Vec<usize>, Vec<Packed>) = packed.into_iter().flatten().unzip();
        if packed.is_empty() {
            tier.landed([key.nonce]);
            return Vec::new();
        }
        let bundled = bundle(self.cluster, key, &mut packed);
        match upload_bundle(&tier.store, &bundled, &self.runtime).await {
            Ok(()) => {
                tier.totals.uploads.fetch_add(1, Ordering::Relaxed);
                tier.totals.bundles.fetch_add(1, Ordering::Relaxed);
                tier.totals.bytes.fetch_add(bundled.bytes, Ordering::Relaxed);
                tier.pace.went_well();
                tracing::debug!(key = bundled.name, ranges = packed.len(), "uploaded");
                places.into_iter().zip(packed).collect()
            }
            Err(error) => {
                tier.pace.failed(&error);
                // It may yet arrive, and is then nobody's.
                tier.landed([key.nonce]);
                tier.given_up.add(bundled.name.clone(), self.runtime.now().monotonic);
                tier.totals.failures.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(key = bundled.name, %error, "upload failed");
                Vec::new()
            }
        }
    }
}

/// What shares a bundle with the load; none of one that is an object of its own.
fn class(image: &Image, load: &Load) -> Option<RetentionClass> {
    let topic = image.topic_by_id(load.replica.id().topic)?;
    (load.bytes() <= BUNDLED_BYTES_MAX).then(|| RetentionClass::of(topic.config()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_bounded_in_ranges_and_in_bytes() {
        let lengths = |sizes: Vec<u64>| -> Vec<usize> {
            cut(sizes.into_iter().map(|bytes| (bytes, ())).collect()).iter().map(Vec::len).collect()
        };

        assert_eq!(lengths(vec![1; 1_024]), [1_024]);
        assert_eq!(lengths(vec![1; 2_049]), [1_024, 1_024, 1]);
        assert_eq!(lengths(vec![BUNDLED_BYTES_MAX; 100]), [64, 36]);
        assert_eq!(lengths(Vec::new()), [0; 0]);
    }

    #[test]
    fn what_is_kept_about_as_long_shares_bundles() {
        let defaults = aquifer_metadata::State::new();
        let default = (**defaults.image().default_topic_config()).clone();
        let class = |retention_ms| RetentionClass::of(&TopicConfig { retention_ms, ..default.clone() });

        assert_eq!(class(Some(5_000)), class(Some(8_000)));
        assert_ne!(class(Some(4_000)), class(Some(8_200)));
        assert_ne!(class(None), class(Some(0)));
    }
}
