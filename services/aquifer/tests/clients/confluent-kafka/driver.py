"""confluent-kafka (librdkafka) as ../README.md asks for it."""

import json
import sys
import threading
import time

import confluent_kafka
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

BOOTSTRAP = {"bootstrap.servers": sys.argv[1], "log_level": 0}
LIMIT = 20.0
RESETS = {"earliest": "earliest", "latest": "latest", "none": "error"}
admin = AdminClient(BOOTSTRAP)
members = {}


def text(data):
    return None if data is None else data.decode()


def data(text):
    return None if text is None else text.encode()


def produce(r):
    settings = {
        "compression.type": r.get("codec", "none"),
        "enable.idempotence": r.get("idempotent", False),
        "message.max.bytes": 10_000_000,
        "message.timeout.ms": 10_000,
        "topic.metadata.propagation.max.ms": 1_000,
    }
    if "batch_bytes" in r:
        settings |= {"batch.size": r["batch_bytes"], "linger.ms": 0}
    producer = Producer(BOOTSTRAP | settings)
    reports = [None] * len(r["records"])
    for index, record in enumerate(r["records"]):

        def report(error, message, index=index):
            reports[index] = (error, message)

        producer.produce(
            r["topic"],
            partition=r.get("partition", 0),
            key=data(record.get("key")),
            value=data(record.get("value")),
            headers=[(name, data(value)) for name, value in record.get("headers", [])],
            timestamp=record.get("timestamp", 0),
            on_delivery=report,
        )
    producer.flush(LIMIT)
    for report in reports:
        if report is None:
            raise TimeoutError("a record was never reported on")
        if report[0] is not None:
            raise KafkaException(report[0])
    return {"offsets": [message.offset() for _, message in reports]}


def transaction(r):
    producer = Producer(BOOTSTRAP | {"transactional.id": r["id"]})
    producer.init_transactions(3.0)
    return {}


def consumer(**settings):
    return Consumer(
        BOOTSTRAP | {"group.id": "unused", "enable.auto.commit": False, "fetch.wait.max.ms": 200} | settings
    )


def read(r):
    reader = consumer(**{"auto.offset.reset": RESETS[r.get("reset", "none")]})
    try:
        reader.assign([TopicPartition(r["topic"], r.get("partition", 0), r["from"])])
        until = time.monotonic() + r["timeout_ms"] / 1000
        records = []
        while len(records) < r["count"] and time.monotonic() < until:
            message = reader.poll(0.1)
            if message is None:
                continue
            if message.error():
                raise KafkaException(message.error())
            records.append(
                {
                    "offset": message.offset(),
                    "timestamp": message.timestamp()[1],
                    "key": text(message.key()),
                    "value": text(message.value()),
                    "headers": [[name, text(value)] for name, value in message.headers() or []],
                }
            )
        return {"records": records}
    finally:
        reader.close()


class Member(threading.Thread):
    """A consumer in a group, which reads and commits by itself."""

    def __init__(self, r):
        super().__init__(daemon=True)
        settings = {"group.id": r["group"], "auto.offset.reset": "earliest"}
        if r["protocol"] == "consumer":
            settings["group.protocol"] = "consumer"
        else:
            settings |= {"session.timeout.ms": 10_000, "heartbeat.interval.ms": 500}
        if "instance" in r:
            settings["group.instance.id"] = r["instance"]
        self.assignments, self.partitions, self.records = 0, [], []
        self.failure, self.ending = None, False
        self.consumer = consumer(**settings)
        self.consumer.subscribe([r["topic"]], on_assign=self.assigned, on_revoke=self.revoked, on_lost=self.revoked)

    def assigned(self, _, told):
        self.assignments += 1
        self.partitions = sorted(self.partitions + [one.partition for one in told])

    def revoked(self, _, told):
        gone = {one.partition for one in told}
        self.partitions = [one for one in self.partitions if one not in gone]

    def run(self):
        while not self.ending:
            message = self.consumer.poll(0.1)
            try:
                if message is not None and message.error():
                    raise KafkaException(message.error())
                if message is not None:
                    self.consumer.commit(message, asynchronous=False)
                    self.records.append([message.partition(), message.offset()])
            except KafkaException as raised:
                self.failure = str(raised)
        self.consumer.close()


def join(r):
    members[r["member"]] = Member(r)
    members[r["member"]].start()
    return {}


def poll(r):
    member = members[r["member"]]
    count = len(member.records)
    told, member.records[:count] = member.records[:count], []
    return {
        "partitions": member.partitions,
        "assignments": member.assignments,
        "records": told,
        "failure": member.failure,
    }


def leave(r):
    member = members.pop(r["member"])
    member.ending = True
    member.join()
    return {}


def ends(r):
    reader = consumer()
    try:
        beginning, end = reader.get_watermark_offsets(TopicPartition(r["topic"], r.get("partition", 0)), LIMIT)
        return {"beginning": beginning, "end": end}
    finally:
        reader.close()


def offset_for_time(r):
    reader = consumer()
    try:
        [found] = reader.offsets_for_times([TopicPartition(r["topic"], r.get("partition", 0), r["timestamp"])], LIMIT)
        if found.error:
            raise KafkaException(found.error)
        return {"offset": found.offset if found.offset >= 0 else None}
    finally:
        reader.close()


def done(futures):
    [future] = futures.values()
    return future.result(LIMIT)


def create_topic(r):
    topic = NewTopic(r["topic"], r.get("partitions", 1), 1, config=r.get("configs", {}))
    done(admin.create_topics([topic]))
    return {}


def create_partitions(r):
    done(admin.create_partitions([NewPartitions(r["topic"], r["partitions"])]))
    return {}


def partitions(r):
    described = done(admin.describe_topics(TopicCollection([r["topic"]])))
    return {"partitions": len(described.partitions)}


def topic_configs(r):
    return ConfigResource(ResourceType.TOPIC, r["topic"])


def describe_configs(r):
    described = done(admin.describe_configs([topic_configs(r)]))
    return {name: entry.value for name, entry in described.items()}


def alter_config(r):
    entry = ConfigEntry(r["name"], r["value"], incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, r["topic"], incremental_configs=[entry])
    done(admin.incremental_alter_configs([resource]))
    return {}


def delete_records(r):
    done(admin.delete_records([TopicPartition(r["topic"], r.get("partition", 0), r["before"])]))
    return {}


def delete_topic(r):
    done(admin.delete_topics([r["topic"]]))
    return {}


def describe_cluster(_):
    described = admin.describe_cluster().result(LIMIT)
    return {
        "cluster": described.cluster_id,
        "nodes": [node.id for node in described.nodes],
        "controller": described.controller.id,
    }


def version(_):
    return {"version": f"{confluent_kafka.__version__}, librdkafka {confluent_kafka.libversion()[0]}"}


def answer(request):
    try:
        return {"ok": globals()[request["op"]](request)}
    except KafkaException as raised:
        error = raised.args[0]
        # librdkafka has codes of its own below zero; this one stands for the broker's.
        code = KafkaError.OFFSET_OUT_OF_RANGE if error.code() == KafkaError._AUTO_OFFSET_RESET else error.code()
        return {"error": {"code": code if code > 0 else None, "message": error.str()}}
    except Exception as raised:  # noqa: BLE001 - whatever it is, the test is told
        return {"error": {"code": None, "message": repr(raised)}}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
