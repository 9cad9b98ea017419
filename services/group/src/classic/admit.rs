//! Which Join requests are looked at: bounds that hold whatever state the group is in.

use super::group::{ClassicGroup, Phase};
use crate::answer::Refusal;
use crate::input::Join;
use crate::settings::Settings;

/// Refuses what no group takes.
pub(crate) fn check(settings: &Settings, join: &Join) -> Result<(), Refusal> {
    let allowed = settings.session_timeout_min_ms..=settings.session_timeout_max_ms;
    if !allowed.contains(&join.session_timeout_ms) {
        return Err(Refusal::InvalidSessionTimeout);
    }
    let limits = &settings.limits;
    let names = [
        join.member.as_str().len(),
        join.instance.as_ref().map_or(0, |instance| instance.as_str().len()),
        join.client_id.len(),
        join.client_host.len(),
        join.protocol_type.len(),
        join.protocols.iter().map(|(name, _)| name.len()).max().unwrap_or(0),
    ];
    if names.into_iter().any(|length| length > limits.name_bytes_max) {
        return Err(Refusal::InvalidRequest("a name is too long"));
    }
    let metadata: usize =
        join.protocols.iter().map(|(name, metadata)| name.len() + metadata.len() + 32).sum();
    if metadata > limits.member_bytes_max {
        return Err(Refusal::InvalidRequest("the member's metadata is too large"));
    }
    Ok(())
}

impl ClassicGroup {
    /// Whether `group.max.size` leaves room for this one; who is in keeps its place.
    pub(super) fn has_room(&self, settings: &Settings, join: &Join) -> bool {
        let max = settings.classic_size_max;
        let is_member = self.members.contains_key(&join.member);
        match self.phase {
            Phase::Empty => true,
            Phase::Preparing(_) => {
                let joined = self.members.values().filter(|member| member.join.is_some()).count();
                self.members.get(&join.member).is_some_and(|member| member.join.is_some()) || joined < max
            }
            Phase::Completing { .. } | Phase::Stable { .. } => is_member || self.members.len() < max,
        }
    }
}
