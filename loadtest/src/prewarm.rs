//! Memory that was touched once is several times as fast for whoever gets it next; this makes it so for every run.

use anyhow::{Context as _, Result};
use aquifer_runtime::Runtime;

const CHUNK_BYTES: usize = 64 << 20;
const PAGE_BYTES: usize = 4096;

/// Touches so many bytes of memory and gives them back.
pub async fn prewarm(runtime: &Runtime, bytes: usize) -> Result<()> {
    let touch = move || {
        let chunks = (0..bytes / CHUNK_BYTES).map(|_| {
            let mut chunk = vec![0u8; CHUNK_BYTES];
            // The allocator hands out pages that nobody has touched; one byte makes each of them real.
            chunk.iter_mut().step_by(PAGE_BYTES).for_each(|byte| *byte = 1);
            chunk
        });
        // All at once, so that each chunk is made of other pages.
        drop(std::hint::black_box(chunks.collect::<Vec<_>>()));
    };
    runtime.spawn_blocking("prewarm", touch).await.context("touch memory")
}
