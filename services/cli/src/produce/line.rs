//! `Lines`: a record from a line of text.

/// How lines become records.
#[derive(Debug)]
pub(super) struct Lines {
    separator: Option<Vec<u8>>,
    empty_as_null: bool,
}

impl Lines {
    pub(super) fn new(separator: Option<&str>, empty_as_null: bool) -> Lines {
        let separator = separator.map(|text| text.replace("\\t", "\t").into_bytes());
        Lines { separator: separator.filter(|separator| !separator.is_empty()), empty_as_null }
    }

    /// Key and value of a line. Without a separator in it, all of it is the value.
    pub(super) fn parse<'a>(&self, line: &'a [u8]) -> (Option<&'a [u8]>, Option<&'a [u8]>) {
        let parted = self.separator.as_deref().and_then(|separator| split_once(line, separator));
        let (key, value) = match parted {
            Some((key, value)) => (Some(key), value),
            None => (None, line),
        };
        (key.and_then(|key| self.present(key)), self.present(value))
    }

    fn present<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        (!(self.empty_as_null && bytes.is_empty())).then_some(bytes)
    }
}

fn split_once<'a>(line: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = line.windows(separator.len()).position(|window| window == separator)?;
    Some((&line[..at], &line[at + separator.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_separator_parts_key_from_value() {
        let lines = Lines::new(Some("::"), false);

        assert_eq!(lines.parse(b"k::v::w"), (Some(&b"k"[..]), Some(&b"v::w"[..])));
        assert_eq!(lines.parse(b"no separator"), (None, Some(&b"no separator"[..])));
        assert_eq!(lines.parse(b"::v"), (Some(&b""[..]), Some(&b"v"[..])));
    }

    #[test]
    fn empty_parts_are_null_where_that_is_wanted() {
        assert_eq!(Lines::new(Some("\\t"), true).parse(b"k\t"), (Some(&b"k"[..]), None));
        assert_eq!(Lines::new(Some(","), true).parse(b",v"), (None, Some(&b"v"[..])));
        assert_eq!(Lines::new(None, false).parse(b""), (None, Some(&b""[..])));
    }
}
