//! Instances come, choose what they read, and go.

use std::time::Duration;

use aquifer_session::{Instance, Intent, Progress, Reads, Session, StartAt, Tenures, member_named};
use aquifer_types::TimestampMs;
use regex::RegexBuilder;

use crate::gateway::Gateway;
use crate::principal::Principal;
use crate::refusal::{Code, Refusal};
use crate::session::{Drive, group_name};

/// As long as instances live without a request where this API comes from.
const TTL_MS: i32 = 300_000;
const NAME_BYTES_MAX: usize = 200;
const PATTERN_BYTES_MAX: usize = 1_000;
const PATTERN_PROGRAM_BYTES_MAX: usize = 1 << 20;
const TOPICS_MAX: usize = 200;

/// An instance to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInstance {
    /// Drawn if absent.
    pub name: Option<String>,
    pub is_json: bool,
    pub commits_itself: bool,
    pub wait: Duration,
    /// Where to begin where the group has no offset.
    pub start: StartAt,
}

impl Gateway {
    /// Creates an instance, and says by which name it is known.
    pub async fn create_instance(
        &self,
        caller: &Principal,
        group: &str,
        new: &NewInstance,
    ) -> Result<String, Refusal> {
        group_name(group)?;
        let name =
            new.name.clone().unwrap_or_else(|| format!("rest-consumer-{}", self.runtime().random_uuid()));
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains(char::is_control) {
            let detail = format!("the name is empty, longer than {NAME_BYTES_MAX} bytes or not plain text");
            return Err(Refusal::new(Code::InvalidParameter, detail));
        }
        if self.find_instance(caller, group, &name).await?.is_some() {
            return Err(Refusal::new(Code::InstanceExists, format!("{group} has an instance {name}")));
        }
        let session = Session {
            cluster: self.cluster().await?,
            principal: caller.name().to_owned(),
            group: group.to_owned(),
            member: member_named(caller.name(), group, &name),
            instance: None,
            epoch: 0,
            topics: Vec::new(),
            start: new.start,
            owned: Some(Tenures::new()),
            tenure: 0,
            ttl_ms: TTL_MS,
            expires_at: TimestampMs(0),
        };
        let instance = Instance {
            name: name.clone(),
            is_json: new.is_json,
            commits_itself: new.commits_itself,
            wait_ms: i32::try_from(new.wait.as_millis()).unwrap_or(i32::MAX),
            reads: Reads::Nothing,
            session,
            progress: Progress::default(),
        };
        self.keep_instance(caller, &instance).await?;
        Ok(name)
    }

    /// Ends an instance: what it read is committed if it commits itself, and its partitions are others'.
    pub async fn delete_instance(&self, caller: &Principal, group: &str, name: &str) -> Result<(), Refusal> {
        let mut instance = self.instance(caller, group, name).await?;
        self.leave_instance(&mut instance).await?;
        self.forget_instance(caller, &instance).await
    }

    /// Has an instance read what its group gives it of these topics.
    pub async fn subscribe_instance(
        &self,
        caller: &Principal,
        (group, name): (&str, &str),
        topics: Vec<String>,
        pattern: Option<String>,
    ) -> Result<(), Refusal> {
        let mut instance = self.instance(caller, group, name).await?;
        let wanted = match (pattern, topics.is_empty()) {
            (Some(_), false) | (None, true) => {
                let detail = "a subscription names topics, or a topic_pattern";
                return Err(Refusal::new(Code::InvalidParameter, detail));
            }
            (Some(pattern), true) => Reads::Pattern(pattern),
            (None, false) => Reads::Topics,
        };
        let same_kind = match (&instance.reads, &wanted) {
            (Reads::Nothing, _) | (Reads::Topics, Reads::Topics) | (Reads::Pattern(_), Reads::Pattern(_)) => {
                true
            }
            (Reads::Topics | Reads::Pattern(_) | Reads::Chosen(_), _) => false,
        };
        if !same_kind {
            let detail = "the instance reads something of another kind; unsubscribe it first";
            return Err(Refusal::new(Code::SubscriptionConflict, detail));
        }
        if topics.len() > TOPICS_MAX {
            return Err(Refusal::new(
                Code::InvalidParameter,
                format!("more than {TOPICS_MAX} topics are named"),
            ));
        }
        instance.session.topics = match &wanted {
            Reads::Pattern(pattern) => self.topics_like(pattern).await?,
            _ => topics,
        };
        instance.reads = wanted;
        self.keep_instance(caller, &instance).await
    }

    /// The topics whose whole names match.
    pub(super) async fn topics_like(&self, pattern: &str) -> Result<Vec<String>, Refusal> {
        let invalid = |why: String| Refusal::new(Code::InvalidParameter, why);
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(invalid(format!("topic_pattern has more than {PATTERN_BYTES_MAX} bytes")));
        }
        let whole = format!("^(?:{pattern})$");
        let built = RegexBuilder::new(&whole).size_limit(PATTERN_PROGRAM_BYTES_MAX).build();
        let matcher = built.map_err(|error| invalid(format!("topic_pattern: {error}")))?;
        let all = self.client().topics().await.map_err(|error| Refusal::of_client(&error))?;
        let matching = all.into_iter().filter(|topic| !topic.is_internal && matcher.is_match(&topic.name));
        Ok(matching.map(|topic| topic.name).take(TOPICS_MAX).collect())
    }

    /// Has an instance read partitions that it chooses itself, without its group.
    pub async fn assign_instance(
        &self,
        caller: &Principal,
        (group, name): (&str, &str),
        chosen: Vec<(String, i32)>,
    ) -> Result<(), Refusal> {
        let mut instance = self.instance(caller, group, name).await?;
        if !matches!(instance.reads, Reads::Nothing | Reads::Chosen(_)) {
            let detail = "the instance has subscribed to topics; unsubscribe it first";
            return Err(Refusal::new(Code::SubscriptionConflict, detail));
        }
        for (topic, partition) in &chosen {
            self.topic_of(topic, *partition).await?;
        }
        instance.reads = Reads::Chosen(chosen);
        self.keep_instance(caller, &instance).await
    }

    /// Has an instance read nothing.
    pub async fn unsubscribe_instance(
        &self,
        caller: &Principal,
        group: &str,
        name: &str,
    ) -> Result<(), Refusal> {
        let mut instance = self.instance(caller, group, name).await?;
        self.leave_instance(&mut instance).await?;
        self.keep_instance(caller, &instance).await
    }

    async fn leave_instance(&self, instance: &mut Instance) -> Result<(), Refusal> {
        let has_joined = instance.session.epoch > 0;
        if has_joined && matches!(instance.reads, Reads::Topics | Reads::Pattern(_)) {
            let none = Progress::default();
            let ack = if instance.commits_itself { &instance.progress } else { &none };
            let mut drive = Drive::begin(self, instance.session.clone(), Intent::Close, ack, None).await;
            drive.settle().await?;
        }
        instance.session.epoch = 0;
        instance.session.owned = Some(Tenures::new());
        instance.session.topics.clear();
        instance.reads = Reads::Nothing;
        instance.progress = Progress { tenure: instance.session.tenure, ..Progress::default() };
        Ok(())
    }

    /// The topics that an instance has subscribed to.
    pub async fn instance_topics(
        &self,
        caller: &Principal,
        group: &str,
        name: &str,
    ) -> Result<Vec<String>, Refusal> {
        let instance = self.instance(caller, group, name).await?;
        Ok(instance.session.topics)
    }
}
