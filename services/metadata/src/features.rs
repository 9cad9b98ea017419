//! Features: named levels that the cluster agreed on; behaviour hangs on them, never on which binary runs.

/// A feature that this version knows, and its levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    pub name: &'static str,
    pub min: i16,
    pub max: i16,
}

/// The level of the metadata itself: which commands may be proposed, and what applying them does.
pub const METADATA_FEATURE: &str = "aquifer.metadata";

/// The newest metadata level of this version.
pub const METADATA_LEVEL: i16 = 1;

/// Every feature, sorted by name.
pub static FEATURES: &[Feature] = &[Feature { name: METADATA_FEATURE, min: 1, max: METADATA_LEVEL }];

/// The feature of this name.
pub(crate) fn feature(name: &str) -> Option<&'static Feature> {
    FEATURES.iter().find(|feature| feature.name == name)
}
