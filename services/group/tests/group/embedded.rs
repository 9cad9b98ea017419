//! The bytes that classic consumers put into the group protocol.

use std::collections::BTreeSet;
use std::sync::Arc;

/// Partitions by topic name.
pub type Named = BTreeSet<(String, i32)>;

/// A subscription of version 1: topics, and what is owned.
pub fn subscription(topics: &[Arc<str>], owned: &Named) -> Arc<[u8]> {
    let mut bytes = vec![0, 1];
    bytes.extend((topics.len() as i32).to_be_bytes());
    for topic in topics {
        text(&mut bytes, topic);
    }
    bytes.extend((-1i32).to_be_bytes());
    let names: BTreeSet<&String> = owned.iter().map(|(name, _)| name).collect();
    bytes.extend((names.len() as i32).to_be_bytes());
    for name in names {
        text(&mut bytes, name);
        let listed: Vec<i32> = owned.iter().filter(|(at, _)| at == name).map(|(_, at)| *at).collect();
        bytes.extend((listed.len() as i32).to_be_bytes());
        bytes.extend(listed.iter().flat_map(|partition| partition.to_be_bytes()));
    }
    bytes.into()
}

/// An assignment of version 1.
pub fn assignment(assigned: &Named) -> Arc<[u8]> {
    // It is a subscription that owns this and names nothing, but for where the user data stands.
    let subscribed = subscription(&[], assigned);
    let mut bytes = vec![0, 1];
    bytes.extend(&subscribed[10..]);
    bytes.extend((-1i32).to_be_bytes());
    bytes.into()
}

pub fn read_assignment(bytes: &[u8]) -> Named {
    let mut at = 2;
    let mut number = |size: usize| {
        let taken = &bytes[at..at + size];
        at += size;
        taken.to_vec()
    };
    let i32_of = |bytes: Vec<u8>| i32::from_be_bytes(bytes.try_into().expect("four bytes"));
    let mut named = Named::new();
    if bytes.is_empty() {
        return named;
    }
    for _ in 0..i32_of(number(4)) {
        let length = i16::from_be_bytes(number(2).try_into().expect("two bytes"));
        let name = String::from_utf8(number(length as usize)).expect("text");
        for _ in 0..i32_of(number(4)) {
            named.insert((name.clone(), i32_of(number(4))));
        }
    }
    named
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as i16).to_be_bytes());
    bytes.extend(text.as_bytes());
}
