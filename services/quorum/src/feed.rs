//! `Subscription`: what was committed, in order, for whoever replays it or reacts to it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aquifer_metadata::{Command, Delta, Image};
use tokio::sync::watch;

/// Commands that are kept for subscribers who are behind; beyond, they get an image instead.
const KEPT_COMMANDS: usize = 1024;
const KEPT_BYTES: usize = 4 << 20;

/// A committed command and what it changed.
#[derive(Clone, Debug)]
pub struct AppliedCommand {
    pub index: u64,
    pub command: Arc<Command>,
    pub deltas: Arc<[Delta]>,
    bytes: usize,
}

impl AppliedCommand {
    pub(crate) fn new(index: u64, command: Arc<Command>, deltas: Vec<Delta>, bytes: usize) -> AppliedCommand {
        AppliedCommand { index, command, deltas: deltas.into(), bytes }
    }
}

/// What a subscriber gets next.
#[derive(Clone, Debug)]
pub enum Update {
    /// Everything as of this image: the subscriber was too far behind, or starts.
    Snapshot(Image),
    /// Commands in their order, and an image that is at least as new as the last of them.
    Commands { commands: Vec<AppliedCommand>, image: Image },
}

/// Holds what was applied last; the state machine writes, subscribers read.
#[derive(Debug)]
pub(crate) struct Feed {
    recent: Mutex<Recent>,
    image: watch::Sender<Image>,
}

#[derive(Debug, Default)]
struct Recent {
    commands: VecDeque<AppliedCommand>,
    bytes: usize,
    /// Commands up to this index are no longer here.
    forgotten: u64,
}

/// One reader's place.
#[derive(Debug)]
pub struct Subscription {
    feed: Arc<Feed>,
    /// The last index that was handed over; none before the first image.
    seen: Option<u64>,
    images: watch::Receiver<Image>,
}

impl Feed {
    /// A feed that starts with what a snapshot held.
    pub(crate) fn new(image: Image) -> Feed {
        let recent = Recent { forgotten: image.applied(), ..Recent::default() };
        Feed { recent: Mutex::new(recent), image: watch::Sender::new(image) }
    }

    /// Publishes commands and the image after them.
    pub(crate) fn publish(&self, commands: Vec<AppliedCommand>, image: Image) {
        let mut recent = self.recent.lock().expect("no reader panics");
        for command in commands {
            recent.bytes += command.bytes;
            recent.commands.push_back(command);
        }
        while recent.commands.len() > KEPT_COMMANDS || recent.bytes > KEPT_BYTES {
            let Some(oldest) = recent.commands.pop_front() else { break };
            recent.bytes -= oldest.bytes;
            recent.forgotten = oldest.index;
        }
        // Under the lock, so that no reader sees commands beyond the image.
        self.image.send_replace(image);
    }

    /// Publishes a state that did not come from commands.
    pub(crate) fn reset(&self, image: Image) {
        let mut recent = self.recent.lock().expect("no reader panics");
        *recent = Recent { forgotten: image.applied(), ..Recent::default() };
        self.image.send_replace(image);
    }

    pub(crate) fn image(&self) -> Image {
        self.image.borrow().clone()
    }

    pub(crate) fn images(&self) -> watch::Receiver<Image> {
        self.image.subscribe()
    }

    /// What comes after `seen`, if there is anything.
    fn after(&self, seen: Option<u64>) -> Option<Update> {
        let recent = self.recent.lock().expect("no reader panics");
        let image = self.image.borrow().clone();
        let Some(seen) = seen.filter(|seen| *seen >= recent.forgotten) else {
            return Some(Update::Snapshot(image));
        };
        let start = recent.commands.partition_point(|command| command.index <= seen);
        let commands: Vec<AppliedCommand> = recent.commands.range(start..).cloned().collect();
        (!commands.is_empty()).then_some(Update::Commands { commands, image })
    }
}

impl Subscription {
    /// A reader that has seen everything up to `seen`; with none it first gets an image.
    pub(crate) fn new(feed: Arc<Feed>, seen: Option<u64>) -> Subscription {
        let images = feed.images();
        Subscription { feed, seen, images }
    }

    /// What comes next; none once the quorum is gone. Cancelling it loses nothing.
    pub async fn next(&mut self) -> Option<Update> {
        loop {
            self.images.mark_unchanged();
            if let Some(update) = self.feed.after(self.seen) {
                self.seen = Some(match &update {
                    Update::Snapshot(image) => image.applied(),
                    Update::Commands { commands, .. } => commands.last().map_or(0, |last| last.index),
                });
                return Some(update);
            }
            self.images.changed().await.ok()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use aquifer_metadata::{Change, State};
    use aquifer_types::TimestampMs;

    use super::*;

    fn tick() -> Arc<Command> {
        Arc::new(Command { time: TimestampMs(0), change: Change::Tick })
    }

    fn publish(feed: &Feed, state: &mut State, index: u64, bytes: usize) {
        state.apply(index, &tick(), &mut Vec::new());
        feed.publish(vec![AppliedCommand::new(index, tick(), Vec::new(), bytes)], state.image().clone());
    }

    fn indexes(update: Option<Update>) -> Vec<u64> {
        match update {
            Some(Update::Commands { commands, .. }) => commands.iter().map(|command| command.index).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_subscriber_gets_an_image_and_then_every_command_once() {
        let mut state = State::new();
        let feed = Arc::new(Feed::new(state.image().clone()));
        publish(&feed, &mut state, 3, 1);
        let mut subscription = Subscription::new(Arc::clone(&feed), None);

        assert!(matches!(subscription.next().await, Some(Update::Snapshot(image)) if image.applied() == 3));
        publish(&feed, &mut state, 4, 1);
        publish(&feed, &mut state, 6, 1);
        assert_eq!(indexes(subscription.next().await), [4, 6]);
        publish(&feed, &mut state, 7, 1);
        assert_eq!(indexes(subscription.next().await), [7]);
    }

    #[tokio::test]
    async fn a_subscriber_that_is_too_far_behind_gets_an_image() {
        let mut state = State::new();
        let feed = Arc::new(Feed::new(state.image().clone()));
        let mut subscription = Subscription::new(Arc::clone(&feed), Some(0));
        publish(&feed, &mut state, 1, 1);
        publish(&feed, &mut state, 2, KEPT_BYTES);

        assert!(matches!(subscription.next().await, Some(Update::Snapshot(image)) if image.applied() == 2));
    }
}
