//! `--curl`: the HTTP request to a gateway that does what a command does, as a line for a shell.

use aquifer_types::TimestampMs;
use serde_json::Value;

use crate::failure::Failure;
use crate::moment::Moment;

/// What a gateway is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Option<String>,
    /// Whether the answer comes as it happens.
    is_stream: bool,
}

impl Request {
    pub(crate) fn new(method: &'static str, path: impl Into<String>) -> Request {
        Request { method, path: path.into(), headers: Vec::new(), body: None, is_stream: false }
    }

    pub(crate) fn get(path: impl Into<String>) -> Request {
        Request::new("GET", path)
    }

    pub(crate) fn stream(path: impl Into<String>) -> Request {
        Request { is_stream: true, ..Request::get(path) }
    }

    pub(crate) fn json(self, body: &Value) -> Request {
        self.body("application/json", body.to_string())
    }

    /// `body` may name a file as curl does it: `@-`, `@FILE`.
    pub(crate) fn body(mut self, media: &str, body: impl Into<String>) -> Request {
        self.headers.push(("content-type", media.to_owned()));
        self.body = Some(body.into());
        self
    }

    /// The line that sends it.
    fn line(&self, base: &str) -> String {
        let mut line = format!("curl -sS{}", if self.is_stream { "N" } else { "" });
        let is_implied = matches!((self.method, &self.body), ("GET", None) | ("POST", Some(_)));
        if !is_implied {
            line.push_str(&format!(" -X {}", self.method));
        }
        line.push_str(&format!(" {}", quoted(&format!("{}{}", base.trim_end_matches('/'), self.path))));
        for (name, value) in &self.headers {
            line.push_str(&format!(" -H {}", quoted(&format!("{name}: {value}"))));
        }
        if let Some(body) = &self.body {
            let option = if body.starts_with('@') { "--data-binary" } else { "-d" };
            line.push_str(&format!(" {option} {}", quoted(body)));
        }
        line
    }
}

/// Prints the requests, a line each; or says why there are none.
pub(crate) fn print(base: &str, requests: Result<Vec<Request>, &'static str>) -> Result<(), Failure> {
    let requests = requests.map_err(|why| Failure::usage(format!("no HTTP request does this: {why}")))?;
    for request in requests {
        println!("{}", request.line(base));
    }
    Ok(())
}

/// A name as part of a path.
pub(crate) fn segment(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let mut segment = String::new();
    for byte in name.bytes() {
        if plain(byte) {
            segment.push(char::from(byte));
        } else {
            segment.push_str(&format!("%{byte:02X}"));
        }
    }
    segment
}

/// A place in a partition as gateways read it.
pub(crate) fn place(moment: Moment, now: TimestampMs) -> String {
    match moment {
        Moment::Earliest => "earliest".to_owned(),
        Moment::Latest => "latest".to_owned(),
        Moment::Offset(offset) => offset.to_string(),
        Moment::BeforeEnd(count) => format!("-{count}"),
        Moment::Ago(millis) => format!("@{}", (now.0 - millis).max(0)),
        Moment::At(time) => format!("@{time}"),
    }
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/:@%+=,".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod curl_test {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_are_words_of_a_shell() {
        let request = Request::new("POST", "/v1/topics/t/records").json(&json!({"v": "it's"}));
        assert_eq!(
            request.line("http://127.0.0.1:8080/"),
            "curl -sS http://127.0.0.1:8080/v1/topics/t/records -H 'content-type: application/json' -d '{\"v\":\"it'\\''s\"}'"
        );
        let request = Request::stream("/v1/topics/t/records:ndjson?from=latest&values=text");
        assert_eq!(
            request.line("http://h"),
            "curl -sSN 'http://h/v1/topics/t/records:ndjson?from=latest&values=text'"
        );
        assert_eq!(
            Request::new("DELETE", "/v1/topics/t").line("http://h"),
            "curl -sS -X DELETE http://h/v1/topics/t"
        );
    }

    #[test]
    fn names_are_parts_of_paths() {
        assert_eq!(segment("a.b-c_1"), "a.b-c_1");
        assert_eq!(segment("a/b:c d"), "a%2Fb%3Ac%20d");
    }
}
