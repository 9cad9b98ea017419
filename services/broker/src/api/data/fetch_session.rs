//! `FetchSessions`: what a client's fetches repeat, remembered so that they need only say what changed.
//!
//! Bounded in number; when full, clients are answered without a session. Nothing is persisted: a client that finds its
//! session gone starts another.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use aquifer_runtime::Monotonic;
use aquifer_types::TopicId;
use aquifer_wire::messages::FetchRequest;
use aquifer_wire::messages::fetch_response::PartitionData;
use aquifer_wire::{ErrorCode, Text};

/// A full table gives up sessions that were not used for so long.
const EVICT_AFTER: Duration = Duration::from_secs(120);
const PARTITIONS_MAX: usize = 100_000;

/// A topic as the client's versions name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TopicName {
    Name(Text),
    Id(TopicId),
}

/// One partition a fetch asks for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) topic: TopicName,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) max_bytes: i32,
    pub(crate) current_leader_epoch: i32,
    /// What the client was last told.
    told: Option<Told>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    high_watermark: i64,
    log_start: i64,
    failed: bool,
}

/// How a fetch uses sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionUse {
    None,
    New(i32),
    Continued(i32),
}

/// A fetch with everything it asks for, said now or before.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) usage: SessionUse,
    pub(crate) asked: Vec<Asked>,
}

/// Every client's session.
#[derive(Debug)]
pub(crate) struct FetchSessions {
    sessions_max: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    sessions: BTreeMap<i32, Session>,
    last_id: i32,
    partitions: usize,
    /// Up to here all sessions have been used too lately. Without it every fetch would look through a full table.
    all_needed_upto: Option<Monotonic>,
}

#[derive(Debug)]
struct Session {
    next_epoch: i32,
    by_id: bool,
    used: Monotonic,
    /// In the order of asking, which rotates so that no partition starves.
    asked: Vec<Asked>,
}

impl Opened {
    pub(crate) fn session_id(&self) -> i32 {
        match self.usage {
            SessionUse::None => 0,
            SessionUse::New(id) | SessionUse::Continued(id) => id,
        }
    }
}

impl Asked {
    /// Whether an incremental answer must mention the partition although it has no records.
    pub(crate) fn told(&self, data: &PartitionData) -> bool {
        let now = Told::from(data);
        now.failed || self.told != Some(now)
    }
}

impl From<&PartitionData> for Told {
    fn from(data: &PartitionData) -> Told {
        Told {
            high_watermark: data.high_watermark,
            log_start: data.log_start_offset,
            failed: !data.error_code.is_none(),
        }
    }
}

impl FetchSessions {
    pub(crate) fn new(sessions_max: usize) -> FetchSessions {
        FetchSessions { sessions_max, table: Mutex::default() }
    }

    /// What the request asks for, by itself or together with its session.
    pub(crate) fn open(
        &self,
        request: &FetchRequest,
        by_id: bool,
        now: Monotonic,
    ) -> Result<Opened, ErrorCode> {
        const FINAL: i32 = -1;
        let named = asked(request, by_id);
        let mut table = self.table.lock().expect("fetch sessions do not panic");
        match (request.session_id, request.session_epoch) {
            (0, 0) => Ok(table.begin(named, by_id, now, self.sessions_max)),
            (0, _) => Ok(Opened { usage: SessionUse::None, asked: named }),
            (id, FINAL) => {
                table.remove(id);
                Ok(Opened { usage: SessionUse::None, asked: named })
            }
            (id, 0) => {
                table.remove(id);
                Ok(table.begin(named, by_id, now, self.sessions_max))
            }
            (id, epoch) => table.go_on(id, epoch, (named, forgotten(request, by_id)), by_id, now),
        }
    }

    /// Remembers what the client is told now.
    pub(crate) fn finish(&self, opened: &Opened, told: &[PartitionData], now: Monotonic) {
        if opened.usage == SessionUse::None {
            return;
        }
        let mut table = self.table.lock().expect("fetch sessions do not panic");
        let Some(session) = table.sessions.get_mut(&opened.session_id()) else { return };
        session.used = now;
        for ((asked, data), held) in opened.asked.iter().zip(told).zip(&mut session.asked) {
            if held.partition == asked.partition && held.topic == asked.topic {
                held.told = Some(Told::from(data));
            }
        }
        if !session.asked.is_empty() {
            session.asked.rotate_left(1);
        }
    }
}

impl Table {
    fn begin(&mut self, mut asked: Vec<Asked>, by_id: bool, now: Monotonic, most: usize) -> Opened {
        if self.sessions.len() >= most || self.partitions + asked.len() > PARTITIONS_MAX {
            self.evict(now);
        }
        if asked.is_empty() || self.sessions.len() >= most || self.partitions + asked.len() > PARTITIONS_MAX {
            return Opened { usage: SessionUse::None, asked };
        }
        let id = self.free_id();
        // What outlives the request must not keep its frame.
        for asked in &mut asked {
            if let TopicName::Name(name) = &mut asked.topic {
                *name = name.detached();
            }
        }
        self.partitions += asked.len();
        let session = Session { next_epoch: 1, by_id, used: now, asked: asked.clone() };
        self.sessions.insert(id, session);
        Opened { usage: SessionUse::New(id), asked }
    }

    fn go_on(
        &mut self,
        id: i32,
        epoch: i32,
        (named, forgotten): (Vec<Asked>, Vec<(TopicName, i32)>),
        by_id: bool,
        now: Monotonic,
    ) -> Result<Opened, ErrorCode> {
        let session = self.sessions.get_mut(&id).ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
        if session.by_id != by_id {
            return Err(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
        }
        if session.next_epoch != epoch {
            return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        session.next_epoch = if epoch == i32::MAX { 1 } else { epoch + 1 };
        session.used = now;
        let before = session.asked.len();
        if !forgotten.is_empty() {
            session
                .asked
                .retain(|held| !forgotten.iter().any(|(topic, partition)| held.is(topic, *partition)));
        }
        for mut asked in named {
            match session.asked.iter_mut().find(|held| held.is(&asked.topic, asked.partition)) {
                Some(held) => *held = Asked { told: held.told, topic: held.topic.clone(), ..asked },
                None => {
                    if let TopicName::Name(name) = &mut asked.topic {
                        *name = name.detached();
                    }
                    session.asked.push(asked);
                }
            }
        }
        let asked = session.asked.clone();
        self.partitions = self.partitions + asked.len() - before;
        Ok(Opened { usage: SessionUse::Continued(id), asked })
    }

    fn remove(&mut self, id: i32) {
        if let Some(session) = self.sessions.remove(&id) {
            self.partitions -= session.asked.len();
        }
    }

    fn evict(&mut self, now: Monotonic) {
        if self.all_needed_upto.is_some_and(|upto| now <= upto) {
            return;
        }
        let idle: Vec<i32> = self
            .sessions
            .iter()
            .filter(|(_, session)| now.since(session.used) > EVICT_AFTER)
            .map(|(id, _)| *id)
            .collect();
        for id in idle {
            self.remove(id);
        }
        let oldest = self.sessions.values().map(|session| session.used).min();
        self.all_needed_upto = oldest.map(|used| used.plus(EVICT_AFTER));
    }

    fn free_id(&mut self) -> i32 {
        loop {
            self.last_id = if self.last_id == i32::MAX { 1 } else { self.last_id + 1 };
            if !self.sessions.contains_key(&self.last_id) {
                return self.last_id;
            }
        }
    }
}

impl Asked {
    fn is(&self, topic: &TopicName, partition: i32) -> bool {
        self.partition == partition && self.topic == *topic
    }
}

fn asked(request: &FetchRequest, by_id: bool) -> Vec<Asked> {
    let mut all = Vec::new();
    for topic in &request.topics {
        let name =
            if by_id { TopicName::Id(TopicId(topic.topic_id)) } else { TopicName::Name(topic.topic.clone()) };
        all.extend(topic.partitions.iter().map(|partition| Asked {
            topic: name.clone(),
            partition: partition.partition,
            offset: partition.fetch_offset,
            max_bytes: partition.partition_max_bytes,
            current_leader_epoch: partition.current_leader_epoch,
            told: None,
        }));
    }
    all
}

fn forgotten(request: &FetchRequest, by_id: bool) -> Vec<(TopicName, i32)> {
    let mut all = Vec::new();
    for topic in &request.forgotten_topics_data {
        let name =
            if by_id { TopicName::Id(TopicId(topic.topic_id)) } else { TopicName::Name(topic.topic.clone()) };
        all.extend(topic.partitions.iter().map(|partition| (name.clone(), *partition)));
    }
    all
}

#[cfg(test)]
#[path = "fetch_session_test.rs"]
mod tests;
