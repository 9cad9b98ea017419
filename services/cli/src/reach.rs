//! `Reach`: how a command gets to its cluster.

use std::sync::Arc;
use std::time::Duration;

use aquifer_client::{
    Address, Client, ClientSettings, ConnectionSettings, Connector, Credentials, Roots, TcpConnector,
    TlsConnector, TlsFiles,
};
use aquifer_runtime::Runtime;
use aquifer_wire::Text;
use clap::Args;

use crate::context::{Context, Contexts, Tls};
use crate::failure::{Failure, with_sources};
use crate::output::{OutputArguments, Printer};

/// What every command takes that speaks to a cluster.
#[derive(Clone, Debug, Args)]
pub struct Reach {
    /// Brokers to ask first, in place of a context; AQUIFER_BROKERS if absent
    #[arg(short, long, visible_alias = "bootstrap", value_name = "HOST:PORT", value_delimiter = ',')]
    pub(crate) brokers: Vec<Address>,
    /// The context to use, in place of the current one; AQUIFER_CONTEXT if absent
    #[arg(long, value_name = "NAME", conflicts_with = "brokers")]
    pub(crate) context: Option<String>,
    /// How long to go on trying while brokers do not answer
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Duration,
    /// Do nothing, and print the HTTP request to the gateway at this address that would do it
    #[arg(long, value_name = "URL", num_args = 0..=1, require_equals = true,
          default_missing_value = "http://127.0.0.1:8080")]
    pub(crate) curl: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

impl Reach {
    /// A client of the cluster that is meant.
    pub(crate) fn client(&self, runtime: &Runtime) -> Result<Client, Failure> {
        self.client_named(runtime, Text::from_static("aquifer-cli"))
    }

    /// The same for a program that brokers are to know by a name of its own.
    pub fn client_named(&self, runtime: &Runtime, client_id: Text) -> Result<Client, Failure> {
        // Commands that a gateway can do look for themselves.
        if self.curl.is_some() {
            return Err(Failure::usage("no HTTP request does this").hint("leave --curl away"));
        }
        let context = self.context()?;
        let credentials = context.login.map(|login| Credentials {
            mechanism: login.mechanism.into(),
            user: login.user,
            password: login.password,
        });
        let connection = ConnectionSettings {
            client_id,
            connect_timeout: self.timeout,
            credentials,
            ..ConnectionSettings::default()
        };
        let settings = ClientSettings { bootstrap: context.brokers, connection, retry_for: self.timeout };
        Ok(Client::new(runtime.clone(), connector(context.tls)?, settings))
    }

    /// The cluster that is meant: by arguments, else by the environment, else the current context.
    fn context(&self) -> Result<Context, Failure> {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        if !self.brokers.is_empty() {
            return Ok(Context::plain(self.brokers.clone()));
        }
        if let Some(name) = &self.context {
            return Contexts::load()?.get(name);
        }
        if let Some(brokers) = set("AQUIFER_BROKERS") {
            let brokers: Result<Vec<Address>, _> = brokers.split(',').map(str::parse).collect();
            let brokers = brokers.map_err(|error| Failure::usage(format!("AQUIFER_BROKERS is {error}")))?;
            return Ok(Context::plain(brokers));
        }
        Contexts::load()?.chosen(set("AQUIFER_CONTEXT").as_deref())
    }

    pub(crate) fn printer(&self) -> Printer {
        Printer::new(self.output.format())
    }
}

fn connector(tls: Option<Tls>) -> Result<Arc<dyn Connector>, Failure> {
    let Some(tls) = tls else { return Ok(Arc::new(TcpConnector)) };
    let roots = tls.ca.map_or(Roots::System, Roots::File);
    let files = TlsFiles { roots, identity: tls.certificate.zip(tls.key) };
    let connector = TlsConnector::load(&files);
    let connector = connector.map_err(|error| {
        Failure::usage(format!("prepare TLS: {}", with_sources(&error)))
            .hint("`aquifer context set` names the files")
    })?;
    Ok(Arc::new(connector))
}
