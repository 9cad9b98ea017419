//! A small HTTP client, as scripts have one, and a raw reader of streams.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use ureq::http::Request;

/// Longer than anything here waits.
const PATIENCE: Duration = Duration::from_secs(90);

/// Requests to one address.
#[derive(Clone)]
pub(crate) struct Http {
    agent: ureq::Agent,
    pub(crate) address: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The body of an answer that must be this.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// Asserts that it is a problem of this code, told as RFC 9457 has it.
    #[track_caller]
    pub(crate) fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.expect(status);
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status);
        for field in ["type", "title", "detail", "hint"] {
            assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{field} in {problem}");
        }
        assert!(problem["retryable"].is_boolean(), "{problem}");
        problem
    }
}

impl Http {
    pub(crate) fn at(address: &str) -> Http {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .allow_non_standard_methods(true)
            .build();
        Http { agent: config.into(), address: address.to_owned() }
    }

    pub(crate) fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Option<Answer> {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = self.agent.run(request.body(body).expect("a request")).ok()?;
        let headers = response.headers().iter().map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        let (status, headers) = (response.status().as_u16(), headers.collect());
        let body = response.body_mut().with_config().limit(1 << 30).read_to_vec().ok()?;
        Some(Answer { status, headers, body })
    }

    #[track_caller]
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let answered = self.try_send(method, path, headers, body);
        answered.unwrap_or_else(|| panic!("{method} {path} got no answer"))
    }

    pub(crate) fn try_get(&self, path: &str) -> Option<Answer> {
        self.try_send("GET", path, &[], b"")
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    #[track_caller]
    pub(crate) fn json(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.send(method, path, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.json("POST", path, body)
    }

    /// Makes a topic of so many partitions.
    #[track_caller]
    pub(crate) fn topic(&self, name: &str, partitions: i32) {
        self.json("PUT", &format!("/v1/topics/{name}"), &serde_json::json!({"partitions": partitions}))
            .expect(201);
    }

    /// Opens a stream and leaves its lines to be read.
    pub(crate) fn lines(&self, path: &str, headers: &[(&str, &str)]) -> Lines {
        let mut socket = TcpStream::connect(&self.address).expect("somebody listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        socket.write_all(format!("{head}\r\n").as_bytes()).expect("the request leaves");
        let mut lines = Lines { reader: BufReader::new(socket), text: Vec::new() };
        let status = lines.raw().expect("a status line");
        assert!(status.contains(" 200 "), "{status}");
        while lines.raw().is_some_and(|line| !line.is_empty()) {}
        lines
    }
}

/// The lines of a chunked answer, as they come.
pub(crate) struct Lines {
    reader: BufReader<TcpStream>,
    text: Vec<u8>,
}

impl Lines {
    fn raw(&mut self) -> Option<String> {
        let mut line = Vec::new();
        self.reader.read_until(b'\n', &mut line).ok().filter(|count| *count > 0)?;
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    /// The next line of the body; nothing once it has ended or broken off.
    pub(crate) fn next(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.text.drain(..=end).collect();
                return Some(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            let length = usize::from_str_radix(&self.raw()?, 16).ok().filter(|length| *length > 0)?;
            let mut chunk = vec![0; length + 2];
            self.reader.read_exact(&mut chunk).ok()?;
            self.text.extend_from_slice(&chunk[..length]);
        }
    }
}
