//! The bytes of log ids, votes, memberships and entries, little-endian, each with a version where it may change.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use aquifer_metadata::decode_command;
use bytes::{Buf, BufMut};
use openraft::BasicNode;
use openraft::entry::RaftEntry;
use openraft::vote::RaftLeaderId;

use crate::types::{Entry, EntryPayload, LogId, Membership, Proposal, StoredMembership, Vote, log_id};

const BLANK: u8 = 0;
const COMMAND: u8 = 1;
const MEMBERSHIP: u8 = 2;
/// Nodes that a membership may name; far above any real quorum.
const NODES_MAX: u32 = 1000;

/// Bytes that are not what was written.
pub(crate) fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} is damaged"))
}

fn short<T>(read: Result<T, bytes::TryGetError>) -> io::Result<T> {
    read.map_err(|_short| damaged("a record of the raft log"))
}

pub(crate) fn put_log_id(id: &LogId, out: &mut Vec<u8>) {
    out.put_u64_le(id.leader_id.term);
    out.put_u64_le(id.index);
}

pub(crate) fn take_log_id(input: &mut &[u8]) -> io::Result<LogId> {
    let term = short(input.try_get_u64_le())?;
    Ok(log_id(term, short(input.try_get_u64_le())?))
}

pub(crate) fn put_option<T>(value: Option<&T>, out: &mut Vec<u8>, put: fn(&T, &mut Vec<u8>)) {
    out.put_u8(u8::from(value.is_some()));
    if let Some(value) = value {
        put(value, out);
    }
}

pub(crate) fn take_option<T>(
    input: &mut &[u8],
    take: fn(&mut &[u8]) -> io::Result<T>,
) -> io::Result<Option<T>> {
    match short(input.try_get_u8())? {
        0 => Ok(None),
        1 => take(input).map(Some),
        _ => Err(damaged("an optional value")),
    }
}

pub(crate) fn put_vote(vote: &Vote, out: &mut Vec<u8>) {
    out.put_u64_le(vote.leader_id.term);
    out.put_u64_le(vote.leader_id.voted_for);
    out.put_u8(u8::from(vote.committed));
}

pub(crate) fn take_vote(input: &mut &[u8]) -> io::Result<Vote> {
    let term = short(input.try_get_u64_le())?;
    let node = short(input.try_get_u64_le())?;
    let leader_id = RaftLeaderId::new(term, node);
    match short(input.try_get_u8())? {
        0 => Ok(Vote { leader_id, committed: false }),
        1 => Ok(Vote { leader_id, committed: true }),
        _ => Err(damaged("a vote")),
    }
}

pub(crate) fn put_membership(membership: &Membership, out: &mut Vec<u8>) {
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    out.put_u32_le(count(membership.get_joint_config().len()));
    for config in membership.get_joint_config() {
        out.put_u32_le(count(config.len()));
        config.iter().for_each(|node| out.put_u64_le(*node));
    }
    out.put_u32_le(count(membership.nodes().count()));
    for (node, address) in membership.nodes() {
        out.put_u64_le(*node);
        out.put_u32_le(count(address.addr.len()));
        out.put_slice(address.addr.as_bytes());
    }
}

pub(crate) fn take_membership(input: &mut &[u8]) -> io::Result<Membership> {
    let mut configs = Vec::new();
    for _ in 0..take_count(input)? {
        let mut config = BTreeSet::new();
        for _ in 0..take_count(input)? {
            config.insert(short(input.try_get_u64_le())?);
        }
        configs.push(config);
    }
    let mut nodes = BTreeMap::new();
    for _ in 0..take_count(input)? {
        let node = short(input.try_get_u64_le())?;
        let length = short(input.try_get_u32_le())?;
        let bytes = usize::try_from(length).ok().and_then(|length| input.split_off(..length));
        let text = bytes.and_then(|bytes| std::str::from_utf8(bytes).ok());
        nodes.insert(node, BasicNode::new(text.ok_or_else(|| damaged("a node's address"))?));
    }
    if configs.is_empty() && nodes.is_empty() {
        return Ok(Membership::default());
    }
    Membership::new(configs, nodes).map_err(|_refused| damaged("a membership"))
}

fn take_count(input: &mut &[u8]) -> io::Result<u32> {
    let count = short(input.try_get_u32_le())?;
    if count > NODES_MAX { Err(damaged("a membership")) } else { Ok(count) }
}

pub(crate) fn put_stored_membership(stored: &StoredMembership, out: &mut Vec<u8>) {
    put_option(stored.log_id().as_ref(), out, put_log_id);
    put_membership(stored.membership(), out);
}

pub(crate) fn take_stored_membership(input: &mut &[u8]) -> io::Result<StoredMembership> {
    let id = take_option(input, take_log_id)?;
    Ok(StoredMembership::new(id, take_membership(input)?))
}

/// An entry without its log id.
pub(crate) fn payload_bytes(entry: &Entry) -> Arc<[u8]> {
    let mut out = Vec::new();
    match &entry.payload {
        EntryPayload::Blank => out.put_u8(BLANK),
        EntryPayload::Normal(proposal) => {
            out.put_u8(COMMAND);
            out.put_slice(&proposal.bytes);
        }
        EntryPayload::Membership(membership) => {
            out.put_u8(MEMBERSHIP);
            put_membership(membership, &mut out);
        }
    }
    out.into()
}

/// The entry of these bytes.
pub(crate) fn entry_of(id: LogId, bytes: &[u8]) -> io::Result<Entry> {
    let (kind, mut rest) = bytes.split_first().ok_or_else(|| damaged("an entry"))?;
    let payload = match *kind {
        BLANK => EntryPayload::Blank,
        COMMAND => {
            let command = decode_command(rest).map_err(io::Error::other)?;
            let bytes = std::mem::take(&mut rest).into();
            EntryPayload::Normal(Proposal { command: Arc::new(command), bytes })
        }
        MEMBERSHIP => EntryPayload::Membership(take_membership(&mut rest)?),
        _ => return Err(damaged("an entry")),
    };
    if rest.is_empty() { Ok(Entry::new(id, payload)) } else { Err(damaged("an entry")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_membership_of_two_configs_and_a_learner_is_read_as_it_was_written() {
        let configs = vec![BTreeSet::from([1, 2]), BTreeSet::from([2, 3])];
        let nodes: BTreeMap<u64, BasicNode> =
            (1..=4).map(|node| (node, BasicNode::new(format!("node-{node}:9093")))).collect();
        let membership = Membership::new(configs, nodes).expect("valid");
        let mut bytes = Vec::new();
        put_membership(&membership, &mut bytes);

        let mut input = bytes.as_slice();

        assert_eq!(take_membership(&mut input).expect("reads"), membership);
        assert!(input.is_empty());
        for length in 0..bytes.len() {
            assert!(take_membership(&mut &bytes[..length]).is_err(), "cut to {length} bytes");
        }
    }

    #[test]
    fn votes_and_log_ids_have_the_bytes_they_always_had() {
        let vote = Vote { leader_id: RaftLeaderId::new(7, 3), committed: true };
        let mut bytes = Vec::new();
        put_vote(&vote, &mut bytes);
        put_log_id(&log_id(7, 9), &mut bytes);

        let golden = [7, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1, 7, 0, 0, 0, 0, 0, 0, 0, 9];
        assert_eq!(bytes[..26], golden);
        let mut input = bytes.as_slice();
        assert_eq!(take_vote(&mut input).expect("reads"), vote);
        assert_eq!(take_log_id(&mut input).expect("reads"), log_id(7, 9));
    }
}
