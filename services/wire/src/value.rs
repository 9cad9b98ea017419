//! `Value`: how each type of field is read and written, in flexible versions and others.

use aquifer_types::Uuid;
use bytes::Bytes;

use crate::decoder::{DecodeError, Decoder};
use crate::encoder::{EncodeError, Encoder};
use crate::error_code::ErrorCode;
use crate::records::Records;
use crate::text::Text;

/// A type of field. `nullable` says whether the version at hand allows null; only `Option`s heed it.
pub trait Value: Sized {
    /// The fewest bytes that any value takes: what an array of them is measured by before it is allocated.
    fn size_min(version: i16, flexible: bool) -> usize;

    fn decode(decoder: &mut Decoder<'_>, nullable: bool) -> Result<Self, DecodeError>;

    fn encode(&self, encoder: &mut Encoder, nullable: bool) -> Result<(), EncodeError>;
}

/// A type of field with an encoding of null.
pub trait NullableValue: Value {
    fn decode_nullable(decoder: &mut Decoder<'_>) -> Result<Option<Self>, DecodeError>;

    /// Writes what stands in front of a value that may be null, where that is not part of the value itself.
    fn encode_present(_encoder: &mut Encoder) {}

    fn encode_null(encoder: &mut Encoder);
}

impl<T: NullableValue> Value for Option<T> {
    fn size_min(_version: i16, _flexible: bool) -> usize {
        1
    }

    fn decode(decoder: &mut Decoder<'_>, nullable: bool) -> Result<Self, DecodeError> {
        if nullable { T::decode_nullable(decoder) } else { T::decode(decoder, false).map(Some) }
    }

    fn encode(&self, encoder: &mut Encoder, nullable: bool) -> Result<(), EncodeError> {
        match self {
            Some(value) => {
                if nullable {
                    T::encode_present(encoder);
                }
                value.encode(encoder, false)
            }
            None if nullable => {
                T::encode_null(encoder);
                Ok(())
            }
            None => Err(encoder.null()),
        }
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Value for $number {
            fn size_min(_version: i16, _flexible: bool) -> usize {
                size_of::<$number>()
            }

            fn decode(decoder: &mut Decoder<'_>, _nullable: bool) -> Result<Self, DecodeError> {
                Ok(<$number>::from_be_bytes(decoder.array()?))
            }

            fn encode(&self, encoder: &mut Encoder, _nullable: bool) -> Result<(), EncodeError> {
                encoder.put(&self.to_be_bytes());
                Ok(())
            }
        }
    )*};
}

numbers!(i8, i16, u16, i32, i64);

/// A floating-point number by its bits, so that messages can be compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Float(pub u64);

impl Value for Float {
    fn size_min(_version: i16, _flexible: bool) -> usize {
        8
    }

    fn decode(decoder: &mut Decoder<'_>, _nullable: bool) -> Result<Self, DecodeError> {
        Ok(Float(u64::from_be_bytes(decoder.array()?)))
    }

    fn encode(&self, encoder: &mut Encoder, _nullable: bool) -> Result<(), EncodeError> {
        encoder.put(&self.0.to_be_bytes());
        Ok(())
    }
}

impl Value for bool {
    fn size_min(_version: i16, _flexible: bool) -> usize {
        1
    }

    fn decode(decoder: &mut Decoder<'_>, _nullable: bool) -> Result<Self, DecodeError> {
        Ok(decoder.i8()? != 0)
    }

    fn encode(&self, encoder: &mut Encoder, _nullable: bool) -> Result<(), EncodeError> {
        encoder.put(&[u8::from(*self)]);
        Ok(())
    }
}

impl Value for ErrorCode {
    fn size_min(_version: i16, _flexible: bool) -> usize {
        2
    }

    fn decode(decoder: &mut Decoder<'_>, _nullable: bool) -> Result<Self, DecodeError> {
        decoder.i16().map(ErrorCode)
    }

    fn encode(&self, encoder: &mut Encoder, _nullable: bool) -> Result<(), EncodeError> {
        encoder.put(&self.0.to_be_bytes());
        Ok(())
    }
}

impl Value for Uuid {
    fn size_min(_version: i16, _flexible: bool) -> usize {
        16
    }

    fn decode(decoder: &mut Decoder<'_>, _nullable: bool) -> Result<Self, DecodeError> {
        decoder.uuid()
    }

    fn encode(&self, encoder: &mut Encoder, _nullable: bool) -> Result<(), EncodeError> {
        encoder.put(self.as_bytes());
        Ok(())
    }
}

impl Value for Text {
    fn size_min(_version: i16, flexible: bool) -> usize {
        if flexible { 1 } else { 2 }
    }

    fn decode(decoder: &mut Decoder<'_>, _nullable: bool) -> Result<Self, DecodeError> {
        decoder.text()?.ok_or_else(|| decoder.null())
    }

    fn encode(&self, encoder: &mut Encoder, _nullable: bool) -> Result<(), EncodeError> {
        encoder.text(self)
    }
}

impl NullableValue for Text {
    fn decode_nullable(decoder: &mut Decoder<'_>) -> Result<Option<Self>, DecodeError> {
        decoder.text()
    }

    fn encode_null(encoder: &mut Encoder) {
        encoder.null_text();
    }
}

impl Value for Bytes {
    fn size_min(_version: i16, flexible: bool) -> usize {
        if flexible { 1 } else { 4 }
    }

    fn decode(decoder: &mut Decoder<'_>, _nullable: bool) -> Result<Self, DecodeError> {
        decoder.bytes()?.ok_or_else(|| decoder.null())
    }

    fn encode(&self, encoder: &mut Encoder, _nullable: bool) -> Result<(), EncodeError> {
        encoder.length(self.len())?;
        encoder.put(self);
        Ok(())
    }
}

impl NullableValue for Bytes {
    fn decode_nullable(decoder: &mut Decoder<'_>) -> Result<Option<Self>, DecodeError> {
        decoder.bytes()
    }

    fn encode_null(encoder: &mut Encoder) {
        encoder.null_length();
    }
}

impl Value for Records {
    fn size_min(_version: i16, flexible: bool) -> usize {
        if flexible { 1 } else { 4 }
    }

    fn decode(decoder: &mut Decoder<'_>, nullable: bool) -> Result<Self, DecodeError> {
        Bytes::decode(decoder, nullable).map(Records::Bytes)
    }

    fn encode(&self, encoder: &mut Encoder, _nullable: bool) -> Result<(), EncodeError> {
        encoder.records(self)
    }
}

impl NullableValue for Records {
    fn decode_nullable(decoder: &mut Decoder<'_>) -> Result<Option<Self>, DecodeError> {
        Ok(decoder.bytes()?.map(Records::Bytes))
    }

    fn encode_null(encoder: &mut Encoder) {
        encoder.null_length();
    }
}

impl<T: Value> Value for Vec<T> {
    fn size_min(_version: i16, flexible: bool) -> usize {
        if flexible { 1 } else { 4 }
    }

    fn decode(decoder: &mut Decoder<'_>, _nullable: bool) -> Result<Self, DecodeError> {
        Self::decode_nullable(decoder)?.ok_or_else(|| decoder.null())
    }

    fn encode(&self, encoder: &mut Encoder, _nullable: bool) -> Result<(), EncodeError> {
        encoder.length(self.len())?;
        self.iter().try_for_each(|element| element.encode(encoder, false))
    }
}

impl<T: Value> NullableValue for Vec<T> {
    fn decode_nullable(decoder: &mut Decoder<'_>) -> Result<Option<Self>, DecodeError> {
        let element_min = T::size_min(decoder.version(), decoder.flexible());
        let Some(count) = decoder.count(element_min, size_of::<T>())? else {
            return Ok(None);
        };
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            elements.push(T::decode(decoder, false)?);
        }
        Ok(Some(elements))
    }

    fn encode_null(encoder: &mut Encoder) {
        encoder.null_length();
    }
}
