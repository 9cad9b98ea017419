//! `From`: where in a partition to read, as requests say it, and times as people and programs read them.

use std::str::FromStr;

use aquifer_types::{Offset, TimestampMs};
use jiff::Timestamp;

/// What a cursor begins with, so that it is taken for nothing else.
const CURSOR_PREFIX: &str = "c.";

/// A place in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    Earliest,
    Latest,
    Offset(Offset),
    /// So many records before the end.
    BeforeEnd(i64),
    /// The first record of that time or later.
    Time(TimestampMs),
    /// Where an earlier answer ended.
    Cursor(String),
}

/// The text names no place in a partition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not earliest, latest, an offset, -N, @ and a time of RFC 3339, or c. and a cursor")]
pub struct InvalidFrom(String);

impl FromStr for From {
    type Err = InvalidFrom;

    fn from_str(text: &str) -> Result<From, InvalidFrom> {
        let invalid = || InvalidFrom(text.chars().take(80).collect());
        match text {
            "earliest" => return Ok(From::Earliest),
            "latest" => return Ok(From::Latest),
            _ => {}
        }
        if text.starts_with(CURSOR_PREFIX) {
            return Ok(From::Cursor(text.to_owned()));
        }
        if let Some(time) = text.strip_prefix('@') {
            return time_of(time).map(From::Time).ok_or_else(invalid);
        }
        let digits = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse::<i64>().ok(),
            false => None,
        };
        match text.strip_prefix('-') {
            Some(count) => digits(count).map(From::BeforeEnd),
            None => digits(text).map(|offset| From::Offset(Offset(offset))),
        }
        .ok_or_else(invalid)
    }
}

/// A time of RFC 3339, or milliseconds since 1970.
#[must_use]
pub fn time_of(text: &str) -> Option<TimestampMs> {
    if let Ok(millis) = text.parse::<i64>() {
        return (millis >= 0).then_some(TimestampMs(millis));
    }
    let time: Timestamp = text.parse().ok()?;
    Some(TimestampMs(time.as_millisecond())).filter(|time| time.0 >= 0)
}

/// A time in RFC 3339, in UTC and with milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeText([u8; 24]);

impl TimeText {
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits and signs")
    }
}

/// A record's time in RFC 3339; nothing if it has none.
#[must_use]
pub fn time_text(time: TimestampMs) -> Option<TimeText> {
    let time = Timestamp::from_millisecond(time.0).ok().filter(|_| time.0 >= 0)?;
    let at = jiff::tz::Offset::UTC.to_datetime(time);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let mut put = |end: usize, digits: usize, number: i32| {
        let mut left = number.unsigned_abs();
        for digit in text[..end].iter_mut().rev().take(digits) {
            *digit = b'0' + u8::try_from(left % 10).unwrap_or_default();
            left /= 10;
        }
    };
    put(4, 4, at.year().into());
    put(7, 2, at.month().into());
    put(10, 2, at.day().into());
    put(13, 2, at.hour().into());
    put(16, 2, at.minute().into());
    put(19, 2, at.second().into());
    put(23, 3, at.millisecond().into());
    Some(TimeText(text))
}

#[cfg(test)]
mod position_test {
    use super::*;

    fn shown(millis: i64) -> Option<String> {
        time_text(TimestampMs(millis)).map(|text| text.as_str().to_owned())
    }

    #[test]
    fn places_are_read_as_they_are_documented() {
        let of = |text: &str| text.parse::<From>();
        assert_eq!(of("earliest"), Ok(From::Earliest));
        assert_eq!(of("latest"), Ok(From::Latest));
        assert_eq!(of("0"), Ok(From::Offset(Offset(0))));
        assert_eq!(of("-10"), Ok(From::BeforeEnd(10)));
        assert_eq!(of("@2026-11-01T00:00:00Z"), Ok(From::Time(TimestampMs(1_793_491_200_000))));
        assert_eq!(of("@2026-11-01T01:00:00+01:00"), Ok(From::Time(TimestampMs(1_793_491_200_000))));
        assert_eq!(of("@1793491200000"), Ok(From::Time(TimestampMs(1_793_491_200_000))));
        assert_eq!(of("c.abc"), Ok(From::Cursor("c.abc".to_owned())));
        for wrong in ["", "-", "--1", "+1", "first", "@", "@yesterday", "@-5", "9223372036854775808", "1.5"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_are_told_with_milliseconds_or_not_at_all() {
        assert_eq!(shown(1_793_491_200_007).as_deref(), Some("2026-11-01T00:00:00.007Z"));
        assert_eq!(shown(0).as_deref(), Some("1970-01-01T00:00:00.000Z"));
        assert_eq!(shown(253_402_207_199_999).as_deref(), Some("9999-12-30T21:59:59.999Z"));
        assert_eq!(shown(-1), None);
        assert_eq!(shown(i64::MAX), None);
        for millis in (0..253_402_207_199_999_i64).step_by(9_999_999_999) {
            let jiffs = Timestamp::from_millisecond(millis).expect("a time");
            assert_eq!(shown(millis), Some(format!("{jiffs:.3}")));
        }
    }
}
