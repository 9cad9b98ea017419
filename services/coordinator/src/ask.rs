//! `Asked`: a question to a shard on its way, and why there may be no answer.

use aquifer_group::{Answer, GroupId, ListFilter, Request};
use aquifer_types::{TopicId, TopicName};
use std::sync::Arc;
use tokio::sync::oneshot;

/// Nobody here can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    #[error("this broker does not coordinate the group; look its coordinator up again")]
    NotHere,
    #[error("the coordinator is loading the group; try again soon")]
    Loading,
    #[error("the coordinator cannot store anything at the moment; try again later")]
    CannotStore,
    #[error("this is a read-only mount of a tier: groups neither gather nor commit here")]
    ReadOnly,
}

pub(crate) type Outcome = Result<Answer, Unavailable>;

/// What reaches the task of a partition.
#[derive(Debug)]
pub(crate) enum Message {
    Request {
        group: GroupId,
        request: Request,
        answer: oneshot::Sender<Outcome>,
    },
    List {
        filter: ListFilter,
        answer: oneshot::Sender<Outcome>,
    },
    Export {
        answer: oneshot::Sender<Outcome>,
    },
    TopicsDeleted(Vec<(TopicName, TopicId)>),
    TopicsChanged(Vec<TopicName>),
    PatternResolved {
        group: GroupId,
        pattern: Arc<str>,
        topics: Vec<Arc<str>>,
        version: i64,
    },
    /// Whoever asked was answered on the spot, and left something for the task to look after.
    Stirred,
}

/// A question that was handed in.
#[derive(Debug)]
pub struct Asked(pub(crate) Way);

/// Where the answer is.
#[derive(Debug)]
pub(crate) enum Way {
    Here(Outcome),
    Coming(oneshot::Receiver<Outcome>),
}

impl Asked {
    /// A question that is not handed in.
    #[must_use]
    pub fn refused(why: Unavailable) -> Asked {
        Asked(Way::Here(Err(why)))
    }

    /// The answer, once everything it rests on is committed.
    pub async fn answer(self) -> Result<Answer, Unavailable> {
        match self.0 {
            Way::Here(outcome) => outcome,
            // The task drops what it does not answer.
            Way::Coming(answer) => answer.await.unwrap_or(Err(Unavailable::NotHere)),
        }
    }
}

impl Message {
    /// Whether the shard may want to store something because of it.
    pub(crate) fn may_store(&self) -> bool {
        match self {
            Message::Request { request, .. } => request.may_store(),
            Message::List { .. } | Message::Export { .. } | Message::TopicsDeleted(_) | Message::Stirred => {
                false
            }
            Message::PatternResolved { .. } | Message::TopicsChanged(_) => true,
        }
    }

    /// Answers without asking the shard; gives back what asks nothing and must not be lost.
    pub(crate) fn refuse(self, why: Unavailable) -> Option<Message> {
        match self {
            Message::Request { answer, .. } | Message::List { answer, .. } | Message::Export { answer } => {
                // Whoever asked may be gone.
                let _ = answer.send(Err(why));
                None
            }
            Message::Stirred => None,
            kept => Some(kept),
        }
    }
}
