//! What a request for an immutable thing may ask of its answer: `If-None-Match`, `If-Range`, `Range`, and trailers.

use std::ops::Range;

use axum::http::{HeaderMap, HeaderName, header};

/// Which bytes `Range` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// All of them: nothing was said, or nothing that has to be understood.
    All,
    From {
        first: u64,
        last: Option<u64>,
    },
    /// So many at the end.
    Last(u64),
}

/// Whether the client has it already.
pub(super) fn has_it(headers: &HeaderMap, tag: &str) -> bool {
    listed(headers, &header::IF_NONE_MATCH).any(|named| {
        // The weak comparison is the one for this header.
        named == "*" || named.strip_prefix("W/").unwrap_or(named) == tag
    })
}

/// Whether the client reads what comes behind a body.
pub(super) fn takes_trailers(headers: &HeaderMap) -> bool {
    listed(headers, &header::TE).any(|named| named.eq_ignore_ascii_case("trailers"))
}

/// The bytes that are asked for of what `tag` names. More than one range is answered with everything, as it may be.
pub(super) fn asked(headers: &HeaderMap, tag: &str) -> Asked {
    let condition = headers.get(header::IF_RANGE).map(|value| value.to_str().unwrap_or_default());
    if condition.is_some_and(|condition| condition != tag) {
        return Asked::All;
    }
    let mut named = headers.get_all(header::RANGE).iter();
    let (Some(value), None) = (named.next(), named.next()) else { return Asked::All };
    value.to_str().ok().and_then(read).unwrap_or(Asked::All)
}

fn read(value: &str) -> Option<Asked> {
    let (unit, range) = value.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit name what is not there.
        true if !text.is_empty() => Some(text.parse().unwrap_or(u64::MAX)),
        _ => None,
    };
    let (first, last) = range.trim().split_once('-')?;
    let (first, last) = (first.trim(), last.trim());
    match (first.is_empty(), last.is_empty()) {
        (true, _) => number(last).map(Asked::Last),
        (false, true) => Some(Asked::From { first: number(first)?, last: None }),
        (false, false) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Asked::From { first, last: Some(last) })
        }
    }
}

impl Asked {
    /// The bytes there are of them; nothing if there are none.
    pub(super) fn within(&self, length: u64) -> Option<Range<u64>> {
        let range = match *self {
            Asked::All => 0..length,
            Asked::From { first, last } => {
                first..last.map_or(length, |last| last.saturating_add(1).min(length))
            }
            Asked::Last(count) => length.saturating_sub(count)..length,
        };
        (range.start < range.end).then_some(range)
    }
}

fn listed<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

#[cfg(test)]
mod conditions_test {
    use axum::http::HeaderValue;

    use super::*;

    const TAG: &str = "\"a-0-1-7\"";

    fn with(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn ranges_are_read_and_what_is_none_is_everything() {
        let of = |value| asked(&with(header::RANGE, value), TAG);
        assert_eq!(of("bytes=0-4"), Asked::From { first: 0, last: Some(4) });
        assert_eq!(of("Bytes = 7-"), Asked::From { first: 7, last: None });
        assert_eq!(of("bytes=-3"), Asked::Last(3));
        assert_eq!(of("bytes=99999999999999999999999-"), Asked::From { first: u64::MAX, last: None });
        for other in
            ["bytes=4-0", "bytes=0-1,3-4", "items=0-4", "bytes=", "bytes=-", "bytes=a-b", "bytes=+1-2", "0-4"]
        {
            assert_eq!(of(other), Asked::All, "{other}");
        }
        let mut two = with(header::RANGE, "bytes=0-1");
        two.append(header::RANGE, HeaderValue::from_static("bytes=3-4"));
        assert_eq!(asked(&two, TAG), Asked::All);
    }

    #[test]
    fn a_range_of_what_has_changed_is_everything() {
        let mut headers = with(header::RANGE, "bytes=0-4");
        headers.insert(header::IF_RANGE, HeaderValue::from_static(TAG));
        assert_eq!(asked(&headers, TAG), Asked::From { first: 0, last: Some(4) });
        for other in ["\"a-0-1-8\"", "W/\"a-0-1-7\"", "Mon, 30 Nov 2026 00:00:00 GMT"] {
            headers.insert(header::IF_RANGE, HeaderValue::from_static(other));
            assert_eq!(asked(&headers, TAG), Asked::All, "{other}");
        }
    }

    #[test]
    fn ranges_end_where_the_bytes_do() {
        let from = |first, last| Asked::From { first, last };
        assert_eq!(from(0, Some(4)).within(10), Some(0..5));
        assert_eq!(from(8, Some(u64::MAX)).within(10), Some(8..10));
        assert_eq!(from(10, None).within(10), None);
        assert_eq!(Asked::Last(3).within(10), Some(7..10));
        assert_eq!(Asked::Last(30).within(10), Some(0..10));
        assert_eq!(Asked::Last(0).within(10), None);
        assert_eq!(from(0, None).within(0), None);
    }

    #[test]
    fn what_the_client_has_is_told_by_its_tag() {
        let has = |value| has_it(&with(header::IF_NONE_MATCH, value), TAG);
        assert!(has(TAG) && has("*") && has("\"x\", \"a-0-1-7\"") && has("W/\"a-0-1-7\""));
        assert!(!has("\"a-0-1-8\"") && !has("a-0-1-7"));
        assert!(takes_trailers(&with(header::TE, "deflate;q=0.5, trailers")));
        assert!(!takes_trailers(&HeaderMap::new()));
    }
}
