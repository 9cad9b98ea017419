//! `Drive`: one request of a session, led through its steps.

use std::time::Duration;

use aquifer_client::Place;
use aquifer_session::{
    Cursor, CursorError, Intent, Poll, PollError, Positions, Progress, Session, StartAt, Step, Tenures,
    TokenError,
};
use aquifer_types::TimestampMs;

use super::membership::Membership;
use super::names::Names;
use crate::gateway::Gateway;
use crate::position::From;
use crate::principal::Principal;
use crate::refusal::{Code, Refusal};

/// A request of a session under way.
pub(crate) struct Drive {
    gateway: Gateway,
    membership: Membership,
    pub(super) names: Names,
    pub(crate) poll: Poll,
}

/// What the client holds after a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub token: String,
    pub cursor: String,
    pub expires_at: TimestampMs,
    /// Everything the session owns.
    pub assigned: Vec<Place>,
    /// What it owned and lost since the token that was presented, or got back after it was others' for a while.
    pub revoked: Vec<Place>,
}

impl Gateway {
    /// The session of a token that this caller presents.
    pub(super) async fn present(&self, caller: &Principal, token: &str) -> Result<Session, Refusal> {
        let cluster = self.cluster().await?;
        let now = self.runtime().now().wall;
        Session::open(self.keys(), token, cluster, caller.name(), now).map_err(refused_token)
    }
}

impl Drive {
    pub(crate) async fn begin(
        gateway: &Gateway,
        session: Session,
        intent: Intent,
        ack: &Progress,
        after: Option<&Progress>,
    ) -> Drive {
        let names = Names::of(gateway.client(), &session.topics).await;
        let poll = Poll::new(&session, intent, ack, after);
        let membership = Membership::new(gateway.client().clone(), session);
        Drive { gateway: gateway.clone(), membership, names, poll }
    }

    /// Goes on until records are to be read, or nothing is left to do.
    pub(crate) async fn settle(&mut self) -> Result<(), Refusal> {
        let refused = |error| Refusal::of_client(&error);
        loop {
            match self.poll.step().clone() {
                Step::Beat(beat) => {
                    let answer = self.membership.beat(&beat).await.map_err(refused)?;
                    self.poll.heard(answer).map_err(refused_poll)?;
                }
                Step::AskCommitted(partitions) => {
                    let topics = &self.membership.session.topics;
                    self.names.learn(self.gateway.client(), topics, &partitions).await;
                    let committed = self.membership.committed(&self.names, &partitions).await;
                    self.poll.committed_are(&committed.map_err(refused)?);
                }
                Step::FindStarts(partitions) => {
                    let known =
                        partitions.iter().filter_map(|place| Some((*place, self.names.place(*place)?)));
                    let (ids, places): (Vec<_>, Vec<_>) = known.unzip();
                    let found = self.gateway.resolve_all(&places, &self.start()).await?;
                    let found = ids.into_iter().zip(found);
                    self.poll.starts_are(&found.filter_map(|(place, at)| Some((place, at.ok()?))).collect());
                }
                Step::Commit { epoch, offsets } => {
                    let answer = self.membership.commit(&self.names, epoch, &offsets).await;
                    self.poll.commit_answered(answer.map_err(refused)?).map_err(refused_poll)?;
                }
                Step::Leave => {
                    self.membership.leave().await.map_err(refused)?;
                    self.poll.finish();
                }
                Step::Read | Step::Done => return Ok(()),
            }
        }
    }

    fn start(&self) -> From {
        match self.session().start {
            StartAt::Earliest => From::Earliest,
            StartAt::Latest => From::Latest,
            StartAt::Time(time) => From::Time(time),
        }
    }

    pub(super) fn session(&self) -> &Session {
        &self.membership.session
    }

    pub(super) fn interval(&self) -> Duration {
        self.membership.interval
    }

    /// How long the coordinator waits for this member, where it says so.
    pub(super) fn session_timeout_ms(&self) -> Option<i32> {
        self.membership.session_timeout_ms
    }

    /// The session and its positions from here on.
    pub(crate) fn next(&self) -> (Session, Progress) {
        let outcome = self.poll.outcome();
        let now = self.gateway.runtime().now().wall;
        let session = Session {
            epoch: outcome.epoch,
            owned: Some(outcome.assigned),
            tenure: outcome.tenure,
            expires_at: TimestampMs(now.0 + i64::from(self.session().ttl_ms)),
            ..self.session().clone()
        };
        (session, Progress { tenure: outcome.tenure, positions: outcome.positions })
    }

    /// What the client is to hold from here on, with these positions in place of those it has.
    pub(super) fn held(&self, sought: &Positions) -> Held {
        let (session, mut progress) = self.next();
        progress.positions.extend(sought);
        Held {
            token: session.seal(self.gateway.keys(), self.gateway.nonce()),
            cursor: Cursor::of_group(&session.group, progress).to_string(),
            expires_at: session.expires_at,
            assigned: self.names.places(session.owned.iter().flat_map(Tenures::keys)),
            revoked: self.names.places(&self.poll.outcome().revoked),
        }
    }
}

/// What a cursor of a session's group says; nothing where there is none.
pub(super) fn progress(group: &str, cursor: Option<&str>) -> Result<Option<Progress>, Refusal> {
    let read = |text: &str| Cursor::parse(text).and_then(|cursor| cursor.in_group(group));
    cursor.map(read).transpose().map_err(refused_cursor)
}

pub(crate) fn refused_cursor(error: CursorError) -> Refusal {
    let code = match error {
        CursorError::Malformed | CursorError::TooLong => Code::InvalidCursor,
        CursorError::OtherTopic | CursorError::OtherGroup | CursorError::OfGroup | CursorError::OfTopic => {
            Code::ForeignCursor
        }
    };
    Refusal::new(code, error.to_string())
}

pub(crate) fn refused_token(error: TokenError) -> Refusal {
    let code = match error {
        TokenError::Malformed | TokenError::UnknownKey | TokenError::Forged | TokenError::OtherKind => {
            Code::InvalidToken
        }
        TokenError::OtherCluster | TokenError::OtherPrincipal => Code::ForeignToken,
        TokenError::Expired { .. } => Code::ExpiredToken,
    };
    Refusal::new(code, error.to_string())
}

fn refused_poll(error: PollError) -> Refusal {
    Refusal::new(Code::GroupFenced, error.to_string())
}
