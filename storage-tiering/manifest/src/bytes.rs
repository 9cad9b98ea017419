//! Reading and writing numbers and lists, big-endian, within bounds.

/// Bytes that are left to read.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }

    /// A list whose elements take at least `size_min` bytes each.
    pub(crate) fn list<T>(
        &mut self,
        size_min: usize,
        take: impl Fn(&mut Reader<'a>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let count = usize::try_from(self.u32()?).ok()?;
        if count.checked_mul(size_min)? > self.0.len() {
            return None;
        }
        (0..count).map(|_| take(self)).collect()
    }

    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let count = usize::try_from(self.u32()?).ok()?;
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }
}

pub(crate) fn put_list<T>(out: &mut Vec<u8>, list: &[T], put: impl Fn(&mut Vec<u8>, &T)) {
    out.extend(u32::try_from(list.len()).expect("lists are short").to_be_bytes());
    for element in list {
        put(out, element);
    }
}

/// What stands between the magic and the checksum in an object's last `N` bytes; nothing if either is wrong.
pub(crate) fn trailer_words<const N: usize>(object_tail: &[u8], magic: [u8; 8]) -> Option<Reader<'_>> {
    let trailer: &[u8; N] = object_tail.last_chunk()?;
    let (named, crc) = trailer.split_last_chunk::<4>()?;
    let mut reader = Reader(named);
    let is_sound = reader.array() == Some(magic) && crc32c::crc32c(named) == u32::from_be_bytes(*crc);
    is_sound.then_some(reader)
}
