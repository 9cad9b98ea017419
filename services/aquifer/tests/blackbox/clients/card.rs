//! `Card`: what a client could do, kept as JSON and as a row of the README's table.

use serde_json::{Value, json};

use super::client::{Client, Refusal};
use super::known::fault;
use super::table::{Column, Outcome, Row};
use crate::install::cache;

pub(crate) struct Card {
    client: &'static str,
    version: String,
    /// Who did what the client cannot do.
    stand_in: Option<&'static str>,
    entries: Vec<Entry>,
    red: Vec<String>,
}

struct Entry {
    column: Column,
    capability: &'static str,
    outcome: Outcome,
}

impl Card {
    pub(super) fn of(name: &'static str, client: &mut dyn Client, stand_in: Option<&'static str>) -> Card {
        let version = client.ask(&json!({ "op": "version" })).expect("a client knows its version");
        Card { stand_in, ..Card::empty(name, version["version"].as_str().unwrap_or_default()) }
    }

    pub(crate) fn empty(client: &'static str, version: &str) -> Card {
        Card { client, version: version.to_owned(), stand_in: None, entries: Vec::new(), red: Vec::new() }
    }

    /// Notes how a capability came out. What the client does not have is neither good nor bad.
    pub(crate) fn enter(&mut self, column: Column, capability: &'static str, outcome: &anyhow::Result<()>) {
        let fault = fault(self.client, capability);
        let outcome = match outcome {
            Ok(()) => Outcome::Good,
            Err(error) => match (error.downcast_ref::<Refusal>(), fault) {
                (Some(Refusal::Absent(why)), _) => Outcome::Absent(why.clone()),
                (_, Some(why)) => Outcome::Red(why.to_owned()),
                (_, None) => Outcome::Red(format!("{error:#}")),
            },
        };
        match &outcome {
            Outcome::Red(reason) if fault.is_none() => self.red.push(format!("{capability}: {reason}")),
            Outcome::Red(_) => {}
            other if fault.is_some() => {
                self.red.push(format!("{capability}: {other:?}, though known as the client's fault"));
            }
            _ => {}
        }
        self.entries.push(Entry { column, capability, outcome });
    }

    /// Writes the card down, good or bad, then fails if anything on it is red or the README says otherwise.
    pub(crate) fn keep(self) {
        let folder = cache().join("report-card");
        std::fs::create_dir_all(&folder).expect("a folder for cards");
        let entries: Vec<Value> = self.entries.iter().map(Entry::json).collect();
        let card = json!({
            "client": self.client,
            "version": self.version,
            "stand_in": self.stand_in,
            "capabilities": entries,
        });
        let text = serde_json::to_string_pretty(&card).expect("plain JSON");
        let file = format!("{}.json", self.client.trim_start_matches('@').replace(['/', ' '], "-"));
        std::fs::write(folder.join(file), text + "\n").expect("the card is written");
        assert!(self.red.is_empty(), "{} {}:\n{}", self.client, self.version, self.red.join("\n"));
        let outcomes = self.entries.iter().map(|entry| (entry.column, &entry.outcome));
        Row::of(self.client, &self.version, outcomes).compare();
    }
}

impl Entry {
    fn json(&self) -> Value {
        let (result, reason) = match &self.outcome {
            Outcome::Good => ("ok", None),
            Outcome::Absent(why) => ("absent", Some(why)),
            Outcome::Red(why) => ("red", Some(why)),
        };
        json!({
            "capability": self.capability,
            "column": self.column.heading(),
            "result": result,
            "reason": reason,
        })
    }
}
