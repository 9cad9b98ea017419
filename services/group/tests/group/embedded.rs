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

/// What an assignment gives.
pub fn read_assignment(bytes: &[u8]) -> Named {
    let mut input = Input(bytes);
    if bytes.is_empty() {
        return Named::new();
    }
    input.take(2);
    input.named()
}

/// The topics a subscription names, and what it owns.
pub fn read_subscription(bytes: &[u8]) -> (BTreeSet<String>, Named) {
    let mut input = Input(bytes);
    input.take(2);
    let topics = (0..input.i32()).map(|_| input.text()).collect();
    assert_eq!(input.i32(), -1, "no user data");
    (topics, input.named())
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn take(&mut self, count: usize) -> Vec<u8> {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken.to_vec()
    }

    fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.take(4).try_into().expect("four bytes"))
    }

    fn text(&mut self) -> String {
        let length = i16::from_be_bytes(self.take(2).try_into().expect("two bytes"));
        String::from_utf8(self.take(length as usize)).expect("text")
    }

    fn named(&mut self) -> Named {
        let mut named = Named::new();
        for _ in 0..self.i32() {
            let name = self.text();
            for _ in 0..self.i32() {
                named.insert((name.clone(), self.i32()));
            }
        }
        named
    }
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as i16).to_be_bytes());
    bytes.extend(text.as_bytes());
}
