//! Polling: a session acknowledges, hears what it owns, and reads.

use std::time::Duration;

use aquifer_client::Place;
use aquifer_record::Record;
use aquifer_session::{Intent, Positions, Progress, Session};
use aquifer_types::{Offset, TopicPartition};

use super::drive::{Drive, Held, progress};
use crate::gateway::Gateway;
use crate::limits::ReadLimits;
use crate::principal::Principal;
use crate::read::Page;
use crate::refusal::{Code, Refusal};

/// A member that owns nothing looks so often whether others have given something up.
const EMPTY_HANDED: Duration = Duration::from_millis(250);
/// Before a partition that could not be read is tried again.
const REST: Duration = Duration::from_millis(100);
/// What records are taken to have, so that no more is fetched than a poll hands out; larger ones come fewer at a time.
const RECORD_BYTES: usize = 1024;
const FETCH_BYTES_MIN: usize = 64 * 1024;

/// A poll as it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct PollRequest<'a> {
    pub token: &'a str,
    /// Commits what lies before this cursor.
    pub ack: Option<&'a str>,
    /// Reads on from this cursor; from `ack` if absent.
    pub after: Option<&'a str>,
    pub limits: ReadLimits,
}

/// What a poll brought, records still packed.
pub struct Polled {
    drive: Drive,
    page: Page,
    limits: ReadLimits,
    /// What was read, in the order of the page's indices.
    read: Vec<(TopicPartition, Place)>,
    /// Positions that were not in their partitions any more.
    pub moved: Vec<Moved>,
}

/// A position that was not in its partition any more, and where reading goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    pub place: Place,
    pub from: Offset,
    pub to: Offset,
}

impl Gateway {
    /// Commits what is acknowledged, then reads what the session owns. Waits if nothing is there; a loss ends the wait.
    pub async fn poll_session(
        &self,
        caller: &Principal,
        request: &PollRequest<'_>,
    ) -> Result<Polled, Refusal> {
        let session = self.present(caller, request.token).await?;
        let ack = progress(&session.group, request.ack)?.unwrap_or_default();
        let after = progress(&session.group, request.after)?;
        self.poll_with(session, &ack, after.as_ref(), request.limits).await
    }

    pub(crate) async fn poll_with(
        &self,
        session: Session,
        ack: &Progress,
        after: Option<&Progress>,
        limits: ReadLimits,
    ) -> Result<Polled, Refusal> {
        // Whoever asks again with the same token must find it valid.
        let half = Duration::from_millis(u64::try_from(session.ttl_ms).unwrap_or_default()) / 2;
        let limits = ReadLimits { wait: limits.wait.min(half), ..limits };
        let until = self.runtime().now().monotonic.plus(limits.wait);
        let drive = Drive::begin(self, session, Intent::Read, ack, after).await;
        let mut polled = Polled { drive, page: Page::default(), limits, read: Vec::new(), moved: Vec::new() };
        loop {
            polled.drive.settle().await?;
            let left = until.since(self.runtime().now().monotonic);
            let is_over = left.is_zero() || polled.drive.poll.has_lost();
            let wait = if is_over { Duration::ZERO } else { left.min(polled.interval()) };
            polled.look(self, wait).await?;
            if !polled.page.parts.is_empty() || polled.page.is_draining || is_over {
                return Ok(polled);
            }
            polled.drive.poll.beat();
        }
    }
}

impl Polled {
    /// How long to wait for records before the coordinator is to be heard again.
    fn interval(&self) -> Duration {
        let interval = self.drive.interval();
        if self.drive.poll.owns_nothing() { interval.min(EMPTY_HANDED) } else { interval }
    }

    /// Reads what is there, or what comes within the wait.
    async fn look(&mut self, gateway: &Gateway, wait: Duration) -> Result<(), Refusal> {
        let named = self.drive.poll.positions().iter();
        let mut wanted: Vec<_> =
            named.filter_map(|(id, offset)| Some((*id, self.drive.names.place(*id)?, *offset))).collect();
        // Every partition comes first in its turn, and the same request begins with the same one.
        let turn: i64 = wanted.iter().map(|(_, _, offset)| offset.0 % 65_536).sum();
        let first = usize::try_from(turn).unwrap_or_default().checked_rem(wanted.len()).unwrap_or_default();
        wanted.rotate_left(first);
        let positions: Vec<_> = wanted.iter().map(|(_, place, offset)| (place.clone(), *offset)).collect();
        self.read = wanted.into_iter().map(|(id, place, _)| (id, place)).collect();
        if positions.is_empty() {
            tokio::select! {
                biased;
                () = gateway.draining().wait() => self.page.is_draining = true,
                () = gateway.runtime().sleep(wait) => {}
            }
            return Ok(());
        }
        let likely = self.limits.records_max.saturating_mul(RECORD_BYTES).max(FETCH_BYTES_MIN);
        let limits = ReadLimits { wait, bytes_max: self.limits.bytes_max.min(likely), ..self.limits };
        self.page = gateway.read(&positions, &limits).await;
        for (index, reached) in self.page.reached.iter().enumerate() {
            self.drive.poll.read_upto(self.read[index].0, *reached);
        }
        let refused = std::mem::take(&mut self.page.refused);
        let all_refused = refused.len() == positions.len();
        for (index, refusal) in refused {
            let (place, from) = positions[index].clone();
            let known = |text: &Option<String>| text.as_ref()?.parse().ok().map(Offset);
            let facts = (known(&refusal.facts.earliest_offset), known(&refusal.facts.latest_offset));
            if let (Code::OffsetOutOfRange, (Some(start), Some(end))) = (refusal.code, facts) {
                let to = from.clamp(start, end.max(start));
                self.drive.poll.read_upto(self.read[index].0, to);
                self.moved.push(Moved { place, from, to });
            } else if all_refused && (wait.is_zero() || !refusal.code.entry().retryable) {
                return Err(refusal);
            } else {
                tracing::debug!(%refusal, "a partition of a session cannot be read");
                gateway.runtime().sleep(REST.min(wait)).await;
            }
        }
        Ok(())
    }

    /// What the records take up, packed.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.page.bytes()
    }

    /// Hands `visit` the records within the limits, each with its partition; what is told after it stands behind them.
    pub fn take(&mut self, mut visit: impl FnMut(&Place, &Record<'_>)) -> Result<(), Refusal> {
        let read = &self.read;
        let reached = self.page.take(&self.limits, |index, record| visit(&read[index].1, record))?;
        for ((id, _), reached) in self.read.iter().zip(reached) {
            self.drive.poll.read_upto(*id, reached);
        }
        Ok(())
    }

    /// What the client holds from here on.
    #[must_use]
    pub fn held(&self) -> Held {
        self.drive.held(&Positions::new())
    }

    /// The session and its positions from here on.
    pub(crate) fn next(&self) -> (Session, Progress) {
        self.drive.next()
    }

    /// Whether it ended early because this node is about to stop.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.page.is_draining
    }
}
