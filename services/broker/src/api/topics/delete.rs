//! DeleteTopics: topics by name or id, each named once.

use std::collections::BTreeSet;
use std::sync::Arc;

use aquifer_metadata::{Answer, Change, Image, Topic, TopicKey};
use aquifer_quorum::ProposeError;
use aquifer_types::{TopicId, Uuid};
use aquifer_wire::messages::delete_topics_request::DeleteTopicState;
use aquifer_wire::messages::delete_topics_response::DeletableTopicResult;
use aquifer_wire::messages::{DeleteTopicsRequest, DeleteTopicsResponse};
use aquifer_wire::{ErrorCode, Text};

use crate::broker::Broker;
use crate::refusal::{Refused, settle, told};

/// A topic as the request names it, and the one that is meant or why there is none.
type Asked = (DeleteTopicState, Result<Arc<Topic>, Refused>);

pub(crate) async fn delete_topics(broker: &Broker, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let by_name = |name| DeleteTopicState { name: Some(name), topic_id: Uuid::ZERO };
    let asked: Vec<DeleteTopicState> =
        request.topics.into_iter().chain(request.topic_names.into_iter().map(by_name)).collect();
    let image = broker.image();
    let mut asked: Vec<Asked> = asked
        .into_iter()
        .map(|asked| {
            let found = find(&image, &asked);
            (asked, found)
        })
        .collect();
    refuse_repeated(&mut asked);
    let keys: Vec<TopicKey> =
        asked.iter().filter_map(|(_, found)| Some(TopicKey::Id(found.as_ref().ok()?.id()))).collect();
    if !keys.is_empty() {
        let outcomes = match broker.decide(Change::DeleteTopics(keys)).await {
            Ok(Answer::TopicsDeleted(outcomes)) => Ok(outcomes),
            Ok(_) => Err(ProposeError::Unknown),
            Err(error) => Err(error),
        };
        settle(asked.iter_mut().map(|(_, found)| found), outcomes);
    }
    DeleteTopicsResponse {
        responses: asked.into_iter().map(result).collect(),
        ..DeleteTopicsResponse::default()
    }
}

fn find(image: &Image, asked: &DeleteTopicState) -> Result<Arc<Topic>, Refused> {
    let found = match (&asked.name, asked.topic_id.is_zero()) {
        (Some(_), false) => {
            return Err(Refused::invalid_request("a topic is named by name or by id, not both"));
        }
        (None, true) => return Err(Refused::invalid_request("neither a name nor an id is given")),
        (Some(name), true) => image
            .topic(name)
            .ok_or_else(|| Refused::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "no topic has this name")),
        (None, false) => image
            .topic_by_id(TopicId(asked.topic_id))
            .ok_or_else(|| Refused::new(ErrorCode::UNKNOWN_TOPIC_ID, "no topic has this id")),
    }?;
    if found.is_internal() {
        let message = "the cluster's own topics cannot be deleted";
        return Err(Refused::new(ErrorCode::INVALID_TOPIC_EXCEPTION, message));
    }
    Ok(found.clone())
}

/// A topic that is named twice, by name, by id, or by both, is not deleted.
fn refuse_repeated(asked: &mut [Asked]) {
    let (mut seen, mut repeated) = (BTreeSet::new(), BTreeSet::new());
    let ids = asked.iter().filter_map(|(_, found)| Some(found.as_ref().ok()?.id()));
    for id in ids {
        if !seen.insert(id) {
            repeated.insert(id);
        }
    }
    for (_, found) in asked {
        if found.as_ref().is_ok_and(|topic| repeated.contains(&topic.id())) {
            *found = Err(Refused::invalid_request("the request names this topic more than once"));
        }
    }
}

fn result((asked, found): Asked) -> DeletableTopicResult {
    let (error_code, error_message) = told(&found);
    let (name, topic_id) = match found {
        Ok(topic) => (Some(Text::from(topic.name().as_str())), topic.id().0),
        Err(_) => (asked.name, asked.topic_id),
    };
    DeletableTopicResult { name, topic_id, error_code, error_message }
}
