//! Chunks: a partition's history as immutable pieces under names that never change, for caches and whoever replays.
//!
//! Chunk k of a partition is all batches whose base offset lies in [k·N, (k+1)·N). N is the same for every topic of every
//! cluster, so that a chunk's name follows from an offset alone and foreign clusters, which have no room for a number of
//! ours, are served alike. Nothing is parsed but the batches' headers.

mod archive;
mod layout;
mod open;
mod span;
mod stream;

pub(crate) use archive::Archive;
pub use layout::Layout;
pub use open::{Chunk, ChunkList, Keeping};
pub use span::CHUNK_OFFSETS;
pub use stream::{ChunkFrame, ChunkStream, Wanted};
