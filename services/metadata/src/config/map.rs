//! `ConfigMap`: what was set on one resource.

use std::collections::BTreeMap;

use crate::config::ConfigName;

/// Values by name, each in its canonical form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigMap(BTreeMap<ConfigName, Box<str>>);

impl ConfigMap {
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| &**value)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = (ConfigName, &str)> {
        self.0.iter().map(|(name, value)| (*name, &**value))
    }

    pub(crate) fn set(&mut self, name: ConfigName, value: String) {
        self.0.insert(name, value.into_boxed_str());
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }
}
