//! What classic consumers put into the group protocol: their subscription and their assignment, which only they and a
//! coordinator that takes them into a consumer group read.

use std::sync::Arc;

use crate::record::{Malformed, Reader, Writer};

/// The newest version that is known here; later ones begin alike.
const VERSION_MAX: i16 = 3;

/// Partitions by topic name.
pub(crate) type Named = Vec<(Arc<str>, Vec<i32>)>;

/// `ConsumerProtocolSubscription`: what a consumer wants, and what it has while it joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) version: i16,
    pub(crate) topics: Vec<Arc<str>>,
    /// Empty where the consumer gives everything up before it joins.
    pub(crate) owned: Named,
    pub(crate) rack: Option<Arc<str>>,
}

impl Subscription {
    pub(crate) fn decode(bytes: &[u8]) -> Result<Subscription, Malformed> {
        let mut input = Reader::new(bytes);
        let version = version(&mut input)?;
        let topics = input.list(|input| input.str().map(Arc::from))?;
        input.nullable_bytes()?;
        let owned = if version >= 1 { named(&mut input)? } else { Named::new() };
        if version >= 2 {
            // The generation in which it got what it owns.
            input.i32()?;
        }
        let rack = if version >= 3 { input.nullable_str()?.map(Arc::from) } else { None };
        Ok(Subscription { version, topics, owned, rack })
    }
}

/// Reads a `ConsumerProtocolAssignment`; no bytes are no partitions.
pub(crate) fn decode_assignment(bytes: &[u8]) -> Result<Named, Malformed> {
    if bytes.is_empty() {
        return Ok(Named::new());
    }
    let mut input = Reader::new(bytes);
    version(&mut input)?;
    let assigned = named(&mut input)?;
    input.nullable_bytes()?;
    Ok(assigned)
}

/// Writes a `ConsumerProtocolAssignment` for a consumer that speaks this version.
pub(crate) fn encode_assignment(version: i16, assigned: &Named) -> Arc<[u8]> {
    let mut out = Writer::new(version, false);
    out.list(assigned.iter(), |out, (topic, partitions)| {
        out.str(topic);
        out.list(partitions.iter(), |out, partition| out.i32(*partition));
    });
    // No user data.
    out.i32(-1);
    out.bytes.into()
}

fn version(input: &mut Reader<'_>) -> Result<i16, Malformed> {
    let version = input.i16()?;
    if version < 0 { Err(Malformed) } else { Ok(version.min(VERSION_MAX)) }
}

fn named(input: &mut Reader<'_>) -> Result<Named, Malformed> {
    input.list(|input| {
        let topic = input.str()?.into();
        let partitions = input.list(Reader::i32)?;
        Ok((topic, partitions))
    })
}
