//! `LogStore`: what openraft sees of the raft log.

use std::fmt::Debug;
use std::io;
use std::ops::RangeBounds;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use aquifer_disk::Disk;
use aquifer_runtime::Runtime;
use aquifer_types::DirectoryId;
use aquifer_wal::Settings;
use openraft::storage::RaftLogStorage;
use openraft::{LogState, OptionalSend, RaftLogReader};
use tokio::sync::oneshot;

use crate::bytes_of::payload_bytes;
use crate::error::StartError;
use crate::log::executor::{Executor, Job, Then};
use crate::log::memory::Memory;
use crate::log::record::{Record, StoredEntry};
use crate::log::writer::Writer;
use crate::types::{Entry, Flushed, LogId, Types, Vote};

/// The raft log. Clones are handles to the same log.
#[derive(Clone, Debug)]
pub(crate) struct LogStore {
    memory: Arc<Mutex<Memory>>,
    executor: Executor,
    /// Refuses entries that leave a hole; openraft's own suite makes holes on purpose.
    contiguous: bool,
}

impl LogStore {
    /// Opens the log in `folder`; waits for the disk.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        folder: &Path,
        directory: DirectoryId,
        settings: Settings,
        runtime: &Runtime,
    ) -> Result<LogStore, StartError> {
        let (writer, memory) = Writer::open(disk, folder, directory, settings)?;
        let executor = Executor::start(writer, runtime).map_err(StartError::Unreadable)?;
        Ok(LogStore { memory: Arc::new(Mutex::new(memory)), executor, contiguous: true })
    }

    #[cfg(test)]
    pub(crate) fn with_holes(self) -> LogStore {
        LogStore { contiguous: false, ..self }
    }

    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().expect("no reader of the log panics")
    }

    /// How much of the files is needed, in parts of a thousand.
    pub(crate) fn fullness(&self) -> u64 {
        self.executor.fullness()
    }

    /// Makes everything durable, commit marks too.
    pub(crate) async fn flush(&self) -> io::Result<()> {
        let (then, done) = oneshot::channel();
        self.executor.submit(Job { records: Vec::new(), then: Then::Everything(then) }).await?;
        done.await.unwrap_or_else(|_gone| Err(io::Error::other("the raft log's thread has stopped")))
    }

    /// Takes a record over and waits until it is durable.
    async fn write(&self, record: Record) -> io::Result<()> {
        self.memory().take(record.clone());
        let (then, done) = oneshot::channel();
        self.executor.submit(Job { records: vec![record], then: Then::Tell(then) }).await?;
        done.await.unwrap_or_else(|_gone| Err(io::Error::other("the raft log's thread has stopped")))
    }

    /// Takes entries over, so that they can be read at once.
    fn take_entries(&self, entries: impl Iterator<Item = Entry>) -> io::Result<Vec<Record>> {
        let mut memory = self.memory();
        let mut records = Vec::new();
        for entry in entries {
            let record = Record::Entry(StoredEntry { id: entry.log_id, payload: payload_bytes(&entry) });
            if self.contiguous && entry.log_id.index != memory.end() {
                let (found, expected) = (entry.log_id.index, memory.end());
                return Err(io::Error::other(format!("log entry {found} where {expected} should follow")));
            }
            memory.take(record.clone());
            records.push(record);
        }
        Ok(records)
    }
}

impl RaftLogReader<Types> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, io::Error> {
        self.memory().read(range)
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, io::Error> {
        self.memory().read_some(start, end)
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.memory().marks.vote)
    }
}

impl RaftLogStorage<Types> for LogStore {
    type LogReader = LogStore;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, io::Error> {
        let memory = self.memory();
        Ok(LogState { last_purged_log_id: memory.marks.purged, last_log_id: memory.last() })
    }

    async fn get_log_reader(&mut self) -> LogStore {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        self.write(Record::Vote(*vote)).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        let record = Record::Committed(committed);
        self.memory().take(record.clone());
        self.executor.submit(Job { records: vec![record], then: Then::Nobody }).await
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.memory().marks.committed)
    }

    async fn append<I>(&mut self, entries: I, callback: Flushed) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let records = self.take_entries(entries.into_iter())?;
        self.executor.submit(Job { records, then: Then::Flushed(callback) }).await
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> Result<(), io::Error> {
        self.write(Record::Truncate(last)).await
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), io::Error> {
        self.write(Record::Purge(upto)).await
    }
}
