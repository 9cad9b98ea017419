//! Every key of the configuration: what it may be, what it is where nobody says, and what it does.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// One key. The number of a table in a list stands as `N` in its path.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) path: &'static str,
    pub(super) kind: Kind,
    pub(super) otherwise: Otherwise,
    pub(super) note: &'static str,
}

/// What values a key takes.
#[derive(Debug)]
pub(super) enum Kind {
    Whole(RangeInclusive<i64>),
    Switch,
    Text,
    Path,
    Address,
    /// Bytes: a number, or text like "64 MiB".
    Size(RangeInclusive<u64>),
    /// Text like "10m" or "30s".
    Time(RangeInclusive<Duration>),
    OneOf(&'static [&'static str]),
}

/// What a key is where nobody says.
#[derive(Clone, Copy, Debug)]
pub(super) enum Otherwise {
    /// It must be said; the text is an example.
    Required(&'static str),
    /// It has no value; the text is an example.
    Unset(&'static str),
    Is(&'static str),
}

/// A value that its key allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Whole(i64),
    Switch(bool),
    Text(String),
    Path(PathBuf),
    Address(SocketAddr),
    Size(u64),
    Time(Duration),
}

/// A value as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// A TOML integer or boolean, or something no key takes, in TOML's spelling.
    Bare(String),
    /// A TOML string.
    Quoted(String),
    /// A variable's or flag's text, which has no types.
    Loose(String),
}

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

const fn key(path: &'static str, kind: Kind, otherwise: Otherwise, note: &'static str) -> Key {
    Key { path, kind, otherwise, note }
}

/// In the order of the reference.
pub(super) static KEYS: &[Key] = {
    use Kind::{Address, OneOf, Path, Size, Switch, Text, Time, Whole};
    use Otherwise::{Is, Required, Unset};
    &[
        key(
            "node_id",
            Whole(0..=i32::MAX as i64),
            Required("0"),
            "This node's number, never used by another node of the cluster.",
        ),
        key(
            "data_dir",
            Path,
            Required("\"/var/lib/aquifer\""),
            "Where everything is kept. One process at a time may use it.",
        ),
        key("bootstrap", Switch, Is("false"), "Whether a new cluster may be made when data_dir is empty."),
        key("rack", Text, Unset("\"eu-central-1a\""), "The rack or availability zone, told to clients."),
        key("http", Address, Is("\"127.0.0.1:8080\""), "HTTP: /healthz, /readyz, /metrics."),
        key("listeners.N.name", Text, Required("\"PLAINTEXT\""), "What the listener is called."),
        key(
            "listeners.N.bind",
            Address,
            Required("\"127.0.0.1:9092\""),
            "Where it listens, as address and port.",
        ),
        key(
            "listeners.N.advertised_host",
            Text,
            Unset("\"broker-1.example.com\""),
            "What clients are told to connect to; the bound address without it. Needed where bind is a wildcard.",
        ),
        key("listeners.N.advertised_port", Whole(1..=65_535), Unset("9092"), "The bound port without it."),
        key(
            "listeners.N.tls_certificate",
            Path,
            Unset("\"/etc/aquifer/tls.crt\""),
            "Certificate chain in PEM, read again when it changes.",
        ),
        key("listeners.N.tls_key", Path, Unset("\"/etc/aquifer/tls.key\""), "Its key in PEM."),
        key(
            "topics.auto_create",
            Switch,
            Is("false"),
            "Whether a client's Metadata request makes a topic that is missing.",
        ),
        key(
            "topics.default_partitions",
            Whole(1..=10_000),
            Is("1"),
            "Partitions of a topic whose creator names no number.",
        ),
        key(
            "topics.retention_check",
            Time(SECOND..=DAY),
            Is("\"1m\""),
            "How often retention looks at the topics.",
        ),
        key(
            "groups.initial_rebalance_delay",
            Time(Duration::ZERO..=Duration::from_secs(300)),
            Is("\"3s\""),
            "How long a new classic group waits for more members before its first assignment.",
        ),
        key(
            "groups.session_timeout_min",
            Time(Duration::from_millis(1)..=DAY),
            Is("\"6s\""),
            "The shortest session timeout that a classic member may ask for.",
        ),
        key(
            "groups.session_timeout_max",
            Time(SECOND..=DAY),
            Is("\"30m\""),
            "The longest session timeout that a member may ask for.",
        ),
        key(
            "groups.consumer_session_timeout",
            Time(SECOND..=DAY),
            Is("\"45s\""),
            "After how much silence a member of the consumer protocol is removed that asked for no time of its own.",
        ),
        key(
            "groups.consumer_heartbeat_interval",
            Time(Duration::from_millis(100)..=DAY),
            Is("\"5s\""),
            "How often members of the consumer protocol are told to send heartbeats.",
        ),
        key("groups.members_max", Whole(1..=1_000_000), Is("100000"), "Members of one group."),
        key(
            "groups.offsets_retention",
            Time(Duration::from_secs(60)..=Duration::from_secs(10 * 365 * 24 * 60 * 60)),
            Is("\"7days\""),
            "How long the offsets of an empty group are kept.",
        ),
        key(
            "gateway.enabled",
            Switch,
            Is("false"),
            "Whether the HTTP port serves REST and gRPC to this node's cluster; `aquifer gateway` does so alone.",
        ),
        key(
            "gateway.secret_file",
            Path,
            Unset("\"/etc/aquifer/gateway.secret\""),
            "What sessions are sealed with, a line a secret, the first seals; the same for all gateways that share work. \
             Made in data_dir without it.",
        ),
        key(
            "gateway.api_keys_file",
            Path,
            Unset("\"/etc/aquifer/api-keys\""),
            "Lets in over HTTP only who has a key of this file: a name and a key a line.",
        ),
        key(
            "tier.url",
            Text,
            Unset("\"s3://bucket/prefix\""),
            "Where sealed ranges of topics with remote.storage.enable go: s3://, gs://, az:// or file:///folder; an S3 \
             server of another kind by ?endpoint=http://host:port&region=name. Credentials: as the cloud's own tools.",
        ),
        key("tier.new_topics", Switch, Is("false"), "Whether topics are tiered whose creators do not say."),
        key(
            "tier.max_age",
            Time(SECOND..=DAY),
            Is("\"5m\""),
            "Records older than this are uploaded though their segment is not full.",
        ),
        key("tier.upload_delay", Time(Duration::ZERO..=DAY), Is("\"0s\""), "How long closed segments wait."),
        key(
            "tier.upload_rate",
            Size(MIB..=1_024 * GIB),
            Unset("\"100 MiB\""),
            "What uploads may take a second on average, merging and repairing included; without it what there is.",
        ),
        key(
            "tier.grace",
            Time(SECOND..=DAY),
            Is("\"15m\""),
            "How long objects stay that retention, deletion of records or of their topic gave up.",
        ),
        key(
            "tier.state_interval",
            Time(SECOND..=DAY),
            Is("\"10s\""),
            "How soon topics, settings and groups' offsets follow into the bucket, for a restore.",
        ),
        key(
            "tier.orphan_check",
            Time(SECOND..=DAY),
            Is("\"6h\""),
            "How often the bucket is searched for objects that nobody names, left by uploads that were broken off.",
        ),
        key("tier.scrub", Time(SECOND..=WEEK), Is("\"7days\""), "How soon every object is looked at."),
        key("tier.memory", Size(16 * MIB..=64 * GIB), Is("\"256 MiB\""), "Memory for parts of objects."),
        key(
            "tier.cache",
            Size(0..=65_536 * GIB),
            Is("\"8 GiB\""),
            "What parts of objects may take in DIR/cold, within nine tenths of the volume; 0 keeps none.",
        ),
        key(
            "wal.bytes",
            Size(MIB..=64 * GIB),
            Unset("\"2 GiB\""),
            "The write-ahead log's capacity; a fiftieth of the volume without it, at least 8 MiB, at most 2 GiB.",
        ),
        key("limits.connections", Whole(1..=1_000_000), Is("10000"), "Open connections in all."),
        key(
            "limits.connections_per_address",
            Whole(1..=1_000_000),
            Is("8000"),
            "Open connections from one address.",
        ),
        key(
            "limits.request_bytes",
            Size(MIB..=GIB),
            Is("\"100 MiB\""),
            "A larger request closes its connection before anything is allocated for it.",
        ),
        key(
            "limits.in_flight_bytes",
            Size(16 * MIB..=64 * GIB),
            Is("\"256 MiB\""),
            "Requests being read or worked on, in all; reading pauses when they are used up.",
        ),
        key(
            "limits.connection_in_flight_bytes",
            Size(MIB..=GIB),
            Is("\"16 MiB\""),
            "The same for one connection; a single larger request is still taken.",
        ),
        key(
            "limits.requests_in_flight",
            Whole(1..=10_000),
            Is("128"),
            "Requests of one connection that are not answered yet.",
        ),
        key(
            "limits.idle",
            Time(SECOND..=DAY),
            Is("\"10m\""),
            "A connection without a request for so long is closed. Java clients close theirs after nine minutes.",
        ),
        key(
            "limits.handshake",
            Time(SECOND..=Duration::from_secs(600)),
            Is("\"10s\""),
            "For the whole TLS handshake.",
        ),
        key("limits.fetch_bytes", Size(MIB..=GIB), Is("\"55 MiB\""), "How long a fetch answer may be."),
        key(
            "limits.fetch_sessions",
            Whole(0..=1_000_000),
            Is("2000"),
            "How many fetch sessions are remembered; clients beyond name their partitions in every fetch.",
        ),
        key("limits.open_files", Whole(64..=1_000_000), Is("4096"), "How many segment files stay open."),
        key("log.format", OneOf(&["text", "json"]), Is("\"text\""), "How lines look, on standard error."),
        key(
            "log.level",
            OneOf(&["error", "warn", "info", "debug", "trace"]),
            Is("\"info\""),
            "What is logged; the variable AQUIFER_LOG overrides it with finer filters.",
        ),
    ]
};

/// The key that a path with numbers names.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    let general = general(path);
    KEYS.iter().find(|key| key.path == general)
}

/// Whether keys lie under this path.
pub(super) fn is_table(path: &str) -> bool {
    let general = general(path);
    KEYS.iter().any(|key| key.path.strip_prefix(&general).is_some_and(|rest| rest.starts_with('.')))
}

fn general(path: &str) -> String {
    let numbered = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = path.split('.').map(|part| if numbered(part) { "N" } else { part }).collect();
    parts.join(".")
}

/// A known key that somebody may have meant.
pub(super) fn nearest(path: &str) -> Option<String> {
    const ALIKE: f64 = 0.85;
    let general = general(path);
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let likeness = |key: &Key| {
        let whole = strsim::jaro_winkler(&general, key.path);
        let joined = strsim::jaro_winkler(&general.replace('.', "_"), &key.path.replace('.', "_"));
        let tail = strsim::jaro_winkler(&last(&general), &last(key.path));
        whole.max(joined).max(tail)
    };
    let (best, alike) =
        KEYS.iter().map(|key| (key, likeness(key))).max_by(|left, right| left.1.total_cmp(&right.1))?;
    (alike >= ALIKE).then(|| {
        let number = path.split('.').find(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
        best.path.replace('N', number.unwrap_or("0"))
    })
}

impl Kind {
    /// The value, if what was written is one of this kind.
    pub(super) fn read(&self, written: &Written) -> Option<Value> {
        use Written::{Bare, Loose, Quoted};
        let (Bare(text) | Quoted(text) | Loose(text)) = written;
        let (bare, quoted) = (!matches!(written, Quoted(_)), !matches!(written, Bare(_)));
        let value = match self {
            Kind::Whole(allowed) if bare => {
                Value::Whole(text.replace('_', "").parse().ok().filter(|number| allowed.contains(number))?)
            }
            Kind::Switch if bare => Value::Switch(text.parse().ok()?),
            Kind::Size(allowed) => {
                let size: bytesize::ByteSize = text.replace('_', "").parse().ok()?;
                Value::Size(Some(size.as_u64()).filter(|bytes| allowed.contains(bytes))?)
            }
            Kind::Time(allowed) if quoted => {
                Value::Time(humantime::parse_duration(text).ok().filter(|time| allowed.contains(time))?)
            }
            Kind::Text if quoted => Value::Text(Some(text.clone()).filter(|text| !text.is_empty())?),
            Kind::Path if quoted => Value::Path(Some(PathBuf::from(text)).filter(|_| !text.is_empty())?),
            Kind::Address if quoted => Value::Address(text.parse().ok()?),
            Kind::OneOf(words) if quoted => {
                Value::Text(words.contains(&text.as_str()).then(|| text.clone())?)
            }
            _ => return None,
        };
        Some(value)
    }

    /// What is allowed, in words.
    pub(super) fn allowed(&self) -> String {
        let size = |bytes: u64| bytesize::ByteSize(bytes).display().iec().to_string();
        let time = |time: Duration| humantime::format_duration(time).to_string();
        match self {
            Kind::Whole(range) => format!("a whole number from {} to {}", range.start(), range.end()),
            Kind::Switch => "true or false".to_owned(),
            Kind::Text => "text that is not empty".to_owned(),
            Kind::Path => "a path".to_owned(),
            Kind::Address => "an address and a port, like \"127.0.0.1:9092\"".to_owned(),
            Kind::Size(range) => {
                format!(
                    "bytes, like 1048576 or \"64 MiB\", from {} to {}",
                    size(*range.start()),
                    size(*range.end())
                )
            }
            Kind::Time(range) => {
                format!(
                    "a time, like \"30s\" or \"10m\", from {} to {}",
                    time(*range.start()),
                    time(*range.end())
                )
            }
            Kind::OneOf(words) => {
                let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
                quoted.join(" or ")
            }
        }
    }
}
