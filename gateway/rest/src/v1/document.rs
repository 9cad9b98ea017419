//! The OpenAPI document: its frame, its text, and a page to read it with.

use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Value, json};
use utoipa::openapi::{ContactBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Server, Tag};

/// Everything but the operations.
pub(super) fn frame() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Aquifer")
        .version("1.0.0")
        .description(Some(
            "Records in, records out, consumer groups and replay over HTTP.\n\n\
             Offsets are strings of digits, so that no client rounds them; numbers are accepted too. A field that is not \
             there is absent, never null. Clients ignore fields they do not know. Errors are application/problem+json \
             (RFC 9457); programs decide by `code`.",
        ))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
        .contact(Some(ContactBuilder::new().name(Some("Aquifer")).build()))
        .build();
    let tag = |name: &str, description: &str| {
        let mut tag = Tag::new(name);
        tag.description = Some(description.to_owned());
        tag
    };
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([Server::new("/")]))
        .tags(Some([
            tag("topics", "Topics and their configs"),
            tag("records", "Records in and out, without state"),
            tag("producers", "Idempotent producers"),
            tag("groups", "Consumer groups, their members and offsets"),
            tag("sessions", "Members of consumer groups that any gateway serves"),
            tag("gateway", "The gateway itself"),
        ]))
        .build()
}

/// The document as it is checked in: indented, with a line end.
pub(super) fn text(document: OpenApi) -> String {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    open(&mut document);
    // A topic whose settings are all defaults needs no body, for which the macro has no word.
    document["paths"]["/v1/topics/{topic}"]["put"]["requestBody"]["required"] = json!(false);
    let operations = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    for operation in operations.filter_map(Value::as_object_mut).flat_map(|verbs| verbs.values_mut()) {
        fail(&mut operation["responses"]);
    }
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

/// Says how every operation may fail, beside what it says itself.
fn fail(responses: &mut Value) {
    let content = json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}});
    let wait = json!({"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer", "format": "int32"}}});
    for (status, description) in [
        ("429", "More is under way than is taken on"),
        ("503", "The cluster does not answer, or this gateway stops"),
    ] {
        responses[status] = json!({"description": description, "headers": wait, "content": content});
    }
    responses["default"] = json!({"description": "It was not done; `code` says why", "content": content});
}

/// Takes out that fields nobody knows are refused: requests with such are, and clients of older documents must not be
/// surprised by answers.
fn open(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.get("additionalProperties") == Some(&Value::Bool(false)) {
                fields.remove("additionalProperties");
            }
            fields.values_mut().for_each(open);
        }
        Value::Array(items) => items.iter_mut().for_each(open),
        _ => {}
    }
}

pub(super) async fn serve() -> Response {
    // A test compares it with what the operations say.
    let document = include_str!("../../../../openapi/openapi.json");
    ([(header::CONTENT_TYPE, "application/json")], document).into_response()
}

pub(super) async fn page() -> Html<&'static str> {
    Html(include_str!("docs.html"))
}
