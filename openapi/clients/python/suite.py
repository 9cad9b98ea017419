"""One round trip through every part of a gateway, with the client that is generated for Python."""

import sys

import aquifer_http as aquifer

client = aquifer.ApiClient(aquifer.Configuration(host=sys.argv[1]))
topics = aquifer.TopicsApi(client)
records = aquifer.RecordsApi(client)
sessions = aquifer.SessionsApi(client)
groups = aquifer.GroupsApi(client)


def refused(status, code, request):
    """The problem that a request is refused with."""
    try:
        request()
    except aquifer.ApiException as refusal:
        assert refusal.status == status, refusal
        assert isinstance(refusal.data, aquifer.Problem), refusal
        assert refusal.data.code == code and refusal.data.hint, refusal
        return refusal.data
    raise AssertionError(f"not refused with {code}")


def topic():
    made = topics.create_topic("orders", aquifer.CreateTopicRequest(partitions=1, configs={"retention.ms": "3600000"}))
    assert made.name == "orders" and len(made.partitions) == 1, made
    topics.create_topic("orders", aquifer.CreateTopicRequest(partitions=1))
    assert "orders" in [topic.name for topic in topics.list_topics().items]
    assert "3600000" in [config.value for config in topics.get_topic("orders").configs if config.name == "retention.ms"]


def produce():
    written = records.produce_records(
        "orders",
        aquifer.ProduceRequest(
            records=[
                aquifer.ProduceRecord(
                    key_text="k",
                    headers=[aquifer.ProduceHeader(name="origin", value_text="suite")],
                    value_json={"amount": 3, "paid": True, "lines": ["a"]},
                ),
                aquifer.ProduceRecord(value_text="grüße"),
                aquifer.ProduceRecord(value_base64="AP8="),
                aquifer.ProduceRecord(key_text="k", tombstone=True),
            ]
        ),
    )
    assert written.failed == 0, written
    assert [result.offset for result in written.results] == ["0", "1", "2", "3"], written
    raw = records.produce_raw("orders", b"raw \x00", key="r")
    assert raw.results[0].offset == "4", raw
    mixed = aquifer.ProduceRequest(
        records=[aquifer.ProduceRecord(partition=0, value_text="in"), aquifer.ProduceRecord(partition=9, value_text="out")]
    )
    some = records.produce_records("orders", mixed)
    assert some.failed == 1 and some.results[0].offset == "5", some
    assert some.results[1].error.code == "unknown_partition", some


def read():
    page = records.read_records("orders", 0, var_from="earliest", values=aquifer.Values.JSON)
    assert [record.offset for record in page.records] == ["0", "1", "2", "3", "4", "5"], page
    first, text, binary, tombstone, raw, _ = page.records
    assert (first.key_text, first.value_json) == ("k", {"amount": 3, "paid": True, "lines": ["a"]}), first
    assert [(header.name, header.value_text) for header in first.headers] == [("origin", "suite")], first
    assert text.value_text == "grüße" and text.key_text is None, text
    assert binary.value_base64 == "AP8=", binary
    assert tombstone.tombstone and tombstone.value_text is None, tombstone
    assert raw.value_text == "raw \x00", raw
    assert (page.next_offset, page.high_watermark) == ("6", "6"), page
    assert records.read_records("orders", 0, var_from=page.cursor).records == []


def session():
    opened = sessions.open_session("billing", aquifer.OpenSessionRequest(topics=["orders"], var_from="earliest"))
    token, cursor, seen = opened.token, None, []
    while len(seen) < 6:
        polled = sessions.poll_session(aquifer.PollSessionRequest(token=token, after=cursor, max_records=4, wait_ms=5000))
        token, cursor = polled.token, polled.cursor
        seen += [record.offset for record in polled.records]
    assert seen == ["0", "1", "2", "3", "4", "5"], seen
    committed = sessions.commit_session(aquifer.CommitSessionRequest(token=token, ack=cursor))
    assert [place.offset for place in committed.committed] == ["6"], committed
    assert groups.get_group_lag("billing").total_lag == "0"

    back = [aquifer.SeekPosition(topic="orders", partition=0, var_from="4")]
    sought = sessions.seek_session(aquifer.SeekSessionRequest(token=committed.token, positions=back))
    again = sessions.poll_session(aquifer.PollSessionRequest(token=sought.token, after=sought.cursor, wait_ms=5000))
    assert [record.offset for record in again.records] == ["4", "5"], again
    closed = sessions.close_session(aquifer.CloseSessionRequest(token=again.token, ack=again.cursor))
    assert [place.offset for place in closed.committed] == ["6"], closed
    assert groups.get_group("billing").members == []
    groups.delete_group("billing")


def errors():
    missing = refused(404, "unknown_topic", lambda: topics.get_topic("none"))
    assert not missing.retryable and missing.topic == "none", missing
    refused(409, "topic_exists", lambda: topics.create_topic("orders", aquifer.CreateTopicRequest(partitions=2)))
    beyond = refused(416, "offset_out_of_range", lambda: records.read_records("orders", 0, var_from="99"))
    assert beyond.latest_offset == "6", beyond
    refused(400, "invalid_token", lambda: sessions.poll_session(aquifer.PollSessionRequest(token="x")))
    topics.delete_topic("orders")
    refused(404, "unknown_topic", lambda: topics.delete_topic("orders"))


def newer():
    known = '{"type": "t", "title": "t", "status": 404, "detail": "d", "code": "c", "retryable": false, "hint": "h"'
    assert aquifer.Problem.from_json(known + ', "unheard_of": [1]}').code == "c"


topic()
produce()
read()
session()
errors()
newer()
