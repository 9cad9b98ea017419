//! What of a tier survives the loss of its quorum: ranges that an older state names and that are still there, and those
//! that were committed after it.
//!
//! An object is uploaded only where its tier ends, of records that were committed. So what holds the beginning of another was
//! never committed, and of several that begin in one place the one of the greatest epoch and generation is of the log that
//! went on. What takes the place of ranges that were committed before says so; it counts where these are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use aquifer_types::{Offset, TimestampMs};

use crate::bundle::BundleEntry;
use crate::footer::{Footer, Link};
use crate::range::TierRange;
use crate::tier::Tier;

/// A range whose object is there, and what its footer says of its place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundRange {
    pub range: TierRange,
    /// It takes the place of others, rather than go on after them.
    pub is_rewrite: bool,
    pub uploaded: TimestampMs,
    /// The last batch of what came before, where that was known.
    pub previous: Option<Link>,
    /// Its own last batch, where no cleaning may change it.
    pub last: Option<Link>,
}

impl FoundRange {
    /// What the index of a bundle says of one of its ranges.
    #[must_use]
    pub fn of_bundle(entry: &BundleEntry, uploaded: TimestampMs) -> FoundRange {
        let BundleEntry { range, is_rewrite, previous, last, .. } = *entry;
        FoundRange { range, is_rewrite, uploaded, previous, last: (!is_rewrite).then_some(last) }
    }

    /// What an object says of itself that came into the store at that time.
    #[must_use]
    pub fn new(range: TierRange, footer: &Footer, uploaded: TimestampMs) -> FoundRange {
        let last = (!footer.is_rewrite).then_some(footer.last);
        FoundRange { range, is_rewrite: footer.is_rewrite, uploaded, previous: footer.previous, last }
    }
}

/// The tier with rewrites in the place of ranges whose objects are gone: these were deleted because a state that is not known
/// here names what replaced them.
#[must_use]
pub fn mended(
    tier: &Tier,
    found: &[FoundRange],
    is_there: impl Fn(&TierRange) -> bool,
    now: TimestampMs,
) -> Tier {
    let mut mended = tier.clone();
    for rewrite in newest_first(found) {
        let within = |range: &&TierRange| rewrite.base <= range.base && range.end <= rewrite.end;
        if mended.live().iter().filter(within).any(|range| range != rewrite && !is_there(range)) {
            // One that does not fit is of no use here.
            let _refused = mended.replace(&[*rewrite], now);
        }
    }
    mended
}

/// Rewrites; of several that hold the same, the last one is without what it left out of another one.
fn newest_first(found: &[FoundRange]) -> impl Iterator<Item = &TierRange> {
    let mut rewrites: Vec<&FoundRange> = found.iter().filter(|found| found.is_rewrite).collect();
    rewrites.sort_by_key(|found| std::cmp::Reverse((found.uploaded, found.range)));
    rewrites.into_iter().map(|found| &found.range)
}

/// The tier without the ranges whose objects are gone, and how many of its live ranges these are. What nobody can read
/// on from is given up too: the log starts after the last gap.
#[must_use]
pub fn surviving(tier: &Tier, is_there: impl Fn(&TierRange) -> bool) -> (Tier, usize) {
    let live = tier.live();
    let lost = live.iter().filter(|range| !is_there(range)).count();
    let upto = live.iter().rposition(&is_there).map_or(0, |last| last + 1);
    let gap = live[..upto].iter().rposition(|range| !is_there(range));
    let kept = &live[gap.map_or(0, |gap| gap + 1)..upto];
    let below = tier.ranges()[..tier.ranges().len() - live.len()].iter().filter(|range| is_there(range));
    let start = kept.first().map_or(tier.start(), |first| first.base.max(tier.start()));
    let end = kept.last().map_or(start, |last| last.end);
    // Where nothing is left that can be read, whatever is uploaded next begins where the log did.
    let ranges = below.chain(kept).copied().collect();
    let survivor = Tier::restore(start, end, tier.deleting_upto(), ranges, tier.unlinked().to_vec());
    let replaced = tier.replaced().surviving(&is_there);
    (survivor.unwrap_or_else(|| Tier::new(start)).with_replaced(replaced), lost)
}

/// Adds the ranges that go on where a tier ends, whose last batch is `last` if that is known, and says how many these are.
/// Where some begin beyond that, the tier had ended there: its start was moved beyond everything, so it begins anew.
pub fn go_on(tier: &mut Tier, last: Option<Link>, found: &[FoundRange], now: TimestampMs) -> usize {
    let originals: Vec<FoundRange> = found.iter().filter(|found| !found.is_rewrite).copied().collect();
    let mut since = tier.ranges().last().map_or((0, 0), rank);
    let mut last = last;
    let mut added = 0;
    loop {
        let after = Tail { since: tier.live().last().map_or((0, 0), |_| since), last: last.take() };
        for found in continuation(tier, after, &originals) {
            if tier.add(tier.end(), found.range).is_err() {
                return added;
            }
            since = rank(&found.range);
            added += 1;
        }
        let mut rewrites = newest_first(found);
        if let Some(rewrite) = rewrites.find(|rewrite| rewrite.base == tier.end() && rank(rewrite) >= since) {
            // Whoever wrote it anew may have come long after who wrote what follows, so that `since` stays.
            if tier.add(tier.end(), *rewrite).is_err() {
                return added;
            }
            added += 1;
            continue;
        }
        let beyond = originals.iter().map(|found| &found.range);
        let beyond = beyond.filter(|range| range.base > tier.end() && rank(range) >= since);
        match beyond.map(|range| range.base).min() {
            Some(start) => tier.trim(start, now),
            None => return added,
        }
    }
}

/// What a range must follow to go on there.
#[derive(Clone, Copy)]
struct Tail {
    since: (i32, u64),
    last: Option<Link>,
}

impl Tail {
    fn of(found: &FoundRange) -> Tail {
        Tail { since: rank(&found.range), last: found.last }
    }

    /// Whether the log that was uploaded here is the one that the range was taken from.
    fn leads_to(&self, found: &FoundRange) -> bool {
        let linked = self.last.zip(found.previous).is_none_or(|(last, previous)| last == previous);
        rank(&found.range) >= self.since && linked
    }
}

/// Ranges by where they begin, each with how far one gets from there.
type ByBase = BTreeMap<Offset, Vec<(FoundRange, Offset)>>;

/// The ranges that go on where a tier ends: of the greatest epochs and generations first, then as far as possible.
/// The first may hold the tier's end rather than begin there, where nothing of the tier can be read yet.
fn continuation(tier: &Tier, after: Tail, found: &[FoundRange]) -> Vec<FoundRange> {
    let mut by_base = ByBase::new();
    let bases: BTreeSet<Offset> = found.iter().map(|found| found.range.base).collect();
    // An upload begins where the tier ends, and it never ends anywhere within a range that was committed.
    let is_whole = |found: &&FoundRange| {
        let (base, end) = (found.range.base, found.range.end);
        let mut within = bases.range((Bound::Excluded(base), Bound::Excluded(end)));
        within.next().is_none()
    };
    let mut latest_first: Vec<FoundRange> = found.iter().filter(is_whole).copied().collect();
    latest_first.sort_by_key(|found| std::cmp::Reverse((found.range.base, found.range)));
    for found in latest_first {
        let end = found.range.end;
        let reach = best(&by_base, end, Tail::of(&found)).map_or(end, |(_, reach)| reach);
        by_base.entry(found.range.base).or_default().push((found, reach));
    }
    let mut next = best(&by_base, tier.end(), after);
    if next.is_none() && tier.live().is_empty() {
        // What is still to be deleted ends before it.
        let begins_after = tier.ranges().last().map_or(Offset::ZERO, |last| last.end);
        let holds = |range: &TierRange| range.base >= begins_after && range.holds(tier.end());
        let holding = by_base.values().flatten().filter(|(found, _)| holds(&found.range));
        next = holding.copied().max_by_key(order);
    }
    let mut chain = Vec::new();
    while let Some((found, _)) = next {
        chain.push(found);
        next = best(&by_base, found.range.end, Tail::of(&found));
    }
    chain
}

/// Later logs have greater ones.
fn rank(range: &TierRange) -> (i32, u64) {
    (range.leader_epoch.0, range.generation)
}

fn best(by_base: &ByBase, base: Offset, after: Tail) -> Option<(FoundRange, Offset)> {
    let begin_there = by_base.get(&base)?.iter().filter(|(found, _)| after.leads_to(found));
    begin_there.copied().max_by_key(order)
}

fn order((found, reach): &(FoundRange, Offset)) -> ((i32, u64), Offset, u64) {
    (rank(&found.range), *reach, found.range.nonce)
}

#[cfg(test)]
#[path = "recover_test.rs"]
mod tests;
