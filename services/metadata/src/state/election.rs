//! Who is in sync and who leads, when brokers come and go.
//!
//! A replica that leaves the in-sync set while that set is below the minimum still holds everything that was ever
//! acknowledged: it is remembered as eligible. Above the minimum records are acknowledged without it, so it is not.

use aquifer_types::NodeId;

use crate::partition::{Members, Partition, RecoveryState};

impl Partition {
    /// The broker of a replica stopped or is thought to have: it leads nothing and is in sync with nobody.
    pub(crate) fn leave(&mut self, place: usize, min_in_sync: usize) {
        let member = Members::one(place);
        if self.isr.contains(place) {
            self.isr = self.isr.without(member);
            if self.isr.count() < min_in_sync {
                self.elr = self.elr.with(member);
            }
        }
        if self.leader_place() == Some(place) {
            self.set_leader(None);
        }
        self.forget_eligible(min_in_sync);
    }

    /// A replica may have lost what made it eligible.
    pub(crate) fn distrust(&mut self, place: usize) {
        let member = Members::one(place);
        if self.elr.contains(place) {
            self.elr = self.elr.without(member);
            self.last_known_elr = self.last_known_elr.with(member);
        }
    }

    /// Gives a partition without a leader one, if a broker that `may_lead` holds everything acknowledged.
    pub(crate) fn elect(&mut self, min_in_sync: usize, may_lead: impl Fn(NodeId) -> bool) {
        if self.leader().is_some() {
            return;
        }
        let able = |members: Members| {
            let mut places = 0..self.replicas().len();
            places.find(|place| members.contains(*place) && may_lead(self.replicas()[*place].node))
        };
        if let Some(place) = able(self.isr) {
            self.set_leader(Some(place));
            return;
        }
        if !self.isr.is_empty() {
            return;
        }
        // Nobody else has a copy: what the only one holds is all there is.
        let sole = self.replicas().len() == 1 && self.elr.is_empty();
        let elected = able(self.elr);
        let Some(place) = elected.or_else(|| if sole { able(self.last_known_elr) } else { None }) else {
            return;
        };
        if elected.is_none() {
            self.recovery = RecoveryState::Recovering;
        }
        self.set_leader(Some(place));
        self.isr = Members::one(place);
        self.elr = self.elr.without(self.isr);
        self.last_known_elr = self.last_known_elr.without(self.isr);
        self.forget_eligible(min_in_sync);
    }

    /// The leader's in-sync set becomes this one, the leader among it.
    pub(crate) fn replace_isr(&mut self, isr: Members, min_in_sync: usize) {
        self.elr = self.elr.with(self.isr).without(isr);
        self.last_known_elr = self.last_known_elr.without(isr);
        self.isr = isr;
        self.forget_eligible(min_in_sync);
    }

    /// From the minimum on, records are acknowledged without those outside: they may lack some from then on.
    pub(crate) fn forget_eligible(&mut self, min_in_sync: usize) {
        if self.isr.count() >= min_in_sync {
            self.elr = Members::NONE;
            self.last_known_elr = Members::NONE;
        }
    }
}
