//! openraft's own storage suite on our log and state machine, also with a reopening after every operation.

use std::fmt::Debug;
use std::io;
use std::ops::RangeBounds;
use std::path::Path;
use std::sync::{Arc, Mutex};

use aquifer_disk::SimDisk;
use aquifer_runtime::Runtime;
use aquifer_types::{DirectoryId, TimestampMs, Uuid};
use aquifer_wal::Settings;
use openraft::storage::RaftLogStorage;
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::{LogState, OptionalSend, RaftLogReader, StorageError};

use crate::log::LogStore;
use crate::machine::Machine;
use crate::snapshot::SnapshotFiles;
use crate::types::{Entry, Flushed, LogId, Types, Vote};

const DIRECTORY: DirectoryId = DirectoryId(Uuid::from_bytes([9; 16]));
const SETTINGS: Settings = Settings { first_slot_bytes: 16 << 10, slot_bytes: 32 << 10, slots_max: 32 };

fn folder() -> &'static Path {
    Path::new("/data/raft")
}

fn open(disk: &SimDisk) -> LogStore {
    let runtime = Runtime::simulated(1, TimestampMs(0));
    let log = LogStore::open(Arc::new(disk.clone()), folder(), DIRECTORY, SETTINGS, &runtime);
    log.expect("opens").with_holes()
}

fn machine(disk: &SimDisk) -> Machine {
    let (files, snapshot) = SnapshotFiles::open(Arc::new(disk.clone()), folder().to_owned()).expect("opens");
    Machine::new(files, snapshot, Runtime::simulated(1, TimestampMs(0)))
}

struct Plain;

impl StoreBuilder<Types, LogStore, Machine> for Plain {
    async fn build(&self) -> Result<((), LogStore, Machine), StorageError<Types>> {
        let disk = SimDisk::default();
        Ok(((), open(&disk), machine(&disk)))
    }
}

#[tokio::test]
async fn openrafts_suite_passes() {
    Suite::test_all(Plain).await.expect("passes");
}

struct Reopened;

impl StoreBuilder<Types, Reopening, Machine> for Reopened {
    async fn build(&self) -> Result<((), Reopening, Machine), StorageError<Types>> {
        let disk = SimDisk::default();
        let log = Arc::new(Mutex::new(open(&disk)));
        let machine = machine(&disk);
        Ok(((), Reopening { disk, log }, machine))
    }
}

#[tokio::test]
async fn openrafts_suite_passes_with_a_reopening_after_every_operation() {
    Suite::test_all(Reopened).await.expect("passes");
}

/// Opens the log anew from its files after everything that changes it.
#[derive(Clone)]
struct Reopening {
    disk: SimDisk,
    log: Arc<Mutex<LogStore>>,
}

impl Reopening {
    fn log(&self) -> LogStore {
        self.log.lock().expect("no holder panics").clone()
    }

    async fn reopen(&self) -> io::Result<()> {
        let before = self.log();
        before.flush().await?;
        let after = open(&self.disk);
        assert_eq!(after.memory().marks, before.memory().marks);
        assert!(after.memory().entries.keys().eq(before.memory().entries.keys()));
        *self.log.lock().expect("no holder panics") = after;
        Ok(())
    }
}

impl RaftLogReader<Types> for Reopening {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, io::Error> {
        self.log().try_get_log_entries(range).await
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        self.log().read_vote().await
    }
}

impl RaftLogStorage<Types> for Reopening {
    type LogReader = Reopening;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, io::Error> {
        self.log().get_log_state().await
    }

    async fn get_log_reader(&mut self) -> Reopening {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        self.log().save_vote(vote).await?;
        self.reopen().await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        self.log().save_committed(committed).await?;
        self.reopen().await
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        self.log().read_committed().await
    }

    async fn append<I>(&mut self, entries: I, callback: Flushed) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        self.log().append(entries, callback).await?;
        self.reopen().await
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> Result<(), io::Error> {
        self.log().truncate_after(last).await?;
        self.reopen().await
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), io::Error> {
        self.log().purge(upto).await?;
        self.reopen().await
    }
}
