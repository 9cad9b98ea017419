//! `Aside`: threads of their own for some tasks, apart from those that run everything else.

use std::io;

use tokio::runtime::{Builder, Handle};

/// How much nicer threads that give way are than the rest of the process: on a full processor they get a tenth of what a
/// thread of the rest gets, which runs as soon as it has something to do.
const NICER: i32 = 10;
/// Beside a thread that is alone, for whatever it must not wait for itself.
const BLOCKING_THREADS_MAX: usize = 64;

/// Threads on which tasks run, and a bounded number of others for what waits for a disk. They end with this.
#[derive(Debug)]
pub(crate) struct Aside {
    handle: Handle,
    /// `None` only while this is dropped.
    runtime: Option<tokio::runtime::Runtime>,
}

impl Aside {
    /// For work that must not hold up everything else.
    pub(crate) fn that_gives_way(
        name: &str,
        threads: usize,
        blocking_threads_max: usize,
    ) -> io::Result<Aside> {
        Aside::start(threads_named(name, threads, blocking_threads_max).on_thread_start(give_way))
    }

    /// For work that everything else need not go before.
    pub(crate) fn on_one_thread(name: &str) -> io::Result<Aside> {
        Aside::start(&mut threads_named(name, 1, BLOCKING_THREADS_MAX))
    }

    fn start(threads: &mut Builder) -> io::Result<Aside> {
        let runtime = threads.build()?;
        Ok(Aside { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}

fn threads_named(name: &str, threads: usize, blocking_threads_max: usize) -> Builder {
    // Of the kind whose tasks go on elsewhere while one of them holds its thread up.
    let mut builder = Builder::new_multi_thread();
    builder.thread_name(name).worker_threads(threads).max_blocking_threads(blocking_threads_max).enable_all();
    builder
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
