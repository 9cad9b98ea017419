//! What a partition owns in the bucket: ranges of its log, and how to find an offset or a time in them. Pure.
//!
//! A [`Tier`] is a partition's part of the quorum's state: which ranges there are and what may be deleted. A range's
//! object is the log's own bytes followed by a [`Footer`], so that a bucket explains itself without the quorum;
//! small ranges of many partitions share one, which ends with a [`BundleIndex`]. What else a restore needs stands in [`StateObject`]s.
#![forbid(unsafe_code)]

mod bundle;
mod bytes;
mod difference;
mod footer;
mod generation;
mod held;
mod key;
mod merge;
mod range;
mod records;
mod recover;
mod replaced;
mod state;
mod tier;

pub use bundle::{BUNDLE_HEADER, BUNDLE_RANGES_MAX, BadBundle, BundleEntry, BundleIndex, BundleKey};
pub use difference::Span;
pub use footer::{
    AbortedTransaction, BadFooter, CHUNK_BYTES, Footer, IndexEntry, Link, OpenTransaction, TRAILER_BYTES,
};
pub use generation::{FIRST_INCARNATION, generation, incarnation_of};
pub use held::HeldBundle;
pub use key::{BadKey, ObjectKey, Place};
pub use merge::MergePolicy;
pub use range::TierRange;
pub use records::{decode_records, encode_records};
pub use recover::{FoundRange, go_on, mended, surviving};
pub use replaced::{ReplacedRange, ReplacedRanges};
pub use state::{BadState, StateKey, StateKind, StateObject};
pub use tier::{Tier, TierRefusal};
