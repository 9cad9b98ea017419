//! `Session`: a membership of a consumer group as its token carries it.

use aquifer_types::{ClusterId, TimestampMs, Uuid};
use ring::digest::{Context, SHA256, digest};

use crate::keys::{Keys, Kind, NONCE_BYTES, TokenError};
use crate::layout::{Malformed, Reader, Writer};
use crate::places::{Tenures, read_tenures, write_tenures};

/// A token says which partitions are owned up to so many; of more it says nothing.
pub const OWNED_MAX: usize = 200;

/// A consumer's membership, complete: whichever gateway gets it goes on from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub cluster: ClusterId,
    pub principal: String,
    pub group: String,
    pub member: String,
    pub instance: Option<String>,
    /// The member epoch that the coordinator named last.
    pub epoch: i32,
    pub topics: Vec<String>,
    pub start: StartAt,
    /// What the session was told that it owns; `None` where that is too much to carry.
    pub owned: Option<Tenures>,
    /// How often what it owns has changed.
    pub tenure: u32,
    /// How long the session lives without a word from its client.
    pub ttl_ms: i32,
    pub expires_at: TimestampMs,
}

/// Where to begin in partitions of which the group has no offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    Earliest,
    /// After what is there when the group first takes the partition.
    Latest,
    Time(TimestampMs),
}

/// The id by which tokens know a cluster, from what the cluster calls itself: not every cluster's is one of Kafka's ids.
#[must_use]
pub fn cluster_named(name: &str) -> ClusterId {
    name.parse().unwrap_or_else(|_other| {
        let hash = digest(&SHA256, name.as_bytes());
        ClusterId(Uuid::from_bytes(hash.as_ref().first_chunk().copied().unwrap_or_default()))
    })
}

/// The member id of whoever names its session or instance itself: the same from every gateway, and nobody else's.
#[must_use]
pub fn member_named(principal: &str, group: &str, name: &str) -> String {
    let mut context = Context::new(&SHA256);
    for part in [principal, group, name] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    let hash = context.finish();
    let id = Uuid::from_bytes(hash.as_ref().first_chunk().copied().unwrap_or_default());
    format!("{name}.{id}")
}

impl Session {
    /// The token for it.
    #[must_use]
    pub fn seal(&self, keys: &Keys, nonce: [u8; NONCE_BYTES]) -> String {
        let mut writer = Writer::default();
        self.write(&mut writer);
        keys.seal(Kind::Session, nonce, &writer.bytes)
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.uuid(self.cluster.0);
        writer.text(&self.principal);
        writer.text(&self.group);
        writer.text(&self.member);
        write_option(writer, self.instance.as_ref(), |writer, instance| writer.text(instance));
        writer.signed(i64::from(self.epoch));
        writer.length(self.topics.len());
        self.topics.iter().for_each(|topic| writer.text(topic));
        match self.start {
            StartAt::Earliest => writer.byte(0),
            StartAt::Latest => writer.byte(1),
            StartAt::Time(time) => {
                writer.byte(2);
                writer.signed(time.0);
            }
        }
        let owned = self.owned.as_ref().filter(|owned| owned.len() <= OWNED_MAX);
        write_option(writer, owned, write_tenures);
        writer.number(u64::from(self.tenure));
        writer.signed(i64::from(self.ttl_ms));
        writer.signed(self.expires_at.0);
    }

    /// The session of a token that this principal presents to this cluster's gateway.
    pub fn open(
        keys: &Keys,
        token: &str,
        cluster: ClusterId,
        principal: &str,
        now: TimestampMs,
    ) -> Result<Session, TokenError> {
        let bytes = keys.open(Kind::Session, token)?;
        let mut reader = Reader::new(&bytes);
        let session = Session::read(&mut reader)?;
        reader.end()?;
        if session.cluster != cluster {
            return Err(TokenError::OtherCluster);
        }
        if session.principal != principal {
            return Err(TokenError::OtherPrincipal);
        }
        if session.expires_at <= now {
            return Err(TokenError::Expired { at: session.expires_at });
        }
        Ok(session)
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Session, Malformed> {
        Ok(Session {
            cluster: ClusterId(reader.uuid()?),
            principal: reader.text()?.to_owned(),
            group: reader.text()?.to_owned(),
            member: reader.text()?.to_owned(),
            instance: read_option(reader, |reader| reader.text().map(str::to_owned))?,
            epoch: read_i32(reader)?,
            topics: {
                let count = reader.length()?;
                (0..count).map(|_| reader.text().map(str::to_owned)).collect::<Result<_, _>>()?
            },
            start: match reader.byte()? {
                0 => StartAt::Earliest,
                1 => StartAt::Latest,
                2 => StartAt::Time(TimestampMs(reader.signed()?)),
                _ => return Err(Malformed),
            },
            owned: read_option(reader, read_tenures)?,
            tenure: reader.number_upto(u64::from(u32::MAX))? as u32,
            ttl_ms: read_i32(reader)?,
            expires_at: TimestampMs(reader.signed()?),
        })
    }
}

pub(crate) fn read_i32(reader: &mut Reader<'_>) -> Result<i32, Malformed> {
    i32::try_from(reader.signed()?).map_err(|_too_large| Malformed)
}

fn write_option<T>(writer: &mut Writer, value: Option<&T>, write: impl FnOnce(&mut Writer, &T)) {
    writer.byte(u8::from(value.is_some()));
    if let Some(value) = value {
        write(writer, value);
    }
}

fn read_option<'a, T>(
    reader: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, Malformed>,
) -> Result<Option<T>, Malformed> {
    match reader.byte()? {
        0 => Ok(None),
        1 => read(reader).map(Some),
        _ => Err(Malformed),
    }
}
