//! Requests on one group: which of its rules they go through.

use std::sync::Arc;

use crate::answer::{Answer, HeartbeatAnswer, Left, Listed, Refusal, Step};
use crate::classic::{ClassicGroup, check_join};
use crate::consumer::ConsumerGroup;
use crate::group::{Group, Kind};
use crate::input::{Commit, ConsumerHeartbeat, FetchOffsets, ListFilter, Now, Request, Ticket, Topics};
use crate::names::GroupId;
use crate::record::GroupRecord;
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
        let joins = matches!(request, Request::ConsumerHeartbeat(beat) if beat.epoch == 0);
        let keeps = joins || matches!(request, Request::Join(_) | Request::Commit(_));
        if id.as_str().len() > limits.name_bytes_max
            || (id.is_empty() && (joins || matches!(request, Request::Join(_))))
        {
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
            Request::ConsumerHeartbeat(_) if !exists && !joins => Some(Refusal::GroupIdNotFound),
            Request::Describe | Request::ConsumerDescribe | Request::Delete | Request::DeleteOffsets(_)
                if !exists =>
            {
                Some(Refusal::GroupIdNotFound)
            }
            _ => None,
        }
    }

    pub(crate) fn list(&self, filter: &ListFilter) -> Answer {
        let matches = |wanted: &[Arc<str>], name: &str| {
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

    pub(crate) fn export(&self) -> Answer {
        let offsets = self.groups.values().flat_map(|group| {
            group.offsets.values().map(|(topic, partition, value)| GroupRecord::Offset {
                group: group.id.clone(),
                topic: topic.clone(),
                partition,
                value: Some(value),
            })
        });
        Answer::Export(offsets.collect())
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
        Request::ConsumerHeartbeat(_) => Answer::ConsumerHeartbeat(Err(refusal)),
        Request::ConsumerDescribe => Answer::ConsumerDescribe(Err(refusal)),
    }
}

impl Group {
    fn request(&mut self, turn: &mut Turn<'_>, ticket: Ticket, request: Request) {
        turn.keeps_members = match (&request, &self.kind) {
            (Request::Heartbeat(_), Kind::Classic(_)) => true,
            (request, _) => matches!(request, Request::Commit(_) | Request::FetchOffsets(_)),
        };
        match request {
            Request::Commit(commit) => self.commit(turn, ticket, &commit),
            Request::FetchOffsets(fetch) => self.fetch_offsets(turn, ticket, &fetch),
            Request::DeleteOffsets(wanted) => {
                let outcome = self.check_delete_offsets().map(|()| {
                    let subscribes = self.subscribes();
                    self.offsets.delete(turn, &self.id, &wanted, subscribes)
                });
                turn.reply(ticket, Answer::DeleteOffsets(outcome));
            }
            Request::Delete => {
                let outcome = self.delete(turn);
                turn.reply(ticket, Answer::Delete(outcome));
            }
            Request::ConsumerHeartbeat(beat) => {
                let outcome = self.consumer_heartbeat(turn, &beat);
                turn.reply(ticket, Answer::ConsumerHeartbeat(outcome));
            }
            Request::ConsumerDescribe => {
                let described = match &self.kind {
                    Kind::Consumer(consumer) => Ok(consumer.describe(turn.topics)),
                    Kind::Classic(_) => Err(Refusal::GroupIdNotFound),
                };
                turn.reply(ticket, Answer::ConsumerDescribe(described));
            }
            classic => self.classic_request(turn, ticket, classic),
        }
    }

    fn classic_request(&mut self, turn: &mut Turn<'_>, ticket: Ticket, request: Request) {
        if matches!(request, Request::Join(_)) {
            self.become_classic_if_empty(turn);
        }
        match (&mut self.kind, request) {
            (Kind::Classic(classic), Request::Join(join)) => classic.join(turn, ticket, &join),
            (Kind::Classic(classic), Request::Sync(sync)) => classic.sync(turn, ticket, &sync),
            (Kind::Classic(classic), Request::Heartbeat(beat)) => {
                let outcome = classic.heartbeat(turn, &beat);
                turn.reply(ticket, Answer::Heartbeat(outcome));
            }
            (Kind::Classic(classic), Request::Leave(leavers)) => {
                let left = classic.leave(turn, &leavers);
                turn.reply(ticket, Answer::Leave(left));
            }
            (Kind::Classic(classic), _) => turn.reply(ticket, Answer::Describe(Ok(classic.describe()))),
            (Kind::Consumer(consumer), request) => {
                let answer = match &request {
                    Request::Join(join) => Answer::Join(consumer.join_guest(turn, join)),
                    Request::Sync(sync) => Answer::Sync(consumer.sync_guest(turn, sync)),
                    Request::Heartbeat(beat) => Answer::Heartbeat(consumer.beat_guest(turn, beat)),
                    Request::Leave(leavers) => Answer::Leave(consumer.leave_by_request(turn, leavers)),
                    _ => refused(request, Refusal::GroupIdNotFound),
                };
                turn.reply(ticket, answer);
                self.become_classic_if_left_to_guests(turn);
            }
        }
    }

    fn consumer_heartbeat(
        &mut self,
        turn: &mut Turn<'_>,
        beat: &ConsumerHeartbeat,
    ) -> Result<HeartbeatAnswer, Refusal> {
        ConsumerGroup::check_heartbeat(turn, beat)?;
        if beat.epoch == 0 {
            self.become_consumer_if_possible(turn);
        }
        let Kind::Consumer(consumer) = &mut self.kind else { return Err(Refusal::GroupIdNotFound) };
        let outcome = consumer.heartbeat(turn, beat);
        if consumer.is_void() {
            self.kind = Kind::Classic(ClassicGroup::new(self.id.clone()));
        }
        self.become_classic_if_left_to_guests(turn);
        outcome
    }

    fn commit(&mut self, turn: &mut Turn<'_>, ticket: Ticket, commit: &Commit) {
        let outcome = match &mut self.kind {
            Kind::Classic(classic) => classic
                .check_commit(turn, commit)
                .map(|()| self.offsets.commit(turn, &self.id, commit, |_topic, _partition| Ok(()))),
            Kind::Consumer(consumer) => consumer.check_commit(commit).map(|()| {
                let topics = turn.topics;
                self.offsets.commit(turn, &self.id, commit, |topic, partition| {
                    consumer.check_commit_partition(
                        topics,
                        &commit.member,
                        commit.generation,
                        topic,
                        partition,
                    )
                })
            }),
        };
        turn.reply(ticket, Answer::Commit(outcome));
    }

    fn fetch_offsets(&self, turn: &mut Turn<'_>, ticket: Ticket, fetch: &FetchOffsets) {
        let allowed = match &self.kind {
            Kind::Consumer(consumer) => consumer.check_fetch(fetch),
            Kind::Classic(_) => Ok(()),
        };
        let read = allowed.map(|()| self.offsets.read(turn.topics, fetch.topics.as_deref()));
        turn.reply(ticket, Answer::FetchOffsets(read));
    }

    /// In a group whose subscriptions are opaque nobody can tell which offsets are needed.
    fn check_delete_offsets(&self) -> Result<(), Refusal> {
        match &self.kind {
            Kind::Classic(classic) if !classic.is_empty() && &**classic.protocol_type() != "consumer" => {
                Err(Refusal::NonEmptyGroup)
            }
            _ => Ok(()),
        }
    }

    fn delete(&mut self, turn: &mut Turn<'_>) -> Result<(), Refusal> {
        if !self.is_empty() {
            return Err(Refusal::NonEmptyGroup);
        }
        self.remove_offsets(turn);
        self.remove(turn);
        Ok(())
    }

    fn protocol_type(&self) -> Arc<str> {
        match &self.kind {
            Kind::Classic(classic) => classic.protocol_type().clone(),
            Kind::Consumer(_) => Arc::from("consumer"),
        }
    }
}
