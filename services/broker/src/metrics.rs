//! What `/metrics` tells: bounded in size, one line per thing that an operator would act upon.

use std::fmt::Write as _;

use aquifer_hotlog::Health;
use aquifer_net::NetMetrics;

use crate::broker::Broker;

impl Broker {
    /// The broker's state in Prometheus's text format.
    #[must_use]
    pub fn metrics(&self, net: &NetMetrics) -> String {
        let image = self.image();
        let quorum = self.quorum.metrics();
        let mut text = String::new();
        let mut gauge = |name: &str, help: &str, value: i128| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
        };
        let number = |index: Option<u64>| i128::from(index.unwrap_or(0));
        gauge("aquifer_topics", "Topics of the cluster.", image.topic_count() as i128);
        gauge("aquifer_partitions", "Partitions of the cluster.", image.partition_count() as i128);
        gauge("aquifer_replicas", "Replicas on this broker.", self.replicas.count() as i128);
        gauge("aquifer_broker_epoch", "Epoch of this run of the broker.", i128::from(self.run.epoch.0));
        let offline = i128::from(self.health() == Health::Offline);
        gauge("aquifer_directory_offline", "1 after a flush failed: restart on a sound disk.", offline);
        let full = i128::from(self.health() == Health::Full);
        gauge("aquifer_directory_full", "1 while space is short and produce is refused.", full);
        gauge("aquifer_quorum_term", "Raft's term.", i128::from(quorum.term));
        gauge("aquifer_quorum_applied", "Last metadata command applied.", number(quorum.applied));
        gauge("aquifer_quorum_committed", "Last metadata command committed.", number(quorum.committed));
        gauge(
            "aquifer_connections",
            "Open connections of Kafka clients.",
            i128::from(net.connections.value()),
        );
        self.cleaning_metrics(&mut text);
        text
    }

    fn cleaning_metrics(&self, text: &mut String) {
        let totals = *self.cleanings.lock().expect("counting does not panic");
        let mut metric = |name: &str, kind: &str, help: &str, value: f64| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
        };
        let mut counter = |name: &str, help: &str, value: u64| metric(name, "counter", help, value as f64);
        counter("aquifer_cleanings_total", "Cleanings of compacted partitions.", totals.cleanings);
        counter("aquifer_cleaning_failures_total", "Cleanings that were given up.", totals.failures);
        counter("aquifer_cleaning_read_bytes_total", "Bytes read by cleanings.", totals.bytes_read);
        counter("aquifer_cleaning_written_bytes_total", "Bytes written by cleanings.", totals.bytes_written);
        counter("aquifer_cleaning_removed_records_total", "Records removed.", totals.records_removed);
        counter(
            "aquifer_cleaning_undecodable_batches_total",
            "Batches kept as they are because their records cannot be read.",
            totals.undecodable_batches,
        );
        let mut gauge = |name: &str, help: &str, value: f64| metric(name, "gauge", help, value);
        let seconds = totals.last_duration.as_secs_f64();
        gauge("aquifer_cleaning_last_duration_seconds", "How long the last cleaning took.", seconds);
        let ratio = totals.dirtiest_ratio;
        gauge("aquifer_cleaning_dirtiest_ratio", "Dirty share of the dirtiest compacted partition.", ratio);
    }
}
