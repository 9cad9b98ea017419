//! `Contexts`: the file that keeps addresses and credentials, for its owner alone.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aquifer_client::{Address, Mechanism};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::failure::{Exit, Failure};

/// Where a node that runs for development is.
const DEFAULT_BROKER: (&str, u16) = ("127.0.0.1", 9092);

/// All contexts, as they stand in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contexts {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<String>,
    /// What `aquifer context use -` goes back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<String>,
    #[serde(default)]
    contexts: BTreeMap<String, Stored>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    brokers: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tls: Option<Tls>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    login: Option<Login>,
}

/// One cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Context {
    pub(crate) brokers: Vec<Address>,
    pub(crate) tls: Option<Tls>,
    pub(crate) login: Option<Login>,
}

/// What TLS is made from; absent where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    /// The system's own roots if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) certificate: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<PathBuf>,
}

/// Who to be.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    pub(crate) mechanism: LoginMechanism,
    pub(crate) user: String,
    pub(crate) password: String,
}

/// How to prove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
pub enum LoginMechanism {
    #[serde(rename = "plain")]
    Plain,
    #[serde(rename = "scram-sha-256")]
    #[value(name = "scram-sha-256")]
    ScramSha256,
    #[serde(rename = "scram-sha-512")]
    #[value(name = "scram-sha-512")]
    ScramSha512,
}

impl fmt::Debug for Login {
    /// Without the password, which belongs nowhere but into the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} as {}", self.mechanism, self.user)
    }
}

impl From<LoginMechanism> for Mechanism {
    fn from(mechanism: LoginMechanism) -> Mechanism {
        match mechanism {
            LoginMechanism::Plain => Mechanism::Plain,
            LoginMechanism::ScramSha256 => Mechanism::ScramSha256,
            LoginMechanism::ScramSha512 => Mechanism::ScramSha512,
        }
    }
}

impl Context {
    /// A cluster that is reached in the clear, by whoever comes.
    pub(crate) fn plain(brokers: Vec<Address>) -> Context {
        Context { brokers, tls: None, login: None }
    }
}

impl Contexts {
    /// Reads the file; none is there until a context is set.
    pub(crate) fn load() -> Result<Contexts, Failure> {
        match path() {
            Some(path) => Contexts::load_from(&path),
            None => Ok(Contexts::default()),
        }
    }

    pub(crate) fn save(&self) -> Result<(), Failure> {
        let path = path().ok_or_else(|| {
            Failure::new(Exit::Failed, "there is no home folder to keep contexts in")
                .hint("set XDG_CONFIG_HOME")
        })?;
        self.save_to(&path)
    }

    fn load_from(path: &Path) -> Result<Contexts, Failure> {
        let failed =
            |error: String| Failure::usage(format!("read contexts from {}: {error}", path.display()));
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Contexts::default()),
            Err(error) => return Err(failed(error.to_string())),
        };
        let mode = fs::metadata(path).map_err(|error| failed(error.to_string()))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(failed(format!("others may read it (mode {:03o})", mode & 0o777))
                .hint(format!("chmod 600 {}", path.display())));
        }
        toml::from_str(&text).map_err(|error| failed(error.to_string()))
    }

    /// Replaces the file as a whole, readable by its owner alone from the first byte on.
    fn save_to(&self, path: &Path) -> Result<(), Failure> {
        let failed =
            |error: std::io::Error| Failure::new(Exit::Failed, format!("write {}: {error}", path.display()));
        let text = toml::to_string(self)
            .map_err(|error| Failure::new(Exit::Failed, format!("write {}: {error}", path.display())))?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let unfinished = path.with_extension("toml.new");
        let _ = fs::remove_file(&unfinished);
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&unfinished)
            .map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::rename(&unfinished, path).map_err(failed)
    }

    /// The context of that name, else the current one, else this machine.
    pub(crate) fn chosen(&self, name: Option<&str>) -> Result<Context, Failure> {
        match name.or(self.current.as_deref()) {
            Some(name) => self.get(name),
            None => {
                let (host, port) = DEFAULT_BROKER;
                Ok(Context::plain(vec![Address { host: host.to_owned(), port }]))
            }
        }
    }

    pub(crate) fn get(&self, name: &str) -> Result<Context, Failure> {
        let stored = self.contexts.get(name).ok_or_else(|| {
            Failure::new(Exit::NotFound, format!("there is no context {name}"))
                .hint("`aquifer context list` shows what there is, `aquifer context set` makes one")
        })?;
        let brokers: Result<Vec<Address>, _> = stored.brokers.iter().map(|text| text.parse()).collect();
        let brokers = brokers
            .map_err(|error| Failure::usage(format!("context {name} has a broker that is {error}")))?;
        Ok(Context { brokers, tls: stored.tls.clone(), login: stored.login.clone() })
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.contexts.keys().map(String::as_str)
    }

    pub(crate) fn set(&mut self, name: &str, context: &Context) {
        let Context { brokers, tls, login } = context.clone();
        let brokers = brokers.iter().map(Address::to_string).collect();
        self.contexts.insert(name.to_owned(), Stored { brokers, tls, login });
    }

    /// Makes it the current one, and remembers the one before.
    pub(crate) fn switch(&mut self, name: &str) {
        if self.current.as_deref() != Some(name) {
            self.previous = self.current.replace(name.to_owned());
        }
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.contexts.remove(name);
        for place in [&mut self.current, &mut self.previous] {
            if place.as_deref() == Some(name) {
                *place = None;
            }
        }
    }
}

/// `aquifer/contexts.toml` in the user's folder for settings.
fn path() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")))?;
    Some(folder.join("aquifer/contexts.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contexts() -> Contexts {
        let mut contexts = Contexts::default();
        let login = Login {
            mechanism: LoginMechanism::ScramSha512,
            user: "alice".to_owned(),
            password: "hunter2".to_owned(),
        };
        let tls = Tls { ca: Some("ca.pem".into()), ..Tls::default() };
        let safe = Context { brokers: Vec::new(), tls: Some(tls), login: Some(login) };
        contexts.set("safe", &safe);
        for (name, broker) in [("dev", "127.0.0.1:9092"), ("prod", "kafka.example:9093")] {
            contexts.set(name, &Context::plain(vec![broker.parse().expect("an address")]));
            contexts.switch(name);
        }
        contexts
    }

    #[test]
    fn contexts_read_back_as_written_and_only_their_owner_may_read_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deeper/contexts.toml");

        contexts().save_to(&path).expect("written");

        assert_eq!(Contexts::load_from(&path), Ok(contexts()));
        assert!(!format!("{:?}", contexts()).contains("hunter2"));
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("contexts.toml");
        contexts().save_to(&path).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("changed");

        let refused = Contexts::load_from(&path).expect_err("too open");

        assert!(refused.hint.is_some_and(|hint| hint.starts_with("chmod 600")));
    }

    #[test]
    fn the_one_before_is_remembered_until_it_is_gone() {
        let mut contexts = contexts();
        assert_eq!((contexts.current.as_deref(), contexts.previous.as_deref()), (Some("prod"), Some("dev")));

        contexts.remove("dev");

        assert_eq!((contexts.current.as_deref(), contexts.previous.as_deref()), (Some("prod"), None));
        assert_eq!(contexts.get("dev").expect_err("gone").exit, Exit::NotFound);
    }

    #[test]
    fn without_any_context_this_machine_is_meant() {
        let chosen = Contexts::default().chosen(None).expect("the default");

        assert_eq!(chosen.brokers[0].to_string(), "127.0.0.1:9092");
    }
}
