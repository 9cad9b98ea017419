//! Configs described, changed and listed.

use std::collections::BTreeMap;

use aquifer_broker::Settings;
use aquifer_wire::ErrorCode;
use aquifer_wire::messages::describe_configs_request::DescribeConfigsResource;
use aquifer_wire::messages::describe_configs_response::DescribeConfigsResult;
use aquifer_wire::messages::{
    AlterConfigsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest, ListConfigResourcesRequest,
    alter_configs_request as replace, incremental_alter_configs_request as incremental,
};

use crate::harness::{Client, Node, text};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const GROUP: i8 = 32;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

fn resource(kind: i8, name: &'static str, keys: Option<&[&'static str]>) -> DescribeConfigsResource {
    DescribeConfigsResource {
        resource_type: kind,
        resource_name: text(name),
        configuration_keys: keys.map(|keys| keys.iter().map(|key| text(key)).collect()),
    }
}

fn describe(client: &mut Client, resources: Vec<DescribeConfigsResource>) -> Vec<DescribeConfigsResult> {
    client
        .ask_newest(&DescribeConfigsRequest {
            resources,
            include_synonyms: true,
            include_documentation: true,
        })
        .results
}

/// Value and source of one config.
fn value(client: &mut Client, kind: i8, name: &'static str, key: &'static str) -> Option<(String, i8)> {
    let result = describe(client, vec![resource(kind, name, Some(&[key]))]).remove(0);
    assert_eq!(result.error_code, ErrorCode::NONE);
    let config = result.configs.into_iter().next()?;
    Some((config.value?.to_string(), config.config_source))
}

type Operation = (&'static str, i8, Option<&'static str>);

fn incremental_request(
    resources: &[(i8, &'static str, &[Operation])],
    validate_only: bool,
) -> IncrementalAlterConfigsRequest {
    let config = |(name, config_operation, value): &Operation| incremental::AlterableConfig {
        name: text(name),
        config_operation: *config_operation,
        value: value.map(text),
    };
    let resource =
        |(kind, name, operations): &(i8, &'static str, &[Operation])| incremental::AlterConfigsResource {
            resource_type: *kind,
            resource_name: text(name),
            configs: operations.iter().map(config).collect(),
        };
    IncrementalAlterConfigsRequest { resources: resources.iter().map(resource).collect(), validate_only }
}

fn alter(client: &mut Client, kind: i8, name: &'static str, operations: &[Operation]) -> ErrorCode {
    let answer = client.ask_newest(&incremental_request(&[(kind, name, operations)], false));
    let outcome = &answer.responses[0];
    assert_eq!(outcome.error_message.is_none(), outcome.error_code.is_none(), "{outcome:?}");
    outcome.error_code
}

type Setting = (&'static str, Option<&'static str>);

fn replace_request(resources: &[(i8, &'static str, &[Setting])], validate_only: bool) -> AlterConfigsRequest {
    let resource = |(kind, name, configs): &(i8, &'static str, &[Setting])| {
        let config =
            |(name, value): &Setting| replace::AlterableConfig { name: text(name), value: value.map(text) };
        replace::AlterConfigsResource {
            resource_type: *kind,
            resource_name: text(name),
            configs: configs.iter().map(config).collect(),
        }
    };
    AlterConfigsRequest { resources: resources.iter().map(resource).collect(), validate_only }
}

#[test]
fn a_topic_tells_every_config_with_source_synonyms_type_and_text() {
    let node = Node::start();
    let mut client = node.client();
    client.create("t", 1);
    assert_eq!(alter(&mut client, TOPIC, "t", &[("retention.ms", SET, Some("5"))]), ErrorCode::NONE);

    let result = describe(&mut client, vec![resource(TOPIC, "t", None)]).remove(0);

    assert_eq!((result.error_code, &result.error_message), (ErrorCode::NONE, &None));
    assert!(result.configs.iter().all(|config| config.config_source > 0 && config.config_type > 0));
    assert!(result.configs.iter().all(|config| config.documentation.is_some()));
    let retention = result.configs.iter().find(|config| config.name == "retention.ms").expect("is told");
    assert_eq!(
        (retention.value.as_deref(), retention.config_source, retention.config_type),
        (Some("5"), 1, 5)
    );
    assert_eq!(retention.synonyms[0].name, "retention.ms");
    let cleanup = result.configs.iter().find(|config| config.name == "cleanup.policy").expect("is told");
    assert_eq!((cleanup.value.as_deref(), cleanup.config_source), (Some("delete"), 5));
}

#[test]
fn synonyms_and_documentation_are_told_only_when_asked() {
    let node = Node::start();
    let mut client = node.client();
    client.create("t", 1);
    let request = DescribeConfigsRequest {
        resources: vec![resource(TOPIC, "t", None)],
        ..DescribeConfigsRequest::default()
    };

    let configs = client.ask_newest(&request).results.remove(0).configs;

    assert!(configs.iter().all(|config| config.synonyms.is_empty() && config.documentation.is_none()));
}

#[test]
fn only_the_configs_that_are_named_are_told() {
    let node = Node::start();
    let mut client = node.client();
    client.create("t", 1);
    let keys = ["retention.ms", "no.such.config", "cleanup.policy"];

    let result = describe(&mut client, vec![resource(TOPIC, "t", Some(&keys))]).remove(0);

    let names: Vec<_> = result.configs.iter().map(|config| config.name.as_str()).collect();
    assert_eq!(names, ["cleanup.policy", "retention.ms"]);
}

#[test]
fn a_broker_tells_what_its_server_was_configured_with() {
    let reported = BTreeMap::from([("log.dirs".to_owned(), "/data".to_owned())]);
    let node = Node::start_with(Settings { reported, ..Settings::default() });
    let mut client = node.client();

    let result = describe(&mut client, vec![resource(BROKER, "0", Some(&["log.dirs"]))]).remove(0);

    let config = &result.configs[0];
    assert_eq!((config.value.as_deref(), config.config_source, config.read_only), (Some("/data"), 4, true));
    assert_eq!(describe(&mut client, vec![resource(BROKER, "", None)]).remove(0).configs, []);
}

#[test]
fn what_is_set_for_all_brokers_shows_on_each_and_on_topics() {
    let node = Node::start();
    let mut client = node.client();
    client.create("t", 1);

    assert_eq!(alter(&mut client, BROKER, "", &[("log.retention.ms", SET, Some("7"))]), ErrorCode::NONE);

    let set = Some(("7".to_owned(), 3));
    assert_eq!(value(&mut client, BROKER, "", "log.retention.ms"), set);
    assert_eq!(value(&mut client, BROKER, "0", "log.retention.ms"), set);
    assert_eq!(value(&mut client, TOPIC, "t", "retention.ms"), set);
}

#[test]
fn a_group_has_configs_whether_it_is_known_or_not() {
    let node = Node::start();
    let mut client = node.client();
    let key = "consumer.session.timeout.ms";

    let before = value(&mut client, GROUP, "g", key).expect("has a default");
    assert_eq!(alter(&mut client, GROUP, "g", &[(key, SET, Some("50000"))]), ErrorCode::NONE);

    assert_eq!(before.1, 5);
    assert_eq!(value(&mut client, GROUP, "g", key), Some(("50000".to_owned(), 8)));
}

#[test]
fn resources_that_cannot_be_described_are_refused_one_by_one() {
    let node = Node::start();
    let mut client = node.client();
    client.create("t", 1);
    let asked = [
        (TOPIC, "none", ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (TOPIC, "a b", ErrorCode::INVALID_TOPIC_EXCEPTION),
        (BROKER, "7", ErrorCode::INVALID_REQUEST),
        (BROKER, "x", ErrorCode::INVALID_REQUEST),
        (GROUP, "", ErrorCode::INVALID_REQUEST),
        (8, "0", ErrorCode::INVALID_REQUEST),
        (16, "m", ErrorCode::INVALID_REQUEST),
        (99, "x", ErrorCode::INVALID_REQUEST),
        (TOPIC, "t", ErrorCode::NONE),
    ];
    let resources = asked.iter().map(|(kind, name, _)| resource(*kind, name, None)).collect();

    let results = describe(&mut client, resources);

    let codes: Vec<_> = results.iter().map(|result| result.error_code).collect();
    assert_eq!(codes, asked.map(|(_, _, code)| code));
    let twice = describe(&mut client, vec![resource(TOPIC, "t", None); 2]);
    assert_eq!(
        twice.iter().map(|result| result.error_code).collect::<Vec<_>>(),
        [ErrorCode::INVALID_REQUEST]
    );
}

#[test]
fn lists_are_appended_to_and_subtracted_from() {
    let node = Node::start();
    let mut client = node.client();
    client.create("t", 1);
    let mut after = |operation, entry| {
        assert_eq!(
            alter(&mut client, TOPIC, "t", &[("cleanup.policy", operation, Some(entry))]),
            ErrorCode::NONE
        );
        value(&mut client, TOPIC, "t", "cleanup.policy").expect("is set").0
    };

    assert_eq!(after(APPEND, "compact"), "delete,compact");
    assert_eq!(after(SUBTRACT, "delete"), "compact");
}

#[test]
fn changes_that_cannot_be_are_refused_and_nothing_of_the_resource_changes() {
    let node = Node::start();
    let mut client = node.client();
    client.create("t", 1);
    let good: Operation = ("segment.bytes", SET, Some("2000000"));

    let refused: &[(i8, &'static str, &[Operation], ErrorCode)] = &[
        (TOPIC, "none", &[good], ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (TOPIC, "t", &[good, ("retention.ms", SET, Some("x"))], ErrorCode::INVALID_CONFIG),
        (TOPIC, "t", &[good, ("no.such.config", SET, Some("x"))], ErrorCode::INVALID_CONFIG),
        (TOPIC, "t", &[good, ("retention.ms", APPEND, Some("1"))], ErrorCode::INVALID_CONFIG),
        (TOPIC, "t", &[good, ("retention.ms", SET, None)], ErrorCode::INVALID_REQUEST),
        (TOPIC, "t", &[good, ("retention.ms", 9, Some("1"))], ErrorCode::INVALID_REQUEST),
        (TOPIC, "t", &[good, good], ErrorCode::INVALID_REQUEST),
        (BROKER, "7", &[], ErrorCode::INVALID_REQUEST),
        (BROKER, "", &[("node.id", SET, Some("4"))], ErrorCode::INVALID_REQUEST),
        (BROKER, "0", &[("log.retention.ms", SET, Some("4"))], ErrorCode::INVALID_REQUEST),
        (BROKER, "", &[("log.retention.ms", SET, Some("x"))], ErrorCode::INVALID_CONFIG),
        (GROUP, "", &[], ErrorCode::INVALID_REQUEST),
        (16, "m", &[], ErrorCode::INVALID_REQUEST),
    ];
    for (kind, name, operations, code) in refused {
        assert_eq!(alter(&mut client, *kind, name, operations), *code, "{kind} {name} {operations:?}");
    }

    assert_eq!(value(&mut client, TOPIC, "t", "segment.bytes").expect("has a default").1, 5);
}

#[test]
fn a_resource_named_twice_is_refused_and_another_is_changed() {
    let node = Node::start();
    let mut client = node.client();
    client.create("t", 1);
    client.create("u", 1);
    let set: &[Operation] = &[("retention.ms", SET, Some("5"))];

    let answer = client
        .ask_newest(&incremental_request(&[(TOPIC, "t", set), (TOPIC, "u", set), (TOPIC, "t", set)], false));

    let told: Vec<_> =
        answer.responses.iter().map(|told| (told.resource_name.as_str(), told.error_code)).collect();
    assert_eq!(told, [("t", ErrorCode::INVALID_REQUEST), ("u", ErrorCode::NONE)]);
}

#[test]
fn what_is_only_validated_does_not_change() {
    let node = Node::start();
    let mut client = node.client();
    client.create("t", 1);
    let set: &[Operation] = &[("retention.ms", SET, Some("5"))];

    let one = client.ask_newest(&incremental_request(&[(TOPIC, "t", set)], true)).responses.remove(0);
    let all = client.ask_newest(&replace_request(&[(TOPIC, "t", &[("retention.ms", Some("5"))])], true));

    assert_eq!((one.error_code, all.responses[0].error_code), (ErrorCode::NONE, ErrorCode::NONE));
    assert_eq!(value(&mut client, TOPIC, "t", "retention.ms").expect("has a default").1, 5);
}

#[test]
fn replacing_configs_forgets_those_that_are_not_named() {
    let node = Node::start();
    let mut client = node.client();
    client.create("t", 1);
    assert_eq!(alter(&mut client, TOPIC, "t", &[("segment.bytes", SET, Some("2000000"))]), ErrorCode::NONE);

    let answer = client.ask_newest(&replace_request(
        &[(TOPIC, "t", &[("retention.ms", Some("5"))]), (TOPIC, "none", &[]), (BROKER, "0", &[])],
        false,
    ));

    let codes: Vec<_> = answer.responses.iter().map(|told| told.error_code).collect();
    assert_eq!(codes, [ErrorCode::NONE, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, ErrorCode::NONE]);
    assert_eq!(value(&mut client, TOPIC, "t", "retention.ms"), Some(("5".to_owned(), 1)));
    assert_eq!(value(&mut client, TOPIC, "t", "segment.bytes").expect("has a default").1, 5);
    assert_eq!(alter(&mut client, TOPIC, "t", &[("retention.ms", DELETE, None)]), ErrorCode::NONE);
    assert_eq!(value(&mut client, TOPIC, "t", "retention.ms").expect("has a default").1, 5);
}

#[test]
fn resources_with_configs_are_listed_by_type() {
    let node = Node::start();
    let mut client = node.client();
    client.create("t", 1);
    let key = "consumer.session.timeout.ms";
    assert_eq!(alter(&mut client, GROUP, "g", &[(key, SET, Some("50000"))]), ErrorCode::NONE);
    let mut list = |version, resource_types: &[i8]| {
        let request = ListConfigResourcesRequest { resource_types: resource_types.to_vec() };
        let answer = client.ask(version, &request);
        let resources = answer.config_resources.into_iter();
        let resources: Vec<_> =
            resources.map(|resource| (resource.resource_type, resource.resource_name.to_string())).collect();
        (answer.error_code, resources)
    };
    let at = |kind, name: &str| (kind, name.to_owned());

    assert_eq!(list(0, &[]), (ErrorCode::NONE, vec![]));
    assert_eq!(list(1, &[]), (ErrorCode::NONE, vec![at(TOPIC, "t"), at(BROKER, "0"), at(GROUP, "g")]));
    assert_eq!(list(1, &[GROUP, 16, 8]), (ErrorCode::NONE, vec![at(GROUP, "g")]));
    assert_eq!(list(1, &[77]), (ErrorCode::UNSUPPORTED_VERSION, vec![]));
}
