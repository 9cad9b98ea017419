//! The OpenAPI document that is checked in is the one that is served.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

/// Set to write the document anew.
const BLESS: &str = "AQUIFER_BLESS";

#[test]
fn the_document_is_the_one_that_is_checked_in() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi/openapi.json");
    let made = aquifer_rest::openapi();
    if std::env::var_os(BLESS).is_some() {
        std::fs::write(&path, &made).expect("the document is written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(made == kept, "openapi/openapi.json differs from what is served; {BLESS}=1 writes it anew");
}

fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let each = paths.iter().flat_map(|(path, verbs)| {
        let verbs = verbs.as_object().expect("verbs");
        verbs.iter().map(move |(verb, operation)| (format!("{verb} {path}"), operation))
    });
    each.collect()
}

#[test]
fn every_operation_is_one_that_generators_make_a_good_method_of() {
    let document: Value = serde_json::from_str(&aquifer_rest::openapi()).expect("JSON");
    let mut names = BTreeSet::new();
    for (place, operation) in operations(&document) {
        let name = operation["operationId"].as_str().unwrap_or_default();
        assert!(name.starts_with(|first: char| first.is_ascii_lowercase()), "{place}: {name}");
        assert!(names.insert(name.to_owned()), "{place}: {name} twice");
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{place}");
        let responses = operation["responses"].as_object().expect("responses");
        for (status, response) in responses {
            assert!(
                response["description"].as_str().is_some_and(|text| !text.is_empty()),
                "{place} {status}"
            );
            let media: Vec<&String> =
                response["content"].as_object().map_or(Vec::new(), |it| it.keys().collect());
            assert!(media.len() <= 1, "{place} {status}: clients take the first of {media:?}");
        }
        assert!(responses.contains_key("default"), "{place} says nothing of failures");
        assert!(responses.keys().any(|status| status.starts_with('2')), "{place}");
        for status in ["429", "503"] {
            assert!(responses[status]["headers"]["Retry-After"].is_object(), "{place} {status}");
        }
        if let Some(body) = operation.get("requestBody") {
            assert_eq!(body["content"].as_object().map(serde_json::Map::len), Some(1), "{place}");
        }
    }
    assert!(names.len() > 10);
}

#[test]
fn schemas_have_neither_alternatives_nor_null_nor_numbers_that_clients_round() {
    fn walk(place: &str, value: &Value) {
        match value {
            Value::Object(fields) => {
                assert!(!fields.contains_key("oneOf") && !fields.contains_key("anyOf"), "{place}");
                assert_ne!(fields.get("format"), Some(&Value::from("int64")), "{place}");
                if let Some(Value::Array(kinds)) = fields.get("type") {
                    assert!(!kinds.contains(&Value::from("null")), "{place}: {kinds:?}");
                }
                fields.iter().for_each(|(name, value)| walk(&format!("{place}.{name}"), value));
            }
            Value::Array(items) => items.iter().for_each(|value| walk(place, value)),
            _ => {}
        }
    }
    let document: Value = serde_json::from_str(&aquifer_rest::openapi()).expect("JSON");
    walk("", &document["components"]["schemas"]);
    walk("", &document["paths"]);
}

#[test]
fn no_schema_is_called_like_the_constructor_of_another() {
    let document: Value = serde_json::from_str(&aquifer_rest::openapi()).expect("JSON");
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    for name in schemas.keys() {
        assert!(
            !schemas.contains_key(&format!("New{name}")),
            "New{name} is what Go's clients make a {name} with"
        );
    }
}
