//! What a node tells of its own configuration.

use std::sync::Arc;

use aquifer_net::Listener;

use crate::settings::Settings;

/// What DescribeConfigs shows of this node's own configuration, by Kafka's names.
pub(crate) fn reported(settings: &Settings, listeners: &[Arc<Listener>]) -> aquifer_broker::Settings {
    let Settings { node, data_dir, limits, .. } = settings;
    let mut broker = settings.broker.clone();
    let told = |address: &dyn Fn(&Listener) -> String| {
        let all: Vec<String> =
            listeners.iter().map(|listener| format!("{}://{}", listener.name, address(listener))).collect();
        all.join(",")
    };
    let groups = settings.broker.groups.clone();
    let entries = [
        ("node.id", node.to_string()),
        ("broker.id", node.to_string()),
        ("log.dirs", data_dir.display().to_string()),
        ("listeners", told(&|listener| listener.bind.to_string())),
        (
            "advertised.listeners",
            told(&|listener| format!("{}:{}", listener.advertised.host, listener.advertised.port)),
        ),
        ("auto.create.topics.enable", broker.auto_create_topics.to_string()),
        ("num.partitions", broker.default_partitions.to_string()),
        ("max.connections", limits.connections_max.to_string()),
        ("max.connections.per.ip", limits.connections_per_address_max.to_string()),
        ("connections.max.idle.ms", limits.idle.as_millis().to_string()),
        ("socket.request.max.bytes", limits.frame_bytes_max.to_string()),
        ("fetch.max.bytes", broker.fetch_bytes_max.to_string()),
        ("group.initial.rebalance.delay.ms", groups.initial_rebalance_delay_ms.to_string()),
        ("group.min.session.timeout.ms", groups.session_timeout_min_ms.to_string()),
        ("group.max.session.timeout.ms", groups.session_timeout_max_ms.to_string()),
        ("group.max.size", groups.classic_size_max.to_string()),
        ("group.consumer.session.timeout.ms", groups.consumer.session_timeout_ms.to_string()),
        ("group.consumer.heartbeat.interval.ms", groups.consumer.heartbeat_interval_ms.to_string()),
        ("group.consumer.max.size", groups.consumer.size_max.to_string()),
        ("offsets.retention.minutes", (groups.offsets_retention_ms / 60_000).to_string()),
    ];
    broker.reported.extend(entries.map(|(name, value)| (name.to_owned(), value)));
    if let Some(rack) = &broker.rack {
        broker.reported.insert("broker.rack".to_owned(), rack.clone());
    }
    broker
}
