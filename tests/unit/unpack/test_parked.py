"""A parked object is read as the capture object was: same lines, same origin, same trust."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from backlog_entries import ARN, entry, event
from reprise.logreader import LogEvent, read_events
from reprise.unpack.defer import parked_body, parked_key
from reprise.unpack.validate import AcceptedRecord, TargetBatch

# Any text: a lone surrogate arrives as an escape, and must leave as one.
messages = st.text(max_size=40)
surrogates = st.sampled_from(["\ud800", "a\udfffb"])
streams = st.sampled_from(["s1", "s2"])
groups = st.sampled_from(["/capture", "/other"])


def part_of(events: list[LogEvent]) -> TargetBatch:
    part = TargetBatch(function=ARN + "orders")
    for position, item in enumerate(events):
        part.add(AcceptedRecord(position=position, event=item, record=entry(position).record))
    return part


@given(st.lists(st.tuples(messages | surrogates, groups, streams), min_size=1, max_size=130))
@settings(max_examples=40)
def test_every_event_comes_back_with_its_text_and_origin(
    content: list[tuple[str, str, str]],
) -> None:
    events = [event(text, log_group=group, log_stream=stream) for text, group, stream in content]
    body = parked_body(part_of(events))
    assert list(read_events([body])) == events


def test_same_part_is_the_same_object() -> None:
    events = [event(f'{{"n":{n}}}') for n in range(300)]
    assert parked_body(part_of(events)) == parked_body(part_of(events))


def test_a_part_of_four_megabytes_is_read_back_whole() -> None:
    events = [event("x" * 200_000) for _ in range(21)]
    assert list(read_events([parked_body(part_of(events))])) == events


def test_key_names_the_target_and_tells_objects_versions_targets_and_parts_apart() -> None:
    part = part_of([event("1")])
    other_target = replace(part, function=part.function.replace("eu-central-1", "us-east-1"))
    later = TargetBatch(function=part.function, entries=[replace(part.entries[0], position=7)])
    keys = [
        parked_key("s3://bucket/captured/1.gz", None, part),
        parked_key("s3://bucket/captured/1.gz", "v1", part),
        parked_key("s3://bucket/captured/2.gz", None, part),
        parked_key("s3://bucket/captured/1.gz", None, other_target),
        parked_key("s3://bucket/captured/1.gz", None, later),
    ]
    assert len(set(keys)) == len(keys)
    assert all(key.startswith("parked/orders/") for key in keys)
    assert keys[0] == parked_key("s3://bucket/captured/1.gz", None, part)
