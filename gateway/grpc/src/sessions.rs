//! `SessionsService`.

use std::time::Duration;

use aquifer_contract::v1::{
    CloseSessionRequest, CloseSessionResponse, OpenSessionRequest, OpenSessionResponse, PollSessionRequest,
    PollSessionResponse,
};
use aquifer_gateway::{AskedLimits, Code, From, Gateway, NewSession, PollRequest, ReadLimits, Refusal};
use tonic::{Request, Response, Status, async_trait};

use crate::generated::sessions_service_server::SessionsService;
use crate::message::{place, said, shown};
use crate::status::{caller, status};

pub(crate) struct Sessions(pub(crate) Gateway);

#[async_trait]
impl SessionsService for Sessions {
    async fn open_session(
        &self,
        request: Request<OpenSessionRequest>,
    ) -> Result<Response<OpenSessionResponse>, Status> {
        let refused = |refusal: Refusal| status(&refusal);
        let (principal, gateway) = caller(&self.0, request.metadata()).await?;
        let wanted = request.into_inner();
        let from = if wanted.from.is_empty() { "latest" } else { &wanted.from };
        let ttl = u64::try_from(wanted.ttl_ms).map_err(|_negative| {
            let detail = format!("ttl_ms is {}", wanted.ttl_ms);
            refused(Refusal::new(Code::InvalidParameter, detail))
        })?;
        let new = NewSession {
            group: wanted.group,
            topics: wanted.topics,
            from: From::read(from).map_err(refused)?,
            ttl: (ttl > 0).then(|| Duration::from_millis(ttl)),
            session_id: wanted.session_id,
            instance_id: None,
        };
        let opened = gateway.open_session(&principal, &new).await.map_err(refused)?;
        Ok(Response::new(OpenSessionResponse {
            token: opened.token,
            ttl_ms: opened.ttl_ms,
            member_id: opened.member,
        }))
    }

    async fn poll_session(
        &self,
        request: Request<PollSessionRequest>,
    ) -> Result<Response<PollSessionResponse>, Status> {
        let (principal, gateway) = caller(&self.0, request.metadata()).await?;
        let polled = poll(&gateway, &principal, request.get_ref()).await;
        polled.map(Response::new).map_err(|refusal| status(&refusal))
    }

    async fn close_session(
        &self,
        request: Request<CloseSessionRequest>,
    ) -> Result<Response<CloseSessionResponse>, Status> {
        let (principal, gateway) = caller(&self.0, request.metadata()).await?;
        let CloseSessionRequest { token, ack } = request.get_ref();
        let closed = gateway.close_session(&principal, token, ack.as_deref()).await;
        closed.map_err(|refusal| status(&refusal))?;
        Ok(Response::new(CloseSessionResponse {}))
    }
}

async fn poll(
    gateway: &Gateway,
    principal: &aquifer_gateway::Principal,
    request: &PollSessionRequest,
) -> Result<PollSessionResponse, Refusal> {
    let limits = ReadLimits::of_poll(AskedLimits {
        bytes: None,
        records: said(request.max_records),
        wait_ms: said(request.wait_ms),
    })?;
    let asked = PollRequest {
        token: &request.token,
        ack: request.ack.as_deref(),
        after: request.after.as_deref(),
        limits,
    };
    let mut polled = gateway.poll_session(principal, &asked).await?;
    let _room = gateway.answers().claim(polled.bytes()).await?;
    let mut records = Vec::new();
    polled.take(|(topic, partition), record| records.push(shown(topic, partition.0, record)))?;
    let held = polled.held();
    Ok(PollSessionResponse {
        records,
        cursor: held.cursor,
        token: held.token,
        assigned: held.assigned.iter().map(place).collect(),
        revoked: held.revoked.iter().map(place).collect(),
    })
}
