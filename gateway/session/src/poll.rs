//! `Poll`: what is asked of a group's coordinator for one request of a session, and what its answers make of it.

use aquifer_types::{Offset, TopicPartition};

use crate::cursor::Progress;
use crate::places::{Partitions, Positions, Tenures};
use crate::session::{Session, StartAt};
use crate::step::{Assignment, Beat, CommitAnswer, HeartbeatAnswer, Intent, Outcome, PollError, Step};

/// Joins, or joins again.
const JOINING: i32 = 0;

/// A member that is fenced so often in one request shares its id with another one.
const REJOINS_MAX: u32 = 5;
/// How often a commit may be overtaken by another epoch.
const STALE_MAX: u32 = 5;

/// One request of a session on its way.
#[derive(Clone, Debug)]
pub struct Poll {
    intent: Intent,
    start: StartAt,
    epoch: i32,
    step: Step,
    /// What the client was told that it owns.
    shown: Tenures,
    tenure: u32,
    /// Of that, what nobody else can have had meanwhile: the client's cursors count for these.
    kept: Partitions,
    /// What the coordinator was told last that the member owns.
    told: Partitions,
    /// What it is to own by the coordinator's last word.
    assigned: Partitions,
    /// Acknowledged and not dealt with yet.
    due: Positions,
    settled: Positions,
    cursor: Positions,
    /// What the group has committed, of the partitions that were asked for under this epoch.
    asked: Partitions,
    committed: Positions,
    /// Starts that hold from the first look on, and therefore are committed before anything is read.
    pinned: Positions,
    positions: Positions,
    rejoins: u32,
    stale: u32,
}

impl Poll {
    /// Begins a request. `after` says where the client reads on; what it leaves out, or all of it if it is absent, goes on
    /// behind what is acknowledged.
    #[must_use]
    pub fn new(session: &Session, intent: Intent, ack: &Progress, after: Option<&Progress>) -> Poll {
        let mut shown = session.owned.clone().unwrap_or_default();
        let ack_of_now = of_now(session, ack, &mut shown);
        let mut cursor = ack_of_now.clone();
        cursor.extend(after.into_iter().flat_map(|after| of_now(session, after, &mut shown)));
        let tenures = [session.tenure, ack.tenure, after.map_or(0, |after| after.tenure)];
        let told: Partitions = session.owned.iter().flat_map(Tenures::keys).copied().collect();
        let step = match intent {
            Intent::Close if ack_of_now.is_empty() => Step::Leave,
            _ => Step::Beat(Beat { epoch: session.epoch, owned: told.clone() }),
        };
        let owned: Partitions = shown.keys().copied().collect();
        Poll {
            intent,
            start: session.start,
            epoch: session.epoch,
            step,
            kept: owned.clone(),
            assigned: owned,
            shown,
            tenure: tenures.into_iter().max().unwrap_or_default(),
            told,
            due: ack_of_now,
            settled: Positions::new(),
            cursor,
            asked: Partitions::new(),
            committed: Positions::new(),
            pinned: Positions::new(),
            positions: Positions::new(),
            rejoins: 0,
            stale: 0,
        }
    }

    #[must_use]
    pub fn step(&self) -> &Step {
        &self.step
    }

    /// Takes in what the coordinator says of the membership.
    pub fn heard(&mut self, answer: HeartbeatAnswer) -> Result<(), PollError> {
        let Assignment { epoch, partitions } = match answer {
            HeartbeatAnswer::Member(assignment) => assignment,
            HeartbeatAnswer::Fenced => return self.rejoin(),
        };
        if epoch != self.epoch {
            // Others may have committed what was theirs by then.
            self.asked.clear();
            self.committed.clear();
        }
        self.epoch = epoch;
        if let Some(partitions) = partitions {
            self.assigned = partitions;
        }
        let Poll { kept, assigned, positions, .. } = self;
        kept.retain(|place| assigned.contains(place));
        positions.retain(|place, _| assigned.contains(place));
        self.decide();
        Ok(())
    }

    /// Nothing that was owned counts any more; the member comes back under its id.
    fn rejoin(&mut self) -> Result<(), PollError> {
        if self.intent == Intent::Close {
            self.step = Step::Done;
            return Ok(());
        }
        self.rejoins += 1;
        if self.rejoins > REJOINS_MAX {
            return Err(PollError::Contended);
        }
        self.epoch = JOINING;
        for places in [&mut self.kept, &mut self.told, &mut self.assigned, &mut self.asked] {
            places.clear();
        }
        for offsets in [&mut self.committed, &mut self.pinned, &mut self.positions] {
            offsets.clear();
        }
        self.beat();
        Ok(())
    }

    /// What the group has committed of the partitions that were asked for.
    pub fn committed_are(&mut self, committed: &Positions) {
        let Step::AskCommitted(asked) = &self.step else { return };
        for place in asked {
            self.asked.insert(*place);
            if let Some(offset) = committed.get(place) {
                self.committed.insert(*place, *offset);
            }
        }
        self.decide();
    }

    /// Where the partitions begin. What is left out is looked up with a later request.
    pub fn starts_are(&mut self, starts: &Positions) {
        let Step::FindStarts(asked) = &self.step else { return };
        for place in asked.clone() {
            let Some(offset) = starts.get(&place) else { continue };
            self.positions.insert(place, *offset);
            // What lies behind the end today lies before it tomorrow: who asks again must get the same records.
            if self.start != StartAt::Earliest {
                self.pinned.insert(place, *offset);
            }
        }
        self.decide_without(&asked_in_vain(&self.step, starts));
    }

    pub fn commit_answered(&mut self, answer: CommitAnswer) -> Result<(), PollError> {
        let Step::Commit { offsets, .. } = &self.step else { return Ok(()) };
        match answer {
            CommitAnswer::Taken => {
                for (place, offset) in offsets {
                    self.committed.insert(*place, *offset);
                    self.pinned.remove(place);
                    if self.due.remove(place).is_some() {
                        self.settled.insert(*place, *offset);
                    }
                }
                self.decide();
                Ok(())
            }
            CommitAnswer::Stale => {
                self.stale += 1;
                if self.stale > STALE_MAX {
                    return Err(PollError::Unsettled);
                }
                self.asked.clear();
                self.committed.clear();
                self.step = Step::Beat(Beat { epoch: self.epoch, owned: self.told.clone() });
                Ok(())
            }
            CommitAnswer::Fenced => self.rejoin(),
        }
    }

    /// Heartbeats again before it goes on: others may wait for what this member is to give up.
    pub fn beat(&mut self) {
        self.told.clone_from(&self.assigned);
        self.step = Step::Beat(Beat { epoch: self.epoch, owned: self.told.clone() });
    }

    /// The partition is read up to here; the next records come from there.
    pub fn read_upto(&mut self, place: TopicPartition, next: Offset) {
        if let Some(position) = self.positions.get_mut(&place) {
            *position = next;
        }
    }

    /// Nothing more is wanted.
    pub fn finish(&mut self) {
        self.step = Step::Done;
    }

    /// Where to read.
    #[must_use]
    pub fn positions(&self) -> &Positions {
        &self.positions
    }

    /// Whether the client is to hear of a loss at once.
    #[must_use]
    pub fn has_lost(&self) -> bool {
        self.shown.len() > self.kept.len()
    }

    /// Whether the member waits for partitions that others still have to give up.
    #[must_use]
    pub fn owns_nothing(&self) -> bool {
        self.assigned.is_empty()
    }

    #[must_use]
    pub fn outcome(&self) -> Outcome {
        // A position that the client named and that was not looked at yet stays as it is.
        let named = self.cursor.iter().filter(|(place, _)| self.kept.contains(place));
        let mut positions: Positions = named.map(|(place, offset)| (*place, *offset)).collect();
        positions.extend(&self.positions);
        let is_same = self.kept == self.assigned && self.kept.len() == self.shown.len();
        let tenure = self.tenure.saturating_add(u32::from(!is_same));
        let since = |place| self.shown.get(place).copied().filter(|_| self.kept.contains(place));
        Outcome {
            epoch: self.epoch,
            assigned: self.assigned.iter().map(|place| (*place, since(place).unwrap_or(tenure))).collect(),
            tenure,
            revoked: self.shown.keys().filter(|place| !self.kept.contains(place)).copied().collect(),
            positions,
            committed: self.settled.clone(),
        }
    }

    fn decide(&mut self) {
        self.decide_without(&Partitions::new());
    }

    /// The next step: acknowledgements first, then giving up, then taking. Partitions in `unknown` were looked up in vain.
    fn decide_without(&mut self, unknown: &Partitions) {
        let held: Partitions = self.told.union(&self.assigned).copied().collect();
        let commit = self.intent_to_commit(&held);
        let takes = self.intent == Intent::Read;
        let missing: Partitions = if takes { self.missing(unknown) } else { Partitions::new() };
        let to_ask = self.due.keys().filter(|place| held.contains(place)).chain(&missing);
        let to_ask: Partitions = to_ask.filter(|place| !self.asked.contains(place)).copied().collect();
        self.step = if !to_ask.is_empty() {
            Step::AskCommitted(to_ask)
        } else if !commit.is_empty() {
            Step::Commit { epoch: self.epoch, offsets: commit }
        } else if !self.told.is_subset(&self.assigned) {
            self.told = self.told.intersection(&self.assigned).copied().collect();
            Step::Beat(Beat { epoch: self.epoch, owned: self.told.clone() })
        } else if !missing.is_empty() {
            Step::FindStarts(missing)
        } else {
            match self.intent {
                Intent::Read => Step::Read,
                Intent::Commit => Step::Done,
                Intent::Close => Step::Leave,
            }
        };
    }

    /// What is to be committed of what is held. What the group has reached already is dealt with: offsets do not go back.
    fn intent_to_commit(&mut self, held: &Partitions) -> Positions {
        let Poll { due, asked, committed, settled, .. } = self;
        due.retain(|place, offset| {
            let reached = committed.get(place).copied().filter(|reached| reached >= offset);
            match reached.filter(|_| held.contains(place) && asked.contains(place)) {
                Some(reached) => {
                    settled.insert(*place, reached);
                    false
                }
                None => true,
            }
        });
        let known = |place: &TopicPartition| held.contains(place) && asked.contains(place);
        let due = self.due.iter().filter(|(place, _)| known(place));
        let pinned = self.pinned.iter().filter(|(place, _)| self.assigned.contains(place));
        // What is acknowledged counts for more than where reading was to begin.
        pinned.chain(due).map(|(place, offset)| (*place, *offset)).collect()
    }

    /// Finds positions for what is owned, and says which cannot be found here.
    fn missing(&mut self, unknown: &Partitions) -> Partitions {
        let mut missing = Partitions::new();
        for place in &self.assigned {
            if self.positions.contains_key(place) || unknown.contains(place) {
                continue;
            }
            let named = self.cursor.get(place).filter(|_| self.kept.contains(place));
            // An acknowledgement that is not committed yet would be overlooked.
            let settled = !self.due.contains_key(place);
            let committed = self.committed.get(place).filter(|_| settled && self.asked.contains(place));
            match named.or(committed) {
                Some(offset) => {
                    self.positions.insert(*place, *offset);
                }
                None => {
                    missing.insert(*place);
                }
            }
        }
        missing
    }
}

fn asked_in_vain(step: &Step, starts: &Positions) -> Partitions {
    match step {
        Step::FindStarts(asked) => {
            asked.iter().filter(|place| !starts.contains_key(place)).copied().collect()
        }
        _ => Partitions::new(),
    }
}

/// The positions of a cursor that count: a partition that was lost since it was given out begins anew, for what the client
/// held of it then it may have dropped.
fn of_now(session: &Session, progress: &Progress, shown: &mut Tenures) -> Positions {
    let mut counting = Positions::new();
    for (place, offset) in &progress.positions {
        // A client that keeps an old token was told more than that token knows.
        if session.owned.is_none() || progress.tenure > session.tenure {
            shown.entry(*place).or_insert(progress.tenure);
        }
        if shown.get(place).is_some_and(|since| *since <= progress.tenure) {
            counting.insert(*place, *offset);
        }
    }
    counting
}
