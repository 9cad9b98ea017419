//! `Worker`: a thread that gives something back, perhaps with a tokio runtime of its own.

use std::future::Future;
use std::thread::JoinHandle;

use anyhow::{Context as _, Result};
use aquifer_runtime::Runtime;

/// A thread that gives something back.
pub struct Worker<T> {
    handle: JoinHandle<()>,
    result: std::sync::mpsc::Receiver<Result<T>>,
}

impl<T: Send + 'static> Worker<T> {
    pub fn start(
        runtime: &Runtime,
        name: &str,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<Worker<T>> {
        let (sender, result) = std::sync::mpsc::sync_channel(1);
        let handle = runtime.thread(name, move || {
            // The other side waits for this, or has failed before.
            let _ = sender.send(work());
        })?;
        Ok(Worker { handle, result })
    }

    pub fn join(self) -> Result<T> {
        let result = self.result.recv().context("a floor's thread panicked")?;
        let _ = self.handle.join();
        result
    }

    /// Runs a server apart from its clients, as it would be in a process of its own. Tasks of one runtime would share
    /// a processor as often as not.
    pub fn serve<F>(runtime: &Runtime, name: &str, future: F) -> Result<Worker<T>>
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        Worker::start(runtime, name, move || {
            tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
                // The thread that waits is no worker; what runs on it wakes slower.
                Runtime::real().spawn("floor", future).await.context("a floor panicked")?
            })
        })
    }
}
