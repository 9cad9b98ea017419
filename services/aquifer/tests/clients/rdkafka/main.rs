//! The rdkafka crate as `../README.md` asks for it.

mod admin;
mod answer;
mod group;
mod produce;
mod read;

use std::collections::HashMap;
use std::io::{BufRead as _, Write as _};

use rdkafka::config::ClientConfig;
use serde_json::{Value, json};

use crate::answer::{Answer, Failure};
use crate::group::Member;

struct Driver {
    bootstrap: String,
    members: HashMap<String, Member>,
}

impl Driver {
    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap).set("log_level", "0");
        config
    }

    fn perform(&mut self, r: &Value) -> Answer {
        match r["op"].as_str().unwrap_or_default() {
            "version" => {
                let (_, librdkafka) = rdkafka::util::get_rdkafka_version();
                Ok(json!({ "version": format!("{}, librdkafka {librdkafka}", env!("RDKAFKA_CRATE")) }))
            }
            "produce" => produce::produce(self.config(), r),
            "transaction" => produce::transaction(self.config(), r),
            "read" => read::read(self.config(), r),
            "ends" => read::ends(self.config(), r),
            "offset_for_time" => read::offset_for_time(self.config(), r),
            "partitions" => read::partitions(self.config(), r),
            "create_topic" => admin::create_topic(&self.config(), r),
            "create_partitions" => admin::create_partitions(&self.config(), r),
            "describe_configs" => admin::describe_configs(&self.config(), r),
            "alter_config" => admin::alter_config(&self.config(), r),
            "delete_records" => admin::delete_records(&self.config(), r),
            "delete_topic" => admin::delete_topic(&self.config(), r),
            "join" => {
                let member = Member::join(self.config(), r)?;
                self.members.insert(r["member"].to_string(), member);
                Ok(json!({}))
            }
            "poll" => Ok(self.members[&r["member"].to_string()].poll()),
            "leave" => {
                drop(self.members.remove(&r["member"].to_string()));
                Ok(json!({}))
            }
            other => Err(Failure::Absent(format!("no call to {}", other.replace('_', " ")))),
        }
    }
}

fn main() {
    let bootstrap = std::env::args().nth(1).expect("the bootstrap address");
    let mut driver = Driver { bootstrap, members: HashMap::new() };
    for line in std::io::stdin().lock().lines() {
        let request = serde_json::from_str(&line.expect("a line")).expect("JSON");
        println!("{}", answer::json(driver.perform(&request)));
        std::io::stdout().flush().expect("somebody reads");
    }
}
