"""Read and authenticate the same bytes once: in a run one message is delivered a dozen times.

Only what was accepted is remembered, and only what follows from the bytes alone. The keys are asked for each
time, as the product asks for them: that is a call of a store, which takes time and may fail.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from reprise.replay import batch
from reprise.unpack import validate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reprise.capturing.line import Verifier
    from reprise.capturing.record import Record
    from reprise.capturing.signature import MacKeys
    from reprise.ports import Keyring
    from reprise.replay.message import ReplayMessage


@dataclass(slots=True)
class _Asked:
    """A keyring that notes what it is asked for."""

    keyring: Keyring
    key_ids: list[str] = field(default_factory=list)

    def find(self, key_id: str) -> MacKeys:
        self.key_ids.append(key_id)
        return self.keyring.find(key_id)


@contextmanager
def remembering() -> Iterator[None]:
    """Let replayer and unpacker read the same bytes once."""
    readers: tuple[Any, Any] = batch, validate
    replays, lines = readers
    read_authentic, read_line = replays.read_authentic, lines.read_line
    messages: dict[str, tuple[ReplayMessage, list[str]]] = {}
    records: dict[str, tuple[Record | None, list[str]]] = {}

    def message_of(body: str, keyring: Keyring) -> ReplayMessage:
        if (known := messages.get(body)) is not None:
            for key_id in known[1]:
                keyring.find(key_id)
            return known[0]
        asked: Any = _Asked(keyring)
        message: ReplayMessage = read_authentic(body, asked)
        messages[body] = message, asked.key_ids
        return message

    def record_of(line: str, trusted: Verifier) -> Record | None:
        if (known := records.get(line)) is not None:
            for key_id in known[1]:
                trusted.keys.find(key_id)
            return known[0]
        asked: Any = _Asked(trusted.keys)
        record: Record | None = read_line(line, replace(trusted, keys=asked))
        records[line] = record, asked.key_ids
        return record

    replays.read_authentic, lines.read_line = message_of, record_of
    try:
        yield
    finally:
        replays.read_authentic, lines.read_line = read_authentic, read_line
