//! `Aside`: threads of their own for work that must not hold up everything else.

use std::io;

use tokio::runtime::{Builder, Handle};

/// How much nicer these threads are than the rest of the process: on a full processor they get a tenth of what a thread of the rest
/// gets, which runs as soon as it has something to do.
const NICER: i32 = 10;

/// Threads on which tasks run, and a bounded number of others for what waits for a disk. They end with this.
#[derive(Debug)]
pub(crate) struct Aside {
    handle: Handle,
    /// `None` only while this is dropped.
    runtime: Option<tokio::runtime::Runtime>,
}

impl Aside {
    pub(crate) fn start(name: &str, threads: usize, blocking_threads_max: usize) -> io::Result<Aside> {
        let runtime = Builder::new_multi_thread()
            .thread_name(name)
            .worker_threads(threads)
            .max_blocking_threads(blocking_threads_max)
            .enable_all()
            .on_thread_start(give_way)
            .build()?;
        Ok(Aside { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}

/// Lets the rest of the process go first. Linux does so for the calling thread alone.
fn give_way() {
    // A thread that may not be nicer does its work all the same.
    let _ = rustix::process::nice(NICER);
}

impl Drop for Aside {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // The last to hold it may be one of its own tasks, which cannot wait for itself.
            runtime.shutdown_background();
        }
    }
}
