//! Topics that come back by themselves, in a cluster of their own: the store copies their objects, so that none has two
//! owners; a range of a bundle becomes an object of its own.

use std::collections::{BTreeMap, BTreeSet};

use aquifer_manifest::{ObjectKey, Place, Tier, surviving};
use aquifer_objects::{Problem, Store};
use aquifer_tiering::copy_range;
use aquifer_types::{ClusterId, TopicPartition};
use futures_util::{StreamExt as _, stream};

use crate::error::RestoreError;

/// Copies at a time.
const COPIES_MAX: usize = 32;

/// The tier with what can be read of it alone: nothing that is to be deleted is copied.
pub(crate) fn readable(tier: &Tier) -> Tier {
    let live = tier.live().to_vec();
    let readable = Tier::restore(tier.start(), tier.end(), tier.start(), live, Vec::new());
    readable.unwrap_or_else(|| Tier::new(tier.start()))
}

/// Has every object copied to where the other cluster looks for it. What its owner deletes meanwhile is lost.
pub(crate) async fn copy(
    store: &Store,
    (from, to): (ClusterId, ClusterId),
    tiers: &mut BTreeMap<TopicPartition, Tier>,
) -> Result<usize, RestoreError> {
    let all: Vec<_> =
        tiers.iter().flat_map(|(at, tier)| tier.ranges().iter().map(move |range| (*at, *range))).collect();
    let copies = stream::iter(all).map(|(at, range)| async move {
        let place = |cluster| Place { cluster, partition: at };
        (at, ObjectKey::of(&range), copy_range(store, &place(from), &place(to), &range).await)
    });
    let mut copies = copies.buffer_unordered(COPIES_MAX);
    let mut gone: BTreeSet<(TopicPartition, ObjectKey)> = BTreeSet::new();
    while let Some((at, key, copied)) = copies.next().await {
        match copied {
            Ok(()) => {}
            Err(error) if error.problem == Problem::Missing => {
                gone.insert((at, key));
            }
            Err(error) => return Err(error.into()),
        }
    }
    for (at, tier) in tiers {
        *tier = surviving(tier, |range| !gone.contains(&(*at, ObjectKey::of(range)))).0.by_itself();
    }
    Ok(gone.len())
}
