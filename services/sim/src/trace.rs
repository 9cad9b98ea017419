//! `Trace`: what happened in a simulation, line by line, and the first thing that must not have.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aquifer_runtime::Runtime;

/// Lines kept for the report of a failure.
const TAIL: usize = 300;

/// The story of one simulation. Clones write the same one.
#[derive(Clone)]
pub struct Trace {
    story: Arc<Mutex<Story>>,
    runtime: Runtime,
}

struct Story {
    lines: u64,
    tail: VecDeque<String>,
    hash: u64,
    failure: Option<String>,
    aloud: bool,
}

/// How a story ended.
#[derive(Debug)]
pub struct Told {
    pub lines: u64,
    pub hash: u64,
    pub failure: Option<String>,
    pub tail: Vec<String>,
}

impl Trace {
    /// A story told in `runtime`'s time; `aloud` prints every line.
    pub fn new(runtime: Runtime, aloud: bool) -> Trace {
        let hash = 0xcbf2_9ce4_8422_2325;
        let story = Story { lines: 0, tail: VecDeque::new(), hash, failure: None, aloud };
        Trace { story: Arc::new(Mutex::new(story)), runtime }
    }

    /// Notes one event: who, and what they did or saw.
    pub fn note(&self, who: &str, what: fmt::Arguments<'_>) {
        let micros = self.runtime.now().monotonic.0.as_micros();
        let line = format!("{:>5}.{:06} {who} {what}", micros / 1_000_000, micros % 1_000_000);
        let mut story = self.story();
        if story.aloud {
            eprintln!("{line}");
        }
        story.lines += 1;
        story.mix(line.as_bytes());
        if story.tail.len() == TAIL {
            story.tail.pop_front();
        }
        story.tail.push_back(line);
    }

    /// Takes note of something too small for a line: two runs that differ in it differ in their hash.
    pub fn mix(&self, bytes: &[u8]) {
        self.story().mix(bytes);
    }

    /// Notes that something broke a promise. The first one counts.
    pub fn fail(&self, who: &str, what: fmt::Arguments<'_>) {
        self.note(who, format_args!("FAILED {what}"));
        self.story().failure.get_or_insert_with(|| format!("{who} {what}"));
    }

    pub fn has_failed(&self) -> bool {
        self.story().failure.is_some()
    }

    pub fn told(&self) -> Told {
        let story = self.story();
        Told {
            lines: story.lines,
            hash: story.hash,
            failure: story.failure.clone(),
            tail: story.tail.iter().cloned().collect(),
        }
    }

    fn story(&self) -> MutexGuard<'_, Story> {
        self.story.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Story {
    fn mix(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
