//! `Topics`: what an administrator was told of topics that come and go, and of their configs.

use std::collections::{BTreeMap, BTreeSet};

use aquifer_types::TopicId;

/// Topics by name.
#[derive(Debug, Default)]
pub struct Topics {
    known: BTreeMap<String, Known>,
}

/// What may be true of a topic.
#[derive(Clone, Debug, Default)]
struct Known {
    /// That it does not exist.
    absent: bool,
    /// That it exists; with the id, where an answer told it.
    present: Option<Option<TopicId>>,
    /// Values that the config which is changed may have.
    values: BTreeSet<Option<String>>,
}

/// What the node shows of a topic.
#[derive(Clone, Debug)]
pub struct Shown {
    pub id: TopicId,
    pub value: Option<String>,
}

impl Topics {
    fn of(&mut self, name: &str) -> &mut Known {
        let new = || Known { absent: true, present: None, values: BTreeSet::new() };
        self.known.entry(name.to_owned()).or_insert_with(new)
    }

    pub fn names(&self) -> Vec<String> {
        self.known.keys().cloned().collect()
    }

    /// A creation is about to be asked for: from now on it may exist.
    pub fn create_asked(&mut self, name: &str, value: &str) {
        let known = self.of(name);
        known.present.get_or_insert(None);
        known.values.insert(Some(value.to_owned()));
    }

    pub fn created(&mut self, name: &str, id: TopicId, value: &str) -> Result<(), String> {
        let known = self.of(name);
        if !known.absent {
            return Err(format!("{name} was created, though it existed"));
        }
        *known = Known {
            absent: false,
            present: Some(Some(id)),
            values: BTreeSet::from([Some(value.to_owned())]),
        };
        Ok(())
    }

    /// A creation was refused because the topic exists.
    pub fn exists(&mut self, name: &str) -> Result<(), String> {
        let known = self.of(name);
        if known.present.is_none() {
            return Err(format!("{name} is said to exist, though it does not"));
        }
        known.absent = false;
        Ok(())
    }

    pub fn delete_asked(&mut self, name: &str) {
        self.of(name).absent = true;
    }

    pub fn deleted(&mut self, name: &str) -> Result<(), String> {
        let known = self.of(name);
        if known.present.is_none() {
            return Err(format!("{name} was deleted, though it did not exist"));
        }
        *known = Known { absent: true, present: None, values: BTreeSet::new() };
        Ok(())
    }

    /// Something was refused because the topic does not exist.
    pub fn missing(&mut self, name: &str) -> Result<(), String> {
        let known = self.of(name);
        if !known.absent {
            return Err(format!("{name} is gone, though nobody deleted it"));
        }
        known.present = None;
        known.values.clear();
        Ok(())
    }

    pub fn set_asked(&mut self, name: &str, value: &str) {
        self.of(name).values.insert(Some(value.to_owned()));
    }

    pub fn set(&mut self, name: &str, value: &str) {
        let known = self.of(name);
        known.absent = false;
        known.values = BTreeSet::from([Some(value.to_owned())]);
    }

    /// Compares what the node shows, `None` where it shows no such topic.
    pub fn compare(&mut self, name: &str, shown: Option<&Shown>) -> Result<(), String> {
        let Some(shown) = shown else { return self.missing(name) };
        self.exists(name)?;
        let known = self.of(name);
        if let Some(Some(id)) = known.present
            && id != shown.id
        {
            return Err(format!("{name} was created as {id} and is {}", shown.id));
        }
        if !known.values.contains(&shown.value) {
            return Err(format!("{name} has the value {:?}, not one of {:?}", shown.value, known.values));
        }
        Ok(())
    }
}
