//! `ReadLimits`: how much one read brings, by what its caller asked for.

use std::time::Duration;

use crate::refusal::{Code, Refusal};

const BYTES_MAX: usize = 32 * 1024 * 1024;
const POLLED_RECORDS_MAX: usize = 10_000;
const WAIT_MAX: Duration = Duration::from_secs(60);

/// How much one read brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimits {
    /// Of keys, values and headers; the first record comes however large it is.
    pub bytes_max: usize,
    pub records_max: usize,
    /// How long to wait for the first record.
    pub wait: Duration,
}

/// What a caller asked for; what it left out has a default, and what is too much becomes the most there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AskedLimits {
    pub bytes: Option<i64>,
    pub records: Option<i64>,
    pub wait_ms: Option<i64>,
}

impl ReadLimits {
    /// Of a partition's records.
    pub fn of_read(asked: AskedLimits) -> Result<ReadLimits, Refusal> {
        Ok(ReadLimits {
            bytes_max: positive("max_bytes", asked.bytes, 1024 * 1024)?.min(BYTES_MAX),
            records_max: positive("max_records", asked.records, 10_000)?,
            wait: wait(asked.wait_ms)?,
        })
    }

    /// Of a session's next records.
    pub fn of_poll(asked: AskedLimits) -> Result<ReadLimits, Refusal> {
        Ok(ReadLimits {
            bytes_max: positive("max_bytes", asked.bytes, 4 * 1024 * 1024)?.min(BYTES_MAX),
            records_max: positive("max_records", asked.records, 500)?.min(POLLED_RECORDS_MAX),
            wait: wait(asked.wait_ms)?,
        })
    }
}

fn positive(name: &str, asked: Option<i64>, default: usize) -> Result<usize, Refusal> {
    match asked.map(usize::try_from) {
        None => Ok(default),
        Some(Ok(number @ 1..)) => Ok(number),
        Some(_) => Err(invalid(name, asked, "1")),
    }
}

fn wait(asked: Option<i64>) -> Result<Duration, Refusal> {
    let wait = u64::try_from(asked.unwrap_or(0)).map_err(|_negative| invalid("wait_ms", asked, "0"))?;
    Ok(Duration::from_millis(wait).min(WAIT_MAX))
}

fn invalid(name: &str, asked: Option<i64>, least: &str) -> Refusal {
    let asked = asked.unwrap_or_default();
    Refusal::new(Code::InvalidParameter, format!("{name} is {asked}; it is {least} at least"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_a_default_and_what_is_too_much_is_bounded() {
        let least = ReadLimits::of_read(AskedLimits::default()).expect("defaults");
        assert_eq!(least, ReadLimits { bytes_max: 1 << 20, records_max: 10_000, wait: Duration::ZERO });
        let most = AskedLimits { bytes: Some(i64::MAX), records: Some(i64::MAX), wait_ms: Some(i64::MAX) };
        let most = ReadLimits::of_poll(most).expect("bounded");
        let bounds = ReadLimits { bytes_max: BYTES_MAX, records_max: POLLED_RECORDS_MAX, wait: WAIT_MAX };
        assert_eq!(most, bounds);
    }

    #[test]
    fn nothing_at_all_and_less_are_refused_by_name() {
        let refused = |asked: AskedLimits| ReadLimits::of_read(asked).expect_err("refused").detail;
        for number in [0, -1] {
            let detail = refused(AskedLimits { bytes: Some(number), ..AskedLimits::default() });
            assert_eq!(detail, format!("max_bytes is {number}; it is 1 at least"));
        }
        assert_eq!(
            refused(AskedLimits { wait_ms: Some(-1), ..AskedLimits::default() }),
            "wait_ms is -1; it is 0 at least"
        );
    }
}
