//! `Card`: what a client could do, kept as JSON from which tables are made.

use serde_json::{Value, json};

use super::client::{Client, Refusal};
use super::install::cache;

pub(super) struct Card {
    client: &'static str,
    version: String,
    /// Who did what the client cannot do.
    stand_in: Option<&'static str>,
    entries: Vec<Value>,
    red: Vec<String>,
}

impl Card {
    pub(super) fn of(name: &'static str, client: &mut dyn Client, stand_in: Option<&'static str>) -> Card {
        let version = client.ask(&json!({ "op": "version" })).expect("a client knows its version");
        let version = version["version"].as_str().unwrap_or_default().to_owned();
        Card { client: name, version, stand_in, entries: Vec::new(), red: Vec::new() }
    }

    /// Notes how a capability came out. What the client does not have is neither good nor bad.
    pub(super) fn enter(&mut self, capability: &str, outcome: &anyhow::Result<()>) {
        let (result, reason) = match outcome {
            Ok(()) => ("ok", None),
            Err(error) => match error.downcast_ref::<Refusal>() {
                Some(Refusal::Absent(why)) => ("absent", Some(why.clone())),
                _ => ("red", Some(format!("{error:#}"))),
            },
        };
        if let ("red", Some(reason)) = (result, &reason) {
            self.red.push(format!("{capability}: {reason}"));
        }
        self.entries.push(json!({ "capability": capability, "result": result, "reason": reason }));
    }

    /// Writes the card down, good or bad, then fails if anything on it is red.
    pub(super) fn keep(self) {
        let folder = cache().join("report-card");
        std::fs::create_dir_all(&folder).expect("a folder for cards");
        let card = json!({
            "client": self.client,
            "version": self.version,
            "stand_in": self.stand_in,
            "capabilities": self.entries,
        });
        let text = serde_json::to_string_pretty(&card).expect("plain JSON");
        std::fs::write(folder.join(format!("{}.json", self.client)), text + "\n")
            .expect("the card is written");
        assert!(self.red.is_empty(), "{} {}:\n{}", self.client, self.version, self.red.join("\n"));
    }
}
