//! Bundling: what was packed for many partitions becomes one object.

use aquifer_manifest::{BUNDLE_HEADER, BundleEntry, BundleIndex, BundleKey};
use aquifer_types::ClusterId;
use bytes::Bytes;

use crate::pack::Packed;

/// A bundle that can be uploaded.
#[derive(Clone, Debug)]
pub struct Bundled {
    pub key: BundleKey,
    pub name: String,
    pub bytes: u64,
    pub parts: Vec<Bytes>,
}

/// Puts them one behind another, each numbered as the bundle says, and tells each where it is.
pub fn bundle(cluster: ClusterId, key: BundleKey, ranges: &mut [Packed]) -> Bundled {
    let mut bytes = BUNDLE_HEADER.len() as u64;
    let mut parts = vec![Bytes::from_static(&BUNDLE_HEADER)];
    let mut entries = Vec::with_capacity(ranges.len());
    for packed in ranges {
        packed.range.position = u32::try_from(bytes).expect("a bundle is some megabytes");
        assert_eq!(
            BundleKey::of(&packed.range),
            Some(key),
            "what is packed for a bundle is numbered by it (I4)"
        );
        let Packed { range, place, is_rewrite, previous, last, parts: own } = packed;
        bytes += range.object_bytes();
        parts.extend(own.iter().cloned());
        entries.push(BundleEntry {
            at: place.partition,
            range: *range,
            is_rewrite: *is_rewrite,
            previous: *previous,
            last: *last,
        });
    }
    let index = Bytes::from(BundleIndex { cluster, key, entries }.encode());
    bytes += index.len() as u64;
    parts.push(index);
    Bundled { key, name: key.name(cluster), bytes, parts }
}

#[cfg(test)]
#[path = "bundle_test.rs"]
mod tests;
