"""kafka-python as ../README.md asks for it."""

import json
import re
import sys
import threading
import time

import kafka
from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import BrokerResponseError, KafkaError, for_code

BOOTSTRAP = {"bootstrap_servers": sys.argv[1]}
LIMIT = 20.0
admin = KafkaAdminClient(**BOOTSTRAP)
members = {}


class Absent(Exception):
    pass


def text(data):
    return None if data is None else data.decode()


def data(text):
    return None if text is None else text.encode()


def at(r):
    return TopicPartition(r["topic"], r.get("partition", 0))


def produce(r):
    codec = r.get("codec", "none")
    producer = KafkaProducer(
        **BOOTSTRAP,
        compression_type=None if codec == "none" else codec,
        enable_idempotence=r.get("idempotent", False),
        batch_size=r.get("batch_bytes", 16384),
        linger_ms=0 if "batch_bytes" in r else 20,
        max_request_size=10_000_000,
        max_block_ms=3_000,
        request_timeout_ms=5_000,
        delivery_timeout_ms=10_000,
    )
    try:
        sent = [
            producer.send(
                r["topic"],
                partition=r.get("partition", 0),
                key=data(record.get("key")),
                value=data(record.get("value")),
                headers=[(name, data(value)) for name, value in record.get("headers", [])],
                timestamp_ms=record.get("timestamp"),
            )
            for record in r["records"]
        ]
        return {"offsets": [future.get(LIMIT).offset for future in sent]}
    finally:
        producer.close(timeout=1)


def transaction(r):
    producer = KafkaProducer(**BOOTSTRAP, transactional_id=r["id"], max_block_ms=3_000)
    try:
        producer.init_transactions()
        return {}
    finally:
        producer.close(timeout=1)


def consumer(**settings):
    return KafkaConsumer(**BOOTSTRAP, enable_auto_commit=False, fetch_max_wait_ms=200, **settings)


def read(r):
    reader = consumer(auto_offset_reset=r.get("reset", "none"))
    try:
        reader.assign([at(r)])
        reader.seek(at(r), r["from"])
        until = time.monotonic() + r["timeout_ms"] / 1000
        records = []
        while len(records) < r["count"] and time.monotonic() < until:
            polled = reader.poll(timeout_ms=100, max_records=r["count"] - len(records))
            for record in polled.get(at(r), []):
                records.append(
                    {
                        "offset": record.offset,
                        "timestamp": record.timestamp,
                        "key": text(record.key),
                        "value": text(record.value),
                        "headers": [[name, text(value)] for name, value in record.headers],
                    }
                )
        return {"records": records}
    finally:
        reader.close()


class Member(threading.Thread, ConsumerRebalanceListener):
    """A consumer in a group, which reads and commits by itself."""

    def __init__(self, r):
        super().__init__(daemon=True)
        settings = {} if "instance" not in r else {"group_instance_id": r["instance"]}
        self.assignments, self.partitions, self.records = 0, [], []
        self.failure, self.ending = None, False
        self.consumer = consumer(
            **settings,
            group_id=r["group"],
            auto_offset_reset="earliest",
            session_timeout_ms=10_000,
            heartbeat_interval_ms=500,
        )
        self.consumer.subscribe([r["topic"]], listener=self)

    def on_partitions_assigned(self, assigned):
        self.assignments += 1
        self.partitions = sorted(self.partitions + [one.partition for one in assigned])

    def on_partitions_revoked(self, revoked):
        gone = {one.partition for one in revoked}
        self.partitions = [one for one in self.partitions if one not in gone]

    def run(self):
        while not self.ending:
            try:
                polled = self.consumer.poll(timeout_ms=100)
                if polled:
                    self.consumer.commit()
                    self.records += [[one.partition, one.offset] for batch in polled.values() for one in batch]
            except KafkaError as raised:
                self.failure = repr(raised)
        self.consumer.close()


def join(r):
    if r["protocol"] == "consumer":
        raise Absent("kafka-python has the classic protocol only")
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
        return {
            "beginning": reader.beginning_offsets([at(r)])[at(r)],
            "end": reader.end_offsets([at(r)])[at(r)],
        }
    finally:
        reader.close()


def offset_for_time(r):
    reader = consumer()
    try:
        found = reader.offsets_for_times({at(r): r["timestamp"]})[at(r)]
        return {"offset": None if found is None else found.offset}
    finally:
        reader.close()


def create_topic(r):
    topic = {"num_partitions": r.get("partitions", 1), "replication_factor": 1, "configs": r.get("configs", {})}
    admin.create_topics({r["topic"]: topic})
    return {}


def create_partitions(r):
    admin.create_partitions({r["topic"]: r["partitions"]})
    return {}


def partitions(r):
    [described] = admin.describe_topics([r["topic"]])
    if described["error_code"]:
        raise for_code(described["error_code"])()
    return {"partitions": len(described["partitions"])}


def describe_configs(r):
    resource = ConfigResource(ConfigResourceType.TOPIC, r["topic"])
    described = admin.describe_configs([resource], config_filter="all")
    return {name: entry["value"] for name, entry in described["topic"][r["topic"]].items()}


def alter_config(r):
    resource = ConfigResource(ConfigResourceType.TOPIC, r["topic"], {r["name"]: r["value"]})
    altered = admin.alter_configs([resource], raise_on_unknown=False)
    # The outcome comes as words, not as an exception.
    outcome = altered["topic"][r["topic"]]
    if outcome != "OK":
        raise for_code(int(re.search(r"\d+", outcome).group()))(outcome)
    return {}


def delete_records(r):
    admin.delete_records({at(r): r["before"]})
    return {}


def delete_topic(r):
    admin.delete_topics([r["topic"]])
    return {}


def describe_cluster(_):
    described = admin.describe_cluster()
    return {
        "cluster": described["cluster_id"],
        "nodes": [broker["broker_id"] for broker in described["brokers"]],
        "controller": described["controller_id"],
    }


def version(_):
    return {"version": kafka.__version__}


def answer(request):
    try:
        return {"ok": globals()[request["op"]](request)}
    except Absent as why:
        return {"absent": str(why)}
    except BrokerResponseError as raised:
        return {"error": {"code": raised.errno, "message": str(raised)}}
    except Exception as raised:  # noqa: BLE001 - whatever it is, the test is told
        return {"error": {"code": None, "message": repr(raised)}}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
