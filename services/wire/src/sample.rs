//! `Sample`: seeded random messages of any version, and the shape of each version as text.

use aquifer_types::Uuid;
use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::records::Records;
use crate::text::Text;
use crate::value::Float;

/// A value as some version may carry it. Fields that the version lacks hold their default.
pub(crate) trait Sample: Sized {
    fn sample(source: &mut Source, nullable: bool) -> Self;

    /// The default, with one element of its own default in every array that the version has.
    fn sparse(default: Self, _version: i16) -> Self {
        default
    }

    /// Appends the type's name and, for a struct, its fields; those the version lacks with `~` where they are dropped
    /// and `!` where they are refused.
    fn describe(version: i16, description: &mut String);

    /// Whether the type has a null.
    const IS_OPTION: bool = false;
}

/// Seeded randomness with a liking for edges.
pub(crate) struct Source {
    state: u64,
    version: i16,
}

impl Source {
    pub(crate) fn new(seed: u64, version: i16) -> Source {
        Source { state: seed, version }
    }

    pub(crate) fn version(&self) -> i16 {
        self.version
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

pub(crate) fn describe_field<T: Sample>(field: &str, version: i16, nullable: bool, description: &mut String) {
    description.push_str(field.trim_start_matches("r#"));
    description.push(':');
    T::describe(version, description);
    if T::IS_OPTION && nullable {
        description.push('?');
    }
    description.push(' ');
}

macro_rules! sample_numbers {
    ($($number:ident $name:literal),*) => {$(
        impl Sample for $number {
            fn sample(source: &mut Source, _nullable: bool) -> Self {
                match source.below(8) {
                    0 => 0,
                    1 => $number::MAX,
                    2 => $number::MIN,
                    3 => (0 as $number).wrapping_sub(1),
                    _ => source.next() as $number,
                }
            }

            fn describe(_version: i16, description: &mut String) {
                description.push_str($name);
            }
        }
    )*};
}

sample_numbers!(i8 "int8", i16 "int16", u16 "uint16", i32 "int32", i64 "int64");

impl Sample for Float {
    fn sample(source: &mut Source, _nullable: bool) -> Self {
        // Not a number in any of its many spellings: other codecs need not keep which.
        Float(f64::from(source.next() as u32).to_bits())
    }

    fn describe(_version: i16, description: &mut String) {
        description.push_str("float64");
    }
}

impl Sample for bool {
    fn sample(source: &mut Source, _nullable: bool) -> Self {
        source.below(2) == 1
    }

    fn describe(_version: i16, description: &mut String) {
        description.push_str("boolean");
    }
}

impl Sample for ErrorCode {
    fn sample(source: &mut Source, nullable: bool) -> Self {
        ErrorCode(i16::sample(source, nullable))
    }

    fn describe(version: i16, description: &mut String) {
        i16::describe(version, description);
    }
}

impl Sample for Uuid {
    fn sample(source: &mut Source, _nullable: bool) -> Self {
        let drawn = (u128::from(source.next()) << 64) | u128::from(source.next());
        let id = if source.below(4) == 0 { 0 } else { drawn };
        Uuid::from_bytes(id.to_be_bytes())
    }

    fn describe(_version: i16, description: &mut String) {
        description.push_str("uuid");
    }
}

impl Sample for Text {
    fn sample(source: &mut Source, _nullable: bool) -> Self {
        let length = match source.below(16) {
            0 => 0,
            1 => 126 + source.below(4),
            _ => source.below(12),
        };
        let alphabet = ['a', 'Z', '0', '.', '-', 'é', '水', '🦀'];
        let text: String = (0..length).map(|_| alphabet[source.below(8) as usize]).collect();
        Text::from(text)
    }

    fn describe(_version: i16, description: &mut String) {
        description.push_str("string");
    }
}

impl Sample for Bytes {
    fn sample(source: &mut Source, _nullable: bool) -> Self {
        let length = match source.below(8) {
            0 => 0,
            1 => 2040 + source.below(16),
            _ => source.below(140),
        };
        (0..length).map(|_| source.next() as u8).collect()
    }

    fn describe(_version: i16, description: &mut String) {
        description.push_str("bytes");
    }
}

impl Sample for Records {
    fn sample(source: &mut Source, nullable: bool) -> Self {
        Records::Bytes(Bytes::sample(source, nullable))
    }

    fn describe(_version: i16, description: &mut String) {
        description.push_str("records");
    }
}

impl<T: Sample + Default> Sample for Vec<T> {
    fn sample(source: &mut Source, _nullable: bool) -> Self {
        (0..source.below(4)).map(|_| T::sample(source, false)).collect()
    }

    fn sparse(_default: Self, version: i16) -> Self {
        vec![T::sparse(T::default(), version)]
    }

    fn describe(version: i16, description: &mut String) {
        description.push_str("[]");
        T::describe(version, description);
    }
}

impl<T: Sample> Sample for Option<T> {
    fn sample(source: &mut Source, nullable: bool) -> Self {
        if nullable && source.below(4) == 0 { None } else { Some(T::sample(source, false)) }
    }

    fn sparse(default: Self, version: i16) -> Self {
        default.map(|value| T::sparse(value, version))
    }

    fn describe(version: i16, description: &mut String) {
        T::describe(version, description);
    }

    const IS_OPTION: bool = true;
}
