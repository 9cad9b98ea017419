//! Precedence, defaults, and errors that say what to write instead.

use std::io::Write as _;

use super::*;

const LEAST: &str =
    "node_id = 3\ndata_dir = \"/d\"\n[[listeners]]\nname = \"PLAIN\"\nbind = \"127.0.0.1:9092\"\n";

fn load(text: &str, variables: &[(&str, &str)], flags: &[&str]) -> Result<NodeSettings, String> {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(text.as_bytes()).expect("written");
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let flags: Vec<(&str, String)> = flags.iter().map(|setting| ("--set", (*setting).to_owned())).collect();
    Config::load(Some(file.path()), variables, &flags)
        .and_then(|config| config.node_settings())
        .map_err(|error| error.to_string().replace(&file.path().display().to_string(), "FILE"))
}

fn refused(text: &str) -> String {
    load(&format!("{text}\n{LEAST}"), &[], &[]).expect_err("refused")
}

#[test]
fn the_least_file_takes_the_defaults_of_the_crates() {
    let settings = load(LEAST, &[], &[]).expect("sound");
    assert_eq!(settings.node.node, NodeId(3));
    assert_eq!(settings.node.limits, Limits::default());
    assert_eq!(settings.node.log.wal_bytes, None);
    assert_eq!(settings.node.log.open_files_max, aquifer_hotlog::Settings::default().open_files_max);
    let broker = aquifer_broker::Settings::default();
    assert_eq!(settings.node.broker.fetch_bytes_max, broker.fetch_bytes_max);
    assert_eq!(settings.node.broker.fetch_sessions_max, broker.fetch_sessions_max);
    assert_eq!(settings.node.broker.retention_interval, broker.retention_interval);
    assert!(!settings.node.bootstrap && !settings.node.broker.auto_create_topics);
}

#[test]
fn the_reference_is_a_configuration_that_changes_nothing() {
    let settings = load(&reference(), &[], &[]).expect("sound");
    assert_eq!(settings.node.limits, Limits::default());
    assert_eq!(settings.listeners.len(), 1);
    for key in KEYS {
        let name = key.path.rsplit('.').next().expect("a name");
        assert!(reference().contains(&format!("{name} = ")), "{} is not in the reference", key.path);
    }
}

#[test]
fn flags_override_the_environment_which_overrides_the_file() {
    let file = format!("{LEAST}[wal]\nbytes = \"16 MiB\"\n[limits]\nidle = \"1m\"\nconnections = 10\n");
    let variables = [
        ("AQUIFER__WAL__BYTES", "32MiB"),
        ("AQUIFER__LIMITS__IDLE", "2m"),
        ("AQUIFER__LISTENERS__0__ADVERTISED_HOST", "b.example"),
        ("AQUIFER_LOG", "debug"),
    ];
    let settings = load(&file, &variables, &["wal.bytes=67108864"]).expect("sound");
    assert_eq!(settings.node.log.wal_bytes, Some(64 << 20));
    assert_eq!(settings.node.limits.idle, Duration::from_secs(120));
    assert_eq!(settings.node.limits.connections_max, 10);
    assert_eq!(settings.listeners[0].advertised.host, "b.example");
}

#[test]
fn the_environment_is_enough() {
    let variables = [
        ("AQUIFER__NODE_ID", "1"),
        ("AQUIFER__DATA_DIR", "/d"),
        ("AQUIFER__LISTENERS__0__NAME", "PLAIN"),
        ("AQUIFER__LISTENERS__0__BIND", "0.0.0.0:9092"),
        ("AQUIFER__LISTENERS__0__ADVERTISED_HOST", "b.example"),
    ];
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let settings = Config::load(None, variables, &[]).and_then(|config| config.node_settings());
    assert_eq!(settings.expect("sound").listeners[0].advertised.port, 9092);
}

#[test]
fn errors_name_key_value_line_and_remedy() {
    let cases = [
        ("htp = \"127.0.0.1:1\"", "FILE, line 1: there is no key htp: did you mean http?"),
        ("wal_bytes = 5", "FILE, line 1: there is no key wal_bytes: did you mean wal.bytes?"),
        ("zzzz = 5", "FILE, line 1: there is no key zzzz; `aquifer config default` lists all"),
        ("\nhttp = 8080", "FILE, line 2: http = 8080: write an address and a port, like \"127.0.0.1:9092\""),
        ("bootstrap = \"yes\"", "FILE, line 1: bootstrap = \"yes\": write true or false"),
        ("log = 3", "FILE, line 1: log = 3: write a table [log]"),
        (
            "log.level = \"loud\"",
            "FILE, line 1: log.level = \"loud\": write \"error\" or \"warn\" or \"info\" or \"debug\" or \"trace\"",
        ),
        (
            "limits.idle = \"10\"",
            "FILE, line 1: limits.idle = \"10\": write a time, like \"30s\" or \"10m\", from 1s to 1day",
        ),
        (
            "topics.default_partitions = 0",
            "FILE, line 1: topics.default_partitions = 0: write a whole number from 1 to 10000",
        ),
        (
            "wal.bytes = \"1 KiB\"",
            "FILE, line 1: wal.bytes = \"1 KiB\": write bytes, like 1048576 or \"64 MiB\", from 1.0 MiB to 64.0 GiB",
        ),
        (
            "limits.in_flight_bytes = \"20 MiB\"",
            "FILE, line 1: limits.in_flight_bytes = \"20 MiB\": must be at least limits.request_bytes, or such a request could never be read",
        ),
    ];
    for (text, message) in cases {
        assert_eq!(refused(text), message);
    }
    assert!(refused("http = ").starts_with("FILE, line 1: "), "{}", refused("http = "));
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let wildcard = LEAST.replace("127.0.0.1:9092", "0.0.0.0:9092");
    assert_eq!(
        load(&wildcard, &[], &[]).expect_err("refused"),
        "FILE, line 5: listeners.0.bind = \"0.0.0.0:9092\": names no address that clients could use: set advertised_host beside it"
    );
    let half = format!("{LEAST}tls_key = \"/k\"\n");
    assert_eq!(
        load(&half, &[], &[]).expect_err("refused"),
        "FILE, line 6: listeners.0.tls_key = \"/k\": set tls_certificate beside it"
    );
    let twice = format!("{LEAST}[[listeners]]\nname = \"PLAIN\"\nbind = \"127.0.0.1:9093\"\n");
    assert_eq!(
        load(&twice, &[], &[]).expect_err("refused"),
        "FILE, line 7: listeners.1.name = \"PLAIN\": another listener has this name"
    );
    let same = format!("http = \"127.0.0.1:9092\"\n{LEAST}");
    assert_eq!(
        load(&same, &[], &[]).expect_err("refused"),
        "FILE, line 6: listeners.0.bind = \"127.0.0.1:9092\": something else listens there"
    );
}

#[test]
fn what_must_be_set_says_so() {
    assert_eq!(
        load("node_id = 1\n[[listeners]]\nname = \"A\"\nbind = \"127.0.0.1:1\"\n", &[], &[])
            .expect_err("refused"),
        "data_dir is not set: set it in the file or as variable AQUIFER__DATA_DIR"
    );
    assert_eq!(
        load("node_id = 1", &[], &[]).expect_err("refused"),
        "listeners.0.name is not set: set it in the file or as variable AQUIFER__LISTENERS__0__NAME"
    );
    assert_eq!(
        load(LEAST, &[("AQUIFER__NODEID", "4")], &[]).expect_err("refused"),
        "variable AQUIFER__NODEID: there is no key nodeid: did you mean node_id?"
    );
    assert_eq!(
        load(LEAST, &[], &["node_id"]).expect_err("refused"),
        "flag --set node_id: KEY=VALUE is expected"
    );
}
