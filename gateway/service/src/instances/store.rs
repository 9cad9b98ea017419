//! Where instances are kept: as metadata of offsets in a group that has no members.

use aquifer_client::{NewOffset, Place};
use aquifer_session::{Instance, TokenError, member_named};
use aquifer_types::{Offset, PartitionIndex};
use aquifer_wire::Text;

use crate::gateway::Gateway;
use crate::principal::Principal;
use crate::refusal::{Code, Refusal};

/// What the names of groups that keep an instance begin with.
pub const SHADOW_PREFIX: &str = "__aquifer_rest.";

/// Every cluster with groups has this topic, and its partitions have no offsets of consumers.
const TOPIC: &str = "__consumer_offsets";
/// Brokers take 4096 by default.
const PIECE_BYTES: usize = 4_000;
/// One for each partition that is used.
const PIECES_MAX: usize = 8;

fn place(index: usize) -> Place {
    (Text::from_static(TOPIC), PartitionIndex(i32::try_from(index).unwrap_or(i32::MAX)))
}

fn shadow(caller: &Principal, group: &str, name: &str) -> String {
    format!("{SHADOW_PREFIX}{}", member_named(caller.name(), group, name))
}

fn unknown(group: &str, name: &str) -> Refusal {
    Refusal::new(Code::UnknownInstance, format!("{group} has no instance {name}"))
}

impl Gateway {
    /// The instance of this caller by its name.
    pub(super) async fn instance(
        &self,
        caller: &Principal,
        group: &str,
        name: &str,
    ) -> Result<Instance, Refusal> {
        self.find_instance(caller, group, name).await?.ok_or_else(|| unknown(group, name))
    }

    pub(super) async fn find_instance(
        &self,
        caller: &Principal,
        group: &str,
        name: &str,
    ) -> Result<Option<Instance>, Refusal> {
        let places: Vec<Place> = (0..PIECES_MAX).map(place).collect();
        let found = self.client().group_offsets_at(&shadow(caller, group, name), &places).await;
        let found = found.map_err(|error| Refusal::of_client(&error))?;
        // The offset of the first piece says how many there are.
        let Some(first) = found.get(&places[0]) else { return Ok(None) };
        let count = usize::try_from(first.offset.0).unwrap_or_default().min(PIECES_MAX);
        let text: String =
            places.iter().take(count).filter_map(|place| Some(found.get(place)?.metadata.as_str())).collect();
        let cluster = self.cluster().await?;
        match Instance::open(self.keys(), &text, cluster) {
            Ok(instance) => Ok(Some(instance)),
            Err(error @ TokenError::UnknownKey) => Err(Refusal::new(Code::InvalidToken, error.to_string())),
            // Whatever that is, it is no instance.
            Err(_) => Ok(None),
        }
    }

    pub(super) async fn keep_instance(&self, caller: &Principal, instance: &Instance) -> Result<(), Refusal> {
        let text = instance.seal(self.keys(), self.nonce());
        let pieces: Vec<&str> = (0..text.len())
            .step_by(PIECE_BYTES)
            .filter_map(|at| text.get(at..text.len().min(at + PIECE_BYTES)))
            .collect();
        if pieces.len() > PIECES_MAX {
            let detail = "the instance reads more than can be kept; use /v1/groups/{group}/sessions";
            return Err(Refusal::new(Code::InvalidParameter, detail));
        }
        let count = Offset(i64::try_from(pieces.len()).unwrap_or_default());
        let offsets = pieces.iter().enumerate().map(|(index, piece)| NewOffset {
            metadata: Text::from(*piece),
            ..NewOffset::at(place(index), count)
        });
        let offsets: Vec<_> = offsets.collect();
        let shadow = shadow(caller, &instance.session.group, &instance.name);
        let kept = self.client().set_group_offsets(&shadow, &offsets).await;
        kept.map_err(|error| Refusal::of_client(&error))
    }

    pub(super) async fn forget_instance(
        &self,
        caller: &Principal,
        instance: &Instance,
    ) -> Result<(), Refusal> {
        let shadow = shadow(caller, &instance.session.group, &instance.name);
        match self.client().delete_group(&shadow).await {
            Err(error) if Refusal::of_client(&error).code != Code::UnknownGroup => {
                Err(Refusal::of_client(&error))
            }
            _ => Ok(()),
        }
    }
}
