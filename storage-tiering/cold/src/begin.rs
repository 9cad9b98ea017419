//! Fetches begin: at once where they are small, in turns of their readers where they are not, and ahead of readers as far as that takes
//! nothing from anybody.

use std::sync::atomic::Ordering;

use aquifer_runtime::Monotonic;

use crate::chunks::Need;
use crate::cold::{Ask, Cold, Inner, State};
use crate::counters::Counters;
use crate::fill::Fill;

impl Cold {
    /// Somebody waits for it.
    pub(crate) fn want(&self, state: &mut State, ask: &Ask<'_>, fill: Fill) {
        state.chunks.note(fill.id);
        if fill.id.chunk.is_none() {
            self.begin(state, fill);
            return;
        }
        state.desk.ask(ask.reader, fill.bytes(), fill);
        self.begin_next(state, ask.now);
    }

    /// Begins whatever has its turn and finds room.
    pub(crate) fn begin_next(&self, state: &mut State, now: Monotonic) {
        let bytes_max = self.inner.limits.pool_bytes_max;
        loop {
            let State { desk, chunks, .. } = &mut *state;
            let Some(fill) = desk.next(|bytes| chunks.make_room(bytes, bytes_max, now, Need::Waiting)) else {
                return;
            };
            self.begin(state, fill);
        }
    }

    /// Begins what somebody will want; `false` where those who wait already have no request or room to spare.
    pub(crate) fn begin_ahead(&self, state: &mut State, now: Monotonic, fill: Fill) -> bool {
        let bytes_max = self.inner.limits.pool_bytes_max;
        let has_room = state.chunks.make_room(fill.bytes(), bytes_max, now, Need::Ahead);
        if !has_room || !state.desk.begin_ahead() {
            return false;
        }
        state.chunks.note(fill.id);
        self.begin(state, fill);
        true
    }

    fn begin(&self, state: &mut State, fill: Fill) {
        let inner = &self.inner;
        state.chunks.count(fill.bytes());
        Counters::add(&inner.counters.fills, 1);
        inner.tell(state);
        let dropped = std::mem::take(&mut state.chunks.dropped);
        let cold = self.clone();
        inner.runtime.spawn("fetch-chunk", async move {
            drop(dropped);
            cold.fill(fill).await;
        });
    }

    async fn fill(&self, fill: Fill) {
        let inner = &self.inner;
        let outcome = inner.fetch(&fill).await;
        if let Err(error) = &outcome {
            Counters::add(&inner.counters.failures, 1);
            tracing::warn!(%error, "a part of the tier cannot be read");
        }
        let now = inner.runtime.now().monotonic;
        let (woken, dropped) = {
            let mut state = inner.state();
            if let Ok(found) = &outcome
                && state.chunks.was_gone(fill.id)
            {
                self.keep(&mut state, fill.id, found.clone());
            }
            let woken = state.chunks.end(fill.id, fill.bytes(), outcome, now);
            if fill.id.chunk.is_some() {
                let throttled = inner.store.counters().throttled();
                let is_throttled = std::mem::replace(&mut state.throttled, throttled) < throttled;
                state.desk.ended(now, is_throttled);
            }
            state.chunks.sweep(now);
            self.begin_next(&mut state, now);
            inner.tell(&mut state);
            (woken, std::mem::take(&mut state.chunks.dropped))
        };
        drop(dropped);
        for wake in woken {
            wake();
        }
    }
}

impl Inner {
    fn tell(&self, state: &mut State) {
        self.counters.held_bytes.store(state.chunks.bytes(), Ordering::Relaxed);
        Counters::add(&self.counters.evicted_unread, std::mem::take(&mut state.chunks.evicted_unread));
    }
}
