//! Reads and writes Kafka's primitive types, in their plain and their flexible form.

use std::sync::Arc;

use aquifer_types::{TopicId, Uuid};

/// The bytes are cut off or contradict themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bytes are not of this record's form")]
pub struct Malformed;

/// Takes fields off the front of a record's key or value.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    flexible: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes, flexible: false }
    }

    /// From here on lengths are variable and structures end with tagged fields.
    pub(crate) fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn i8(&mut self) -> Result<i8, Malformed> {
        self.array().map(i8::from_be_bytes)
    }

    pub(crate) fn i16(&mut self) -> Result<i16, Malformed> {
        self.array().map(i16::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Malformed> {
        self.array().map(i32::from_be_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, Malformed> {
        self.array().map(i64::from_be_bytes)
    }

    pub(crate) fn topic_id(&mut self) -> Result<TopicId, Malformed> {
        self.array().map(|bytes| TopicId(Uuid::from_bytes(bytes)))
    }

    pub(crate) fn varint(&mut self) -> Result<u32, Malformed> {
        let mut value = 0u32;
        for shift in (0..35).step_by(7) {
            let byte = self.array::<1>()?[0];
            value |= u32::from(byte & 0x7f).checked_shl(shift).ok_or(Malformed)?;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    /// `None` is null.
    fn length(&mut self, short: bool) -> Result<Option<usize>, Malformed> {
        if self.flexible {
            return Ok((self.varint()? as usize).checked_sub(1));
        }
        let length = if short { i32::from(self.i16()?) } else { self.i32()? };
        match length {
            -1 => Ok(None),
            _ => usize::try_from(length).map(Some).map_err(|_negative| Malformed),
        }
    }

    pub(crate) fn nullable_str(&mut self) -> Result<Option<&'a str>, Malformed> {
        let Some(length) = self.length(true)? else { return Ok(None) };
        std::str::from_utf8(self.take(length)?).map(Some).map_err(|_not_text| Malformed)
    }

    pub(crate) fn str(&mut self) -> Result<&'a str, Malformed> {
        self.nullable_str()?.ok_or(Malformed)
    }

    pub(crate) fn nullable_bytes(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        let Some(length) = self.length(false)? else { return Ok(None) };
        self.take(length).map(Some)
    }

    pub(crate) fn bytes(&mut self) -> Result<Arc<[u8]>, Malformed> {
        let length = self.length(false)?.ok_or(Malformed)?;
        Ok(self.take(length)?.into())
    }

    /// An array; what one element takes at least bounds how many there may be.
    pub(crate) fn list<T>(
        &mut self,
        mut element: impl FnMut(&mut Reader<'a>) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = self.length(false)?.ok_or(Malformed)?;
        if count > self.rest.len() {
            return Err(Malformed);
        }
        let mut elements = Vec::new();
        for _ in 0..count {
            elements.push(element(self)?);
        }
        Ok(elements)
    }

    /// The tagged fields that end a flexible structure; unknown ones are passed over by `field` returning Ok.
    pub(crate) fn tags(
        &mut self,
        mut field: impl FnMut(u32, &mut Reader<'a>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        if !self.flexible {
            return Ok(());
        }
        for _ in 0..self.varint()? {
            let tag = self.varint()?;
            let size = self.varint()? as usize;
            let mut inside = Reader { rest: self.take(size)?, flexible: true };
            field(tag, &mut inside)?;
        }
        Ok(())
    }

    pub(crate) fn no_tags(&mut self) -> Result<(), Malformed> {
        self.tags(|_unknown, _value| Ok(()))
    }
}

/// Appends fields to a record's key or value.
pub(crate) struct Writer {
    pub(crate) bytes: Vec<u8>,
    flexible: bool,
}

impl Writer {
    /// Starts with the version, as keys and values do.
    pub(crate) fn new(version: i16, flexible: bool) -> Writer {
        Writer { bytes: version.to_be_bytes().to_vec(), flexible }
    }

    /// The inside of a tagged field: no version, flexible.
    pub(crate) fn inside() -> Writer {
        Writer { bytes: Vec::new(), flexible: true }
    }

    pub(crate) fn i8(&mut self, value: i8) {
        self.bytes.extend(value.to_be_bytes());
    }

    pub(crate) fn i16(&mut self, value: i16) {
        self.bytes.extend(value.to_be_bytes());
    }

    pub(crate) fn i32(&mut self, value: i32) {
        self.bytes.extend(value.to_be_bytes());
    }

    pub(crate) fn i64(&mut self, value: i64) {
        self.bytes.extend(value.to_be_bytes());
    }

    pub(crate) fn topic_id(&mut self, id: TopicId) {
        self.bytes.extend(id.0.as_bytes());
    }

    pub(crate) fn varint(&mut self, value: u32) {
        let mut rest = value;
        while rest >= 0x80 {
            self.bytes.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        self.bytes.push(rest as u8);
    }

    fn length(&mut self, length: usize, short: bool) {
        if self.flexible {
            self.varint(u32::try_from(length + 1).expect("bounded by the limits"));
        } else if short {
            self.i16(i16::try_from(length).expect("bounded by the limits"));
        } else {
            self.i32(i32::try_from(length).expect("bounded by the limits"));
        }
    }

    pub(crate) fn str(&mut self, text: &str) {
        self.length(text.len(), true);
        self.bytes.extend(text.as_bytes());
    }

    pub(crate) fn nullable_str(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.str(text),
            None if self.flexible => self.varint(0),
            None => self.i16(-1),
        }
    }

    pub(crate) fn byte_string(&mut self, bytes: &[u8]) {
        self.length(bytes.len(), false);
        self.bytes.extend(bytes);
    }

    pub(crate) fn list<T>(
        &mut self,
        elements: impl ExactSizeIterator<Item = T>,
        mut each: impl FnMut(&mut Writer, T),
    ) {
        self.length(elements.len(), false);
        for element in elements {
            each(self, element);
        }
    }

    /// The tagged fields that end a flexible structure, in the order of their tags.
    pub(crate) fn tags(&mut self, fields: &[(u32, Vec<u8>)]) {
        if !self.flexible {
            return;
        }
        self.varint(fields.len() as u32);
        for (tag, value) in fields {
            self.varint(*tag);
            self.varint(u32::try_from(value.len()).expect("bounded by the limits"));
            self.bytes.extend(value);
        }
    }
}
