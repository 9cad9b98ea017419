//! What a tier will ask of its store in a month, and cost: the model of what brokers do, without a cluster.

use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;
use serde::Serialize;

use crate::failure::Failure;
use crate::output::{OutputArguments, Printer, Show};

const MONTH: f64 = 30.0 * 24.0 * 3600.0;
/// No object is larger.
const OBJECT_BYTES_MAX: f64 = 268_435_456.0;
/// Closed segments that are uploaded together, and small objects that are merged, make no more.
const JOINED_BYTES_MAX: f64 = 67_108_864.0;
/// Smaller objects are merged, so many at a time, and not fewer.
const SMALL_BYTES: f64 = 8_388_608.0;
const MERGED_MAX: f64 = 64.0;
const MERGED_MIN: f64 = 8.0;
/// What is merged is kept longer by this part of its retention at most.
const RETENTION_PART: f64 = 8.0;
/// Smaller ranges share objects, so many of them at most.
const BUNDLED_BYTES_MAX: f64 = 1_048_576.0;
const BUNDLE_RANGES_MAX: f64 = 1_024.0;
const BUNDLE_BYTES_MAX: f64 = 67_108_864.0;
/// What is nearly due goes with what is due: this much before, or a part of what is due.
const COMPANY_SECONDS: f64 = 60.0;
const COMPANY_PART: f64 = 2.0;
/// How often a broker looks for what can be uploaded.
const LOOK_SECONDS: f64 = 0.5;
/// How often the cluster's state is written while ranges come.
const STATE_SECONDS: f64 = 300.0;
/// How much of an object one request reads.
const READ_BYTES: f64 = 4_194_304.0;
/// An object's names, index and checksums, and for every 64 KiB of the log.
const FOOTER_BYTES: f64 = 400.0;
const INDEXED_BYTES: f64 = 65_536.0;
const INDEX_ENTRY_BYTES: f64 = 16.0;
/// What the quorum keeps of a range, and of an object that many share.
const RANGE_BYTES: f64 = 56.0;
const BUNDLE_ENTRY_BYTES: f64 = 24.0;
/// Whether the cluster was restored elsewhere is looked up before deletions.
const GARBAGE_SECONDS: f64 = 10.0;
/// Names in the answer to one list, and lists of which a search for orphans consists at least.
const NAMES_OF_A_LIST: f64 = 1_000.0;
const LISTS_OF_A_SEARCH: f64 = 258.0;
const ORPHAN_SECONDS: f64 = 6.0 * 3600.0;

#[derive(Debug, Args)]
pub struct EstimateArguments {
    /// What is produced to all tiered topics in a second, as it is stored: packed, and each record once
    #[arg(long, value_name = "BYTES", default_value = "10MB")]
    ingest: ByteSize,
    /// Partitions that share it evenly
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    partitions: u32,
    /// How often each of them gets a batch; all the time unless it is said
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = humantime::parse_duration)]
    batch_interval: Duration,
    /// How long records are kept
    #[arg(long, value_name = "DURATION", default_value = "30days", value_parser = humantime::parse_duration)]
    retention: Duration,
    /// segment.bytes of the topics
    #[arg(long, value_name = "BYTES", default_value = "1GiB")]
    segment: ByteSize,
    /// tier.max_age of the brokers
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = humantime::parse_duration)]
    max_age: Duration,
    /// tier.upload_delay of the brokers
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = humantime::parse_duration)]
    upload_delay: Duration,
    /// How long records stay on local disk besides; as long as they are kept unless it is said
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    local_retention: Option<Duration>,
    /// tier.state_interval of the brokers
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    state_interval: Duration,
    /// How often in a month everything that is kept is read from the store
    #[arg(long, value_name = "TIMES", default_value_t = 0.0)]
    replays: f64,
    /// Dollars for a thousand uploads or lists
    #[arg(long, value_name = "DOLLARS", default_value_t = 0.005)]
    write_price: f64,
    /// Dollars for a thousand reads
    #[arg(long, value_name = "DOLLARS", default_value_t = 0.0004)]
    read_price: f64,
    /// Dollars for a gigabyte that is kept for a month
    #[arg(long, value_name = "DOLLARS", default_value_t = 0.023)]
    storage_price: f64,
    #[command(flatten)]
    output: OutputArguments,
}

/// What there will be, and what it costs in a month.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Item {
    what: &'static str,
    amount: Option<f64>,
    dollars_per_month: Option<f64>,
}

impl Show for Item {
    fn columns() -> &'static [&'static str] {
        &["WHAT", "AMOUNT", "DOLLARS A MONTH"]
    }

    fn cells(&self) -> Vec<String> {
        let dollars =
            self.dollars_per_month.map_or_else(|| "-".to_owned(), |dollars| format!("{dollars:.2}"));
        let amount = self.amount.map_or_else(|| "-".to_owned(), |amount| format!("{amount:.0}"));
        vec![self.what.to_owned(), amount, dollars]
    }
}

pub(super) fn run(arguments: &EstimateArguments) -> Result<(), Failure> {
    if arguments.max_age.is_zero() || arguments.state_interval.is_zero() || arguments.segment.0 == 0 {
        return Err(Failure::usage("--max-age, --state-interval and --segment are more than nothing"));
    }
    Printer::new(arguments.output.format()).list(&estimate(arguments))
}

fn estimate(arguments: &EstimateArguments) -> Vec<Item> {
    let rate = arguments.ingest.0 as f64 / f64::from(arguments.partitions);
    let log = arguments.ingest.0 as f64 * MONTH;
    let Uploads { range, ranges, moments } = uploads(arguments, rate);
    let uploads = puts(range, ranges, moments);
    let footers = ranges * FOOTER_BYTES + log / INDEXED_BYTES * INDEX_ENTRY_BYTES;
    let kept_for = arguments.retention.as_secs_f64() / MONTH;
    let merged = merged(arguments, range, rate);
    // What was closed together is merged together.
    let merges = if merged > 1.0 { puts(range * merged, ranges / merged, moments / merged) } else { 0.0 };
    let kept_ranges = ranges * kept_for / merged;
    let objects = if merged > 1.0 { merges * kept_for } else { uploads * kept_for };
    let is_bundled = objects < kept_ranges;
    let quorum = kept_ranges * RANGE_BYTES + if is_bundled { objects * BUNDLE_ENTRY_BYTES } else { 0.0 };
    let states = if uploads > 0.0 { MONTH / STATE_SECONDS } else { 0.0 };
    let kept = (log + footers) * kept_for;
    let looks = MONTH / arguments.state_interval.as_secs_f64() + MONTH / GARBAGE_SECONDS;
    let searches = MONTH / ORPHAN_SECONDS * LISTS_OF_A_SEARCH.max(objects / NAMES_OF_A_LIST);
    let reads = arguments.replays * (log * kept_for / READ_BYTES + kept_ranges);
    let thousands = |requests: f64, price: f64| Some(requests / 1_000.0 * price);
    let item = |what, amount, dollars_per_month| Item { what, amount: Some(amount), dollars_per_month };
    let mut items = vec![
        item("bytes of a range", range, None),
        item("ranges a month", ranges, None),
        item("uploads a month", uploads, thousands(uploads, arguments.write_price)),
        item("merges a month", merges, thousands(merges, arguments.write_price)),
        item("states a month", states, thousands(states, arguments.write_price)),
        item("lists a month", looks + searches, thousands(looks + searches, arguments.write_price)),
        item("reads a month", reads, thousands(reads, arguments.read_price)),
        // What was uploaded goes some day; stores take nothing for it.
        item("deletes a month", uploads + merges + states, None),
        item("bytes kept", kept, Some(kept / 1e9 * arguments.storage_price)),
        item("objects kept", objects, None),
        item("bytes of the quorum", quorum, None),
    ];
    let total = items.iter().filter_map(|item| item.dollars_per_month).sum();
    items.push(Item { what: "total", amount: None, dollars_per_month: Some(total) });
    items
}

/// What is uploaded in a month.
struct Uploads {
    /// Bytes of one range.
    range: f64,
    ranges: f64,
    /// How many rounds of uploads these come in.
    moments: f64,
}

/// A segment is closed once it is full, or its first record is too old; a large one is several ranges, and small ones that wait
/// together are one.
fn uploads(arguments: &EstimateArguments, rate: f64) -> Uploads {
    if rate <= 0.0 {
        return Uploads { range: 0.0, ranges: 0.0, moments: 0.0 };
    }
    let segment = arguments.segment.0 as f64;
    let age = arguments.max_age.as_secs_f64();
    let (cycle, moments) = if rate * age >= segment {
        (segment / rate, MONTH / LOOK_SECONDS)
    } else if rate * age > BUNDLED_BYTES_MAX {
        (age, MONTH / LOOK_SECONDS)
    } else {
        closed_in_company(age, arguments.batch_interval.as_secs_f64())
    };
    let closed = rate * cycle;
    let waiting = (closed + rate * arguments.upload_delay.as_secs_f64()).min(JOINED_BYTES_MAX);
    let joined = (waiting / closed).floor().max(1.0);
    let range = (closed * joined).min(OBJECT_BYTES_MAX);
    let ranges = arguments.ingest.0 as f64 * MONTH / range;
    Uploads { range, ranges, moments: moments / joined }
}

/// How long it takes until a partition's next range is closed, and how often in a month some are. Partitions that are never
/// idle stay together once they were closed together; those that are idle for longer come one by one.
fn closed_in_company(age: f64, batch_interval: f64) -> (f64, f64) {
    let company = COMPANY_SECONDS.min(age / COMPANY_PART);
    if batch_interval <= company {
        let cycle = age + LOOK_SECONDS / 2.0;
        (cycle, MONTH / cycle)
    } else {
        (age - company / 2.0 + batch_interval / 2.0, MONTH / (company + LOOK_SECONDS / 2.0))
    }
}

/// Objects that so many ranges make if they come at so many moments.
fn puts(range: f64, ranges: f64, moments: f64) -> f64 {
    if range > BUNDLED_BYTES_MAX || ranges <= 0.0 {
        return ranges;
    }
    let at_once = ranges / moments;
    let of_a_bundle = BUNDLE_RANGES_MAX.min((BUNDLE_BYTES_MAX / range).floor());
    ranges.min(moments * (at_once / of_a_bundle).ceil())
}

/// How many objects become one, as far as they are still on local disk when there are enough; 1 where none do.
fn merged(arguments: &EstimateArguments, object: f64, rate: f64) -> f64 {
    if object <= 0.0 || object >= SMALL_BYTES {
        return 1.0;
    }
    let every = object / rate;
    let retention = arguments.retention.as_secs_f64();
    let local = arguments.local_retention.map_or(retention, |local| local.as_secs_f64());
    let reach = local.min(retention / RETENTION_PART + every);
    let count = MERGED_MAX.min((JOINED_BYTES_MAX / object).floor()).min((reach / every).floor());
    if count >= MERGED_MIN { count } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        arguments: EstimateArguments,
    }

    fn amounts(arguments: &[&str]) -> Vec<(&'static str, u64)> {
        let words = ["estimate"].iter().chain(arguments);
        let line = Line::try_parse_from(words).expect("arguments");
        let items = estimate(&line.arguments);
        items.iter().filter_map(|item| Some((item.what, item.amount? as u64))).collect()
    }

    fn amount(arguments: &[&str], what: &str) -> u64 {
        let amounts = amounts(arguments);
        amounts.into_iter().find(|(found, _)| *found == what).expect("it is one of them").1
    }

    #[test]
    fn objects_are_as_large_as_time_segment_and_limit_allow() {
        let object = |more: &[&str]| {
            let common = ["--ingest", "1MB", "--partitions", "10", "--max-age", "100s"];
            amount(&[&common, more].concat(), "bytes of a range")
        };

        assert_eq!(object(&[]), 10_000_000);
        assert_eq!(object(&["--segment", "1MB"]), 1_000_000);
        assert_eq!(amount(&["--ingest", "10GB", "--partitions", "1"], "bytes of a range"), 256 << 20);
    }

    #[test]
    fn everything_uploaded_is_kept_for_as_long_as_it_is_to_be() {
        let month = ["--ingest", "1MB", "--partitions", "10", "--max-age", "100s", "--retention", "15days"];

        assert_eq!(amount(&month, "uploads a month"), 259_200);
        assert_eq!(amount(&month, "objects kept"), 129_600, "they are not small");
        assert_eq!(amount(&month, "bytes of the quorum"), 129_600 * 56);
        let kept = amount(&month, "bytes kept");
        assert!((1_296_000_000_000..1_300_000_000_000).contains(&kept), "{kept}");
        assert_eq!(amount(&["--ingest", "0B"], "uploads a month"), 0, "what is idle is not uploaded");
    }

    #[test]
    fn small_segments_are_uploaded_together_if_they_wait_and_merged_while_they_are_here() {
        let idle = ["--ingest", "1MB", "--partitions", "10000", "--max-age", "5m"];
        let with = |more: &[&str], what| amount(&[&idle, more].concat(), what);

        assert_eq!(with(&[], "bytes of a range"), 30_025);
        assert_eq!(with(&["--upload-delay", "55m"], "bytes of a range"), 330_275, "nearly an hour's worth");
        // They make more than a bundle takes: 1.9 MB each.
        assert_eq!(with(&[], "merges a month"), with(&[], "ranges a month") / 64);
        assert_eq!(with(&["--local-retention", "30m"], "merges a month"), 0, "they are gone");
    }

    #[test]
    fn idle_partitions_share_objects() {
        let idle = |more: &[&str], what| {
            let common = ["--ingest", "10kB", "--partitions", "10000"];
            amount(&[&common, more].concat(), what)
        };

        let cycles = MONTH / 300.25;
        assert_eq!(idle(&[], "uploads a month"), (cycles * 10.0) as u64, "each cycle in ten bundles");
        assert_eq!(idle(&[], "merges a month"), (cycles * 10.0 / 64.0) as u64);
        let rarely = idle(&["--batch-interval", "10m"], "uploads a month");
        assert_eq!(rarely, (MONTH / 60.25 * 2.0) as u64, "about a thousand and seventy each minute");
        let alone = amount(&["--ingest", "1B", "--partitions", "1"], "uploads a month");
        assert_eq!(alone, cycles as u64);
    }

    #[test]
    fn ten_thousand_idle_partitions_cost_no_more_than_they_may() {
        let words = ["estimate", "--ingest", "10kB", "--partitions", "10000"];
        let line = Line::try_parse_from(words).expect("arguments");
        let items = estimate(&line.arguments);
        let requests = items.iter().filter(|item| item.what.ends_with("a month"));
        let dollars: f64 = requests.filter_map(|item| item.dollars_per_month).sum();

        assert!(dollars <= 4.0, "{dollars}");
    }
}
