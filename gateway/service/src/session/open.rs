//! Opening a session: a member joins its group.

use std::time::Duration;

use aquifer_client::Resource;
use aquifer_session::{Intent, Progress, Session, StartAt, Tenures, member_named};
use aquifer_types::TimestampMs;

use super::drive::Drive;
use crate::gateway::Gateway;
use crate::position::From;
use crate::principal::Principal;
use crate::refusal::{Code, Refusal};

const TTL: Duration = Duration::from_secs(60);
/// Where neither the coordinator nor the group's config says it.
const GROUP_SESSION_TIMEOUT_MS: i32 = 45_000;
const GROUP_SESSION_TIMEOUT: &str = "consumer.session.timeout.ms";

/// So that a token stays small enough to be sent with every request.
const TOPICS_MAX: usize = 50;
const NAME_BYTES_MAX: usize = 200;

/// A session to be opened.
#[derive(Clone, Debug)]
pub struct NewSession {
    pub group: String,
    pub topics: Vec<String>,
    /// Where to begin where the group has no offset.
    pub from: From,
    pub ttl: Option<Duration>,
    /// Who opens again under this name gets the same member, not another one.
    pub session_id: Option<String>,
    /// A member that may be away for a while without losing its partitions.
    pub instance_id: Option<String>,
}

/// A session that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    pub token: String,
    pub member: String,
    /// In force; where the cluster does not let members choose, less than was asked for.
    pub ttl_ms: i32,
    pub expires_at: TimestampMs,
}

impl Gateway {
    pub async fn open_session(&self, caller: &Principal, new: &NewSession) -> Result<Opened, Refusal> {
        let start = check(new)?;
        for topic in &new.topics {
            let known = self.client().topic_when_known(topic).await;
            known.map_err(|error| Refusal::of_client(&error).at(topic, None))?;
        }
        let NewSession { group, session_id, instance_id, .. } = new;
        let named = session_id.as_ref().or(instance_id.as_ref());
        let member = match named {
            Some(name) => member_named(caller.name(), group, name),
            None => self.runtime().random_uuid().to_string(),
        };
        let ttl = new.ttl.unwrap_or(TTL).as_millis();
        let asked = Session {
            cluster: self.cluster().await?,
            principal: caller.name().to_owned(),
            group: group.clone(),
            member,
            instance: instance_id.clone(),
            epoch: 0,
            topics: new.topics.clone(),
            start,
            owned: Some(Tenures::new()),
            tenure: 0,
            ttl_ms: i32::try_from(ttl).unwrap_or(i32::MAX),
            expires_at: TimestampMs(0),
        };
        let mut drive = Drive::begin(self, asked, Intent::Commit, &Progress::default(), None).await;
        drive.settle().await?;
        let ttl_ms = match drive.session_timeout_ms() {
            Some(granted) => granted,
            None => drive.session().ttl_ms.min(self.group_session_timeout_ms(group).await),
        };
        let (epoch, now) = (drive.poll.outcome().epoch, self.runtime().now().wall);
        let expires_at = TimestampMs(now.0 + i64::from(ttl_ms));
        // What it owns already it is told with its first poll.
        let session = Session { epoch, ttl_ms, expires_at, ..drive.session().clone() };
        let token = session.seal(self.keys(), self.nonce());
        Ok(Opened { token, member: session.member, ttl_ms, expires_at })
    }

    /// How long coordinators that know no other wait for members of this group.
    async fn group_session_timeout_ms(&self, group: &str) -> i32 {
        let configs = self.client().describe_configs(&Resource::Group(group.to_owned())).await;
        let configured = configs.ok().and_then(|configs| {
            let found = configs.into_iter().find(|config| config.name == GROUP_SESSION_TIMEOUT)?;
            found.value?.parse().ok()
        });
        configured.unwrap_or(GROUP_SESSION_TIMEOUT_MS)
    }
}

/// Refuses names that no group can have.
pub(crate) fn group_name(group: &str) -> Result<(), Refusal> {
    if group.is_empty() || group.len() > NAME_BYTES_MAX {
        let detail = format!("the group's name has none or more than {NAME_BYTES_MAX} bytes");
        return Err(Refusal::new(Code::InvalidGroup, detail));
    }
    Ok(())
}

fn check(new: &NewSession) -> Result<StartAt, Refusal> {
    let invalid = |detail: String| Err(Refusal::new(Code::InvalidParameter, detail));
    group_name(&new.group)?;
    if new.topics.is_empty() || new.topics.len() > TOPICS_MAX {
        return invalid(format!("topics names none, or more than {TOPICS_MAX}"));
    }
    let names = [("session_id", &new.session_id), ("instance_id", &new.instance_id)];
    for (field, name) in names {
        let is_bad =
            |name: &String| name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains(char::is_control);
        if name.as_ref().is_some_and(is_bad) {
            return invalid(format!(
                "{field} is empty, longer than {NAME_BYTES_MAX} bytes or not plain text"
            ));
        }
    }
    match new.from {
        From::Earliest => Ok(StartAt::Earliest),
        From::Latest => Ok(StartAt::Latest),
        From::Time(time) => Ok(StartAt::Time(time)),
        _ => {
            let detail =
                "a session begins at earliest, latest, or @ and a time; sessions:seek goes elsewhere";
            Err(Refusal::new(Code::InvalidPosition, detail))
        }
    }
}
