//! Requests on one group: which of its rules they go through.

use crate::answer::{Answer, Left, Listed, Refusal, Step};
use crate::classic::check_join;
use crate::group::{Group, Kind};
use crate::input::{FetchOffsets, ListFilter, Now, Request, Ticket, Topics};
use crate::names::GroupId;
use crate::shard::{DependsOn, Shard};
use crate::turn::Turn;

impl Shard {
    pub(crate) fn request(
        &mut self,
        now: Now,
        topics: &dyn Topics,
        ticket: Ticket,
        id: &GroupId,
        request: Request,
    ) -> Step {
        let exists = self.groups.contains_key(id);
        let refusal = self.refusal(id, exists, &request);
        let depends_on = depends_on(&request);
        self.with_group(now, topics, id, depends_on, |group, turn| match refusal {
            Some(refusal) => turn.reply(ticket, refused(request, refusal)),
            None => group.request(turn, ticket, request),
        })
    }

    /// What is refused without a look at the group.
    fn refusal(&self, id: &GroupId, exists: bool, request: &Request) -> Option<Refusal> {
        let limits = &self.settings.limits;
        let keeps = matches!(request, Request::Join(_) | Request::Commit(_));
        if id.as_str().len() > limits.name_bytes_max || (id.is_empty() && matches!(request, Request::Join(_))) {
            return Some(Refusal::InvalidGroupId);
        }
        if keeps && self.is_full() {
            return Some(Refusal::Full);
        }
        match request {
            Request::Join(join) => {
                let unknown = (!exists && !join.member.is_empty()).then_some(Refusal::UnknownMember);
                check_join(&self.settings, join).err().or(unknown)
            }
            Request::Commit(commit) if !exists && commit.generation >= 0 => Some(Refusal::IllegalGeneration),
            Request::Sync(_) | Request::Heartbeat(_) | Request::Leave(_) if !exists => {
                Some(Refusal::UnknownMember)
            }
            Request::Describe | Request::Delete | Request::DeleteOffsets(_) if !exists => {
                Some(Refusal::GroupIdNotFound)
            }
            _ => None,
        }
    }

    pub(crate) fn list(&self, filter: &ListFilter) -> Answer {
        let matches = |wanted: &[std::sync::Arc<str>], name: &str| {
            wanted.is_empty() || wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
        };
        let listed = self.groups.values().filter(|group| {
            matches(&filter.states, group.state()) && matches(&filter.types, group.type_name())
        });
        let listed = listed.map(|group| Listed {
            group: group.id.clone(),
            protocol_type: group.protocol_type(),
            state: group.state(),
            group_type: group.type_name(),
        });
        Answer::List(listed.collect())
    }
}

fn depends_on(request: &Request) -> DependsOn {
    match request {
        Request::Commit(_) | Request::FetchOffsets(_) | Request::DeleteOffsets(_) | Request::Delete => {
            DependsOn::StateAndOffsets
        }
        _ => DependsOn::State,
    }
}

fn refused(request: Request, refusal: Refusal) -> Answer {
    match request {
        Request::Join(_) => Answer::Join(Err(refusal)),
        Request::Sync(_) => Answer::Sync(Err(refusal)),
        Request::Heartbeat(_) => Answer::Heartbeat(Err(refusal)),
        Request::Leave(leavers) => {
            let left = leavers.into_iter().map(|leaver| Left {
                member: leaver.member,
                instance: leaver.instance,
                outcome: Err(refusal.clone()),
            });
            Answer::Leave(left.collect())
        }
        Request::Commit(_) => Answer::Commit(Err(refusal)),
        Request::FetchOffsets(_) => Answer::FetchOffsets(Err(refusal)),
        Request::DeleteOffsets(_) => Answer::DeleteOffsets(Err(refusal)),
        Request::Describe => Answer::Describe(Err(refusal)),
        Request::Delete => Answer::Delete(Err(refusal)),
    }
}

impl Group {
    fn request(&mut self, turn: &mut Turn<'_>, ticket: Ticket, request: Request) {
        let Kind::Classic(classic) = &mut self.kind;
        match request {
            Request::Join(join) => classic.join(turn, ticket, &join),
            Request::Sync(sync) => classic.sync(turn, ticket, &sync),
            Request::Heartbeat(beat) => {
                let outcome = classic.heartbeat(turn, &beat);
                turn.reply(ticket, Answer::Heartbeat(outcome));
            }
            Request::Leave(leavers) => {
                let left = classic.leave(turn, &leavers);
                turn.reply(ticket, Answer::Leave(left));
            }
            Request::Commit(commit) => {
                let outcome = classic.check_commit(turn, &commit).map(|()| {
                    self.offsets.commit(turn, &self.id, &commit, |_topic, _partition| Ok(()))
                });
                turn.reply(ticket, Answer::Commit(outcome));
            }
            Request::FetchOffsets(fetch) => self.fetch_offsets(turn, ticket, &fetch),
            Request::DeleteOffsets(wanted) => {
                let outcome = self.check_delete_offsets().map(|()| {
                    let subscribes = self.subscribes();
                    self.offsets.delete(turn, &self.id, &wanted, subscribes)
                });
                turn.reply(ticket, Answer::DeleteOffsets(outcome));
            }
            Request::Describe => turn.reply(ticket, Answer::Describe(Ok(classic.describe()))),
            Request::Delete => {
                let outcome = self.delete(turn);
                turn.reply(ticket, Answer::Delete(outcome));
            }
        }
    }

    fn fetch_offsets(&self, turn: &mut Turn<'_>, ticket: Ticket, fetch: &FetchOffsets) {
        let read = self.offsets.read(turn.topics, fetch.topics.as_deref());
        turn.reply(ticket, Answer::FetchOffsets(Ok(read)));
    }

    /// In a group whose subscriptions are opaque nobody can tell which offsets are needed.
    fn check_delete_offsets(&self) -> Result<(), Refusal> {
        let Kind::Classic(classic) = &self.kind;
        if !classic.is_empty() && &**classic.protocol_type() != "consumer" {
            return Err(Refusal::NonEmptyGroup);
        }
        Ok(())
    }

    fn delete(&mut self, turn: &mut Turn<'_>) -> Result<(), Refusal> {
        if !self.is_empty() {
            return Err(Refusal::NonEmptyGroup);
        }
        self.remove_offsets(turn);
        self.remove(turn);
        Ok(())
    }

    fn protocol_type(&self) -> std::sync::Arc<str> {
        let Kind::Classic(classic) = &self.kind;
        classic.protocol_type().clone()
    }
}
