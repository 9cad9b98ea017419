//! `Reserve`: memory that was touched before, handed to a run as fast as the run fills the page cache.
//!
//! A virtual machine's memory costs several times as much on its first touch, and what is free may be taken back by the
//! host within seconds. So each run that writes is given pages that were touched just before, at the pace of its own
//! writing; else the first-touch cost decides every comparison, in favour of whoever inherited warm pages.

use std::time::Duration;

use anyhow::{Context as _, Result};
use aquifer_runtime::{Runtime, Task};

use crate::meter::Meter;
use crate::system::prefer_huge_pages;

const CHUNK_BYTES: usize = 64 << 20;
const PAGE_BYTES: usize = 4096;
/// How far the release runs ahead of the writing.
const AHEAD_BYTES: u64 = 256 << 20;
const INTERVAL: Duration = Duration::from_millis(5);
const TOUCHERS: usize = 2;

/// Memory that is held until a run needs it.
pub struct Reserve {
    chunks: Vec<Vec<u8>>,
}

impl Reserve {
    /// Touches so many bytes of memory and holds them.
    pub async fn touch(runtime: &Runtime, bytes: usize) -> Result<Reserve> {
        let count = bytes / CHUNK_BYTES / TOUCHERS;
        let tasks: Vec<Task<Vec<Vec<u8>>>> =
            (0..TOUCHERS).map(|_| runtime.spawn_blocking("prewarm", move || touched(count))).collect();
        let mut chunks = Vec::new();
        for task in tasks {
            chunks.extend(task.await.context("touch memory")?);
        }
        Ok(Reserve { chunks })
    }

    /// Gives memory back as the meter's run moves bytes, and all that is left at its end.
    pub fn release_with(mut self, runtime: &Runtime, meter: &Meter) {
        let (meter, timer) = (meter.clone(), runtime.clone());
        let mut released = 0;
        // What is left when the run ends goes with the task.
        runtime.spawn("release memory", async move {
            while !meter.is_over() && !self.chunks.is_empty() {
                while released < meter.moved() + AHEAD_BYTES && self.chunks.pop().is_some() {
                    released += CHUNK_BYTES as u64;
                }
                timer.sleep(INTERVAL).await;
            }
        });
    }
}

fn touched(count: usize) -> Vec<Vec<u8>> {
    let chunks = (0..count).map(|_| {
        let mut chunk = vec![0u8; CHUNK_BYTES];
        // Files are cached in large pieces, which scattered small pages would not make. A kernel without huge pages
        // still gives small ones.
        let _ = prefer_huge_pages(&mut chunk);
        // The allocator hands out pages that nobody has touched; one byte makes each of them real.
        chunk.iter_mut().step_by(PAGE_BYTES).for_each(|byte| *byte = 1);
        std::hint::black_box(chunk)
    });
    chunks.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reserve_holds_what_was_asked_for_in_whole_chunks() {
        let runtime = Runtime::real();

        let reserve = Reserve::touch(&runtime, 2 * CHUNK_BYTES + 1).await.expect("touched");

        assert_eq!(reserve.chunks.len(), 2);
    }
}
