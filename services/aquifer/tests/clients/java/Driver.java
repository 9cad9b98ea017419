// The Java client as ../README.md asks for it.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.utils.AppInfoParser;

public final class Driver {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int LIMIT_MS = 20_000;

    private final String bootstrap;
    private final Admin admin;
    private final Map<String, Member> members = new HashMap<>();

    private Driver(String bootstrap) {
        this.bootstrap = bootstrap;
        this.admin = Admin.create(settings(Map.of("default.api.timeout.ms", LIMIT_MS, "request.timeout.ms", 10_000)));
    }

    public static void main(String[] arguments) throws Exception {
        Driver driver = new Driver(arguments[0]);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            System.out.println(driver.answer(JSON.readTree(line)));
        }
        System.exit(0);
    }

    private ObjectNode answer(JsonNode request) {
        ObjectNode answer = JSON.createObjectNode();
        try {
            answer.set("ok", perform(request));
        } catch (Exception thrown) {
            Throwable cause = thrown;
            while (cause instanceof ExecutionException && cause.getCause() != null) {
                cause = cause.getCause();
            }
            ObjectNode error = answer.putObject("error");
            error.put("message", cause.toString());
            Integer code = code(cause);
            error.put("code", code);
        }
        return answer;
    }

    /** The broker's code, or null where the client itself gave up. */
    private static Integer code(Throwable cause) {
        // The consumer's own exception, for the broker's code 1.
        if (cause instanceof OffsetOutOfRangeException) {
            return (int) Errors.OFFSET_OUT_OF_RANGE.code();
        }
        Errors error = Errors.forException(cause);
        boolean local = error == Errors.UNKNOWN_SERVER_ERROR || error == Errors.REQUEST_TIMED_OUT;
        return local ? null : Integer.valueOf(error.code());
    }

    private JsonNode perform(JsonNode r) throws Exception {
        return switch (r.get("op").asText()) {
            case "version" -> JSON.createObjectNode().put("version", AppInfoParser.getVersion());
            case "produce" -> produce(r);
            case "transaction" -> transaction(r);
            case "read" -> read(r);
            case "join" -> join(r);
            case "poll" -> members.get(r.get("member").asText()).poll();
            case "leave" -> leave(r);
            case "ends" -> ends(r);
            case "offset_for_time" -> offsetForTime(r);
            case "create_topic" -> createTopic(r);
            case "create_partitions" -> createPartitions(r);
            case "partitions" -> partitions(r);
            case "describe_configs" -> describeConfigs(r);
            case "alter_config" -> alterConfig(r);
            case "delete_records" -> deleteRecords(r);
            case "delete_topic" -> deleteTopic(r);
            case "describe_cluster" -> describeCluster();
            default -> throw new IllegalArgumentException("no such operation: " + r);
        };
    }

    private Map<String, Object> settings(Map<String, Object> more) {
        Map<String, Object> settings = new HashMap<>(more);
        settings.put("bootstrap.servers", bootstrap);
        return settings;
    }

    private JsonNode produce(JsonNode r) throws Exception {
        Map<String, Object> settings = settings(Map.of(
                "compression.type", r.path("codec").asText("none"),
                "enable.idempotence", r.path("idempotent").asBoolean(false),
                "acks", "all",
                "max.request.size", 10_000_000,
                "max.block.ms", 3_000,
                "request.timeout.ms", 5_000,
                "delivery.timeout.ms", 10_000));
        if (r.has("batch_bytes")) {
            settings.put("batch.size", r.get("batch_bytes").asInt());
        }
        ArrayNode offsets = JSON.createArrayNode();
        try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (JsonNode record : r.get("records")) {
                Long timestamp = record.hasNonNull("timestamp") ? record.get("timestamp").asLong() : null;
                var out = new ProducerRecord<>(
                        r.get("topic").asText(), partition(r), timestamp, text(record, "key"), text(record, "value"));
                for (JsonNode header : record.path("headers")) {
                    byte[] value = header.get(1).isNull() ? null : header.get(1).asText().getBytes(StandardCharsets.UTF_8);
                    out.headers().add(header.get(0).asText(), value);
                }
                sent.add(producer.send(out));
            }
            for (Future<RecordMetadata> one : sent) {
                offsets.add(one.get().offset());
            }
        }
        return JSON.createObjectNode().set("offsets", offsets);
    }

    private JsonNode transaction(JsonNode r) {
        Map<String, Object> settings = settings(Map.of("transactional.id", r.get("id").asText(), "max.block.ms", 3_000));
        try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            producer.initTransactions();
        }
        return JSON.createObjectNode();
    }

    private KafkaConsumer<String, String> consumer(Map<String, Object> more) {
        Map<String, Object> settings = settings(more);
        settings.put("enable.auto.commit", false);
        settings.put("fetch.max.wait.ms", 200);
        settings.put("default.api.timeout.ms", LIMIT_MS);
        return new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
    }

    private JsonNode read(JsonNode r) {
        ArrayNode records = JSON.createArrayNode();
        int count = r.get("count").asInt();
        try (var consumer = consumer(Map.of("auto.offset.reset", r.path("reset").asText("none")))) {
            consumer.assign(List.of(at(r)));
            consumer.seek(at(r), r.get("from").asLong());
            long until = System.nanoTime() + r.get("timeout_ms").asLong() * 1_000_000;
            while (records.size() < count && System.nanoTime() < until) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100))) {
                    if (records.size() < count) {
                        records.add(json(record));
                    }
                }
            }
        }
        return JSON.createObjectNode().set("records", records);
    }

    private static ObjectNode json(ConsumerRecord<String, String> record) {
        ObjectNode json = JSON.createObjectNode();
        json.put("offset", record.offset());
        json.put("timestamp", record.timestamp());
        json.put("key", record.key());
        json.put("value", record.value());
        ArrayNode headers = json.putArray("headers");
        for (Header header : record.headers()) {
            byte[] value = header.value();
            headers.addArray().add(header.key()).add(value == null ? null : new String(value, StandardCharsets.UTF_8));
        }
        return json;
    }

    private JsonNode join(JsonNode r) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("group.id", r.get("group").asText());
        settings.put("auto.offset.reset", "earliest");
        settings.put("group.protocol", r.get("protocol").asText());
        if (r.get("protocol").asText().equals("classic")) {
            settings.put("session.timeout.ms", 10_000);
            settings.put("heartbeat.interval.ms", 500);
        }
        if (r.hasNonNull("instance")) {
            settings.put("group.instance.id", r.get("instance").asText());
        }
        var member = new Member(consumer(settings), r.get("topic").asText());
        member.start();
        members.put(r.get("member").asText(), member);
        return JSON.createObjectNode();
    }

    private JsonNode leave(JsonNode r) throws Exception {
        members.remove(r.get("member").asText()).end();
        return JSON.createObjectNode();
    }

    /** A consumer in a group, which reads and commits by itself. */
    private static final class Member extends Thread implements ConsumerRebalanceListener {
        private final KafkaConsumer<String, String> consumer;
        private final String topic;
        private final TreeSet<Integer> partitions = new TreeSet<>();
        private int assignments = 0;
        private ArrayNode records = JSON.createArrayNode();
        private String failure = null;
        private volatile boolean ending = false;

        Member(KafkaConsumer<String, String> consumer, String topic) {
            this.consumer = consumer;
            this.topic = topic;
        }

        @Override
        public synchronized void onPartitionsAssigned(Collection<TopicPartition> told) {
            assignments++;
            told.forEach(one -> partitions.add(one.partition()));
        }

        @Override
        public synchronized void onPartitionsRevoked(Collection<TopicPartition> told) {
            told.forEach(one -> partitions.remove(one.partition()));
        }

        @Override
        public void run() {
            try (consumer) {
                consumer.subscribe(List.of(topic), this);
                while (!ending) {
                    var polled = consumer.poll(Duration.ofMillis(100));
                    if (!polled.isEmpty()) {
                        consumer.commitSync();
                        committed(polled);
                    }
                }
            } catch (Exception thrown) {
                failed(thrown);
            }
        }

        private synchronized void committed(Iterable<ConsumerRecord<String, String>> polled) {
            polled.forEach(record -> records.addArray().add(record.partition()).add(record.offset()));
        }

        private synchronized void failed(Exception thrown) {
            failure = thrown.toString();
        }

        synchronized ObjectNode poll() {
            ObjectNode told = JSON.createObjectNode();
            partitions.forEach(told.putArray("partitions")::add);
            told.put("assignments", assignments);
            told.set("records", records);
            told.put("failure", failure);
            records = JSON.createArrayNode();
            return told;
        }

        void end() throws InterruptedException {
            ending = true;
            join();
        }
    }

    private JsonNode ends(JsonNode r) {
        try (var consumer = consumer(Map.of())) {
            ObjectNode ends = JSON.createObjectNode();
            ends.put("beginning", consumer.beginningOffsets(List.of(at(r))).get(at(r)));
            return ends.put("end", consumer.endOffsets(List.of(at(r))).get(at(r)));
        }
    }

    private JsonNode offsetForTime(JsonNode r) {
        try (var consumer = consumer(Map.of())) {
            var found = consumer.offsetsForTimes(Map.of(at(r), r.get("timestamp").asLong())).get(at(r));
            return JSON.createObjectNode().put("offset", found == null ? null : Long.valueOf(found.offset()));
        }
    }

    private JsonNode createTopic(JsonNode r) throws Exception {
        var topic = new NewTopic(r.get("topic").asText(), Optional.of(r.path("partitions").asInt(1)), Optional.of((short) 1));
        Map<String, String> configs = new HashMap<>();
        r.path("configs").properties().forEach(entry -> configs.put(entry.getKey(), entry.getValue().asText()));
        admin.createTopics(List.of(topic.configs(configs))).all().get();
        return JSON.createObjectNode();
    }

    private JsonNode createPartitions(JsonNode r) throws Exception {
        NewPartitions total = NewPartitions.increaseTo(r.get("partitions").asInt());
        admin.createPartitions(Map.of(r.get("topic").asText(), total)).all().get();
        return JSON.createObjectNode();
    }

    private JsonNode partitions(JsonNode r) throws Exception {
        String topic = r.get("topic").asText();
        var described = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
        return JSON.createObjectNode().put("partitions", described.partitions().size());
    }

    private static ConfigResource resource(JsonNode r) {
        return new ConfigResource(ConfigResource.Type.TOPIC, r.get("topic").asText());
    }

    private JsonNode describeConfigs(JsonNode r) throws Exception {
        ObjectNode configs = JSON.createObjectNode();
        for (ConfigEntry entry : admin.describeConfigs(List.of(resource(r))).all().get().get(resource(r)).entries()) {
            configs.put(entry.name(), entry.value());
        }
        return configs;
    }

    private JsonNode alterConfig(JsonNode r) throws Exception {
        var entry = new ConfigEntry(r.get("name").asText(), r.get("value").asText());
        var operation = new AlterConfigOp(entry, AlterConfigOp.OpType.SET);
        admin.incrementalAlterConfigs(Map.of(resource(r), List.of(operation))).all().get();
        return JSON.createObjectNode();
    }

    private JsonNode deleteRecords(JsonNode r) throws Exception {
        var before = RecordsToDelete.beforeOffset(r.get("before").asLong());
        admin.deleteRecords(Map.of(at(r), before)).all().get();
        return JSON.createObjectNode();
    }

    private JsonNode deleteTopic(JsonNode r) throws Exception {
        admin.deleteTopics(List.of(r.get("topic").asText())).all().get();
        return JSON.createObjectNode();
    }

    private JsonNode describeCluster() throws Exception {
        var described = admin.describeCluster();
        ObjectNode cluster = JSON.createObjectNode();
        cluster.put("cluster", described.clusterId().get());
        ArrayNode nodes = cluster.putArray("nodes");
        for (Node node : described.nodes().get()) {
            nodes.add(node.id());
        }
        return cluster.put("controller", described.controller().get().id());
    }

    private static TopicPartition at(JsonNode r) {
        return new TopicPartition(r.get("topic").asText(), partition(r));
    }

    private static int partition(JsonNode r) {
        return r.path("partition").asInt(0);
    }

    private static String text(JsonNode record, String name) {
        return record.hasNonNull(name) ? record.get(name).asText() : null;
    }
}
