//! The raft log through power cuts: what was durable is there, and nothing that never was.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use aquifer_disk::{CrashChoice, Disk, SimDisk};
use aquifer_metadata::{Change, Command, encode_command};
use aquifer_runtime::Runtime;
use aquifer_types::{DirectoryId, TimestampMs, Uuid};
use aquifer_wal::Settings;
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::type_config::TypeConfigExt;
use openraft::vote::RaftLeaderId;
use openraft::{EntryPayload, entry::RaftEntry};

use crate::log::LogStore;
use crate::types::{Entry, LogId, Proposal, Types, Vote, log_id};

const DIRECTORY: DirectoryId = DirectoryId(Uuid::from_bytes([9; 16]));
const SETTINGS: Settings = Settings { first_slot_bytes: 8 << 10, slot_bytes: 16 << 10, slots_max: 64 };

fn folder() -> &'static Path {
    Path::new("/data/raft")
}

/// A disk with a data directory that no power cut takes away.
fn disk() -> SimDisk {
    let disk = SimDisk::default();
    Disk::create_dir(&disk, Path::new("/data")).expect("creates");
    Disk::sync_dir(&disk, Path::new("/")).expect("syncs");
    disk
}

fn open(disk: &SimDisk) -> Result<LogStore, crate::error::StartError> {
    let runtime = Runtime::simulated(1, TimestampMs(0));
    LogStore::open(Arc::new(disk.clone()), folder(), DIRECTORY, SETTINGS, &runtime)
}

/// What the log must be, without what may be lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Model {
    vote: Option<Vote>,
    purged: Option<LogId>,
    entries: BTreeMap<u64, LogId>,
    committed: u64,
}

impl Model {
    fn of(log: &LogStore) -> Model {
        let memory = log.memory();
        Model {
            vote: memory.marks.vote,
            purged: memory.marks.purged,
            entries: memory.entries.iter().map(|(index, held)| (*index, held.entry.id)).collect(),
            committed: memory.marks.committed.map_or(0, |id| id.index),
        }
    }

    fn end(&self) -> u64 {
        let last = self.entries.keys().next_back().copied().or(self.purged.map(|id| id.index));
        last.map_or(0, |last| last + 1)
    }

    fn term(&self) -> u64 {
        self.vote.map_or(1, |vote| vote.leader_id.term)
    }
}

/// What was durable, and what one operation more would make of it.
#[derive(Clone, Debug, Default)]
struct Oracle {
    durable: Model,
    attempted: Model,
}

/// A cheap generator of choices, the same for a seed everywhere.
struct Choices(u64);

impl Choices {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn entry(id: LogId, size: u64) -> Entry {
    let command = Command { time: TimestampMs(i64::try_from(size).unwrap_or(0)), change: Change::Tick };
    let mut bytes = Vec::new();
    encode_command(&command, &mut bytes);
    // Only the size matters: nothing here decodes it.
    bytes.resize(bytes.len() + usize::try_from(size).unwrap_or(0), 0);
    let proposal = Proposal { command: Arc::new(command), bytes: bytes.into() };
    Entry::new(id, EntryPayload::Normal(proposal))
}

/// Does one random thing; false where the power went.
async fn operate(log: &mut LogStore, disk: &SimDisk, choices: &mut Choices, oracle: &mut Oracle) -> bool {
    let model = &mut oracle.attempted;
    let done = match choices.below(12) {
        0 | 1 => {
            let vote = Vote { leader_id: RaftLeaderId::new(model.term() + 1, 1), committed: true };
            model.vote = Some(vote);
            log.save_vote(&vote).await.is_ok()
        }
        2..=6 => {
            let (start, term) = (model.end(), model.term());
            let ids: Vec<LogId> =
                (start..=start + choices.below(4)).map(|index| log_id(term, index)).collect();
            model.entries.extend(ids.iter().map(|id| (id.index, *id)));
            let entries: Vec<Entry> = ids.iter().map(|id| entry(*id, choices.below(3000))).collect();
            let (told, flushed) = Types::oneshot();
            let appended = log.append(entries, IOFlushed::signal(told)).await;
            appended.is_ok() && matches!(flushed.await, Ok(Ok(())))
        }
        7 => {
            let kept = model.entries.keys().nth(usize::try_from(choices.below(5)).unwrap_or(0)).copied();
            let Some(last) = kept.and_then(|index| model.entries.get(&index).copied()) else { return true };
            model.entries.retain(|index, _| *index <= last.index);
            log.truncate_after(Some(last)).await.is_ok()
        }
        8 | 9 => {
            let upto = model.entries.keys().nth(usize::try_from(choices.below(6)).unwrap_or(0)).copied();
            let Some(upto) = upto.and_then(|index| model.entries.get(&index).copied()) else { return true };
            model.entries.retain(|index, _| *index > upto.index);
            model.purged = Some(upto);
            log.purge(upto).await.is_ok()
        }
        10 => {
            let Some(last) = model.entries.values().next_back().copied() else { return true };
            model.committed = model.committed.max(last.index);
            return log.save_committed(Some(last)).await.is_ok();
        }
        _ => match open(disk) {
            Ok(reopened) => {
                *log = reopened;
                true
            }
            Err(_) => false,
        },
    };
    if done {
        oracle.durable = oracle.attempted.clone();
    }
    done
}

async fn run(disk: &SimDisk, seed: u64, operations: u64) -> Oracle {
    let mut oracle = Oracle::default();
    let mut choices = Choices(seed);
    let Ok(mut log) = open(disk) else { return oracle };
    for _ in 0..operations {
        if !operate(&mut log, disk, &mut choices, &mut oracle).await {
            break;
        }
    }
    oracle
}

/// The log is what was durable, or that with the operation that was cut off, or with some entries of its append.
fn check(disk: &SimDisk, oracle: &Oracle) -> Model {
    let log = open(disk).expect("a power cut is no damage");
    assert_eq!(log.memory().hole(), None);
    let found = Model::of(&log);
    let Oracle { durable, attempted } = oracle;
    assert!(found.committed <= attempted.committed, "{found:?} {oracle:?}");
    let same =
        |model: &Model| Model { committed: 0, ..found.clone() } == Model { committed: 0, ..model.clone() };
    let grown = durable.entries.iter().all(|(index, id)| found.entries.get(index) == Some(id))
        && found.entries.iter().all(|(index, id)| attempted.entries.get(index) == Some(id))
        && (found.vote, found.purged) == (durable.vote, durable.purged);
    assert!(same(durable) || same(attempted) || grown, "{found:?} {oracle:?}");
    found
}

#[tokio::test]
async fn the_log_survives_every_power_cut() {
    for seed in 0..2 {
        let whole = disk();
        run(&whole, seed, 36).await;
        for cut in 0..whole.operations() {
            let disk = disk();
            disk.lose_power_after(cut);
            let oracle = run(&disk, seed, 36).await;
            for bits in 0..1u64 << disk.unsynced_changes().min(3) {
                check(&disk.crash(&mut CrashChoice::Bits(bits)), &oracle);
            }
            for choice in 0..3 {
                check(&disk.crash(&mut CrashChoice::seeded(cut * 100 + choice)), &oracle);
            }
        }
    }
}

#[tokio::test]
async fn the_log_survives_one_power_cut_after_another() {
    for seed in 0..100u64 {
        let mut disk = disk();
        let mut choices = Choices(seed);
        for life in 0..4 {
            disk.lose_power_after(10 + choices.below(80));
            let mut oracle = Oracle::default();
            if let Ok(mut log) = open(&disk) {
                oracle.durable = Model::of(&log);
                oracle.attempted = oracle.durable.clone();
                while operate(&mut log, &disk, &mut choices, &mut oracle).await {}
                disk = disk.crash(&mut CrashChoice::seeded(seed * 10 + life));
                check(&disk, &oracle);
            } else {
                disk = disk.crash(&mut CrashChoice::seeded(seed * 10 + life));
                open(&disk).expect("a power cut is no damage");
            }
        }
    }
}
