//! `TopicName`: a topic's name by Kafka's rules.

use std::fmt;
use std::sync::Arc;

const LENGTH_MAX: usize = 249;

/// A topic's name: 1 to 249 of `[a-zA-Z0-9._-]`, neither `.` nor `..`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(Arc<str>);

/// The text breaks Kafka's rules for topic names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTopicName {
    #[error("topic name is empty")]
    Empty,
    #[error("topic name must not be '.' or '..'")]
    Dots,
    #[error("topic name is longer than 249 characters")]
    TooLong,
    #[error("topic name has a character other than ASCII letters, digits, '.', '_' and '-'")]
    Character,
}

impl TopicName {
    /// The name, if it keeps the rules.
    pub fn new(text: &str) -> Result<TopicName, InvalidTopicName> {
        if text.is_empty() {
            return Err(InvalidTopicName::Empty);
        }
        if text == "." || text == ".." {
            return Err(InvalidTopicName::Dots);
        }
        if text.len() > LENGTH_MAX {
            return Err(InvalidTopicName::TooLong);
        }
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')) {
            return Err(InvalidTopicName::Character);
        }
        Ok(TopicName(text.into()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Names starting with two underscores are ours: clients neither create them nor produce to them.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with("__")
    }

    /// What two names must not share: Kafka's metrics map `.` to `_`.
    #[must_use]
    pub fn collision_key(&self) -> String {
        self.0.replace('.', "_")
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl std::borrow::Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_are_kafkas() {
        let long = "a".repeat(250);
        for (text, refusal) in [
            ("", InvalidTopicName::Empty),
            (".", InvalidTopicName::Dots),
            ("..", InvalidTopicName::Dots),
            (long.as_str(), InvalidTopicName::TooLong),
            ("a b", InvalidTopicName::Character),
            ("größe", InvalidTopicName::Character),
        ] {
            assert_eq!(TopicName::new(text), Err(refusal), "{text:?}");
        }
        assert!(TopicName::new("orders.v1_eu-west").is_ok());
    }
}
