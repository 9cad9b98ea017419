//! `CowMap`: a sorted map whose clones share everything but what was changed since.

use std::borrow::Borrow;
use std::sync::Arc;

/// Small enough to copy in a microsecond, large enough that a map of 10,000 has a few hundred chunks.
const CHUNK_MAX: usize = 64;

/// Entries in the order of their keys; never empty.
type Chunk<K, V> = Arc<Vec<(K, V)>>;

/// A sorted map in chunks behind `Arc`: a clone copies one pointer, a change copies one chunk and the list of chunks.
#[derive(Clone, Debug)]
pub(crate) struct CowMap<K, V> {
    chunks: Arc<Vec<Chunk<K, V>>>,
    len: usize,
}

impl<K, V> Default for CowMap<K, V> {
    fn default() -> CowMap<K, V> {
        CowMap { chunks: Arc::default(), len: 0 }
    }
}

/// Equal entries are equal maps, however they are cut into chunks.
impl<K: Ord + Clone + PartialEq, V: Clone + PartialEq> PartialEq for CowMap<K, V> {
    fn eq(&self, other: &CowMap<K, V>) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<K: Ord + Clone, V: Clone> CowMap<K, V> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let chunk = &self.chunks[self.chunk_of(key)?];
        let at = chunk.binary_search_by(|(have, _)| have.borrow().cmp(key)).ok()?;
        Some(&chunk[at].1)
    }

    /// The value, copied out of what other clones share; absent keys copy nothing.
    pub(crate) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let chunk_at = self.chunk_of(key)?;
        let at = self.chunks[chunk_at].binary_search_by(|(have, _)| have.borrow().cmp(key)).ok()?;
        let chunk = Arc::make_mut(&mut Arc::make_mut(&mut self.chunks)[chunk_at]);
        Some(&mut chunk[at].1)
    }

    /// Sets the value and returns the one before.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let chunk_at = self.chunk_of(&key).unwrap_or(0);
        let chunks = Arc::make_mut(&mut self.chunks);
        if chunks.is_empty() {
            chunks.push(Arc::default());
        }
        let chunk = Arc::make_mut(&mut chunks[chunk_at]);
        match chunk.binary_search_by(|(have, _)| have.cmp(&key)) {
            Ok(at) => Some(std::mem::replace(&mut chunk[at].1, value)),
            Err(at) => {
                chunk.insert(at, (key, value));
                self.len += 1;
                if chunk.len() > CHUNK_MAX {
                    let upper = chunk.split_off(chunk.len() / 2);
                    chunks.insert(chunk_at + 1, Arc::new(upper));
                }
                None
            }
        }
    }

    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let chunk_at = self.chunk_of(key)?;
        let at = self.chunks[chunk_at].binary_search_by(|(have, _)| have.borrow().cmp(key)).ok()?;
        let chunks = Arc::make_mut(&mut self.chunks);
        let (_, value) = Arc::make_mut(&mut chunks[chunk_at]).remove(at);
        self.len -= 1;
        join_small(chunks, chunk_at);
        Some(value)
    }

    /// Everything in the order of the keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.chunks.iter().flat_map(|chunk| chunk.iter().map(|(key, value)| (key, value)))
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// Where the key is, if it is there: the last chunk that starts at or before it.
    fn chunk_of<Q: Ord + ?Sized>(&self, key: &Q) -> Option<usize>
    where
        K: Borrow<Q>,
    {
        if self.chunks.is_empty() {
            return None;
        }
        let after = self.chunks.partition_point(|chunk| chunk[0].0.borrow() <= key);
        Some(after.saturating_sub(1))
    }
}

/// Keeps the list of chunks short after removals: none is empty, and small neighbours become one.
fn join_small<K: Clone, V: Clone>(chunks: &mut Vec<Chunk<K, V>>, at: usize) {
    if chunks[at].is_empty() {
        chunks.remove(at);
        return;
    }
    let Some(next) = chunks.get(at + 1) else { return };
    if chunks[at].len() + next.len() <= CHUNK_MAX / 2 {
        let next = chunks.remove(at + 1);
        Arc::make_mut(&mut chunks[at]).extend_from_slice(&next);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn it_is_a_sorted_map(changes in prop::collection::vec((0u16..300, prop::option::of(any::<u8>())), 0..900)) {
            let mut map = CowMap::default();
            let mut model = BTreeMap::new();
            for (key, value) in changes {
                match value {
                    Some(value) => prop_assert_eq!(map.insert(key, value), model.insert(key, value)),
                    None => prop_assert_eq!(map.remove(&key), model.remove(&key)),
                }
                prop_assert_eq!(map.get(&key), model.get(&key));
            }
            prop_assert_eq!(map.len(), model.len());
            prop_assert!(map.iter().eq(model.iter()));
        }
    }

    #[test]
    fn a_clone_does_not_see_later_changes() {
        let mut map = CowMap::default();
        for key in 0..200 {
            map.insert(key, key);
        }
        let before = map.clone();

        *map.get_mut(&7).expect("is there") = 0;
        map.remove(&100);

        assert_eq!((before.get(&7), before.get(&100)), (Some(&7), Some(&100)));
        assert_eq!((map.get(&7), map.get(&100)), (Some(&0), None));
        let shared =
            map.chunks.iter().filter(|chunk| before.chunks.iter().any(|old| Arc::ptr_eq(chunk, old)));
        assert_eq!(shared.count(), before.chunks.len() - 2);
    }
}
