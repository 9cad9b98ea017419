//! DescribeConfigs: every config of topics, brokers and groups, with sources, synonyms and documentation.

use aquifer_metadata::{ConfigEntry, ConfigResource, ConfigSynonym, Image, UnknownTopic};
use aquifer_wire::Text;
use aquifer_wire::messages::describe_configs_request::DescribeConfigsResource;
use aquifer_wire::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use aquifer_wire::messages::{DescribeConfigsRequest, DescribeConfigsResponse};

use crate::api::each_once::each_once;
use crate::broker::Broker;
use crate::refusal::{Refused, told};

/// About how long an answer may get; resources that do not fit are refused.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// What an entry takes beside its texts.
const ENTRY_BYTES: usize = 32;

/// What of each entry is told, and how much more may be.
struct Telling {
    synonyms: bool,
    documentation: bool,
    bytes_left: usize,
}

pub(crate) fn describe_configs(broker: &Broker, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    let image = broker.image();
    let mut telling = Telling {
        synonyms: request.include_synonyms,
        documentation: request.include_documentation,
        bytes_left: ANSWER_BYTES_MAX,
    };
    let resources = each_once(request.resources, |resource: &DescribeConfigsResource| {
        (resource.resource_type, resource.resource_name.clone())
    });
    let results = resources.into_iter().map(|((resource_type, resource_name), asked)| {
        let found = asked.and_then(|asked| {
            let entries = broker.entries(&image, &asked)?;
            telling.tell(entries, asked.configuration_keys.as_deref().unwrap_or_default())
        });
        let (error_code, error_message) = told(&found);
        let configs = found.unwrap_or_default();
        DescribeConfigsResult { error_code, error_message, resource_type, resource_name, configs }
    });
    DescribeConfigsResponse { results: results.collect(), ..DescribeConfigsResponse::default() }
}

impl Broker {
    fn entries(&self, image: &Image, asked: &DescribeConfigsResource) -> Result<Vec<ConfigEntry>, Refused> {
        match ConfigResource::from_kafka(asked.resource_type, &asked.resource_name)? {
            ConfigResource::Topic(name) => {
                Ok(image.describe_topic(image.topic(name.as_str()).ok_or(UnknownTopic)?))
            }
            ConfigResource::Broker(None) => Ok(image.describe_cluster()),
            ConfigResource::Broker(Some(node)) => {
                self.check_asks_us(node)?;
                Ok(image.describe_broker(&self.settings.reported))
            }
            ConfigResource::Group(group) if group.is_empty() => {
                Err(Refused::invalid_request("a group's name is not empty"))
            }
            ConfigResource::Group(group) => Ok(image.describe_group(&group)),
        }
    }
}

impl Telling {
    /// The entries of these names, or all if none is named.
    fn tell(
        &mut self,
        entries: Vec<ConfigEntry>,
        names: &[Text],
    ) -> Result<Vec<DescribeConfigsResourceResult>, Refused> {
        let wanted = |entry: &ConfigEntry| names.is_empty() || names.iter().any(|name| *name == entry.name);
        let told: Vec<_> = entries.into_iter().filter(wanted).map(|entry| self.tell_entry(entry)).collect();
        let bytes = told.iter().map(size).sum();
        self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or_else(|| {
            Refused::invalid_request("the answer would be too long: ask for fewer resources at a time")
        })?;
        Ok(told)
    }

    fn tell_entry(&self, entry: ConfigEntry) -> DescribeConfigsResourceResult {
        let synonyms = if self.synonyms { entry.synonyms } else { Vec::new() };
        DescribeConfigsResourceResult {
            name: Text::from_static(entry.name),
            value: entry.value.map(Text::from),
            read_only: entry.read_only,
            config_source: entry.source as i8,
            is_sensitive: false,
            synonyms: synonyms.into_iter().map(synonym).collect(),
            config_type: entry.kind as i8,
            documentation: self.documentation.then(|| Text::from_static(entry.documentation)),
        }
    }
}

fn synonym(synonym: ConfigSynonym) -> DescribeConfigsSynonym {
    DescribeConfigsSynonym {
        name: Text::from_static(synonym.name),
        value: synonym.value.map(Text::from),
        source: synonym.source as i8,
    }
}

fn size(entry: &DescribeConfigsResourceResult) -> usize {
    let length = |text: &Option<Text>| text.as_ref().map_or(0, |text| text.len());
    let synonyms =
        entry.synonyms.iter().map(|synonym| ENTRY_BYTES + synonym.name.len() + length(&synonym.value));
    ENTRY_BYTES
        + entry.name.len()
        + length(&entry.value)
        + length(&entry.documentation)
        + synonyms.sum::<usize>()
}
