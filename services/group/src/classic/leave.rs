//! LeaveGroup: one member or a batch of them, by id or by instance.

use super::group::ClassicGroup;
use crate::answer::{Left, Refusal};
use crate::input::Leaver;
use crate::turn::Turn;

impl ClassicGroup {
    pub(crate) fn leave(&mut self, turn: &mut Turn<'_>, leavers: &[Leaver]) -> Vec<Left> {
        let mut someone_left = false;
        let mut outcomes = Vec::new();
        for leaver in leavers {
            let outcome = self.leave_one(turn, leaver);
            someone_left |= outcome.is_ok();
            outcomes.push(Left { member: leaver.member.clone(), instance: leaver.instance.clone(), outcome });
        }
        if someone_left {
            self.after_removal(turn);
        }
        outcomes
    }

    fn leave_one(&mut self, turn: &mut Turn<'_>, leaver: &Leaver) -> Result<(), Refusal> {
        let member = match &leaver.instance {
            // An administrator names the instance alone.
            Some(instance) if leaver.member.is_empty() => {
                self.statics.get(instance).cloned().ok_or(Refusal::UnknownMember)?
            }
            _ => leaver.member.clone(),
        };
        if leaver.instance.is_none() && self.pending.remove(&member).is_some() {
            return Ok(());
        }
        self.check_member(&member, leaver.instance.as_ref())?;
        self.remove_member(turn, &member, &Refusal::UnknownMember);
        Ok(())
    }
}
