//! `Fate`: what becomes of a request.

use std::time::Duration;

/// What a request asks for, as far as that decides what can go wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Create,
    Read,
    /// Anything else.
    Other,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Good,
    /// It is done, and nobody says so.
    LostAnswer,
    /// It is done, and who asks is told that it had been done before: the client asked twice by itself.
    DoneBefore,
    /// Nothing is done, and who asks is told that somebody else is at it.
    Conflict,
    /// Nothing is done: fewer requests, please.
    Throttled,
    /// Nothing is done: who asks may not.
    Denied,
    /// Nobody hears of it for so long; then it is done.
    Pause(Duration),
    /// Who asks is told that nobody answers; it is done later all the same.
    Late(Duration),
    /// Less comes than was asked for.
    Short,
    /// Something else comes than was asked for.
    Garbled,
}

impl Fate {
    /// Of a request of that kind, by a random number.
    #[must_use]
    pub fn drawn(asked: Asked, random: u64) -> Fate {
        let detail = random / 16;
        let pause = |most: u64| Duration::from_millis(detail % most);
        match (random % 16, asked) {
            (0 | 1, _) => Fate::LostAnswer,
            (2, Asked::Create) => Fate::DoneBefore,
            (3, Asked::Create) => Fate::Conflict,
            (4..=6, _) => Fate::Throttled,
            (7, _) => Fate::Denied,
            (8 | 9, _) => Fate::Pause(pause(5_000)),
            // Longer than anybody waits.
            (10, _) => Fate::Pause(pause(900_000)),
            (11 | 12, Asked::Create) => Fate::Late(pause(600_000)),
            (11 | 12, Asked::Read) => Fate::Short,
            (13 | 14, Asked::Read) => Fate::Garbled,
            _ => Fate::Good,
        }
    }
}
