//! Sparse bundles: what is left of bundles of which most is gone moves to new ones, out of the bucket itself. Keeps I4.

use std::collections::BTreeSet;
use std::sync::Arc;

use aquifer_manifest::{BUNDLE_RANGES_MAX, BundleKey, TierRange};
use aquifer_replica::Replica;

use super::Tier;
use super::replace::Stretch;
use super::shipment::{Content, Load};
use crate::broker::Broker;

/// What is read at a time, and so in memory.
const READ_BYTES_MAX: u64 = 64 << 20;

impl Broker {
    /// Moves what our partitions have in sparse bundles, as much of it as one round may.
    pub(super) async fn rewrite_sparse(&self, tier: &Arc<Tier>) {
        let image = self.image();
        let sparse = image.bundles().filter(|(_, held)| held.is_sparse());
        let sparse: BTreeSet<BundleKey> = sparse.map(|(key, _)| key).collect();
        if sparse.is_empty() {
            return;
        }
        let is_in_one = |range: &&TierRange| BundleKey::of(range).is_some_and(|key| sparse.contains(&key));
        let moves = self.replicas.all().into_iter().flat_map(|replica| {
            let at = replica.id();
            let led = image.partition(at).filter(|partition| partition.leader() == Some(self.run.node));
            let live = led.and(image.tier(at)).map_or(&[][..], |tier| tier.live());
            let epoch = led.map(|partition| partition.leader_epoch());
            let ranges = live.iter().filter(is_in_one).zip(std::iter::repeat(epoch));
            ranges
                .filter_map(|(range, epoch)| Some(moved(&replica, *range, Content::Held(*range, epoch?))))
                .collect::<Vec<_>>()
        });
        let mut bytes = 0;
        let moves = moves.take_while(|(_, load)| {
            bytes += load.bytes();
            bytes <= READ_BYTES_MAX
        });
        let moves: Vec<(Stretch, Load)> = moves.take(BUNDLE_RANGES_MAX).collect();
        let count = self.replace_small(tier, moves).await;
        if count > 0 {
            tracing::info!(count, "ranges have left bundles of which most was gone");
        }
    }
}

fn moved(replica: &Arc<Replica>, range: TierRange, content: Content) -> (Stretch, Load) {
    let stretch = Stretch { replica: replica.clone(), from: range.base, upto: range.end };
    (stretch, Load { replica: replica.clone(), content })
}
