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
    /// Brokers to ask first, in place of a context
    #[arg(short, long, value_name = "HOST:PORT", value_delimiter = ',', env = "AQUIFER_BROKERS")]
    pub(crate) brokers: Vec<Address>,
    /// The context to use, in place of the current one
    #[arg(long, value_name = "NAME", env = "AQUIFER_CONTEXT", conflicts_with = "brokers")]
    pub(crate) context: Option<String>,
    /// How long to go on trying while brokers do not answer
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

impl Reach {
    /// A client of the cluster that is meant.
    pub(crate) fn client(&self, runtime: &Runtime) -> Result<Client, Failure> {
        let context = match self.brokers.is_empty() {
            false => Context::plain(self.brokers.clone()),
            true => Contexts::load()?.chosen(self.context.as_deref())?,
        };
        let credentials = context.login.map(|login| Credentials {
            mechanism: login.mechanism.into(),
            user: login.user,
            password: login.password,
        });
        let connection = ConnectionSettings {
            client_id: Text::from_static("aquifer-cli"),
            connect_timeout: self.timeout,
            credentials,
            ..ConnectionSettings::default()
        };
        let settings = ClientSettings { bootstrap: context.brokers, connection, retry_for: self.timeout };
        Ok(Client::new(runtime.clone(), connector(context.tls)?, settings))
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
