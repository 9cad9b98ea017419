//! `Connection`: typed requests to one broker, pipelined over one stream.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use aquifer_runtime::{Monotonic, Runtime};
use aquifer_wire::messages::{
    ApiVersionsRequest, ApiVersionsResponse, SaslAuthenticateRequest, SaslHandshakeRequest,
};
use aquifer_wire::{EncodeError, ErrorCode, Message, Piece, Request, Text, decode_response, encode_request};
use bytes::Bytes;

use crate::address::Address;
use crate::connector::Connector;
use crate::error::{CallError, Closed, ConnectError};
use crate::inbound::{Frame, Keep};
use crate::link::{Answer, Link, Window};
use crate::secure::{Credentials, Login, SaslError};
use crate::versions::Versions;

/// How much of the time is used that a broker grants a login; what is under way then still ends in time.
const LIFETIME_USED: f64 = 0.85;

/// What a connection holds to.
#[derive(Clone, Debug)]
pub struct ConnectionSettings {
    /// Stands in every request, for the broker's logs and quotas.
    pub client_id: Text,
    /// Requests sent and not yet answered; further ones wait.
    pub in_flight_requests_max: usize,
    /// Bytes of those requests; a larger request goes alone.
    pub in_flight_bytes_max: usize,
    /// A broker that claims a longer answer is not believed.
    pub response_bytes_max: usize,
    /// Opening the stream and learning the broker's versions, together.
    pub connect_timeout: Duration,
    /// Who we are, where brokers ask.
    pub credentials: Option<Credentials>,
    /// How long an answer may take. When one is late the connection ends, as the answers behind it are late too.
    pub request_timeout: Duration,
}

/// A connection to one broker. Clones share it; it ends with the last of them.
#[derive(Clone)]
pub struct Connection {
    shared: Arc<Shared>,
}

/// The answer to a request that was sent.
pub struct Reply<R> {
    pending: Pending,
    version: i16,
    answer: PhantomData<fn() -> R>,
}

/// The head of the answer to a request that was sent.
pub struct HeadReply {
    pending: Pending,
}

struct Pending {
    answer: Answer,
    deadline: Monotonic,
    runtime: Runtime,
    link: Arc<Link>,
}

struct Shared {
    runtime: Runtime,
    address: Address,
    settings: ConnectionSettings,
    versions: Versions,
    /// When the broker asks for the credentials again, if it does; a new connection is opened before.
    expires: Option<Monotonic>,
    link: Arc<Link>,
}

impl Default for ConnectionSettings {
    fn default() -> ConnectionSettings {
        ConnectionSettings {
            client_id: Text::from_static("aquifer"),
            in_flight_requests_max: 64,
            in_flight_bytes_max: 64 * 1024 * 1024,
            response_bytes_max: 128 * 1024 * 1024,
            connect_timeout: Duration::from_secs(10),
            credentials: None,
            request_timeout: Duration::from_secs(30),
        }
    }
}

impl Connection {
    /// Connects and learns which versions the broker speaks.
    pub async fn open(
        runtime: &Runtime,
        connector: &dyn Connector,
        address: &Address,
        settings: &ConnectionSettings,
    ) -> Result<Connection, ConnectError> {
        let opening = Connection::open_unbounded(runtime, connector, address, settings);
        match runtime.timeout(settings.connect_timeout, opening).await {
            Some(opened) => opened,
            None => Err(ConnectError::TimedOut { address: address.clone() }),
        }
    }

    async fn open_unbounded(
        runtime: &Runtime,
        connector: &dyn Connector,
        address: &Address,
        settings: &ConnectionSettings,
    ) -> Result<Connection, ConnectError> {
        let stream = connector.connect(address).await;
        let stream = stream.map_err(|source| ConnectError::Io { address: address.clone(), source })?;
        let window = Window {
            requests_max: settings.in_flight_requests_max,
            bytes_max: settings.in_flight_bytes_max,
            response_bytes_max: settings.response_bytes_max,
        };
        let (link, driver) = Link::new(stream, window);
        runtime.spawn("client connection", driver);
        let mut shared = Shared {
            runtime: runtime.clone(),
            address: address.clone(),
            settings: settings.clone(),
            versions: Versions::default(),
            expires: None,
            link,
        };
        shared.versions = shared.learn_versions().await?;
        if let Some(credentials) = &settings.credentials {
            shared.expires = shared.log_in(credentials).await?;
        }
        Ok(Connection { shared: Arc::new(shared) })
    }

    /// Sends `request` and waits for its answer.
    pub async fn call<R: Request>(&self, request: &R) -> Result<R::Response, CallError> {
        self.call_within(request, self.shared.settings.request_timeout).await
    }

    /// Like [`Connection::call`], for requests that the broker may sit on for long.
    pub async fn call_within<R: Request>(
        &self,
        request: &R,
        limit: Duration,
    ) -> Result<R::Response, CallError> {
        self.shared.bounded(limit, async { self.begin_within(request, limit).await?.answer().await }).await
    }

    /// Sends `request` and hands back the answer to come. Requests begun one after another are sent in that order.
    pub async fn begin<R: Request>(&self, request: &R) -> Result<Reply<R::Response>, CallError> {
        self.begin_within(request, self.shared.settings.request_timeout).await
    }

    async fn begin_within<R: Request>(
        &self,
        request: &R,
        limit: Duration,
    ) -> Result<Reply<R::Response>, CallError> {
        let version = self.version::<R>()?;
        let pending = self.shared.send(Keep::Whole, limit, self.encoder(request, version)).await?;
        Ok(Reply { pending, version, answer: PhantomData })
    }

    /// Sends `request` and keeps only the first `head_bytes` of the answer, for measuring what a broker delivers.
    pub async fn begin_head<R: Request>(
        &self,
        request: &R,
        head_bytes: usize,
    ) -> Result<HeadReply, CallError> {
        let version = self.version::<R>()?;
        let limit = self.shared.settings.request_timeout;
        let pending = self.shared.send(Keep::Head(head_bytes), limit, self.encoder(request, version)).await?;
        Ok(HeadReply { pending })
    }

    /// Sends a request to which the broker gives no answer: a produce request that asks for no acknowledgement.
    pub async fn send_one_way<R: Request>(&self, request: &R) -> Result<(), CallError> {
        let version = self.version::<R>()?;
        let limit = self.shared.settings.request_timeout;
        self.shared.bounded(limit, self.shared.link.one_way(self.encoder(request, version))).await
    }

    /// Sends a request that has no codec here. `encode` makes the whole frame, with its size, for a correlation id;
    /// the answer comes with its header.
    pub async fn call_raw(
        &self,
        encode: impl FnOnce(i32) -> Result<Vec<Piece>, EncodeError>,
    ) -> Result<Frame, CallError> {
        let limit = self.shared.settings.request_timeout;
        let send = async { self.shared.send(Keep::Whole, limit, encode).await?.frame().await };
        self.shared.bounded(limit, send).await
    }

    /// The version in which requests of this type are sent.
    pub fn version<R: Request>(&self) -> Result<i16, CallError> {
        self.shared.versions.common::<R>().ok_or(CallError::Unsupported { api: R::KEY })
    }

    #[must_use]
    pub fn versions(&self) -> &Versions {
        &self.shared.versions
    }

    #[must_use]
    pub fn address(&self) -> &Address {
        &self.shared.address
    }

    /// Whether requests may be sent on it: it is not closed, and the broker does not ask again who we are soon.
    /// Whether another request may be sent on it.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        let now = self.shared.runtime.now().monotonic;
        self.closed().is_none() && self.shared.expires.is_none_or(|expires| now < expires)
    }

    /// How long an answer may take where nothing else is said.
    pub(crate) fn request_timeout(&self) -> Duration {
        self.shared.settings.request_timeout
    }

    /// Why the connection is of no more use, if it is not.
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        self.shared.link.closed()
    }

    fn encoder<R: Request>(
        &self,
        request: &R,
        version: i16,
    ) -> impl FnOnce(i32) -> Result<Vec<Piece>, EncodeError> {
        move |id| encode_request(id, Some(&self.shared.settings.client_id), version, request)
    }
}

impl<R: aquifer_wire::Response> Reply<R> {
    /// Waits for the answer. May be cancelled and called again until it has given one.
    pub async fn answer(&mut self) -> Result<R, CallError> {
        let frame = self.pending.frame().await?;
        let (_, response) = decode_response(self.version, &frame.bytes)?;
        Ok(response)
    }
}

impl HeadReply {
    /// Waits for the answer. May be cancelled and called again until it has given one.
    pub async fn frame(&mut self) -> Result<Frame, CallError> {
        self.pending.frame().await
    }
}

impl Pending {
    async fn frame(&mut self) -> Result<Frame, CallError> {
        let remaining = self.deadline.since(self.runtime.now().monotonic);
        match self.runtime.timeout(remaining, &mut self.answer).await {
            Some(Ok(answered)) => Ok(answered?),
            Some(Err(_sender_gone)) => Err(Closed::Dropped.into()),
            None => {
                self.link.close(Closed::TimedOut);
                Err(CallError::TimedOut)
            }
        }
    }
}

impl Shared {
    async fn send(
        &self,
        keep: Keep,
        limit: Duration,
        encode: impl FnOnce(i32) -> Result<Vec<Piece>, EncodeError>,
    ) -> Result<Pending, CallError> {
        let answer = self.link.request(keep, encode).await?;
        let deadline = self.runtime.now().monotonic.plus(limit);
        Ok(Pending { answer, deadline, runtime: self.runtime.clone(), link: Arc::clone(&self.link) })
    }

    async fn bounded<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        match self.runtime.timeout(limit, call).await {
            Some(result) => result,
            None => {
                self.link.close(Closed::TimedOut);
                Err(CallError::TimedOut)
            }
        }
    }

    /// Proves who we are; says until when that holds.
    async fn log_in(&self, credentials: &Credentials) -> Result<Option<Monotonic>, ConnectError> {
        let refused = |source| ConnectError::Login { address: self.address.clone(), source };
        let asked = credentials.mechanism.name();
        let handshake = SaslHandshakeRequest { mechanism: Text::from_static(asked) };
        let answer = self.exchange(&handshake).await?;
        if !answer.error_code.is_none() {
            let offered: Vec<&str> = answer.mechanisms.iter().map(Text::as_str).collect();
            return Err(refused(SaslError::Mechanism { asked, offered: offered.join(", ") }));
        }
        let mut login = Login::new(credentials, &self.runtime);
        let (mut last, mut lifetime) = (Bytes::new(), 0);
        while let Some(message) = login.next(&last).map_err(refused)? {
            let answer = self.exchange(&SaslAuthenticateRequest { auth_bytes: message.into() }).await?;
            if !answer.error_code.is_none() {
                let message = answer.error_message.as_ref().map(Text::to_string);
                return Err(refused(SaslError::Refused { message }));
            }
            (last, lifetime) = (answer.auth_bytes, answer.session_lifetime_ms);
        }
        let lifetime = u64::try_from(lifetime).ok().filter(|millis| *millis > 0).map(Duration::from_millis);
        Ok(lifetime.map(|lifetime| self.runtime.now().monotonic.plus(lifetime.mul_f64(LIFETIME_USED))))
    }

    async fn exchange<R: Request>(&self, request: &R) -> Result<R::Response, ConnectError> {
        let failed = |source| ConnectError::LoginCall { address: self.address.clone(), source };
        let version =
            self.versions.common::<R>().ok_or(CallError::Unsupported { api: R::KEY }).map_err(failed)?;
        let encode = |id| encode_request(id, Some(&self.settings.client_id), version, request);
        let sent = self.send(Keep::Whole, self.settings.connect_timeout, encode).await;
        let frame = sent.map_err(failed)?.frame().await.map_err(failed)?;
        let (_, response) = decode_response(version, &frame.bytes).map_err(|error| failed(error.into()))?;
        Ok(response)
    }

    /// Asks in the newest version known here; a broker that does not know it answers in version 0 and says which it
    /// does.
    async fn learn_versions(&self) -> Result<Versions, ConnectError> {
        let first = self.ask_versions(ApiVersionsRequest::VERSION_MAX).await?;
        let response = if first.error_code == ErrorCode::UNSUPPORTED_VERSION {
            self.ask_versions(Versions::from(&first).api_versions()).await?
        } else {
            first
        };
        if !response.error_code.is_none() {
            let (address, code) = (self.address.clone(), response.error_code);
            return Err(ConnectError::VersionsRefused { address, code });
        }
        Ok(Versions::from(&response))
    }

    async fn ask_versions(&self, version: i16) -> Result<ApiVersionsResponse, ConnectError> {
        let failed = |source| ConnectError::Versions { address: self.address.clone(), source };
        let request = ApiVersionsRequest {
            client_software_name: Text::from_static("aquifer"),
            client_software_version: Text::from_static(env!("CARGO_PKG_VERSION")),
        };
        let encode = |id| encode_request(id, Some(&self.settings.client_id), version, &request);
        let sent = self.send(Keep::Whole, self.settings.connect_timeout, encode).await;
        let frame = sent.map_err(failed)?.frame().await.map_err(failed)?;
        let in_version = |version| decode_response::<ApiVersionsResponse>(version, &frame.bytes);
        // The refusal of an unknown version comes in version 0, which no other version reads as.
        let response = match in_version(0) {
            Ok((_, refusal)) if refusal.error_code == ErrorCode::UNSUPPORTED_VERSION => Ok((0, refusal)),
            _ => in_version(version),
        };
        response.map(|(_, response)| response).map_err(|error| failed(error.into()))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.link.close(Closed::Dropped);
    }
}
