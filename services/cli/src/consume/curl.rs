//! What `aquifer consume` is over HTTP.

use aquifer_types::TimestampMs;
use serde_json::json;

use super::arguments::ConsumeArguments;
use crate::curl::{Request, place, segment};

impl ConsumeArguments {
    pub(super) fn requests(&self, now: TimestampMs) -> Result<Vec<Request>, &'static str> {
        let from = place(self.from, now);
        if let Some(group) = &self.group {
            let body = json!({"topics": self.topics, "from": from});
            let open = Request::new("POST", format!("/v1/groups/{}/sessions", segment(group))).json(&body);
            let poll = json!({"token": "TOKEN of the answer before", "ack": "CURSOR of the poll before", "wait_ms": 1000});
            return Ok(vec![open, Request::new("POST", "/v1/sessions:poll").json(&poll)]);
        }
        if self.uncommitted {
            return Err("it shows committed records only");
        }
        let mut requests = Vec::new();
        for topic in &self.topics {
            let topic = format!("/v1/topics/{}", segment(topic));
            if self.partition.is_empty() {
                requests.push(Request::stream(format!("{topic}/records:ndjson?from={from}")));
            }
            for partition in &self.partition {
                let records = format!("{topic}/partitions/{partition}/records");
                requests.push(match self.exit || self.count.is_some() {
                    true => {
                        let most = self.count.map(|count| format!("&max_records={count}"));
                        Request::get(format!("{records}?from={from}{}", most.unwrap_or_default()))
                    }
                    false => Request::stream(format!("{records}:ndjson?from={from}")),
                });
            }
        }
        Ok(requests)
    }
}
