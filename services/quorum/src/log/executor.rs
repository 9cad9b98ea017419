//! `Executor`: where the log's files are written: on a thread of their own, in a simulation in place.

use std::io;
use std::sync::{Arc, Mutex};

use aquifer_runtime::Runtime;
use tokio::sync::{mpsc, oneshot};

use crate::log::record::Record;
use crate::log::writer::Writer;
use crate::types::Flushed;

/// Jobs that wait for the device; whoever adds more waits for it too.
const QUEUE_MAX: usize = 1024;
/// Jobs that share a flush.
const JOBS_AT_ONCE: usize = 256;

/// Something to be written.
pub(crate) struct Job {
    pub(crate) records: Vec<Record>,
    pub(crate) then: Then,
}

/// Who is told.
pub(crate) enum Then {
    /// openraft, once the records are durable; exactly once.
    Flushed(Flushed),
    /// Whoever waits, once the records are durable.
    Tell(oneshot::Sender<io::Result<()>>),
    /// Nobody: the records are commit marks, which are written with the next flush.
    Nobody,
    /// Whoever waits, once everything before is durable, commit marks too.
    Everything(oneshot::Sender<io::Result<()>>),
}

/// Takes jobs in order.
#[derive(Clone, Debug)]
pub(crate) enum Executor {
    Thread { jobs: mpsc::Sender<Job>, writer: Arc<Mutex<Writer>> },
    InPlace(Arc<Mutex<Writer>>),
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "job of {} records", self.records.len())
    }
}

impl Executor {
    pub(crate) fn start(writer: Writer, runtime: &Runtime) -> io::Result<Executor> {
        let writer = Arc::new(Mutex::new(writer));
        if runtime.is_simulated() {
            return Ok(Executor::InPlace(writer));
        }
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let shared = Arc::clone(&writer);
        runtime.thread("raft-log", move || run(&shared, queue))?;
        Ok(Executor::Thread { jobs, writer })
    }

    pub(crate) async fn submit(&self, job: Job) -> io::Result<()> {
        match self {
            Executor::Thread { jobs, .. } => {
                jobs.send(job).await.map_err(|_stopped| io::Error::other("the raft log's thread has stopped"))
            }
            Executor::InPlace(writer) => {
                perform(&mut writer.lock().expect("no writer panics"), vec![job]);
                Ok(())
            }
        }
    }

    /// How much of the files is needed, in parts of a thousand.
    pub(crate) fn fullness(&self) -> u64 {
        let (Executor::Thread { writer, .. } | Executor::InPlace(writer)) = self;
        // A writer that is busy is asked again with the next proposal.
        writer.try_lock().map_or(0, |writer| writer.fullness())
    }
}

fn run(writer: &Mutex<Writer>, mut queue: mpsc::Receiver<Job>) {
    let mut prepared = false;
    while let Some(first) = queue.blocking_recv() {
        let mut jobs = vec![first];
        while jobs.len() < JOBS_AT_ONCE {
            let Ok(next) = queue.try_recv() else { break };
            jobs.push(next);
        }
        let idle = jobs.len() == 1;
        let mut writer = writer.lock().expect("no writer panics");
        perform(&mut writer, jobs);
        if idle && !prepared {
            prepared = true;
            if let Err(error) = writer.prepare() {
                tracing::warn!(%error, "make the raft log's next file ahead");
            }
        }
    }
}

/// Writes the jobs' records together and tells everybody.
fn perform(writer: &mut Writer, jobs: Vec<Job>) {
    let mut records = Vec::new();
    let mut tell = Vec::new();
    let mut marks = Vec::new();
    let mut everything = false;
    for job in jobs {
        if matches!(job.then, Then::Nobody) {
            marks.extend(job.records);
            continue;
        }
        everything |= matches!(job.then, Then::Everything(_));
        records.extend(job.records);
        tell.push(job.then);
    }
    let mut written = if records.is_empty() { Ok(()) } else { writer.write(&records) };
    // Only now: a mark must not be durable before the entries that it says are committed.
    marks.iter().for_each(|record| writer.mark(record));
    if everything && written.is_ok() {
        written = writer.flush();
    }
    for then in tell {
        let result = match &written {
            Ok(()) => Ok(()),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        match then {
            Then::Flushed(flushed) => flushed.io_completed(result),
            // Whoever does not wait any more does not need to know.
            Then::Tell(waiting) | Then::Everything(waiting) => drop(waiting.send(result)),
            Then::Nobody => {}
        }
    }
}
