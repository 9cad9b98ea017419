//! A survey of a bucket: which clusters it holds, and what of one of them, by listing names. Reads no data.

use std::collections::BTreeMap;

use aquifer_manifest::{BundleEntry, BundleKey, ObjectKey, Place, StateKey, StateKind, TierRange};
use aquifer_objects::{Listed, ObjectError, Problem, Store};
use aquifer_types::{ClusterId, TopicPartition};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::read::FoundObject;

/// Lists at a time: a bucket's names are spread over 256 parts.
const LISTS_MAX: usize = 32;

/// What a bucket holds of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Oldest first.
    pub states: BTreeMap<StateKind, Vec<(StateKey, u64)>>,
    /// By their names, so in the order of their offsets.
    pub objects: BTreeMap<TopicPartition, BTreeMap<ObjectKey, FoundObject>>,
    /// Of what is in them nothing is among the objects before it is placed there.
    pub bundles: BTreeMap<BundleKey, FoundObject>,
    /// Names that are none of ours, where ours are.
    pub strange: Vec<String>,
}

/// The clusters that have anything in the bucket.
pub async fn clusters(store: &Store) -> Result<Vec<ClusterId>, ObjectError> {
    let roots = store.roots().await?;
    let mut found: Vec<ClusterId> = roots.iter().filter_map(|root| root.parse().ok()).collect();
    found.sort();
    Ok(found)
}

impl Survey {
    /// Ranges of bundles are where they are said to be, if their bundles are there.
    pub fn place<'a>(&mut self, ranges: impl Iterator<Item = (TopicPartition, &'a TierRange)>) {
        for (at, range) in ranges {
            let bundle = BundleKey::of(range).and_then(|key| self.bundles.get(&key));
            if let Some(bundle) =
                bundle.filter(|bundle| range.begins() + range.object_bytes() <= bundle.bytes)
            {
                let found = FoundObject {
                    bytes: range.object_bytes(),
                    uploaded: bundle.uploaded,
                    position: range.position,
                };
                self.objects.entry(at).or_default().insert(ObjectKey::of(range), found);
            }
        }
    }

    /// The same of what the index of a bundle says.
    pub fn place_all(&mut self, entries: &[BundleEntry]) {
        self.place(entries.iter().map(|entry| (entry.at, &entry.range)));
    }
}

/// Everything the bucket holds of a cluster.
pub async fn survey(store: &Store, cluster: ClusterId) -> Result<Survey, ObjectError> {
    let mut survey = Survey::default();
    for listed in list(store, &StateKind::all(cluster)).await? {
        match StateKind::parse(&listed.key) {
            Ok((kind, key)) => survey.states.entry(kind).or_default().push((key, listed.bytes)),
            Err(_) => survey.strange.push(format!("{}{}", StateKind::all(cluster), listed.key)),
        }
    }
    survey.states.values_mut().for_each(|keys| keys.sort_unstable());
    for listed in list(store, &BundleKey::all(cluster)).await? {
        match BundleKey::parse(&listed.key) {
            Ok(key) => {
                survey.bundles.insert(key, FoundObject::of(&listed));
            }
            Err(_) => survey.strange.push(format!("{}{}", BundleKey::all(cluster), listed.key)),
        }
    }
    let parts = stream::iter(0..=u8::MAX).map(|part| async move {
        let listed = list(store, &Place::spread(cluster, part)).await?;
        Ok::<_, ObjectError>((part, listed))
    });
    let mut parts = parts.buffer_unordered(LISTS_MAX);
    while let Some((part, listed)) = parts.try_next().await? {
        for listed in listed {
            match Place::parse(cluster, part, &listed.key) {
                Ok((place, key)) => {
                    let found = FoundObject::of(&listed);
                    survey.objects.entry(place.partition).or_default().insert(key, found);
                }
                Err(_) => survey.strange.push(format!("{}{}", Place::spread(cluster, part), listed.key)),
            }
        }
    }
    Ok(survey)
}

async fn list(store: &Store, prefix: &str) -> Result<Vec<Listed>, ObjectError> {
    match store.list(prefix).await {
        Err(error) if error.problem == Problem::Missing => Ok(Vec::new()),
        listed => listed,
    }
}
