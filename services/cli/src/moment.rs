//! `Moment`: a place in a log as people write it: `earliest`, `latest`, `123`, `-10`, `@-1h`, `@2026-11-01T00:00Z`.

use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use aquifer_client::Start;
use aquifer_types::{Offset, TimestampMs};

/// Where in a partition, or when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    Earliest,
    Latest,
    Offset(i64),
    /// So many before the end.
    BeforeEnd(i64),
    /// So many milliseconds before now.
    Ago(i64),
    At(TimestampMs),
}

/// The text names no place in a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a place in a log; write earliest, latest, 123, -10 (before the end), @-1h or @2026-11-01T00:00Z"
)]
pub struct InvalidMoment;

impl Moment {
    /// What it comes to at `now`.
    pub(crate) fn start(self, now: TimestampMs) -> Start {
        match self {
            Moment::Earliest => Start::Earliest,
            Moment::Latest => Start::Latest,
            Moment::Offset(offset) => Start::Offset(Offset(offset)),
            Moment::BeforeEnd(count) => Start::BeforeEnd(count),
            Moment::Ago(millis) => Start::Time(TimestampMs((now.0 - millis).max(0))),
            Moment::At(time) => Start::Time(time),
        }
    }
}

impl Moment {
    /// The point in time that it names, if it does.
    #[must_use]
    pub fn time(self, now: TimestampMs) -> Option<TimestampMs> {
        match self {
            Moment::Ago(millis) => Some(TimestampMs((now.0 - millis).max(0))),
            Moment::At(time) => Some(time),
            Moment::Earliest | Moment::Latest | Moment::Offset(_) | Moment::BeforeEnd(_) => None,
        }
    }
}

impl FromStr for Moment {
    type Err = InvalidMoment;

    fn from_str(text: &str) -> Result<Moment, InvalidMoment> {
        match text {
            "earliest" | "beginning" | "start" => return Ok(Moment::Earliest),
            "latest" | "end" => return Ok(Moment::Latest),
            _ => {}
        }
        if let Some(time) = text.strip_prefix('@') {
            return at(time).ok_or(InvalidMoment);
        }
        match text.strip_prefix('-') {
            Some(count) => digits(count).map(Moment::BeforeEnd).ok_or(InvalidMoment),
            None => digits(text).map(Moment::Offset).ok_or(InvalidMoment),
        }
    }
}

fn at(time: &str) -> Option<Moment> {
    if let Some(ago) = time.strip_prefix('-') {
        let ago = humantime::parse_duration(ago).ok()?;
        return i64::try_from(ago.as_millis()).ok().map(Moment::Ago);
    }
    if let Some(millis) = digits(time) {
        return Some(Moment::At(TimestampMs(millis)));
    }
    let parsed: SystemTime = humantime::parse_rfc3339_weak(&completed(time)).ok()?;
    let since = parsed.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok().map(|millis| Moment::At(TimestampMs(millis)))
}

/// A date without a time begins its day; a time without seconds begins its minute; all of them are UTC.
fn completed(time: &str) -> String {
    let bare = time.trim_end_matches(['Z', 'z']);
    match bare.len() {
        10 => format!("{bare}T00:00:00Z"),
        16 => format!("{bare}:00Z"),
        _ => format!("{bare}Z"),
    }
}

fn digits(text: &str) -> Option<i64> {
    let all_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_read_as_people_write_them() {
        let midnight = Moment::At(TimestampMs(1_793_491_200_000));
        for (text, moment) in [
            ("earliest", Moment::Earliest),
            ("latest", Moment::Latest),
            ("123", Moment::Offset(123)),
            ("-10", Moment::BeforeEnd(10)),
            ("@-1h", Moment::Ago(3_600_000)),
            ("@-90s", Moment::Ago(90_000)),
            ("@1700000000000", Moment::At(TimestampMs(1_700_000_000_000))),
            ("@2026-11-01", midnight),
            ("@2026-11-01T00:00Z", midnight),
            ("@2026-11-01T00:00:00Z", midnight),
            ("@2026-11-01 00:00:00.000", midnight),
        ] {
            assert_eq!(text.parse(), Ok(moment), "{text}");
        }
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in
            ["", "-", "@", "@-", "@soon", "first", "1e3", "--1", "@2026-13-01", "99999999999999999999", "+5"]
        {
            assert_eq!(text.parse::<Moment>(), Err(InvalidMoment), "{text}");
        }
    }
}
