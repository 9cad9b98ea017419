//! `aquifer gateway`: a gateway alone, and what every gateway of this program is opened with.

use std::fs::OpenOptions;
use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use aquifer_client::Client;
use aquifer_gateway::{ApiKeys, Entrance, Gateway, GatewaySettings};
use aquifer_rest::{Door, Ops, Probe, Readiness};
use aquifer_runtime::{Runtime, Shutdown, Task};
use aquifer_session::Keys;
use aquifer_wire::Text;
use tokio::signal::unix::{SignalKind, signal};

use crate::command::GatewayArguments;
use crate::logging;

/// The file in a data directory that has the secret where no other is named.
pub(crate) const SECRET_NAME: &str = "gateway.secret";
const SECRET_BYTES: usize = 32;
/// Each has its own connections to every broker.
const HTTP_THREADS_MAX: usize = 16;

/// Where a gateway has its secrets from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GatewaySecrets {
    pub(crate) secrets: PathBuf,
    /// Whether the file is made if it is not there.
    pub(crate) is_made: bool,
    pub(crate) api_keys: Option<PathBuf>,
}

/// A gateway alone is ready as soon as it listens: whether brokers answer is for each request to tell.
struct Alone;

impl Probe for Alone {
    fn readiness(&self) -> Readiness {
        Readiness::Ready
    }

    fn metrics(&self) -> String {
        String::new()
    }
}

impl GatewaySecrets {
    /// In a data directory, made if it is not there.
    pub(crate) fn kept_in(data_dir: &Path) -> GatewaySecrets {
        GatewaySecrets { secrets: data_dir.join(SECRET_NAME), is_made: true, api_keys: None }
    }

    pub(crate) fn open(&self, runtime: &Runtime, client: Client) -> Result<Gateway> {
        let keys = if self.is_made { read_or_make(&self.secrets, runtime)? } else { read(&self.secrets)? };
        let entrance = self.api_keys.as_deref().map_or(Ok(Entrance::Open), known)?;
        Ok(Gateway::new(client, GatewaySettings::default(), entrance, keys))
    }
}

pub(crate) fn run(arguments: &GatewayArguments) -> Result<()> {
    logging::start(logging::Format::Text, "warn");
    let runtime = Runtime::real();
    let reactor = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, usize::from))
        .enable_all()
        .build()
        .context("start the reactor")?;
    reactor.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let address = SocketAddr::new(arguments.http_address, arguments.http_port);
        let http = TcpListener::bind(address).with_context(|| format!("listen for HTTP on {address}"))?;
        let address = http.local_addr()?;
        let keys = match &arguments.secret_file {
            Some(file) => read(file)?,
            None => Keys::from_secrets([&drawn(&runtime)[..]])?,
        };
        let client = arguments.reach.client_named(&runtime, Text::from_static("aquifer-gateway"));
        let entrance = match (&arguments.api_keys_file, arguments.as_caller) {
            (Some(file), _) => known(file)?,
            (None, Some(mechanism)) => Entrance::AsCaller(mechanism.into()),
            (None, None) => Entrance::Open,
        };
        let gateway = Gateway::new(client?, GatewaySettings::default(), entrance, keys);
        let (draining, stop) = (Shutdown::default(), Shutdown::default());
        let ops = Ops { probe: Arc::new(Alone), draining: draining.clone() };
        let serving = serve_http(http, &runtime, ops, Some(gateway.clone()), stop.clone())?;
        tell(address, arguments.secret_file.is_some());
        tokio::select! {
            biased;
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        draining.give();
        gateway.drain();
        // A second signal ends the wait.
        tokio::select! {
            biased;
            () = async { gateway.close().await; stop.give(); serving.await; } => {}
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok(())
    })
}

/// Serves HTTP until the signal.
pub(crate) fn serve_http(
    socket: TcpListener,
    runtime: &Runtime,
    ops: Ops,
    gateway: Option<Gateway>,
    stop: Shutdown,
) -> Result<Task<()>> {
    let doors = gateway.map_or(Ok(Vec::new()), |gateway| threads_of(&gateway, runtime));
    let (own, doors) = (runtime.clone(), doors.context("start threads for HTTP")?);
    Ok(runtime.spawn("http", async move {
        let served = async {
            let mut gateways = Vec::new();
            for (door, gateway) in doors {
                let grpc = aquifer_grpc::routes(gateway).await?;
                // REST says what becomes of paths that nobody serves.
                gateways.push((door, grpc.prepare().into_axum_router().reset_fallback()));
            }
            aquifer_rest::serve(socket, own, ops, gateways, stop).await.context("serve HTTP")
        };
        if let Err(error) = served.await {
            tracing::error!(error = format!("{error:#}"), "the HTTP port failed");
        }
    }))
}

/// The gateway on so many threads as serve HTTP: a request of one record wakes others more often than it is worth if it goes
/// from thread to thread.
fn threads_of(gateway: &Gateway, runtime: &Runtime) -> std::io::Result<Vec<(Door, Gateway)>> {
    let door = Door::new(gateway.clone());
    let count = std::thread::available_parallelism().map_or(2, usize::from).min(HTTP_THREADS_MAX);
    let threads = (0..count).map(|index| {
        let gateway = gateway.on(runtime.apart(&format!("http-{index}"))?);
        Ok((door.before(gateway.clone()), gateway))
    });
    threads.collect()
}

/// Who has a key of the file.
fn known(file: &Path) -> Result<Entrance> {
    let text = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    let keys = ApiKeys::from_lines(&text).with_context(|| format!("read keys from {}", file.display()))?;
    Ok(Entrance::Known(Box::new(keys)))
}

fn read(file: &Path) -> Result<Keys> {
    let text = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    Keys::from_lines(&text).with_context(|| {
        format!("read secrets from {}; `openssl rand -hex 32 > FILE` makes one", file.display())
    })
}

/// The secrets of a file that only its owner reads; one is drawn if there is none.
fn read_or_make(file: &Path, runtime: &Runtime) -> Result<Keys> {
    let making = || format!("make {}", file.display());
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Ok(mut made) => {
            let secret: String = drawn(runtime).iter().map(|byte| format!("{byte:02x}")).collect();
            made.write_all(format!("{secret}\n").as_bytes())
                .and_then(|()| made.sync_all())
                .with_context(making)?;
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).with_context(making),
    }
    read(file)
}

fn drawn(runtime: &Runtime) -> [u8; SECRET_BYTES] {
    let mut secret = [0; SECRET_BYTES];
    runtime.fill_random(&mut secret);
    secret
}

fn tell(http: SocketAddr, is_shared: bool) {
    if !std::io::stdout().is_terminal() {
        let facts = serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"),
            "mode": "gateway",
            "http": http.to_string(),
        });
        println!("{facts}");
        return;
    }
    println!("aquifer {}  gateway", env!("CARGO_PKG_VERSION"));
    println!("  HTTP     http://{http}/v1/docs   /healthz  /readyz");
    if !is_shared {
        println!("  Sessions end with this process; give all gateways one --secret-file to share them");
    }
}
