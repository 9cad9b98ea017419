//! `FetchSession`: many partitions of one broker, of which each request names only those that changed.

use std::collections::{BTreeMap, BTreeSet};

use aquifer_types::{LeaderEpoch, Offset, PartitionIndex, TopicId};
use aquifer_wire::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use aquifer_wire::messages::{FetchRequest, FetchResponse};
use aquifer_wire::{ErrorCode, Text};

use crate::cluster::Leader;
use crate::error::ClientError;
use crate::fetch::{FetchSettings, Fetched};

/// Where to read a partition from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub offset: Offset,
    /// Lets the broker refuse if it is not the leader that was meant.
    pub epoch: Option<LeaderEpoch>,
}

/// What an answer brought of one partition.
#[derive(Debug)]
pub struct FromPartition {
    pub topic: Text,
    pub partition: PartitionIndex,
    pub result: Result<Fetched, ClientError>,
    /// Who leads it, where the broker says so beside an error.
    pub leader: Option<Leader>,
}

/// The session side of a consumer: pure state, to be driven over one connection with one request at a time.
#[derive(Debug)]
pub struct FetchSession {
    settings: FetchSettings,
    wanted: BTreeMap<Key, Wanted>,
    /// What the broker believes, once it answered; partitions that differ are named in the next request.
    known: BTreeMap<Key, Wanted>,
    topics: BTreeMap<Text, TopicId>,
    session: Option<Session>,
}

#[derive(Clone, Copy, Debug)]
struct Session {
    id: i32,
    epoch: i32,
}

type Key = (Text, PartitionIndex);

/// The broker refused the request as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The next request opens another one.
    #[error("the session is over: {0}")]
    Over(ErrorCode),
    #[error("the fetch was refused: {0}")]
    Refused(ErrorCode),
}

impl FetchSession {
    #[must_use]
    pub fn new(settings: FetchSettings) -> FetchSession {
        let (wanted, known, topics) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        FetchSession { settings, wanted, known, topics, session: None }
    }

    /// Reads the partition from there on, until told otherwise.
    pub fn want(&mut self, topic: &Text, id: TopicId, partition: PartitionIndex, wanted: Wanted) {
        let renewed = self.topics.insert(topic.clone(), id).is_some_and(|before| before != id);
        if renewed {
            // A topic made again is another one to the broker; a full request drops all that it knew.
            self.end();
        }
        self.wanted.insert((topic.clone(), partition), wanted);
    }

    /// Reads the partition no longer.
    pub fn forget(&mut self, topic: &Text, partition: PartitionIndex) {
        self.wanted.remove(&(topic.clone(), partition));
    }

    /// The next request: everything in the first of a session, then only what changed.
    #[must_use]
    pub fn request(&self) -> FetchRequest {
        let (id, epoch) = self.session.map_or((0, 0), |session| (session.id, session.epoch));
        let changed = self.wanted.iter().filter(|(key, wanted)| self.known.get(key) != Some(wanted));
        let mut topics: BTreeMap<&Text, Vec<FetchPartition>> = BTreeMap::new();
        for ((topic, partition), wanted) in changed {
            topics.entry(topic).or_default().push(FetchPartition {
                partition: partition.0,
                current_leader_epoch: wanted.epoch.map_or(-1, |epoch| epoch.0),
                fetch_offset: wanted.offset.0,
                partition_max_bytes: self.settings.partition_bytes_max,
                ..FetchPartition::default()
            });
        }
        let mut forgotten: BTreeMap<&Text, Vec<i32>> = BTreeMap::new();
        for (topic, partition) in self.known.keys().filter(|key| !self.wanted.contains_key(key)) {
            forgotten.entry(topic).or_default().push(partition.0);
        }
        FetchRequest {
            session_id: id,
            session_epoch: epoch,
            topics: topics
                .into_iter()
                .map(|(topic, partitions)| FetchTopic {
                    topic: topic.clone(),
                    topic_id: self.id(topic),
                    partitions,
                })
                .collect(),
            forgotten_topics_data: forgotten
                .into_iter()
                .map(|(topic, partitions)| ForgottenTopic {
                    topic: topic.clone(),
                    topic_id: self.id(topic),
                    partitions,
                })
                .collect(),
            ..self.settings.request()
        }
    }

    /// Takes in the answer to the last request: what it brought, by partition.
    pub fn take(&mut self, response: &FetchResponse) -> Result<Vec<FromPartition>, SessionError> {
        match response.error_code {
            ErrorCode::NONE => {}
            code @ (ErrorCode::FETCH_SESSION_ID_NOT_FOUND
            | ErrorCode::INVALID_FETCH_SESSION_EPOCH
            | ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR) => {
                self.end();
                return Err(SessionError::Over(code));
            }
            code => return Err(SessionError::Refused(code)),
        }
        self.advance(response.session_id);
        let names: BTreeMap<TopicId, &Text> = self.topics.iter().map(|(name, id)| (*id, name)).collect();
        let mut fetched = Vec::new();
        let mut failed = BTreeSet::new();
        for topic in &response.responses {
            let by_id = names.get(&TopicId(topic.topic_id)).copied();
            let name = if topic.topic.is_empty() { by_id } else { Some(&topic.topic) };
            let Some(name) = name.map(Text::detached) else { continue };
            for partition in &topic.partitions {
                let index = PartitionIndex(partition.partition_index);
                let result = Fetched::from_partition(partition);
                if result.is_err() {
                    failed.insert((name.clone(), index));
                }
                let hint = &partition.current_leader;
                let leader = Leader::from_hint(hint.leader_id, hint.leader_epoch);
                fetched.push(FromPartition { topic: name.clone(), partition: index, result, leader });
            }
        }
        // Brokers drop a partition that failed from what they cache; naming it again is right in either case.
        self.known.retain(|key, _| !failed.contains(key));
        Ok(fetched)
    }

    /// Opens another session with the next request: after an error, or on another connection.
    pub fn end(&mut self) {
        self.session = None;
        self.known.clear();
    }

    /// A broker without room for sessions answers with id 0: then each request names everything.
    fn advance(&mut self, session_id: i32) {
        if session_id == 0 {
            return self.end();
        }
        let last = self.session.map_or(0, |session| session.epoch);
        let epoch = if last == i32::MAX { 1 } else { last + 1 };
        self.session = Some(Session { id: session_id, epoch });
        self.known.clone_from(&self.wanted);
    }

    fn id(&self, topic: &Text) -> aquifer_types::Uuid {
        self.topics.get(topic).map_or(aquifer_types::Uuid::ZERO, |id| id.0)
    }
}

#[cfg(test)]
mod tests {
    use aquifer_wire::messages::fetch_response::{FetchableTopicResponse, PartitionData};

    use super::*;

    fn wanted(offset: i64) -> Wanted {
        Wanted { offset: Offset(offset), epoch: None }
    }

    fn named(request: &FetchRequest) -> Vec<(i32, i64)> {
        let partitions = request.topics.iter().flat_map(|topic| &topic.partitions);
        partitions.map(|partition| (partition.partition, partition.fetch_offset)).collect()
    }

    fn answer(session_id: i32) -> FetchResponse {
        FetchResponse { session_id, ..FetchResponse::default() }
    }

    /// A session that wants partitions 0 and 1 from the start.
    fn session() -> (FetchSession, Text) {
        let mut session = FetchSession::new(FetchSettings::default());
        let topic = Text::from_static("orders");
        for partition in [0, 1] {
            session.want(&topic, TopicId::default(), PartitionIndex(partition), wanted(0));
        }
        (session, topic)
    }

    #[test]
    fn only_what_changed_is_named_again() {
        let (mut session, topic) = session();
        let first = session.request();
        session.take(&answer(7)).expect("accepted");
        session.want(&topic, TopicId::default(), PartitionIndex(1), wanted(10));

        let second = session.request();
        session.take(&answer(7)).expect("accepted");
        let third = session.request();

        assert_eq!((first.session_id, first.session_epoch), (0, 0));
        assert_eq!(named(&first), [(0, 0), (1, 0)]);
        assert_eq!((second.session_id, second.session_epoch), (7, 1));
        assert_eq!(named(&second), [(1, 10)]);
        assert_eq!((third.session_id, third.session_epoch), (7, 2));
        assert_eq!(named(&third), []);
    }

    #[test]
    fn a_partition_no_longer_wanted_is_forgotten_once() {
        let (mut session, topic) = session();
        session.take(&answer(7)).expect("accepted");
        session.forget(&topic, PartitionIndex(0));

        let second = session.request();
        session.take(&answer(7)).expect("accepted");

        assert_eq!(second.forgotten_topics_data[0].partitions, [0]);
        assert!(session.request().forgotten_topics_data.is_empty());
    }

    #[test]
    fn a_session_that_is_over_starts_anew_with_everything() {
        let (mut session, _) = session();
        session.take(&answer(7)).expect("accepted");
        let code = ErrorCode::FETCH_SESSION_ID_NOT_FOUND;

        let over = session.take(&FetchResponse { error_code: code, ..answer(0) });

        assert_eq!(over.expect_err("over"), SessionError::Over(code));
        let next = session.request();
        assert_eq!((next.session_id, next.session_epoch), (0, 0));
        assert_eq!(named(&next), [(0, 0), (1, 0)]);
    }

    #[test]
    fn a_partition_that_failed_is_named_again() {
        let (mut session, topic) = session();
        let failed = PartitionData {
            partition_index: 1,
            error_code: ErrorCode::NOT_LEADER_OR_FOLLOWER,
            ..PartitionData::default()
        };
        let responses = vec![FetchableTopicResponse {
            topic,
            partitions: vec![failed],
            ..FetchableTopicResponse::default()
        }];

        let fetched = session.take(&FetchResponse { responses, ..answer(7) }).expect("accepted");

        assert!(matches!(&fetched[..], [FromPartition { partition: PartitionIndex(1), result: Err(_), .. }]));
        assert_eq!(named(&session.request()), [(1, 0)]);
    }

    #[test]
    fn a_broker_that_keeps_no_session_is_told_everything_each_time() {
        let (mut session, _) = session();

        session.take(&answer(0)).expect("accepted");

        assert_eq!(named(&session.request()), [(0, 0), (1, 0)]);
        assert_eq!(session.request().session_epoch, 0);
    }
}
