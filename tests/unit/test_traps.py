"""The traps of AWS that most likely lose or repeat a call, where no other test stands guard.

Numbers are those of the list "Ten traps" behind the design. Elsewhere: 1 (retries of the SDK) in
functional/aws/test_functions.py, 5 in unit/stage, 6 in unit/reader, 8 in unit/outcome.
"""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import PIPELINE_KEYS, Pipeline, call, envelope, notification
from reprise.errors import BadRecordError
from reprise.unpack.notification import ObjectRef, read_notification, write_continuation
from strategies import json_values, texts

EVENTS = Path(__file__).parents[1] / "events"


def test_a_file_that_is_rewritten_with_more_records_gives_the_new_ones() -> None:
    """Trap 4: Firehose may write the same key again; key and eTag tell nothing of what is in it."""
    pipeline = Pipeline()
    pipeline.capture(call(b"1"), call(b"2"))
    first, second = (envelope(line) for line in pipeline.lines)
    pipeline.objects.kept["captured/x"] = first
    pipeline.take_in(notification("captured/x"))
    assert len(pipeline.take_sent()) == 1
    pipeline.objects.kept["captured/x"] = first + second
    pipeline.take_in(notification("captured/x"))
    assert len(pipeline.ledger.rows) == 2
    assert len({json.loads(message.body)["record"]["id"] for message in pipeline.take_sent()}) >= 1


def test_a_cut_line_is_kept_and_not_passed_over() -> None:
    """Trap 7: Lambda cuts long lines into several events."""
    pipeline = Pipeline()
    pipeline.capture(call(b"1"))
    (line,) = pipeline.lines
    pipeline.objects.kept["captured/x"] = envelope(line[:100], line[100:])
    assert pipeline.take_in(notification("captured/x")) == []
    reasons = [
        json.loads(entry)["reason"]
        for key, data in pipeline.objects.kept.items()
        if key.startswith("quarantine/")
        for entry in data.splitlines()
    ]
    assert reasons == ["truncated"]


def test_every_damage_of_a_large_object_is_kept() -> None:
    """Two parts of quarantine must not have one name."""
    pipeline = Pipeline()
    damages = [b'{"' + bytes([letter]) * 3_500_000 + b"}" for letter in b"xyz"]
    pipeline.objects.kept["captured/x"] = gzip.compress(b"\n".join(damages))
    assert pipeline.take_in(notification("captured/x")) == []
    kept = [
        base64.b64decode(json.loads(entry)["data_base64"]).strip()
        for key, data in sorted(pipeline.objects.kept.items())
        if key.startswith("quarantine/")
        for entry in data.splitlines()
    ]
    assert sorted(kept) == sorted(damages)


def test_damage_and_refused_lines_never_share_a_place() -> None:
    """Damage is found by its byte, lines by their number: here both are seven."""
    pipeline = Pipeline()
    foreign, damage = b'{"a":1}', b"\x01" * 3_500_000
    forged = envelope(*(["x"] * 2), '{"reprise":')
    text = foreign + damage + foreign * 3 + gzip.decompress(forged)
    pipeline.objects.kept["captured/x"] = text
    assert pipeline.take_in(notification("captured/x")) == []
    reasons = [
        json.loads(entry)["reason"]
        for key, data in sorted(pipeline.objects.kept.items())
        if key.startswith("quarantine/")
        for entry in data.splitlines()
    ]
    assert sorted(reasons) == ["damaged", "truncated"]


# Trap 9: keys with +, %2B and blanks; test events; notifications of other kinds.


def _event(name: str) -> str:
    return (EVENTS / name).read_text()


@pytest.mark.parametrize(
    ("key", "encoded"),
    [
        ("captured/red flower.jpg", "captured/red+flower.jpg"),
        ("captured/1+1", "captured/1%2B1"),
        ("captured/%2B", "captured/%252B"),
        ("captured/ü", "captured/%C3%BC"),
        ("captured/2026/11/21/10/x-1", "captured%2F2026%2F11%2F21%2F10%2Fx-1"),
    ],
)
def test_a_key_is_decoded_exactly_once(key: str, encoded: str) -> None:
    body = _event("s3-object-created.json").replace("captured/KEY", encoded)
    (ref,) = read_notification(body)
    assert (ref.bucket, ref.key) == ("reprise-123456789012-eu-west-1", key)
    assert ref.version_id == "096fKKXTRTtl3on89fVO.nfljtsv6qko"


@given(
    bucket=texts,
    key=texts,
    version_id=st.none() | texts,
    skip=st.integers(1, 10**9),
)
def test_any_key_survives_notification_and_continuation(
    bucket: str, key: str, version_id: str | None, skip: int
) -> None:
    ref = ObjectRef(bucket=bucket, key=key, version_id=version_id, skip=skip)
    assert read_notification(write_continuation(ref, PIPELINE_KEYS)) == (ref,)
    s3 = {"bucket": {"name": bucket}, "object": {"key": quote_plus(key)}}
    (read,) = read_notification(json.dumps({"Records": [{"s3": s3}]}))
    assert read == ObjectRef(bucket=bucket, key=key)


@pytest.mark.parametrize("name", ["s3-test-event.json", "s3-object-removed.json"])
def test_what_creates_no_object_asks_for_nothing(name: str) -> None:
    assert read_notification(_event(name)) == ()


def test_a_multipart_upload_creates_an_object() -> None:
    """F§3: Firehose with short buffering uploads in parts."""
    body = _event("s3-object-created.json").replace(
        "ObjectCreated:Put", "ObjectCreated:CompleteMultipartUpload"
    )
    assert len(read_notification(body)) == 1


@pytest.mark.parametrize("skip", ["x", "1", -1, 1.5, float("inf"), [], {}, True])
def test_a_continuation_with_a_nonsensical_place_is_no_notification(skip: object) -> None:
    s3 = {"bucket": {"name": "b"}, "object": {"key": "k"}}
    with pytest.raises(BadRecordError, match="unknown_message"):
        read_notification(json.dumps({"Records": [{"s3": s3, "reprise": {"skip": skip}}]}))


record_like = st.fixed_dictionaries(
    {},
    optional={
        "eventName": texts | st.just("ObjectCreated:Put") | json_values,
        "s3": st.fixed_dictionaries(
            {},
            optional={
                "bucket": json_values | st.fixed_dictionaries({"name": texts | json_values}),
                "object": json_values
                | st.fixed_dictionaries(
                    {"key": texts | json_values}, optional={"versionId": json_values}
                ),
            },
        )
        | json_values,
        "reprise": json_values | st.fixed_dictionaries({"skip": json_values}),
    },
)


@given(
    document=json_values
    | st.fixed_dictionaries({"Records": st.lists(record_like | json_values) | json_values})
)
def test_any_message_is_a_notification_or_a_bad_record(document: object) -> None:
    try:
        refs = read_notification(json.dumps(document))
    except BadRecordError as error:
        assert error.reason == "unknown_message"  # noqa: PT017 - both ends are right
        return
    assert all(isinstance(ref.skip, int) for ref in refs)
