//! `Instance`: a consumer whose client knows nothing but its name, as it is kept where every gateway finds it.

use aquifer_types::ClusterId;

use crate::cursor::Progress;
use crate::keys::{Keys, Kind, NONCE_BYTES, TokenError};
use crate::layout::{Malformed, Reader, Writer};
use crate::places::{read_positions, write_positions};
use crate::session::{Session, read_i32};

/// A consumer with its configuration, what it reads, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    pub name: String,
    /// Whether its records are shown as JSON, else in base64.
    pub is_json: bool,
    /// Whether what was read counts as dealt with when more is asked for.
    pub commits_itself: bool,
    /// How long a read waits that does not say so.
    pub wait_ms: i32,
    pub reads: Reads,
    /// Its membership; has no epoch before it has joined.
    pub session: Session,
    pub progress: Progress,
}

/// What an instance reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reads {
    #[default]
    Nothing,
    /// What its group gives it of the session's topics.
    Topics,
    /// The same of the topics whose whole names match.
    Pattern(String),
    /// What it chose itself, by topic and partition.
    Chosen(Vec<(String, i32)>),
}

impl Instance {
    /// Text that only gateways with the keys can read.
    #[must_use]
    pub fn seal(&self, keys: &Keys, nonce: [u8; NONCE_BYTES]) -> String {
        let mut writer = Writer::default();
        writer.text(&self.name);
        writer.byte(u8::from(self.is_json));
        writer.byte(u8::from(self.commits_itself));
        writer.signed(i64::from(self.wait_ms));
        match &self.reads {
            Reads::Nothing => writer.byte(0),
            Reads::Topics => writer.byte(1),
            Reads::Pattern(pattern) => {
                writer.byte(2);
                writer.text(pattern);
            }
            Reads::Chosen(chosen) => {
                writer.byte(3);
                writer.length(chosen.len());
                for (topic, partition) in chosen {
                    writer.text(topic);
                    writer.signed(i64::from(*partition));
                }
            }
        }
        self.session.write(&mut writer);
        writer.number(u64::from(self.progress.tenure));
        write_positions(&mut writer, &self.progress.positions);
        keys.seal(Kind::Instance, nonce, &writer.bytes)
    }

    /// The instance that was kept in this cluster.
    pub fn open(keys: &Keys, text: &str, cluster: ClusterId) -> Result<Instance, TokenError> {
        let bytes = keys.open(Kind::Instance, text)?;
        let instance = Instance::decode(&bytes)?;
        if instance.session.cluster == cluster { Ok(instance) } else { Err(TokenError::OtherCluster) }
    }

    fn decode(bytes: &[u8]) -> Result<Instance, Malformed> {
        let mut reader = Reader::new(bytes);
        let instance = Instance {
            name: reader.text()?.to_owned(),
            is_json: reader.byte()? != 0,
            commits_itself: reader.byte()? != 0,
            wait_ms: read_i32(&mut reader)?,
            reads: match reader.byte()? {
                0 => Reads::Nothing,
                1 => Reads::Topics,
                2 => Reads::Pattern(reader.text()?.to_owned()),
                3 => {
                    let mut chosen = Vec::new();
                    for _ in 0..reader.length()? {
                        chosen.push((reader.text()?.to_owned(), read_i32(&mut reader)?));
                    }
                    Reads::Chosen(chosen)
                }
                _ => return Err(Malformed),
            },
            session: Session::read(&mut reader)?,
            progress: Progress {
                tenure: reader.number_upto(u64::from(u32::MAX))? as u32,
                positions: read_positions(&mut reader)?,
            },
        };
        reader.end()?;
        Ok(instance)
    }
}
