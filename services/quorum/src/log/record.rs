//! `Record`: one thing that happened to the raft log, as a record of the write-ahead log.

use std::io;
use std::sync::Arc;

use bytes::Buf;

use crate::bytes_of::{damaged, put_log_id, put_option, put_vote, take_log_id, take_option, take_vote};
use crate::types::{LogId, Vote};

const VERSION: u8 = 1;

const ENTRY: u8 = 1;
const VOTE: u8 = 2;
const TRUNCATE: u8 = 3;
const PURGE: u8 = 4;
const COMMITTED: u8 = 5;
const STATE: u8 = 6;
const COPY: u8 = 7;

/// What is not an entry: first in every file, so that older files are not needed for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) vote: Option<Vote>,
    pub(crate) purged: Option<LogId>,
    pub(crate) committed: Option<LogId>,
}

/// An entry's payload with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredEntry {
    pub(crate) id: LogId,
    pub(crate) payload: Arc<[u8]>,
}

/// A record, in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    Entry(StoredEntry),
    Vote(Vote),
    /// Entries after this one are gone.
    Truncate(Option<LogId>),
    /// Entries up to and with this one are in a snapshot and gone.
    Purge(LogId),
    Committed(Option<LogId>),
    State(Marks),
    /// An entry of an older file again, so that the older file is not needed. Says nothing about those after it.
    Copy(StoredEntry),
}

impl Record {
    pub(crate) fn kind(&self) -> u8 {
        match self {
            Record::Entry(_) => ENTRY,
            Record::Vote(_) => VOTE,
            Record::Truncate(_) => TRUNCATE,
            Record::Purge(_) => PURGE,
            Record::Committed(_) => COMMITTED,
            Record::State(_) => STATE,
            Record::Copy(_) => COPY,
        }
    }

    /// The payload in two parts; the second is shared, not copied.
    pub(crate) fn parts(&self) -> (Vec<u8>, &[u8]) {
        let mut head = vec![VERSION];
        match self {
            Record::Entry(entry) | Record::Copy(entry) => {
                put_log_id(&entry.id, &mut head);
                return (head, &entry.payload);
            }
            Record::Vote(vote) => put_vote(vote, &mut head),
            Record::Truncate(id) | Record::Committed(id) => put_option(id.as_ref(), &mut head, put_log_id),
            Record::Purge(id) => put_log_id(id, &mut head),
            Record::State(marks) => {
                put_option(marks.vote.as_ref(), &mut head, put_vote);
                put_option(marks.purged.as_ref(), &mut head, put_log_id);
                put_option(marks.committed.as_ref(), &mut head, put_log_id);
            }
        }
        (head, &[])
    }

    /// The record of these bytes; what a later version wrote is an error, for guessing would fork the log.
    pub(crate) fn parse(kind: u8, payload: &[u8]) -> io::Result<Record> {
        let mut input = payload;
        if input.try_get_u8().ok() != Some(VERSION) {
            return Err(damaged("the version of a record of the raft log"));
        }
        let record = match kind {
            ENTRY | COPY => {
                let id = take_log_id(&mut input)?;
                let payload = std::mem::take(&mut input).into();
                let entry = StoredEntry { id, payload };
                if kind == ENTRY { Record::Entry(entry) } else { Record::Copy(entry) }
            }
            VOTE => Record::Vote(take_vote(&mut input)?),
            TRUNCATE => Record::Truncate(take_option(&mut input, take_log_id)?),
            PURGE => Record::Purge(take_log_id(&mut input)?),
            COMMITTED => Record::Committed(take_option(&mut input, take_log_id)?),
            STATE => Record::State(Marks {
                vote: take_option(&mut input, take_vote)?,
                purged: take_option(&mut input, take_log_id)?,
                committed: take_option(&mut input, take_log_id)?,
            }),
            _ => return Err(damaged("the kind of a record of the raft log")),
        };
        if input.is_empty() { Ok(record) } else { Err(damaged("a record of the raft log")) }
    }

    /// Bytes in a group, near enough to bound one.
    pub(crate) fn size(&self) -> usize {
        match self {
            Record::Entry(entry) | Record::Copy(entry) => entry.payload.len() + 32,
            _ => 128,
        }
    }
}

impl Marks {
    /// Takes note of what a record says.
    pub(crate) fn note(&mut self, record: &Record) {
        match record {
            Record::Vote(vote) => self.vote = Some(*vote),
            Record::Purge(id) => self.purged = Some(*id),
            Record::Committed(id) => self.committed = *id,
            Record::State(marks) => *self = *marks,
            Record::Entry(_) | Record::Copy(_) | Record::Truncate(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use openraft::vote::RaftLeaderId;

    use super::*;
    use crate::types::log_id;

    #[test]
    fn records_have_the_bytes_they_always_had() {
        let entry = StoredEntry { id: log_id(2, 3), payload: vec![0].into() };
        let vote = Vote { leader_id: RaftLeaderId::new(4, 5), committed: false };
        let marks = Marks { vote: Some(vote), purged: None, committed: Some(log_id(1, 1)) };
        let id = "02000000000000000300000000000000";
        let one = "01000000000000000100000000000000";
        let vote_hex = "0400000000000000050000000000000000";
        for (record, kind, hex) in [
            (Record::Entry(entry.clone()), 1, format!("01{id}00")),
            (Record::Vote(vote), 2, format!("01{vote_hex}")),
            (Record::Truncate(None), 3, "0100".to_owned()),
            (Record::Purge(log_id(2, 3)), 4, format!("01{id}")),
            (Record::Committed(Some(log_id(2, 3))), 5, format!("0101{id}")),
            (Record::State(marks), 6, format!("0101{vote_hex}0001{one}")),
            (Record::Copy(entry), 7, format!("01{id}00")),
        ] {
            let (head, tail) = record.parts();
            let bytes = [&head, tail].concat();
            let found: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!((record.kind(), &found), (kind, &hex));
            assert_eq!(Record::parse(kind, &bytes).expect("reads"), record);
        }
        assert!(Record::parse(8, &[1]).is_err(), "a later kind");
        assert!(Record::parse(2, &[2]).is_err(), "a later version");
    }
}
