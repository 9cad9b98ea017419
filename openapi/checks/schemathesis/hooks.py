"""What schemathesis cannot know of the document."""

import schemathesis

BATCHES = "application/vnd.kafka.recordbatch"


@schemathesis.serializer(BATCHES)
def bytes_as_they_are(ctx, value):
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.deserializer(BATCHES)
def batches(ctx, response):
    return response.content


def has_null(value):
    """Whether a null stands anywhere in it: requests may say null for absent, and answers never do."""
    if isinstance(value, dict):
        return any(has_null(inner) for inner in value.values())
    if isinstance(value, list):
        return any(has_null(inner) for inner in value)
    return value is None


@schemathesis.hook
def filter_case(ctx, case):
    return not isinstance(case.body, (dict, list)) or not has_null(case.body)
