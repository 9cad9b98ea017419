//! Subscription patterns: compiled within bounds, matched against whole names, away from the shards.

use std::sync::Arc;

use aquifer_group::Resolve;
use aquifer_metadata::Image;
use regex::{Regex, RegexBuilder};

use crate::ask::Message;

/// What a compiled pattern may take; a pattern that would need more is refused, however short it is.
const COMPILED_BYTES_MAX: usize = 1 << 20;
const CACHE_BYTES_MAX: usize = 1 << 20;
const NESTING_MAX: u32 = 50;

/// The pattern cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pattern is not valid: {0}")]
pub struct InvalidPattern(String);

/// Whether the pattern compiles within bounds. Takes at most some milliseconds.
pub fn check_pattern(pattern: &str) -> Result<(), InvalidPattern> {
    compile(pattern).map(|_compiled| ())
}

fn compile(pattern: &str) -> Result<Regex, InvalidPattern> {
    // By itself first: an unbalanced bracket must not be balanced by what is put around it.
    build(pattern)?;
    build(&format!("^(?:{pattern})$"))
}

fn build(pattern: &str) -> Result<Regex, InvalidPattern> {
    RegexBuilder::new(pattern)
        .size_limit(COMPILED_BYTES_MAX)
        .dfa_size_limit(CACHE_BYTES_MAX)
        .nest_limit(NESTING_MAX)
        .build()
        .map_err(|error| InvalidPattern(error.to_string()))
}

/// The topics that match, as the shard is told of them; of more than `limit` it takes the first by name.
pub(crate) fn resolve(wanted: Resolve, image: &Image, limit: usize) -> Message {
    let Resolve { group, pattern, version } = wanted;
    let topics: Vec<Arc<str>> = match compile(&pattern) {
        Ok(compiled) => {
            let names =
                image.topics().filter(|topic| !topic.is_internal()).map(|topic| topic.name().as_str());
            names.filter(|name| compiled.is_match(name)).map(Arc::from).collect()
        }
        Err(error) => {
            // It was checked before it was stored; another version of the program may have known more syntax.
            tracing::warn!(%group, %error, "a stored subscription pattern matches nothing");
            Vec::new()
        }
    };
    if topics.len() > limit {
        let matched = topics.len();
        tracing::warn!(%group, %pattern, matched, limit, "the group reads the first topics of its pattern by name: narrow it");
    }
    Message::PatternResolved { group, pattern, topics, version }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        let compiled = compile("a|ab").expect("a pattern");

        assert!(compiled.is_match("ab"));
        assert!(!compiled.is_match("abc"));
    }

    #[test]
    fn patterns_that_blow_up_or_do_not_parse_are_refused() {
        let nested = "(".repeat(200) + "a" + &")".repeat(200);
        for pattern in ["(", "a)(b", "(?:a{1000}){1000}", r"(\w{100}){100}", "[z-a]", &nested] {
            assert!(check_pattern(pattern).is_err(), "{pattern}");
        }
        assert!(check_pattern("orders-.*").is_ok());
    }
}
