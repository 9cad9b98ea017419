//! `Work`: what a run does, and how much of it where nothing else is said.

use serde::Deserialize;

use super::gateway::{AddedLatency, GatewayProduce, GatewayRead, GrpcAck, GrpcProduce, HttpParse, Parked};
use super::groups::{Commits, Consume, Departure, IdleConsumers, Members, Reload};
use super::tier::{
    TierIdle, TierReplay, TierReplayLatency, TierRestore, TierSeek, TierUploadLatency, TierUploads, TierWarm,
};

/// What a run does.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Work {
    Produce(Produce),
    Fetch(Fetch),
    EndToEnd(EndToEnd),
    Idle(Idle),
    Start(Start),
    Memory(Memory),
    Verify(Verify),
    Members(Members),
    Commits(Commits),
    Departure(Departure),
    IdleConsumers(IdleConsumers),
    Reload(Reload),
    Consume(Consume),
    GatewayProduce(GatewayProduce),
    GrpcProduce(GrpcProduce),
    GatewayRead(GatewayRead),
    AddedLatency(AddedLatency),
    Parked(Parked),
    TierReplay(TierReplay),
    TierWarm(TierWarm),
    TierReplayLatency(TierReplayLatency),
    TierUploadLatency(TierUploadLatency),
    TierSeek(TierSeek),
    TierUploads(TierUploads),
    TierIdle(TierIdle),
    TierRestore(TierRestore),
    HttpParse(HttpParse),
    GrpcAck(GrpcAck),
    Ingest(Frames),
    Walfloor(Frames),
    Sendfile(Streams),
    Echo(Echo),
    ColdRead(ColdRead),
}

/// A topic's durability, by the config that each server has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    PageCache,
    Flushed,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Produce {
    pub producers: usize,
    pub partitions: i32,
    pub batch_bytes: usize,
    pub record_bytes: usize,
    pub in_flight: usize,
    pub durability: Durability,
    /// Batches per second of each producer; as many as the window allows if absent.
    pub rate: Option<f64>,
    /// A file system of its own, so that what its device wrote is known.
    pub own_device: bool,
    /// Of each partition so much is kept while the run goes on; everything if absent.
    pub kept_bytes: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fetch {
    pub consumers: usize,
    /// In each consumer's own partition.
    pub bytes: usize,
    pub batch_bytes: usize,
    pub record_bytes: usize,
    pub batches_per_fetch: usize,
    pub in_flight: usize,
    /// Once through, from an empty page cache.
    pub cold: bool,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EndToEnd {
    pub rate: f64,
    pub record_bytes: usize,
    pub durability: Durability,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Idle {
    pub partitions: i32,
    /// How long the server is left alone before it is looked at.
    pub settle_seconds: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Start {
    /// None for an empty directory.
    pub partitions: i32,
    pub segments: usize,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Memory {
    pub produce: Produce,
    pub fetch: Fetch,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Verify {
    pub producers: usize,
    pub partitions: i32,
    pub durability: Durability,
}

/// Frames that a floor receives.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Frames {
    pub streams: usize,
    pub frame_bytes: usize,
    pub in_flight: usize,
    /// fdatasync after each frame; `ingest` only.
    pub sync: bool,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Streams {
    pub streams: usize,
    /// Of each stream's file.
    pub bytes: usize,
    /// What a reader asks for at a time, and how often ahead: as consumers do.
    pub answer_bytes: usize,
    pub in_flight: usize,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Echo {
    pub rate: f64,
    pub message_bytes: usize,
    /// Appended to a growing file and synced before each answer; none if zero.
    pub append_bytes: usize,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ColdRead {
    pub bytes: usize,
}

impl Work {
    pub fn is_floor(&self) -> bool {
        matches!(
            self,
            Work::Ingest(_)
                | Work::Walfloor(_)
                | Work::Sendfile(_)
                | Work::Echo(_)
                | Work::ColdRead(_)
                | Work::HttpParse(_)
                | Work::GrpcAck(_)
        )
    }

    /// Whether the work starts a store, and servers that tier into it.
    pub fn has_own_store(&self) -> bool {
        matches!(
            self,
            Work::TierReplay(_)
                | Work::TierWarm(_)
                | Work::TierReplayLatency(_)
                | Work::TierUploadLatency(_)
                | Work::TierSeek(_)
                | Work::TierUploads(_)
                | Work::TierIdle(_)
                | Work::TierRestore(_)
        )
    }

    pub(super) fn shrink(&mut self) {
        match self {
            Work::Fetch(fetch) => fetch.bytes = fetch.bytes.min(16 << 20),
            Work::Memory(memory) => memory.fetch.bytes = memory.fetch.bytes.min(16 << 20),
            Work::Sendfile(streams) => streams.bytes = streams.bytes.min(16 << 20),
            Work::ColdRead(read) => read.bytes = read.bytes.min(16 << 20),
            Work::Idle(idle) => {
                idle.partitions = idle.partitions.min(50);
                idle.settle_seconds = 0.1;
            }
            Work::Start(start) => {
                start.partitions = start.partitions.min(10);
                start.segments = start.segments.min(2);
            }
            Work::Produce(produce) => produce.partitions = produce.partitions.min(50),
            Work::Members(members) => members.groups = members.groups.min(10),
            Work::Departure(departure) => departure.members = departure.members.min(10),
            Work::IdleConsumers(idle) => idle.consumers = idle.consumers.min(50),
            Work::Reload(reload) => reload.groups = reload.groups.min(10),
            Work::Consume(consume) => consume.bytes = consume.bytes.min(16 << 20),
            Work::GatewayRead(read) => read.bytes = read.bytes.min(16 << 20),
            Work::Parked(parked) => {
                parked.clients = parked.clients.min(100);
                parked.clients_per_partition = parked.clients_per_partition.min(10);
                parked.wakes = parked.wakes.min(5);
            }
            Work::TierReplay(work) => work.history.shrink(),
            Work::TierWarm(work) => work.history.shrink(),
            Work::TierReplayLatency(work) => work.history.shrink(),
            Work::TierUploadLatency(work) => work.history.shrink(),
            Work::TierSeek(work) => work.history.shrink(),
            Work::TierUploads(work) => work.shrink(),
            Work::TierIdle(work) => work.shrink(),
            Work::TierRestore(work) => work.partitions = work.partitions.min(20),
            Work::Commits(_)
            | Work::GatewayProduce(_)
            | Work::GrpcProduce(_)
            | Work::AddedLatency(_)
            | Work::HttpParse(_)
            | Work::GrpcAck(_)
            | Work::EndToEnd(_)
            | Work::Verify(_)
            | Work::Ingest(_)
            | Work::Walfloor(_)
            | Work::Echo(_) => {}
        }
    }
}

impl Default for Produce {
    fn default() -> Produce {
        Produce {
            producers: 1,
            partitions: 1,
            batch_bytes: 1 << 20,
            record_bytes: 1024,
            in_flight: 5,
            durability: Durability::Flushed,
            rate: None,
            own_device: false,
            kept_bytes: None,
        }
    }
}

impl Default for Fetch {
    fn default() -> Fetch {
        Fetch {
            consumers: 1,
            bytes: 256 << 20,
            batch_bytes: 1 << 20,
            record_bytes: 1024,
            batches_per_fetch: 4,
            in_flight: 2,
            cold: false,
        }
    }
}

impl Default for EndToEnd {
    fn default() -> EndToEnd {
        EndToEnd { rate: 1_000.0, record_bytes: 1024, durability: Durability::Flushed }
    }
}

impl Default for Idle {
    fn default() -> Idle {
        Idle { partitions: 0, settle_seconds: 2.0 }
    }
}

impl Default for Memory {
    fn default() -> Memory {
        let produce = Produce { durability: Durability::PageCache, ..Produce::default() };
        Memory { produce, fetch: Fetch::default() }
    }
}

impl Default for Verify {
    fn default() -> Verify {
        Verify { producers: 4, partitions: 8, durability: Durability::Flushed }
    }
}

impl Default for Frames {
    fn default() -> Frames {
        Frames { streams: 1, frame_bytes: 1 << 20, in_flight: 5, sync: false }
    }
}

impl Default for Streams {
    fn default() -> Streams {
        Streams { streams: 1, bytes: 256 << 20, answer_bytes: 4 << 20, in_flight: 2 }
    }
}

impl Default for Echo {
    fn default() -> Echo {
        Echo { rate: 1_000.0, message_bytes: 100, append_bytes: 0 }
    }
}

impl Default for ColdRead {
    fn default() -> ColdRead {
        ColdRead { bytes: 1 << 30 }
    }
}
