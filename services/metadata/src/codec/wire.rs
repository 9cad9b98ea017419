//! `Wire`: how a value is written and read, and the plain values.

/// Bytes that are not what this version writes or reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("the bytes end in the middle of a value")]
    Truncated,
    #[error("bytes follow the last value")]
    Trailing,
    #[error("kind {0} is unknown")]
    UnknownKind(u64),
    #[error("version {version} of kind {kind} is newer than {known}")]
    UnknownVersion { kind: u64, version: u8, known: u8 },
    #[error("a {0} has a value that it cannot have")]
    Invalid(&'static str),
}

/// What is left to read.
#[derive(Debug)]
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.bytes(1)?[0])
    }

    /// A number of things that follow, each at least a byte long.
    pub(crate) fn count(&mut self) -> Result<usize, DecodeError> {
        let count = usize::try_from(u64::take(self)?).unwrap_or(usize::MAX);
        if count > self.0.len() { Err(DecodeError::Truncated) } else { Ok(count) }
    }

    /// Skips the tagged fields of a later version.
    pub(crate) fn skip_tagged(&mut self) -> Result<(), DecodeError> {
        for _ in 0..self.count()? {
            u64::take(self)?;
            let length = self.count()?;
            self.bytes(length)?;
        }
        Ok(())
    }

    /// The value of one tagged field, if it is there; others are skipped.
    pub(crate) fn tagged<T: Wire>(&mut self, wanted: u64) -> Result<Option<T>, DecodeError> {
        let mut found = None;
        for _ in 0..self.count()? {
            let tag = u64::take(self)?;
            let length = self.count()?;
            let mut body = Input(self.bytes(length)?);
            if tag == wanted {
                found = Some(T::take(&mut body)?);
                body.end()?;
            }
        }
        Ok(found)
    }

    pub(crate) fn end(&self) -> Result<(), DecodeError> {
        if self.0.is_empty() { Ok(()) } else { Err(DecodeError::Trailing) }
    }
}

/// Written as one byte where a structure has no tagged fields yet.
pub(crate) fn put_no_tagged(out: &mut Vec<u8>) {
    out.push(0);
}

/// One tagged field.
pub(crate) fn put_tagged(tag: u64, value: &impl Wire, out: &mut Vec<u8>) {
    let mut body = Vec::new();
    value.put(&mut body);
    1u64.put(out);
    tag.put(out);
    (body.len() as u64).put(out);
    out.extend(body);
}

/// A value with bytes.
pub(crate) trait Wire: Sized {
    fn put(&self, out: &mut Vec<u8>);
    fn take(input: &mut Input<'_>) -> Result<Self, DecodeError>;
}

impl Wire for u8 {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }

    fn take(input: &mut Input<'_>) -> Result<u8, DecodeError> {
        input.byte()
    }
}

/// Seven bits a byte, the lowest first; one form per number.
impl Wire for u64 {
    fn put(&self, out: &mut Vec<u8>) {
        let mut rest = *self;
        while rest >= 0x80 {
            out.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
    }

    fn take(input: &mut Input<'_>) -> Result<u64, DecodeError> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = input.byte()?;
            let bits = u64::from(byte & 0x7f);
            let overflows = shift == 63 && bits > 1;
            let padded = shift > 0 && byte == 0;
            if overflows || padded {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(DecodeError::Invalid("number"))
    }
}

/// Zigzag, so that small negative numbers are short too.
impl Wire for i64 {
    fn put(&self, out: &mut Vec<u8>) {
        (((*self << 1) ^ (*self >> 63)) as u64).put(out);
    }

    fn take(input: &mut Input<'_>) -> Result<i64, DecodeError> {
        let number = u64::take(input)?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }
}

macro_rules! narrow {
    ($($narrow:ty as $wide:ty),*) => {$(
        impl Wire for $narrow {
            fn put(&self, out: &mut Vec<u8>) {
                <$wide>::from(*self).put(out);
            }

            fn take(input: &mut Input<'_>) -> Result<$narrow, DecodeError> {
                <$narrow>::try_from(<$wide>::take(input)?).map_err(|_| DecodeError::Invalid("number"))
            }
        }
    )*};
}

narrow!(u16 as u64, u32 as u64, i16 as i64, i32 as i64);

impl Wire for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn take(input: &mut Input<'_>) -> Result<bool, DecodeError> {
        match input.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Invalid("boolean")),
        }
    }
}

impl Wire for String {
    fn put(&self, out: &mut Vec<u8>) {
        put_text(self, out);
    }

    fn take(input: &mut Input<'_>) -> Result<String, DecodeError> {
        let length = input.count()?;
        match std::str::from_utf8(input.bytes(length)?) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(DecodeError::Invalid("text")),
        }
    }
}

pub(crate) fn put_text(text: &str, out: &mut Vec<u8>) {
    (text.len() as u64).put(out);
    out.extend_from_slice(text.as_bytes());
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn take(input: &mut Input<'_>) -> Result<Option<T>, DecodeError> {
        if bool::take(input)? { T::take(input).map(Some) } else { Ok(None) }
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        for value in self {
            value.put(out);
        }
    }

    fn take(input: &mut Input<'_>) -> Result<Vec<T>, DecodeError> {
        let count = input.count()?;
        // A count of small bytes can claim large values: memory grows only with what is really there.
        let mut values = Vec::with_capacity(count.min(1024));
        for _ in 0..count {
            values.push(T::take(input)?);
        }
        Ok(values)
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(input: &mut Input<'_>) -> Result<(A, B), DecodeError> {
        Ok((A::take(input)?, B::take(input)?))
    }
}

/// Fields in this order, then tagged fields, of which there are none yet.
macro_rules! fields {
    ($name:ident { $($field:ident),* }) => {
        impl $crate::codec::wire::Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                $(self.$field.put(out);)*
                $crate::codec::wire::put_no_tagged(out);
            }

            fn take(
                input: &mut $crate::codec::wire::Input<'_>,
            ) -> Result<$name, $crate::codec::wire::DecodeError> {
                $(let $field = $crate::codec::wire::Wire::take(input)?;)*
                input.skip_tagged()?;
                Ok($name { $($field),* })
            }
        }
    };
}

/// One byte per value of an enum without fields.
macro_rules! words {
    ($name:ident { $($value:ident = $number:literal),* }) => {
        impl $crate::codec::wire::Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                out.push(match self { $($name::$value => $number),* });
            }

            fn take(
                input: &mut $crate::codec::wire::Input<'_>,
            ) -> Result<$name, $crate::codec::wire::DecodeError> {
                match input.byte()? {
                    $($number => Ok($name::$value),)*
                    _ => Err($crate::codec::wire::DecodeError::Invalid(stringify!($name))),
                }
            }
        }
    };
}

pub(crate) use {fields, words};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_are_read_as_they_were_written(number: i64) {
            let mut out = Vec::new();
            number.put(&mut out);
            (number as u64).put(&mut out);

            let mut input = Input(&out);

            prop_assert_eq!(i64::take(&mut input), Ok(number));
            prop_assert_eq!(u64::take(&mut input), Ok(number as u64));
            prop_assert_eq!(input.end(), Ok(()));
        }
    }

    #[test]
    fn a_number_has_one_form() {
        assert_eq!(u64::take(&mut Input(&[0x80, 0x00])), Err(DecodeError::Invalid("number")));
        assert_eq!(u64::take(&mut Input(&[0xff; 10])), Err(DecodeError::Invalid("number")));
    }

    #[test]
    fn a_count_that_claims_more_than_there_is_allocates_nothing() {
        let mut claim = Vec::new();
        u64::MAX.put(&mut claim);

        assert_eq!(Vec::<u8>::take(&mut Input(&claim)), Err(DecodeError::Truncated));
        assert_eq!(String::take(&mut Input(&claim)), Err(DecodeError::Truncated));
    }
}
