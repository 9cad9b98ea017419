//! What `/metrics` tells: bounded in size, one line per thing that an operator would act upon.

use std::fmt::{Display, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};

use aquifer_hotlog::Health;
use aquifer_net::NetMetrics;

use crate::broker::Broker;

/// Metrics in Prometheus's text format.
#[derive(Default)]
struct Exposition {
    text: String,
}

impl Exposition {
    fn metric(&mut self, kind: &str, name: &str, help: &str, value: impl Display) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.metric("gauge", name, help, value);
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.metric("counter", name, help, value);
    }
}

impl Broker {
    /// The broker's state in Prometheus's text format.
    #[must_use]
    pub fn metrics(&self, net: &NetMetrics) -> String {
        let mut out = Exposition::default();
        self.cluster_metrics(&mut out);
        self.directory_metrics(&mut out);
        self.cleaning_metrics(&mut out);
        self.group_metrics(&mut out);
        self.tier_metrics(&mut out);
        net_metrics(net, &mut out);
        out.text
    }

    fn cluster_metrics(&self, out: &mut Exposition) {
        let image = self.image();
        let quorum = self.quorum.metrics();
        out.gauge("aquifer_topics", "Topics of the cluster.", image.topic_count());
        out.gauge("aquifer_partitions", "Partitions of the cluster.", image.partition_count());
        out.gauge("aquifer_replicas", "Replicas on this broker.", self.replicas.count());
        out.gauge("aquifer_broker_epoch", "Epoch of this run of the broker.", self.run.epoch.0);
        out.gauge("aquifer_quorum_term", "Raft's term.", quorum.term);
        let index = Option::unwrap_or_default;
        out.gauge("aquifer_quorum_applied", "Last metadata command applied.", index(quorum.applied));
        out.gauge("aquifer_quorum_committed", "Last metadata command committed.", index(quorum.committed));
    }

    fn directory_metrics(&self, out: &mut Exposition) {
        let offline = u8::from(self.health() == Health::Offline);
        out.gauge("aquifer_directory_offline", "1 after a flush failed: restart on a sound disk.", offline);
        let full = u8::from(self.health() == Health::Full);
        out.gauge("aquifer_directory_full", "1 while space is short and produce is refused.", full);
        let log = self.directory.counters();
        out.counter("aquifer_wal_flushes_total", "Flushes of the write-ahead log.", log.flushes);
        out.counter("aquifer_wal_batches_total", "Batches that these made durable.", log.flushed_batches);
        out.counter(
            "aquifer_wal_partitions_total",
            "Partitions that each of these covered, added up.",
            log.flushed_partitions,
        );
        out.counter("aquifer_wal_bytes_total", "Bytes written to the write-ahead log.", log.logged_bytes);
        out.counter(
            "aquifer_wal_stalls_total",
            "Times that producers waited for a file of the write-ahead log.",
            log.stalls,
        );
        out.counter("aquifer_segment_bytes_total", "Bytes written to segments.", log.written_bytes);
        out.counter("aquifer_checkpoints_total", "Segments synced in the background.", log.checkpoints);
    }

    fn cleaning_metrics(&self, out: &mut Exposition) {
        let totals = *self.cleanings.lock().expect("counting does not panic");
        out.counter("aquifer_cleanings_total", "Cleanings of compacted partitions.", totals.cleanings);
        out.counter("aquifer_cleaning_failures_total", "Cleanings that were given up.", totals.failures);
        out.counter("aquifer_cleaning_read_bytes_total", "Bytes read by cleanings.", totals.bytes_read);
        out.counter(
            "aquifer_cleaning_written_bytes_total",
            "Bytes written by cleanings.",
            totals.bytes_written,
        );
        out.counter("aquifer_cleaning_removed_records_total", "Records removed.", totals.records_removed);
        out.counter(
            "aquifer_cleaning_undecodable_batches_total",
            "Batches kept as they are because their records cannot be read.",
            totals.undecodable_batches,
        );
        let seconds = totals.last_duration.as_secs_f64();
        out.gauge("aquifer_cleaning_last_duration_seconds", "How long the last cleaning took.", seconds);
        let ratio = totals.dirtiest_ratio;
        out.gauge(
            "aquifer_cleaning_dirtiest_ratio",
            "Dirty share of the dirtiest compacted partition.",
            ratio,
        );
    }
}

impl Broker {
    fn tier_metrics(&self, out: &mut Exposition) {
        let Some(tier) = &self.tier else { return };
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let totals = &tier.totals;
        out.counter("aquifer_tier_uploads_total", "Objects uploaded.", value(&totals.uploads));
        out.counter(
            "aquifer_tier_bundles_total",
            "Of these, such as hold small ranges of many partitions.",
            value(&totals.bundles),
        );
        out.counter("aquifer_tier_upload_failures_total", "Uploads that failed.", value(&totals.failures));
        out.counter("aquifer_tier_uploaded_bytes_total", "Bytes of these objects.", value(&totals.bytes));
        out.counter(
            "aquifer_tier_upload_rate_wait_seconds_total",
            "How long uploads have waited for what tier.upload_rate allows.",
            tier.rate.waited_seconds(),
        );
        let orphans = [
            ("aquifer_tier_orphans_deleted_total", "Objects that nobody named, deleted.", &totals.orphans),
            ("aquifer_tier_orphan_deleted_bytes_total", "What they took.", &totals.orphan_bytes),
        ];
        for (name, help, counter) in orphans {
            out.counter(name, help, value(counter));
        }
        let scrubbed = &tier.scrubbed;
        let looks = [
            ("aquifer_tier_scrubbed_objects_total", "Objects looked at for damage.", &scrubbed.objects),
            ("aquifer_tier_scrubbed_chunks_total", "Parts of them that were read.", &scrubbed.chunks),
            (
                "aquifer_tier_repaired_objects_total",
                "Damaged objects made anew from local disk.",
                &scrubbed.repaired,
            ),
        ];
        for (name, help, counter) in looks {
            out.counter(name, help, value(counter));
        }
        out.gauge(
            "aquifer_tier_damaged_objects",
            "Objects that the last look at all found damaged or gone, and nothing could be made of.",
            value(&scrubbed.damaged),
        );
        let behind = value(&totals.behind_bytes);
        out.gauge(
            "aquifer_tier_behind_bytes",
            "Bytes of tiered partitions that wait to be uploaded.",
            behind,
        );
        out.gauge(
            "aquifer_tier_superseded",
            "1 once the cluster was restored elsewhere from its tier.",
            u8::from(self.successor().is_some()),
        );
        for operation in aquifer_objects::Operation::ALL {
            let (asked, failed) = tier.store.counters().of(operation);
            let name = operation.name();
            let help = format!("Requests to {name} objects.");
            out.counter(&format!("aquifer_tier_{name}_requests_total"), &help, asked);
            out.counter(&format!("aquifer_tier_{name}_failures_total"), "Those that failed.", failed);
        }
        for (name, count) in tier.store.counters().answers() {
            out.counter(
                &format!("aquifer_tier_answers_{name}_total"),
                "Answers of a store's server to single requests, those sent again by themselves among them.",
                count,
            );
        }
        out.counter(
            "aquifer_tier_written_bytes_total",
            "Bytes given to the store.",
            tier.store.counters().written_bytes(),
        );
        out.counter(
            "aquifer_tier_read_bytes_total",
            "Bytes got from the store.",
            tier.store.counters().read_bytes(),
        );
        for (name, count) in tier.cold.counters().all() {
            out.counter(
                &format!("aquifer_cold_{name}_total"),
                "Parts of objects for readers, by what became of them.",
                count,
            );
        }
        let held = tier.cold.counters().held_bytes();
        out.gauge("aquifer_cold_held_bytes", "What parts of objects take in memory.", held);
        let held = tier.cold.counters().disk_held_bytes();
        out.gauge("aquifer_cold_disk_held_bytes", "What parts of objects take on local disk.", held);
    }

    fn group_metrics(&self, out: &mut Exposition) {
        let counters = self.coordinator.counters();
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        out.gauge("aquifer_groups", "Consumer groups on this broker.", value(&counters.groups));
        out.gauge(
            "aquifer_group_bytes",
            "What they are estimated to take in memory.",
            value(&counters.bytes),
        );
        let totals = [
            ("aquifer_group_requests_total", "Requests of groups.", &counters.requests),
            ("aquifer_group_batches_total", "Batches that groups appended.", &counters.batches),
            ("aquifer_group_loads_total", "Partitions whose groups were loaded.", &counters.loads),
            ("aquifer_group_loads_failed_total", "Loads that failed.", &counters.loads_failed),
            (
                "aquifer_group_loaded_bytes_total",
                "Read by loads, behind checkpoints.",
                &counters.loaded_bytes,
            ),
            ("aquifer_group_checkpoints_total", "Checkpoints written.", &counters.checkpoints_written),
        ];
        for (name, help, counter) in totals {
            out.counter(name, help, value(counter));
        }
    }
}

fn net_metrics(net: &NetMetrics, out: &mut Exposition) {
    out.gauge("aquifer_connections", "Open connections of Kafka clients.", net.connections.value());
    out.gauge("aquifer_request_bytes", "Requests being read or worked on.", net.in_flight_bytes.value());
    let counters = [
        ("aquifer_connections_total", "Connections accepted.", &net.connections_accepted),
        ("aquifer_connections_refused_total", "Connections beyond a limit.", &net.connections_refused),
        ("aquifer_connections_timed_out_total", "Connections closed for time.", &net.connections_timed_out),
        ("aquifer_handshakes_failed_total", "TLS handshakes that failed.", &net.handshakes_failed),
        ("aquifer_requests_total", "Requests of Kafka clients.", &net.requests),
        ("aquifer_requests_refused_total", "Requests nobody understands.", &net.requests_refused),
        ("aquifer_frames_refused_total", "Frames with a length out of bounds.", &net.frames_refused),
        ("aquifer_received_bytes_total", "Bytes received from Kafka clients.", &net.received_bytes),
        ("aquifer_sent_bytes_total", "Bytes sent to Kafka clients.", &net.sent_bytes),
        ("aquifer_sendfile_bytes_total", "Of those, by sendfile.", &net.sendfile_bytes),
        ("aquifer_cold_reads_total", "Replies that waited for the disk.", &net.cold_reads),
        ("aquifer_certificate_reloads_total", "Certificates read again.", &net.certificate_reloads),
        (
            "aquifer_certificate_reloads_failed_total",
            "Certificates that changed and cannot be read.",
            &net.certificate_reloads_failed,
        ),
    ];
    for (name, help, counter) in counters {
        out.counter(name, help, counter.value());
    }
}
