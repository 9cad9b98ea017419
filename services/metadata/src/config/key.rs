//! `ConfigKey`: one config name with its type, default, rule and text.

use std::str::FromStr;

/// A name from one of the tables.
pub type ConfigName = &'static str;

/// Longest value that is stored.
const VALUE_BYTES_MAX: usize = 16 * 1024;

/// The type of a config, with Kafka's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigKind {
    Boolean = 1,
    String = 2,
    Int = 3,
    Short = 4,
    Long = 5,
    Double = 6,
    List = 7,
}

impl ConfigKind {
    /// Kafka's word for the type.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            ConfigKind::Boolean => "BOOLEAN",
            ConfigKind::String => "STRING",
            ConfigKind::Int => "INT",
            ConfigKind::Short => "SHORT",
            ConfigKind::Long => "LONG",
            ConfigKind::Double => "DOUBLE",
            ConfigKind::List => "LIST",
        }
    }
}

/// Which values of the type are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    Any,
    AtLeast(i64),
    Between(i64, i64),
    /// Between the two, or the third.
    BetweenOr(i64, i64, i64),
    /// From 0 to 1.
    Fraction,
    /// One of these, or for a list: each of these at most once.
    OneOf(&'static [&'static str]),
    /// `partition:node` pairs, or `*`.
    ThrottledReplicas,
    /// `latest`, `earliest` or `by_duration:` with an ISO 8601 duration.
    OffsetReset,
}

/// One config name.
#[derive(Clone, Copy, Debug)]
pub struct ConfigKey {
    pub name: ConfigName,
    pub kind: ConfigKind,
    /// The value where nothing was set; none means that the config has no value then.
    pub default: Option<&'static str>,
    pub rule: Rule,
    pub documentation: &'static str,
}

/// A value breaks the rule of its config.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfig {
    #[error("unknown config name: {0}")]
    Unknown(String),
    #[error("invalid value '{value}' for '{name}': {reason}")]
    Value { name: ConfigName, value: String, reason: InvalidValue },
    /// Two settings contradict each other.
    #[error("'{name}' is {value}, which contradicts '{other}' = {other_value}")]
    Conflict { name: ConfigName, value: String, other: ConfigName, other_value: String },
    /// A compacted topic is mirrored to its tier, not moved there.
    #[error(
        "'{name}' is {value}, and the topic is compacted: compaction works on the local copy, so that all of it stays, and the \
         tier has the same; leave '{name}' alone"
    )]
    LocalCopy { name: ConfigName, value: String },
    /// What only the tier has cannot be compacted.
    #[error(
        "'cleanup.policy' cannot become {0}: some of the topic's records are in the tier alone, and compaction works on the \
         local copy; copy them to a topic that is compacted from the start"
    )]
    LocalCopyGone(String),
    /// A topic of ours keeps this setting.
    #[error("'{0}' cannot be changed on an internal topic")]
    Internal(ConfigName),
}

/// What is wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidValue {
    #[error("it must be true or false")]
    NotBoolean,
    #[error("it is not a number of type {0}")]
    NotANumber(&'static str),
    #[error("it must be at least {0}")]
    TooSmall(i64),
    #[error("it must be at most {0}")]
    TooLarge(i64),
    #[error("it must be from {0} to {1}")]
    OutOfRange(i64, i64),
    #[error("it must be one of {}", .0.join(", "))]
    NotOneOf(&'static [&'static str]),
    #[error("its entries must not be empty")]
    EmptyEntry,
    #[error("it must be '*' or pairs partition:node, separated by commas")]
    NotThrottledReplicas,
    #[error("it must be latest, earliest or by_duration: with a duration such as PT1H")]
    NotOffsetReset,
    #[error("it is longer than {VALUE_BYTES_MAX} bytes")]
    TooLong,
}

impl ConfigKey {
    /// The value in the form in which it is stored and reported, if it keeps the rule.
    pub fn canonical(&self, value: &str) -> Result<String, InvalidConfig> {
        self.check(value).map_err(|reason| {
            let shown = value.chars().take(100).collect();
            InvalidConfig::Value { name: self.name, value: shown, reason }
        })
    }

    fn check(&self, value: &str) -> Result<String, InvalidValue> {
        if value.len() > VALUE_BYTES_MAX {
            return Err(InvalidValue::TooLong);
        }
        let value = value.trim();
        match self.kind {
            ConfigKind::Boolean => boolean(value),
            ConfigKind::Int => self.integer::<i32>(value),
            ConfigKind::Short => self.integer::<i16>(value),
            ConfigKind::Long => self.integer::<i64>(value),
            ConfigKind::Double => self.double(value),
            ConfigKind::String => self.text(value),
            ConfigKind::List => self.list(value),
        }
    }

    fn not_a_number(&self) -> InvalidValue {
        InvalidValue::NotANumber(self.kind.word())
    }

    fn integer<T: FromStr + Into<i64>>(&self, value: &str) -> Result<String, InvalidValue> {
        let number: T = value.parse().map_err(|_unread| self.not_a_number())?;
        self.number(number.into())
    }

    fn number(&self, number: i64) -> Result<String, InvalidValue> {
        match self.rule {
            Rule::AtLeast(min) if number < min => Err(InvalidValue::TooSmall(min)),
            Rule::Between(min, max) if number < min || number > max => {
                Err(InvalidValue::OutOfRange(min, max))
            }
            Rule::BetweenOr(min, max, or) if (number < min || number > max) && number != or => {
                Err(InvalidValue::OutOfRange(min, max))
            }
            _ => Ok(number.to_string()),
        }
    }

    fn double(&self, value: &str) -> Result<String, InvalidValue> {
        let number = f64::from_str(value).map_err(|_unread| self.not_a_number())?;
        if number.is_nan() {
            return Err(self.not_a_number());
        }
        match self.rule {
            Rule::Fraction if number < 0.0 => Err(InvalidValue::TooSmall(0)),
            Rule::Fraction if number > 1.0 => Err(InvalidValue::TooLarge(1)),
            // Positive zero only: the two would be different texts of one value.
            _ if number == 0.0 => Ok("0.0".to_owned()),
            _ => Ok(format!("{number:?}")),
        }
    }

    fn text(&self, value: &str) -> Result<String, InvalidValue> {
        match self.rule {
            Rule::OneOf(words) if !words.contains(&value) => Err(InvalidValue::NotOneOf(words)),
            Rule::OffsetReset if !is_offset_reset(value) => Err(InvalidValue::NotOffsetReset),
            _ => Ok(value.to_owned()),
        }
    }

    fn list(&self, value: &str) -> Result<String, InvalidValue> {
        let mut entries: Vec<&str> = Vec::new();
        for entry in split_list(value) {
            if entry.is_empty() {
                return Err(InvalidValue::EmptyEntry);
            }
            if let Rule::OneOf(words) = self.rule {
                if !words.contains(&entry) {
                    return Err(InvalidValue::NotOneOf(words));
                }
                if entries.contains(&entry) {
                    continue;
                }
            }
            entries.push(entry);
        }
        if self.rule == Rule::ThrottledReplicas && !is_throttled_replicas(&entries) {
            return Err(InvalidValue::NotThrottledReplicas);
        }
        Ok(entries.join(","))
    }
}

/// The entries of a list value; an empty text is an empty list.
pub(crate) fn split_list(value: &str) -> impl Iterator<Item = &str> {
    let whole = (!value.trim().is_empty()).then_some(value);
    whole.into_iter().flat_map(|text| text.split(',').map(str::trim))
}

fn boolean(value: &str) -> Result<String, InvalidValue> {
    if value.eq_ignore_ascii_case("true") {
        Ok("true".to_owned())
    } else if value.eq_ignore_ascii_case("false") {
        Ok("false".to_owned())
    } else {
        Err(InvalidValue::NotBoolean)
    }
}

fn is_throttled_replicas(entries: &[&str]) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    entries == ["*"]
        || entries.iter().all(|entry| entry.split_once(':').is_some_and(|(a, b)| digits(a) && digits(b)))
}

fn is_offset_reset(value: &str) -> bool {
    matches!(value, "latest" | "earliest") || value.strip_prefix("by_duration:").is_some_and(is_duration)
}

/// Days, hours, minutes and seconds of ISO 8601, in this order, at least one, none negative: `P1DT2H3M4.5S`.
fn is_duration(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('P') else { return false };
    let (days, time) = match rest.split_once('T') {
        Some((_, "")) => return false,
        Some((days, time)) => (days, time),
        None => (rest, ""),
    };
    !rest.is_empty() && are_parts(days, "D") && are_parts(time, "HMS")
}

/// Numbers, each followed by a unit of `units`, whose order they keep; only seconds may have a fraction.
fn are_parts(text: &str, units: &str) -> bool {
    let mut rest = text;
    let mut units_left = units;
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        let Some(unit) = after.chars().next() else { return false };
        let Some(at) = units_left.find(unit) else { return false };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let has_digits = !whole.is_empty() && !fraction.contains('.') && fraction.len() <= 9;
        if !has_digits || whole.len() > 18 || (number.contains('.') && unit != 'S') {
            return false;
        }
        units_left = &units_left[at + 1..];
        rest = &after[1..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{GROUP_CONFIGS, topic_config};

    fn stored(name: &str, value: &str) -> Result<String, InvalidValue> {
        let key = topic_config(name).map(|topic| &topic.key);
        let key = key.or_else(|| GROUP_CONFIGS.iter().find(|key| key.name == name));
        key.expect("in a table").check(value)
    }

    #[test]
    fn values_are_stored_in_one_form() {
        for (name, value, form) in [
            ("cleanup.policy", "delete,delete", "delete"),
            ("cleanup.policy", "", ""),
            ("cleanup.policy", " compact , delete ", "compact,delete"),
            ("retention.ms", " +5 ", "5"),
            ("retention.bytes", "-5", "-5"),
            ("preallocate", "TRUE", "true"),
            ("min.cleanable.dirty.ratio", "1e-1", "0.1"),
            ("min.cleanable.dirty.ratio", "1", "1.0"),
            ("min.cleanable.dirty.ratio", "-0", "0.0"),
            ("leader.replication.throttled.replicas", "0:1, 1:2", "0:1,1:2"),
            ("leader.replication.throttled.replicas", "*", "*"),
            ("compression.type", " gzip ", "gzip"),
            ("share.auto.offset.reset", "by_duration:P1DT2H3M4.5S", "by_duration:P1DT2H3M4.5S"),
        ] {
            assert_eq!(stored(name, value), Ok(form.to_owned()), "{name}={value}");
        }
    }

    #[test]
    fn values_that_break_the_rule_are_refused() {
        let long = "9".repeat(VALUE_BYTES_MAX + 1);
        for (name, value, reason) in [
            ("cleanup.policy", "Delete", InvalidValue::NotOneOf(&["compact", "delete"])),
            ("cleanup.policy", "delete,", InvalidValue::EmptyEntry),
            ("compression.gzip.level", "0", InvalidValue::OutOfRange(1, 9)),
            ("retention.ms", "abc", InvalidValue::NotANumber("LONG")),
            ("retention.ms", "-2", InvalidValue::TooSmall(-1)),
            ("retention.ms", &long, InvalidValue::TooLong),
            ("preallocate", "yes", InvalidValue::NotBoolean),
            ("min.cleanable.dirty.ratio", "NaN", InvalidValue::NotANumber("DOUBLE")),
            ("min.cleanable.dirty.ratio", "1.5", InvalidValue::TooLarge(1)),
            ("leader.replication.throttled.replicas", "none", InvalidValue::NotThrottledReplicas),
            ("segment.bytes", "100", InvalidValue::TooSmall(65_536)),
            ("segment.bytes", "1048576000000", InvalidValue::NotANumber("INT")),
            ("share.auto.offset.reset", "by_duration:PT", InvalidValue::NotOffsetReset),
            ("share.auto.offset.reset", "by_duration:-PT1S", InvalidValue::NotOffsetReset),
            ("share.auto.offset.reset", "by_duration:PT1.5H", InvalidValue::NotOffsetReset),
            ("share.auto.offset.reset", "by_duration:PT1S1H", InvalidValue::NotOffsetReset),
        ] {
            assert_eq!(stored(name, value), Err(reason), "{name}={value}");
        }
    }
}
