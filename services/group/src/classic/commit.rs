//! Which commits a classic group lets pass, and whose offsets it keeps.

use std::collections::BTreeSet;

use super::group::{ClassicGroup, Phase};
use crate::answer::Refusal;
use crate::embedded::Subscription;
use crate::input::Commit;
use crate::turn::Turn;

impl ClassicGroup {
    pub(crate) fn check_commit(&mut self, turn: &mut Turn<'_>, commit: &Commit) -> Result<(), Refusal> {
        // Clients that only keep offsets here, or administrators.
        if commit.generation < 0 && self.is_empty() {
            return Ok(());
        }
        if commit.generation < 0 && commit.member.is_empty() && commit.instance.is_none() {
            return Err(Refusal::UnknownMember);
        }
        if self.members.is_empty() && !self.is_stored {
            return Err(Refusal::IllegalGeneration);
        }
        self.check_member(&commit.member, commit.instance.as_ref())?;
        if commit.generation != self.generation {
            return Err(Refusal::IllegalGeneration);
        }
        if matches!(self.phase, Phase::Completing { .. }) {
            return Err(Refusal::RebalanceInProgress);
        }
        self.extend_session(turn, &commit.member);
        Ok(())
    }

    /// The topics that members of the consumer protocol type subscribe to; `None` where that cannot be told.
    pub(crate) fn subscriptions(&self) -> Option<BTreeSet<String>> {
        if &*self.protocol_type != "consumer" {
            return self.members.is_empty().then(BTreeSet::new);
        }
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            // After a restart only the chosen protocol's subscription is known; all of them name the same topics.
            let (_, metadata) = member.protocols.first()?;
            let subscription = Subscription::decode(metadata).ok()?;
            topics.extend(subscription.topics.iter().map(|topic| topic.to_string()));
        }
        Some(topics)
    }
}
