//! `Marks`: the positions of one replica, and the order between them. Keeps I1 and I3.

use aquifer_types::Offset;

use crate::input::Durability;

/// Where a replica's log starts, ends, and how far it may be believed. Ends are exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    log_start: Offset,
    /// Below this our disk has nothing any more; what lies from `log_start` on is read from the tier.
    local_start: Offset,
    /// What the quorum says can be read from the tier: from here to there.
    tier: Option<(Offset, Offset)>,
    last_stable_offset: Offset,
    high_watermark: Offset,
    flushed: Offset,
    written: Offset,
    log_end: Offset,
    /// Below this, being written is durable enough; above, only being flushed is. A page-cache topic has it beyond every
    /// offset, a flushed one at zero, and one that changes to flushed where its log ended then.
    page_cache_upto: Offset,
}

impl Marks {
    /// The marks of a log that recovery left with these ends, all of it synced.
    pub(crate) fn new(log_start: Offset, log_end: Offset, durability: Durability) -> Marks {
        // A log whose records were all deleted and whose tail was lost starts over where it may start.
        let log_end = log_end.max(log_start);
        Marks {
            log_start,
            local_start: log_start,
            tier: None,
            last_stable_offset: log_start,
            high_watermark: log_start,
            flushed: log_end,
            written: log_end,
            log_end,
            page_cache_upto: match durability {
                Durability::Flushed => Offset::ZERO,
                Durability::PageCache => Offset(i64::MAX),
            },
        }
    }

    #[must_use]
    pub fn log_start(&self) -> Offset {
        self.log_start
    }

    /// From here on our own disk holds the log.
    #[must_use]
    pub fn local_start(&self) -> Offset {
        self.local_start
    }

    /// Everything below is in the tier; zero without one.
    #[must_use]
    pub fn tier_end(&self) -> Offset {
        self.tier.map_or(Offset::ZERO, |(_, end)| end)
    }

    #[must_use]
    pub fn last_stable_offset(&self) -> Offset {
        self.last_stable_offset
    }

    #[must_use]
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// What survives power loss.
    #[must_use]
    pub fn flushed(&self) -> Offset {
        self.flushed
    }

    /// What stands in segments.
    #[must_use]
    pub fn written(&self) -> Offset {
        self.written
    }

    /// What has offsets; some of it may still be on its way to a segment.
    #[must_use]
    pub fn log_end(&self) -> Offset {
        self.log_end
    }

    /// What this topic's durability asks for.
    #[must_use]
    pub fn durable(&self) -> Offset {
        self.durable_of(self.written, self.flushed)
    }

    /// The same for any replica that wrote and flushed so much.
    pub(crate) fn durable_of(&self, written: Offset, flushed: Offset) -> Offset {
        flushed.max(written.min(self.page_cache_upto))
    }

    /// The durability that holds for every record; a change to flushed holds once the sync is done.
    #[must_use]
    pub fn durability(&self) -> Durability {
        if self.page_cache_upto > self.flushed { Durability::PageCache } else { Durability::Flushed }
    }

    /// The end of the log after `span` more offsets, if there are that many.
    pub(crate) fn end_after(&self, span: i64) -> Option<Offset> {
        self.log_end.0.checked_add(span).map(Offset)
    }

    /// Gives the offsets up to `end` away.
    pub(crate) fn append(&mut self, end: Offset) {
        assert!(end > self.log_end, "offsets given twice (I3): {end} after {self:?}");
        self.log_end = end;
    }

    pub(crate) fn write(&mut self, upto: Offset) {
        assert!(upto <= self.log_end, "written beyond the end of the log (I1): {upto} in {self:?}");
        self.written = self.written.max(upto);
    }

    pub(crate) fn flush(&mut self, upto: Offset) {
        assert!(upto <= self.written, "flushed before it was written (I1): {upto} in {self:?}");
        self.flushed = self.flushed.max(upto);
    }

    /// Takes back the offsets from `from` on, which nobody can have seen.
    pub(crate) fn rewind(&mut self, from: Offset) {
        assert!(from >= self.written, "rewound what was written (I3): {from} in {self:?}");
        self.log_end = self.log_end.min(from);
        self.flush_anew_from(self.log_end);
    }

    /// Cuts the log, whatever stood there.
    pub(crate) fn truncate(&mut self, to: Offset) {
        let to = to.max(self.local_start);
        self.log_end = self.log_end.min(to);
        self.written = self.written.min(to);
        self.flushed = self.flushed.min(to);
        self.high_watermark = self.high_watermark.min(to);
        self.last_stable_offset = self.last_stable_offset.min(to);
        self.flush_anew_from(to);
    }

    /// While a change to flushed waits, what comes instead of what was taken back is under the new rule.
    fn flush_anew_from(&mut self, from: Offset) {
        if self.page_cache_upto < Offset(i64::MAX) {
            self.page_cache_upto = self.page_cache_upto.min(from);
        }
    }

    /// Raises the high watermark; `false` if it is there already.
    pub(crate) fn commit(&mut self, upto: Offset) -> bool {
        if upto <= self.high_watermark {
            return false;
        }
        self.high_watermark = upto;
        // Without open transactions everything committed is stable.
        self.last_stable_offset = upto;
        true
    }

    /// Forgets how far the log is committed: a new follower must hear it from its leader.
    pub(crate) fn forget_commits(&mut self) {
        self.high_watermark = self.log_start;
        self.last_stable_offset = self.log_start;
    }

    /// Our disk has nothing below any more; whether that changes where the log starts.
    pub(crate) fn move_local_start(&mut self, upto: Offset) -> bool {
        if upto <= self.local_start {
            return false;
        }
        assert!(upto <= self.high_watermark, "deleted before it was committed (I1): {upto} in {self:?}");
        self.local_start = upto;
        self.settle_start()
    }

    /// The quorum says what can be read from the tier; whether that changes where the log starts.
    pub(crate) fn set_tier(&mut self, start: Offset, end: Offset) -> bool {
        self.tier = Some((start, end));
        // What the quorum gave up is not served, whatever our disk still has of it.
        self.local_start = self.local_start.max(start.min(self.high_watermark));
        self.settle_start()
    }

    /// The log starts in the tier if that reaches to what our disk has, else on our disk.
    fn settle_start(&mut self) -> bool {
        let covers = |(start, end): &(Offset, Offset)| *start < self.local_start && *end >= self.local_start;
        let start = self.tier.filter(covers).map_or(self.local_start, |(start, _)| start);
        let moved = start != self.log_start;
        self.log_start = start;
        moved
    }

    /// Returns how far must be flushed before the change holds.
    pub(crate) fn set_durability(&mut self, durability: Durability) -> Offset {
        match durability {
            Durability::PageCache => {
                self.page_cache_upto = Offset(i64::MAX);
                Offset::ZERO
            }
            Durability::Flushed => {
                self.page_cache_upto = self.page_cache_upto.min(self.log_end);
                self.page_cache_upto
            }
        }
    }

    /// Acknowledged data hangs on this order, so it holds in release builds too. Keeps I1.
    pub(crate) fn check(&self) {
        assert!(Offset::ZERO <= self.log_start, "the log starts before zero (I1): {self:?}");
        assert!(self.log_start <= self.local_start, "our disk begins before the log (I1): {self:?}");
        assert!(
            self.log_start == self.local_start || self.local_start <= self.tier_end(),
            "dropped before it was tiered (I6): {self:?}"
        );
        assert!(self.log_start <= self.last_stable_offset, "deleted before it was stable (I1): {self:?}");
        assert!(self.last_stable_offset <= self.high_watermark, "stable before committed (I1): {self:?}");
        assert!(self.high_watermark <= self.durable(), "served before it was durable (I1): {self:?}");
        assert!(self.durable() <= self.written, "durable before it was written (I1): {self:?}");
        assert!(self.flushed <= self.written, "flushed before it was written (I1): {self:?}");
        assert!(self.written <= self.log_end, "written beyond the end of the log (I1): {self:?}");
    }
}
