"""Find a call's payload where it was captured. It is looked for only if somebody asks for it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from reprise.call.payload import unpack
from reprise.capturing.record import EVENT_NAME
from reprise.capturing.wire import decode_record
from reprise.errors import BadRecordError, PayloadError, StoreError
from reprise.logreader import LogEvent, read_events
from reprise_cli.exits import CommandError

if TYPE_CHECKING:
    from reprise.capturing.record import Record
    from reprise.ports import Objects
    from reprise_cli.story.parts import Story


def find_payload(story: Story, objects: Objects) -> Story:
    """Return the story with the call's payload; bytes that are no text are shown with replacements.

    The capture line is found by id and by the payload's digest in the ledger, so that a forged line with
    the same id is not shown in its place.

    Raises:
        CommandError: If the capture object, or what it refers to, cannot be had.
    """
    try:
        record = _find(story, objects)
        check = record.payload.claim_check
        data = unpack(record.payload, objects.get(check) if check is not None else None)
    except (StoreError, PayloadError) as error:
        raise CommandError(
            "--show-payload",
            f"the payload cannot be had: {error}",
            "Objects are kept as long as the bucket's lifecycle rules say",
        ) from error
    return replace(story, payload=data.decode("utf-8", "replace"))


def _find(story: Story, objects: Objects) -> Record:
    url = urlsplit(story.row.capture_object or "")
    stream = objects.stream(url.netloc, url.path.lstrip("/"))
    for item in read_events(stream) if url.netloc else ():
        if not isinstance(item, LogEvent) or story.row.id not in item.message:
            continue
        try:
            document = json.loads(item.message)
            record = decode_record(document)
        except (BadRecordError, ValueError, RecursionError):
            continue
        is_it = record.id == story.row.id and record.payload.sha256 == story.row.sha256
        if is_it and document.get("event") == EVENT_NAME:
            return record
    raise CommandError(
        "--show-payload",
        f"{story.row.capture_object or 'no capture object'} does not hold the call",
        "A redriven call's payload is in its dead letter: reprise dlq show ID --payload",
    )
