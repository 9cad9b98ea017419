//! Requests name a thing once; naming it twice is refused, and answered once.

use std::collections::BTreeMap;

use crate::refusal::Refused;

/// The items by what they name, in the order of the request. What is named more than once is refused.
pub(crate) fn each_once<K: Ord + Clone, T>(
    items: Vec<T>,
    named: impl Fn(&T) -> K,
) -> Vec<(K, Result<T, Refused>)> {
    let mut counts: BTreeMap<K, usize> = BTreeMap::new();
    for item in &items {
        *counts.entry(named(item)).or_default() += 1;
    }
    let mut once = Vec::with_capacity(counts.len());
    for item in items {
        let key = named(&item);
        match counts.remove(&key) {
            Some(1) => once.push((key, Ok(item))),
            Some(_) => once.push((key, Err(Refused::invalid_request("named more than once in one request")))),
            None => {}
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_twice_is_refused_in_its_first_place() {
        let once = each_once(vec![("b", 1), ("a", 2), ("b", 3)], |(name, _)| *name);

        assert_eq!(
            once,
            [
                ("b", Err(Refused::invalid_request("named more than once in one request"))),
                ("a", Ok(("a", 2)))
            ]
        );
    }
}
