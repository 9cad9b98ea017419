"""aiokafka as ../README.md asks for it."""

import asyncio
import json
import sys
import time

import aiokafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import BrokerResponseError, KafkaError, for_code

BOOTSTRAP = {"bootstrap_servers": sys.argv[1]}
members = {}


class Absent(Exception):
    pass


def text(data):
    return None if data is None else data.decode()


def data(text):
    return None if text is None else text.encode()


def at(r):
    return TopicPartition(r["topic"], r.get("partition", 0))


def check(code, message=None):
    if code:
        raise for_code(code)(message)


async def produce(r):
    codec = r.get("codec", "none")
    producer = AIOKafkaProducer(
        **BOOTSTRAP,
        acks="all",
        compression_type=None if codec == "none" else codec,
        enable_idempotence=r.get("idempotent", False),
        max_batch_size=r.get("batch_bytes", 2_000_000),
        max_request_size=10_000_000,
        request_timeout_ms=10_000,
        metadata_max_age_ms=1_000,
    )
    await producer.start()
    try:
        sent = [
            await producer.send(
                r["topic"],
                partition=r.get("partition", 0),
                key=data(record.get("key")),
                value=data(record.get("value")),
                headers=[(name, data(value)) for name, value in record.get("headers", [])],
                timestamp_ms=record.get("timestamp"),
            )
            for record in r["records"]
        ]
        return {"offsets": [(await future).offset for future in sent]}
    finally:
        await producer.stop()


async def transaction(r):
    producer = AIOKafkaProducer(**BOOTSTRAP, transactional_id=r["id"], request_timeout_ms=3_000)
    try:
        await asyncio.wait_for(producer.start(), 5)
        return {}
    finally:
        await producer.stop()


async def with_consumer(use, **settings):
    consumer = AIOKafkaConsumer(**BOOTSTRAP, enable_auto_commit=False, fetch_max_wait_ms=200, **settings)
    await consumer.start()
    try:
        return await use(consumer)
    finally:
        await consumer.stop()


async def read(r):
    async def use(consumer):
        consumer.assign([at(r)])
        consumer.seek(at(r), r["from"])
        until = time.monotonic() + r["timeout_ms"] / 1000
        records = []
        while len(records) < r["count"] and time.monotonic() < until:
            polled = await consumer.getmany(timeout_ms=100, max_records=r["count"] - len(records))
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

    return await with_consumer(use, auto_offset_reset=r.get("reset", "none"))


async def ends(r):
    async def use(consumer):
        beginning = await consumer.beginning_offsets([at(r)])
        end = await consumer.end_offsets([at(r)])
        return {"beginning": beginning[at(r)], "end": end[at(r)]}

    return await with_consumer(use)


async def offset_for_time(r):
    async def use(consumer):
        found = (await consumer.offsets_for_times({at(r): r["timestamp"]}))[at(r)]
        return {"offset": None if found is None else found.offset}

    return await with_consumer(use)


class Member(ConsumerRebalanceListener):
    """A consumer in a group, which reads and commits by itself."""

    def __init__(self, r):
        settings = {} if "instance" not in r else {"group_instance_id": r["instance"]}
        self.assignments, self.partitions, self.records = 0, [], []
        self.ending = False
        self.consumer = AIOKafkaConsumer(
            **BOOTSTRAP,
            **settings,
            group_id=r["group"],
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            fetch_max_wait_ms=200,
            session_timeout_ms=10_000,
            heartbeat_interval_ms=500,
        )
        self.consumer.subscribe([r["topic"]], listener=self)

    async def on_partitions_revoked(self, revoked):
        gone = {one.partition for one in revoked}
        self.partitions = [one for one in self.partitions if one not in gone]

    async def on_partitions_assigned(self, assigned):
        self.assignments += 1
        self.partitions = sorted(self.partitions + [one.partition for one in assigned])

    async def run(self):
        while not self.ending:
            polled = await self.consumer.getmany(timeout_ms=100)
            if not polled:
                continue
            try:
                await self.consumer.commit({one: batch[-1].offset + 1 for one, batch in polled.items()})
            except KafkaError:
                # Somebody else reads it again.
                continue
            self.records += [[record.partition, record.offset] for batch in polled.values() for record in batch]


async def join(r):
    if r["protocol"] == "consumer":
        raise Absent("aiokafka has the classic protocol only")
    member = Member(r)
    await member.consumer.start()
    member.running = asyncio.create_task(member.run())
    members[r["member"]] = member
    return {}


async def poll(r):
    member = members[r["member"]]
    if member.running.done():
        member.running.result()
    told, member.records = member.records, []
    return {"partitions": member.partitions, "assignments": member.assignments, "records": told}


async def leave(r):
    member = members.pop(r["member"])
    member.ending = True
    await member.running
    await member.consumer.stop()
    return {}


async def create_topic(r):
    topic = NewTopic(r["topic"], r.get("partitions", 1), 1, topic_configs=r.get("configs", {}))
    for _, code, message in (await admin.create_topics([topic])).topic_errors:
        check(code, message)
    return {}


async def create_partitions(r):
    await admin.create_partitions({r["topic"]: NewPartitions(r["partitions"])})
    return {}


async def partitions(r):
    [described] = await admin.describe_topics([r["topic"]])
    check(described["error_code"])
    return {"partitions": len(described["partitions"])}


async def describe_configs(r):
    [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, r["topic"])])
    [(code, message, _, _, entries)] = answer.resources
    check(code, message)
    return {entry[0]: entry[1] for entry in entries}


async def alter_config(r):
    resource = ConfigResource(ConfigResourceType.TOPIC, r["topic"], configs={r["name"]: r["value"]})
    [answer] = await admin.alter_configs([resource])
    [(code, message, *_)] = answer.resources
    check(code, message)
    return {}


async def delete_records(r):
    await admin.delete_records({at(r): RecordsToDelete(r["before"])})
    return {}


async def delete_topic(r):
    for _, code in (await admin.delete_topics([r["topic"]])).topic_error_codes:
        check(code)
    return {}


async def describe_cluster(_):
    described = await admin.describe_cluster()
    return {
        "cluster": described["cluster_id"],
        "nodes": [broker["node_id"] for broker in described["brokers"]],
        "controller": described["controller_id"],
    }


async def version(_):
    return {"version": aiokafka.__version__}


async def answer(request):
    try:
        return {"ok": await globals()[request["op"]](request)}
    except Absent as why:
        return {"absent": str(why)}
    except BrokerResponseError as raised:
        return {"error": {"code": raised.errno, "message": str(raised)}}
    except Exception as raised:  # noqa: BLE001 - whatever it is, the test is told
        return {"error": {"code": None, "message": repr(raised)}}


async def main():
    global admin
    admin = AIOKafkaAdminClient(**BOOTSTRAP)
    await admin.start()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await answer(json.loads(line))), flush=True)


asyncio.run(main())
