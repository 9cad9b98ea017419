//! `Aside`: threads of their own for work that must not hold up everything else.

use std::io;

use tokio::runtime::{Builder, Handle};

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
            .build()?;
        Ok(Aside { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // The last to hold it may be one of its own tasks, which cannot wait for itself.
            runtime.shutdown_background();
        }
    }
}
