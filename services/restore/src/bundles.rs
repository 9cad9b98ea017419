//! What bundles in a bucket say of their ranges.

use std::collections::BTreeMap;

use aquifer_manifest::{BundleKey, FoundRange, ObjectKey};
use aquifer_objects::{Problem, Store};
use aquifer_tiering::{FoundObject, Survey, SurveyError, read_bundle};
use aquifer_types::{ClusterId, TopicPartition};
use futures_util::{StreamExt as _, stream};

use crate::error::RestoreError;

/// Indexes that are read at a time.
const INDEXES_MAX: usize = 64;

/// Ranges of bundles, by what tells them apart.
pub(crate) type Bundled = BTreeMap<(TopicPartition, ObjectKey), FoundRange>;

/// Places what is in these bundles among the objects of a survey; says what it is, and which bundles cannot be read.
pub(crate) async fn look_into_bundles(
    store: &Store,
    cluster: ClusterId,
    survey: &mut Survey,
    bundles: Vec<(BundleKey, FoundObject)>,
) -> Result<(Bundled, Vec<String>), RestoreError> {
    let reads = stream::iter(bundles)
        .map(|(key, object)| async move { (object, read_bundle(store, cluster, key, object).await) });
    let mut reads = reads.buffer_unordered(INDEXES_MAX);
    let (mut found, mut unreadable) = (Bundled::new(), Vec::new());
    while let Some((object, read)) = reads.next().await {
        match read {
            Ok(index) => {
                survey.place_all(&index.entries);
                let ranges = index.entries.iter().map(|entry| {
                    let range = FoundRange::of_bundle(entry, object.uploaded);
                    ((entry.at, ObjectKey::of(&entry.range)), range)
                });
                found.extend(ranges);
            }
            // Deleted since it was listed.
            Err(SurveyError::Store(error)) if error.problem == Problem::Missing => {}
            Err(SurveyError::Store(error)) if error.is_passing() => return Err(error.into()),
            Err(error) => unreadable.push(error.to_string()),
        }
    }
    unreadable.sort_unstable();
    Ok((found, unreadable))
}
