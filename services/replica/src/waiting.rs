//! Who waits: appends for their outcome, readers for new records.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use aquifer_partition::Ticket;
use tokio::sync::{Notify, oneshot};

use crate::append::AppendOutcome;

/// Readers are cleaned up once this many are noted.
const CLEAN_FROM: usize = 16;

/// Wakes one waiting fetch, from any of the partitions it asks.
#[derive(Debug, Default)]
pub struct Waiter {
    woken: Notify,
}

impl Waiter {
    /// Returns once some partition has news since the last return.
    pub async fn wait(&self) {
        self.woken.notified().await;
    }

    /// There is news.
    pub fn wake(&self) {
        self.woken.notify_one();
    }
}

/// The readers that wait for one partition. Each is told once.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    waiting: Vec<Weak<Waiter>>,
    clean_at: usize,
}

impl Readers {
    pub(crate) fn add(&mut self, waiter: &Arc<Waiter>) {
        if self.waiting.len() >= self.clean_at.max(CLEAN_FROM) {
            self.waiting.retain(|waiter| waiter.strong_count() > 0);
            self.clean_at = self.waiting.len() * 2;
        }
        self.waiting.push(Arc::downgrade(waiter));
    }

    pub(crate) fn take(&mut self) -> Vec<Weak<Waiter>> {
        std::mem::take(&mut self.waiting)
    }
}

/// Appends whose outcome is not known yet, in the order of their tickets.
#[derive(Debug, Default)]
pub(crate) struct Appends {
    waiting: VecDeque<(Ticket, Option<oneshot::Sender<AppendOutcome>>)>,
    last: u64,
}

impl Appends {
    pub(crate) fn next(&mut self) -> Ticket {
        self.last += 1;
        Ticket(self.last)
    }

    pub(crate) fn wait(&mut self, ticket: Ticket) -> oneshot::Receiver<AppendOutcome> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.push_back((ticket, Some(sender)));
        receiver
    }

    /// Who waits for this ticket, if anybody does.
    pub(crate) fn take(&mut self, ticket: Ticket) -> Option<oneshot::Sender<AppendOutcome>> {
        let at = self.waiting.binary_search_by_key(&ticket, |(ticket, _)| *ticket).ok()?;
        let sender = self.waiting[at].1.take();
        while self.waiting.front().is_some_and(|(_, sender)| sender.is_none()) {
            self.waiting.pop_front();
        }
        sender
    }
}
