//! What a session's request wants, what is to be done for it, and what that answers: the words of [`crate::Poll`].

use crate::places::{Partitions, Positions, Tenures};

/// What the client wants of its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Partitions, and to read them.
    Read,
    /// To have what it acknowledges committed, and no more.
    Commit,
    /// To leave.
    Close,
}

/// What is to be done next. Whoever does it calls the method that is named with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A heartbeat: [`crate::Poll::heard`].
    Beat(Beat),
    /// Look up what the group has committed: [`crate::Poll::committed_are`].
    AskCommitted(Partitions),
    /// Look up where the session begins in partitions without a committed offset: [`crate::Poll::starts_are`].
    FindStarts(Partitions),
    /// Commit under this epoch: [`crate::Poll::commit_answered`].
    Commit {
        epoch: i32,
        offsets: Positions,
    },
    /// Records: [`crate::Poll::read_upto`] for what was read, [`crate::Poll::beat`] when the time has come, [`crate::Poll::finish`] at the end.
    Read,
    /// Leave the group: [`crate::Poll::finish`].
    Leave,
    Done,
}

/// What a heartbeat says beside what the session always says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    pub epoch: i32,
    pub owned: Partitions,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeartbeatAnswer {
    Member(Assignment),
    /// The coordinator does not know the member, or not with this epoch.
    Fenced,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    pub epoch: i32,
    /// `None` if it is what it was.
    pub partitions: Option<Partitions>,
}

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitAnswer {
    Taken,
    /// The epoch is another by now.
    Stale,
    Fenced,
}

/// The request cannot be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PollError {
    #[error("another session with the same session or instance id is active; close one of them")]
    Contended,
    #[error("the group's members change faster than offsets can be committed; try again")]
    Unsettled,
}

/// What came of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub epoch: i32,
    /// What the session owns.
    pub assigned: Tenures,
    /// How often that has changed.
    pub tenure: u32,
    /// What the client was told that it owns and does not any more, or owns anew: what it read of that before may have been
    /// given to others meanwhile.
    pub revoked: Partitions,
    /// Where each partition goes on that is owned and known.
    pub positions: Positions,
    /// What of the acknowledged offsets stands committed.
    pub committed: Positions,
}
