//! The bytes of configs.

use crate::codec::wire::{DecodeError, Input, Wire, put_text};
use crate::config::{ConfigKey, ConfigMap, ConfigResource, broker_config, group_config, topic_config};

const TOPIC: u8 = 1;
const BROKER: u8 = 2;
const GROUP: u8 = 3;

impl Wire for ConfigResource {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            ConfigResource::Topic(name) => {
                out.push(TOPIC);
                name.put(out);
            }
            ConfigResource::Broker(node) => {
                out.push(BROKER);
                node.put(out);
            }
            ConfigResource::Group(group) => {
                out.push(GROUP);
                group.put(out);
            }
        }
    }

    fn take(input: &mut Input<'_>) -> Result<ConfigResource, DecodeError> {
        match input.byte()? {
            TOPIC => Wire::take(input).map(ConfigResource::Topic),
            BROKER => Wire::take(input).map(ConfigResource::Broker),
            GROUP => Wire::take(input).map(ConfigResource::Group),
            _ => Err(DecodeError::Invalid("config resource")),
        }
    }
}

/// Which table the names of a stored map are from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Names {
    Topic,
    Broker,
    Group,
}

impl Names {
    fn key(self, name: &str) -> Option<ConfigKey> {
        match self {
            Names::Topic => topic_config(name).map(|topic| topic.key),
            Names::Broker => broker_config(name).map(|broker| broker.effective_key()),
            Names::Group => group_config(name).copied(),
        }
    }
}

pub(crate) fn put_map(map: &ConfigMap, out: &mut Vec<u8>) {
    (map.len() as u64).put(out);
    for (name, value) in map.iter() {
        put_text(name, out);
        put_text(value, out);
    }
}

/// Reads a map back. Values are checked again: the state relies on their form.
pub(crate) fn take_map(names: Names, input: &mut Input<'_>) -> Result<ConfigMap, DecodeError> {
    let mut map = ConfigMap::default();
    for _ in 0..input.count()? {
        let key = names.key(&String::take(input)?).ok_or(DecodeError::Invalid("config name"))?;
        let value = String::take(input)?;
        if key.canonical(&value).as_ref() != Ok(&value) || map.get(key.name).is_some() {
            return Err(DecodeError::Invalid("config value"));
        }
        map.set(key.name, value);
    }
    Ok(map)
}
