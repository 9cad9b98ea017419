//! `open`: locks a data directory, brings every partition back, and starts the commit pipeline.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use aquifer_disk::{DirectoryLock, Disk, DiskError};
use aquifer_runtime::Runtime;
use aquifer_types::{BrokerEpoch, Offset, TopicPartition};
use aquifer_wal::{Wal, WalError};

use super::scan::{Replay, Scan};
use super::wal_replay::{Known, ReplayError, WalReplay};
use crate::directory::{Checkpoints, Directory, LogHandle, Settings};
use crate::format::{
    CleanFile, FormatError, Layout, Mark, MarksFile, Meta, ProducersFile, SegmentName, Suffix,
};
use crate::log::{FilePool, Log};

const FILE_BYTES_MAX: u64 = 1 << 30;

/// A data directory cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Wal(#[from] WalError),
    #[error("{}: {error}", path.display())]
    Format { path: PathBuf, error: FormatError },
    #[error("replay: {0}")]
    Replay(String),
    #[error("another process uses {}", .0.display())]
    Locked(PathBuf),
    #[error("start threads: {0}")]
    Threads(#[source] io::Error),
}

/// What recovery says of a partition's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Clean,
    /// Something that was never acknowledged as flushed stood at the end and was cut off.
    TornTail,
    /// Something that was durable is damaged or gone: the replica must not lead, nor be served.
    Corrupt,
    /// Everything that was durable is gone.
    Missing,
}

/// One partition as it was found.
#[derive(Debug)]
pub struct Recovered {
    pub log: Log,
    pub verdict: Verdict,
    pub handle: Arc<LogHandle>,
}

/// An opened data directory.
#[derive(Debug)]
pub struct Opened {
    pub directory: Directory,
    pub partitions: BTreeMap<TopicPartition, Recovered>,
    /// The broker epoch of the run before, if it shut down cleanly.
    pub clean_epoch: Option<BrokerEpoch>,
    pub lock: Box<dyn DirectoryLock>,
}

/// Opens the directory whose ids `meta` holds. Blocks for as long as recovery takes; nothing is served meanwhile.
pub fn open(
    disk: Arc<dyn Disk>,
    layout: Layout,
    meta: &Meta,
    settings: Settings,
    runtime: &Runtime,
    replay: &mut dyn Replay,
) -> Result<Opened, OpenError> {
    let lock = disk.lock(&layout.lock()).map_err(|error| match error.source.kind() {
        io::ErrorKind::WouldBlock => OpenError::Locked(layout.root().to_owned()),
        _ => error.into(),
    })?;
    disk.create_dir(&layout.partitions())?;
    disk.sync_dir(layout.root())?;
    let clean = read_clean(&*disk, &layout)?;
    let clean_epoch = clean.as_ref().map(|clean| clean.broker_epoch);
    let marks = read_marks(&*disk, &layout)?;
    let wal_settings = settings.wal(disk.space(layout.root())?);
    let mut wal_replay = WalReplay::new(&*disk, &layout, &marks);
    let is_clean = clean.is_some();
    let mut wal = Wal::open(&*disk, &layout.wal(), meta.directory, wal_settings, &mut |record| {
        if !is_clean {
            wal_replay.apply(record);
        }
    })?;
    if let Some(error) = wal_replay.failed {
        return Err(error.into());
    }
    let known = wal_replay.records.known;
    let now = runtime.now().wall;
    let partitions = match clean {
        Some(clean) => open_clean(&*disk, &layout, clean, replay),
        None => {
            let mut partitions = BTreeMap::new();
            for id in on_disk(&*disk, &layout, &known)? {
                let known = known.get(&id).copied().unwrap_or_default();
                if known.dropped {
                    disk.remove_dir_all(&layout.partition(id)).or_else(absent)?;
                    continue;
                }
                let scan = Scan { disk: &*disk, layout: &layout, id, known, now };
                let (log, verdict) = scan.run(replay)?;
                partitions.insert(id, Recovered { log, verdict, handle: LogHandle::new(id) });
            }
            partitions
        }
    };
    disk.sync_dir(&layout.partitions())?;
    let checkpoints = settle(&*disk, &layout, &mut wal, &partitions, &known)?;
    if is_clean {
        disk.remove_file(&layout.clean())?;
        disk.sync_dir(layout.root())?;
    }
    let files = Arc::new(FilePool::new(disk, layout, settings.open_files_max));
    let directory = Directory::start(files, wal, &wal_settings, checkpoints, runtime)?;
    Ok(Opened { directory, partitions, clean_epoch, lock })
}

/// Everything is durable by its segments now: the old WAL files are needed no more.
fn settle(
    disk: &dyn Disk,
    layout: &Layout,
    wal: &mut Wal,
    partitions: &BTreeMap<TopicPartition, Recovered>,
    known: &BTreeMap<TopicPartition, Known>,
) -> Result<Checkpoints, OpenError> {
    let mut checkpoints = Checkpoints::default();
    for (id, recovered) in partitions {
        let log = &recovered.log;
        if matches!(recovered.verdict, Verdict::Corrupt | Verdict::Missing) {
            // What was durable stays on record, so that the next start comes to the same verdict.
            if let Some(mark) = known.get(id).and_then(Known::durable) {
                checkpoints.adopt(*id, recovered.handle.clone(), log.log_start(), mark);
            }
            continue;
        }
        let last = log.segments().back().expect("a log has a segment");
        let mark = Mark { segment: last.name(), position: last.summary.bytes, end: log.end() };
        checkpoints.adopt(*id, recovered.handle.clone(), log.log_start(), mark);
    }
    disk.replace(&layout.marks(), &checkpoints.marks().encode())?;
    let floor = wal.floor_past_recovered();
    floor.write(disk, &layout.wal())?;
    wal.free_below(floor);
    Ok(checkpoints)
}

fn open_clean(
    disk: &dyn Disk,
    layout: &Layout,
    clean: CleanFile,
    replay: &mut dyn Replay,
) -> BTreeMap<TopicPartition, Recovered> {
    let mut partitions = BTreeMap::new();
    for partition in clean.partitions {
        let id = partition.id;
        let end = SegmentName { base: partition.end, generation: 0 };
        let path = layout.segment(id, end, Suffix::Producers);
        if let Some(file) =
            disk.read(&path, FILE_BYTES_MAX).ok().and_then(|bytes| ProducersFile::decode(&bytes).ok())
        {
            replay.restore(id, file);
        }
        let log = Log::from_clean(partition);
        partitions.insert(id, Recovered { log, verdict: Verdict::Clean, handle: LogHandle::new(id) });
    }
    partitions
}

fn read_clean(disk: &dyn Disk, layout: &Layout) -> Result<Option<CleanFile>, OpenError> {
    match disk.read(&layout.clean(), FILE_BYTES_MAX) {
        Ok(bytes) => match CleanFile::decode(&bytes) {
            Ok(clean) => Ok(Some(clean)),
            Err(error @ FormatError::Version(_)) => Err(OpenError::Format { path: layout.clean(), error }),
            // It is a shortcut: without it everything is scanned.
            Err(_damaged) => {
                disk.remove_file(&layout.clean())?;
                Ok(None)
            }
        },
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn read_marks(disk: &dyn Disk, layout: &Layout) -> Result<MarksFile, OpenError> {
    match disk.read(&layout.marks(), FILE_BYTES_MAX) {
        Ok(bytes) => {
            MarksFile::decode(&bytes).map_err(|error| OpenError::Format { path: layout.marks(), error })
        }
        Err(error) if error.is_not_found() => Ok(MarksFile::default()),
        Err(error) => Err(error.into()),
    }
}

/// Every partition that has a folder, or of which marks or WAL know.
pub(crate) fn on_disk(
    disk: &dyn Disk,
    layout: &Layout,
    known: &BTreeMap<TopicPartition, Known>,
) -> Result<Vec<TopicPartition>, DiskError> {
    let mut ids: Vec<TopicPartition> = known.keys().copied().collect();
    for topic in disk.list(&layout.partitions())? {
        let Ok(topic_id) = topic.name.parse() else { continue };
        for partition in disk.list(&layout.topic(topic_id))? {
            let Ok(number) = partition.name.parse() else { continue };
            ids.push(TopicPartition { topic: topic_id, partition: aquifer_types::PartitionIndex(number) });
        }
    }
    ids.sort();
    ids.dedup();
    Ok(ids)
}

fn absent(error: DiskError) -> Result<(), DiskError> {
    if error.is_not_found() { Ok(()) } else { Err(error) }
}

impl From<ReplayError> for OpenError {
    fn from(error: ReplayError) -> OpenError {
        OpenError::Replay(error.to_string())
    }
}

impl Recovered {
    /// A new partition's log.
    #[must_use]
    pub fn empty(id: TopicPartition) -> Recovered {
        Recovered { log: Log::empty(id, Offset::ZERO), verdict: Verdict::Clean, handle: LogHandle::new(id) }
    }
}
