//! The configuration: what a file, the environment and flags say together, checked, as a node's settings.

#[cfg(test)]
mod config_test;
mod key;
mod reference;
mod source;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aquifer_net::{Advertised, Limits, Listener, TlsFiles};
use aquifer_types::NodeId;

use self::key::{KEYS, Otherwise, Value};
pub(crate) use self::reference::text as reference;
use self::source::Assignment;
pub(crate) use self::source::Origin;
use crate::gateway::{GatewaySecrets, SECRET_NAME};
use crate::logging::Format;
use crate::node::NodeSettings;

/// What somebody wrote is not a configuration. It says what, where, and what to write instead.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("read {file}: {source}")]
    Read { file: String, source: std::io::Error },
    #[error("{origin}: {problem}")]
    Syntax { origin: Origin, problem: String },
    #[error("{origin}: there is no key {key}{}", meant.as_ref().map_or_else(|| "; `aquifer config default` lists all".to_owned(), |meant| format!(": did you mean {meant}?")))]
    Unknown { key: String, origin: Origin, meant: Option<String> },
    #[error("{origin}: {key} = {written}: write {expected}")]
    Value { key: String, written: String, origin: Origin, expected: String },
    #[error("{key} is not set: set it in the file or as variable {}", variable(key))]
    Missing { key: String },
    #[error("{origin}: {key} = {written}: {remedy}")]
    Together { key: String, written: String, origin: Origin, remedy: String },
}

fn variable(key: &str) -> String {
    format!("AQUIFER__{}", key.to_uppercase().replace('.', "__"))
}

/// Every key's value, with who said it.
#[derive(Debug)]
pub(crate) struct Config {
    values: BTreeMap<String, (Value, Assignment)>,
    listeners: usize,
}

impl Config {
    /// What the file says, overridden by the environment, overridden by flags (`KEY=VALUE`).
    pub(crate) fn load(
        file: Option<&Path>,
        variables: impl Iterator<Item = (String, String)>,
        flags: &[(&str, String)],
    ) -> Result<Config, ConfigError> {
        let mut assignments = Vec::new();
        if let Some(file) = file {
            let text = std::fs::read_to_string(file)
                .map_err(|source| ConfigError::Read { file: file.display().to_string(), source })?;
            assignments.extend(source::from_file(file, &text)?);
        }
        assignments.extend(source::from_variables(variables)?);
        for (flag, setting) in flags {
            assignments.push(source::from_flag(flag, setting)?);
        }
        Config::settle(assignments)
    }

    fn settle(assignments: Vec<Assignment>) -> Result<Config, ConfigError> {
        let numbers = assignments.iter().filter_map(|assignment| {
            assignment.path.strip_prefix("listeners.")?.split('.').next()?.parse::<usize>().ok()
        });
        let listeners = numbers.max().map_or(0, |last| last.saturating_add(1));
        if listeners == 0 {
            return Err(ConfigError::Missing { key: "listeners.0.name".to_owned() });
        }
        let mut values = BTreeMap::new();
        for assignment in assignments {
            let key = key::find(&assignment.path).expect("sources know their keys");
            let value = key.kind.read(&assignment.written).ok_or_else(|| ConfigError::Value {
                key: assignment.path.clone(),
                written: assignment.written.shown(),
                origin: assignment.origin.clone(),
                expected: key.kind.allowed(),
            })?;
            values.insert(assignment.path.clone(), (value, assignment));
        }
        let config = Config { values, listeners };
        config.complete()
    }

    /// Adds the defaults; what must be said and was not is an error.
    fn complete(mut self) -> Result<Config, ConfigError> {
        for key in KEYS {
            let paths: Vec<String> = if key.path.contains(".N.") {
                (0..self.listeners).map(|place| key.path.replace('N', &place.to_string())).collect()
            } else {
                vec![key.path.to_owned()]
            };
            for path in paths {
                if self.values.contains_key(&path) {
                    continue;
                }
                match key.otherwise {
                    Otherwise::Required(_) => return Err(ConfigError::Missing { key: path }),
                    Otherwise::Unset(_) => {}
                    Otherwise::Is(text) => {
                        let written = key::Written::Loose(text.trim_matches('"').to_owned());
                        let value = key.kind.read(&written).expect("a default is a value of its kind");
                        let by_default = Assignment { path: path.clone(), written, origin: Origin::Default };
                        self.values.insert(path, (value, by_default));
                    }
                }
            }
        }
        Ok(self)
    }

    fn get(&self, path: &str) -> Option<&Value> {
        debug_assert!(key::find(path).is_some(), "{path} is not among the keys");
        self.values.get(path).map(|(value, _)| value)
    }

    fn whole<N: TryFrom<i64>>(&self, path: &str) -> Option<N> {
        match self.get(path)? {
            Value::Whole(number) => Some(N::try_from(*number).ok().expect("the key's range fits its use")),
            other => unreachable!("{path} is {other:?}"),
        }
    }

    fn switch(&self, path: &str) -> bool {
        matches!(self.get(path), Some(Value::Switch(true)))
    }

    fn text(&self, path: &str) -> Option<String> {
        match self.get(path)? {
            Value::Text(text) => Some(text.clone()),
            other => unreachable!("{path} is {other:?}"),
        }
    }

    fn path(&self, path: &str) -> Option<PathBuf> {
        match self.get(path)? {
            Value::Path(value) => Some(value.clone()),
            other => unreachable!("{path} is {other:?}"),
        }
    }

    fn address(&self, path: &str) -> Option<SocketAddr> {
        match self.get(path)? {
            Value::Address(address) => Some(*address),
            other => unreachable!("{path} is {other:?}"),
        }
    }

    fn size(&self, path: &str) -> Option<u64> {
        match self.get(path)? {
            Value::Size(bytes) => Some(*bytes),
            other => unreachable!("{path} is {other:?}"),
        }
    }

    fn time(&self, path: &str) -> Option<Duration> {
        match self.get(path)? {
            Value::Time(time) => Some(*time),
            other => unreachable!("{path} is {other:?}"),
        }
    }

    /// How log lines look, and which are written.
    pub(crate) fn logging(&self) -> (Format, String) {
        let format =
            if self.text("log.format").as_deref() == Some("json") { Format::Json } else { Format::Text };
        (format, self.text("log.level").expect("it has a default"))
    }

    /// A node's settings, where the values also fit together.
    pub(crate) fn node_settings(&self) -> Result<NodeSettings, ConfigError> {
        const SET: &str = "required or with a default";
        let usize_of = |path: &str| self.whole::<usize>(path).expect(SET);
        let bytes_of =
            |path: &str| usize::try_from(self.size(path).expect(SET)).expect("at most some gigabytes");
        let listeners =
            (0..self.listeners).map(|place| self.listener(place)).collect::<Result<Vec<_>, _>>()?;
        self.check_distinct(&listeners)?;
        let limits = Limits {
            connections_max: usize_of("limits.connections"),
            connections_per_address_max: usize_of("limits.connections_per_address"),
            frame_bytes_max: bytes_of("limits.request_bytes"),
            in_flight_bytes_max: bytes_of("limits.in_flight_bytes"),
            connection_in_flight_bytes_max: bytes_of("limits.connection_in_flight_bytes"),
            requests_in_flight_max: usize_of("limits.requests_in_flight"),
            idle: self.time("limits.idle").expect(SET),
            handshake: self.time("limits.handshake").expect(SET),
            ..Limits::default()
        };
        if limits.in_flight_bytes_max < limits.frame_bytes_max {
            return Err(self.together(
                "limits.in_flight_bytes",
                "must be at least limits.request_bytes, or such a request could never be read",
            ));
        }
        let node = aquifer_node::Settings {
            data_dir: self.path("data_dir").expect(SET),
            node: NodeId(self.whole("node_id").expect(SET)),
            bootstrap: self.switch("bootstrap"),
            broker: aquifer_broker::Settings {
                rack: self.text("rack"),
                auto_create_topics: self.switch("topics.auto_create"),
                default_partitions: self.whole("topics.default_partitions").expect(SET),
                fetch_bytes_max: self.size("limits.fetch_bytes").expect(SET),
                fetch_sessions_max: usize_of("limits.fetch_sessions"),
                retention_interval: self.time("topics.retention_check").expect(SET),
                groups: self.groups(),
                tier: self.tier(),
                new_topics: if self.switch("tier.new_topics") {
                    vec![("remote.storage.enable".to_owned(), "true".to_owned())]
                } else {
                    Vec::new()
                },
                ..aquifer_broker::Settings::default()
            },
            log: aquifer_hotlog::Settings {
                wal_bytes: self.size("wal.bytes"),
                open_files_max: usize_of("limits.open_files"),
            },
            limits,
            snapshot_entries: None,
        };
        let gateway = self.switch("gateway.enabled").then(|| GatewaySecrets {
            secrets: self.path("gateway.secret_file").unwrap_or_else(|| node.data_dir.join(SECRET_NAME)),
            is_made: self.path("gateway.secret_file").is_none(),
            api_keys: self.path("gateway.api_keys_file"),
        });
        Ok(NodeSettings { listeners, http: self.address("http").expect(SET), gateway, node })
    }

    fn tier(&self) -> Option<aquifer_broker::TierSettings> {
        const SET: &str = "with a default";
        let mut settings = aquifer_broker::TierSettings::new(self.text("tier.url")?);
        settings.max_age = self.time("tier.max_age").expect(SET);
        settings.grace = self.time("tier.grace").expect(SET);
        settings.upload_delay = self.time("tier.upload_delay").expect(SET);
        settings.upload_rate = self.size("tier.upload_rate");
        settings.state_interval = self.time("tier.state_interval").expect(SET);
        settings.orphan_interval = self.time("tier.orphan_check").expect(SET);
        settings.scrub_interval = self.time("tier.scrub").expect(SET);
        settings.disk_bytes_max = self.size("tier.cache").expect(SET);
        settings.cold.pool_bytes_max = self.size("tier.memory").expect(SET);
        Some(settings)
    }

    fn groups(&self) -> aquifer_group::Settings {
        const SET: &str = "with a default";
        let millis = |key: &str| {
            let time = self.time(&format!("groups.{key}")).expect(SET);
            i64::try_from(time.as_millis()).expect("years at most")
        };
        let timeout = |key: &str| i32::try_from(millis(key)).expect("a day at most");
        let members_max = self.whole("groups.members_max").expect(SET);
        aquifer_group::Settings {
            initial_rebalance_delay_ms: millis("initial_rebalance_delay").unsigned_abs(),
            session_timeout_min_ms: timeout("session_timeout_min"),
            session_timeout_max_ms: timeout("session_timeout_max"),
            classic_size_max: members_max,
            offsets_retention_ms: millis("offsets_retention"),
            consumer: aquifer_group::ConsumerSettings {
                session_timeout_ms: timeout("consumer_session_timeout"),
                heartbeat_interval_ms: timeout("consumer_heartbeat_interval"),
                size_max: members_max,
                own_session_timeout_max_ms: timeout("session_timeout_max"),
                ..aquifer_group::ConsumerSettings::default()
            },
            ..aquifer_group::Settings::default()
        }
    }

    fn listener(&self, place: usize) -> Result<Listener, ConfigError> {
        const SET: &str = "required";
        let key = |name: &str| format!("listeners.{place}.{name}");
        let bind = self.address(&key("bind")).expect(SET);
        let advertised_host = self.text(&key("advertised_host"));
        if advertised_host.is_none() && bind.ip().is_unspecified() {
            return Err(self.together(
                &key("bind"),
                "names no address that clients could use: set advertised_host beside it",
            ));
        }
        let tls = match (self.path(&key("tls_certificate")), self.path(&key("tls_key"))) {
            (Some(certificates), Some(key)) => Some(TlsFiles { certificates, key }),
            (None, None) => None,
            (Some(_), None) => return Err(self.together(&key("tls_certificate"), "set tls_key beside it")),
            (None, Some(_)) => return Err(self.together(&key("tls_key"), "set tls_certificate beside it")),
        };
        let host = advertised_host.unwrap_or_else(|| bind.ip().to_string());
        let port = self.whole(&key("advertised_port")).unwrap_or(bind.port());
        let name = self.text(&key("name")).expect(SET);
        Ok(Listener { name, bind, advertised: Advertised { host, port }, tls })
    }

    fn check_distinct(&self, listeners: &[Listener]) -> Result<(), ConfigError> {
        for (place, listener) in listeners.iter().enumerate() {
            let before = &listeners[..place];
            if before.iter().any(|other| other.name == listener.name) {
                return Err(
                    self.together(&format!("listeners.{place}.name"), "another listener has this name")
                );
            }
            let bind_taken = before.iter().any(|other| other.bind == listener.bind);
            if listener.bind.port() != 0 && (bind_taken || self.address("http") == Some(listener.bind)) {
                return Err(self.together(&format!("listeners.{place}.bind"), "something else listens there"));
            }
        }
        Ok(())
    }

    fn together(&self, key: &str, remedy: &str) -> ConfigError {
        let (_, assignment) = &self.values[key];
        ConfigError::Together {
            key: key.to_owned(),
            written: assignment.written.shown(),
            origin: assignment.origin.clone(),
            remedy: remedy.to_owned(),
        }
    }
}
