"""Make capture objects as CloudWatch Logs and Firehose write them, with a manifest of what is in them."""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final

from reprise.call.outcome import Outcome, OutcomeKind
from reprise.call.payload import pack
from reprise.call.target import Target
from reprise.capturing.line import write_line
from reprise.capturing.record import Record, Source
from reprise.capturing.signature import MacKeys

if TYPE_CHECKING:
    from collections.abc import Iterator

KEYS: Final = MacKeys("invoker", "k1", {"k1": "a key for measuring, of enough characters"})
ACCOUNT: Final = "123456789012"
CONTROL: Final = {
    "messageType": "CONTROL_MESSAGE",
    "owner": "CloudwatchLogs",
    "logGroup": "",
    "logStream": "",
    "subscriptionFilters": [],
    "logEvents": [
        {
            "id": "",
            "timestamp": 1_795_255_200_000,
            "message": "CWL CONTROL MESSAGE: Checking health of destination Firehose.",
        }
    ],
}
_TITLES: Final = [
    "Garden chair, oak",
    "Desk lamp, brass",
    "Wool blanket",
    "Tea pot, 1.2 l",
    "Door mat",
]
_OTHER_TITLES: Final = ["Küchenstuhl, größer", "日本語の本", "Café crème 🙂", "Straßenkarte"]
_ITEM_BYTES: Final = 140


@dataclass(frozen=True)
class Manifest:
    """What is in an object, or in a part of one; every way to read it must find the same."""

    valid: int = 0
    invalid: int = 0
    foreign: int = 0
    controls: int = 0
    ids_crc: int = 0
    """Sum of the CRCs of the valid records' ids."""
    payload_bytes: int = 0
    """Sum of the lengths of the valid records' payloads, as they travel."""

    def __add__(self, other: Manifest) -> Manifest:
        """Return what is in both parts."""
        return Manifest(
            self.valid + other.valid,
            self.invalid + other.invalid,
            self.foreign + other.foreign,
            self.controls + other.controls,
            self.ids_crc + other.ids_crc,
            self.payload_bytes + other.payload_bytes,
        )


@dataclass
class Generator:
    """Makes members from a seed; the same seed makes the same ones."""

    seed: int = 2026
    events_per_member: int = 52
    """Mean; sizes vary tenfold."""
    fixed_bytes: int = 0
    """Payload of every record, instead of a mixture."""
    spread: float = 0.5
    """Standard deviation of the number of events, as a part of their mean."""
    has_strangers: bool = True
    """Whether health checks, lines of others and lines that were cut are among them."""
    _random: Random = field(init=False)
    _count: int = 0

    def __post_init__(self) -> None:
        """Begin at the seed."""
        self._random = Random(self.seed)

    def members(self, count: int) -> list[tuple[bytes, Manifest]]:
        """Return some compressed members, each with what is in it."""
        return [self._member() for _ in range(count)]

    def _member(self) -> tuple[bytes, Manifest]:
        draw = self._random.random()
        if draw < 0.01 and self.has_strangers:  # noqa: PLR2004 - one in a hundred
            return _zip(CONTROL), Manifest(controls=1)
        events, total = [], Manifest()
        for _ in range(max(1, round(self._random.gauss(1, self.spread) * self.events_per_member))):
            message, manifest = self._message()
            total += manifest
            stamp = 1_795_255_200_000 + self._count
            events.append({"id": f"{self._count:056d}", "timestamp": stamp, "message": message})
        envelope = {
            "messageType": "DATA_MESSAGE",
            "owner": ACCOUNT,
            "logGroup": "/reprise/reprise/capture",
            "logStream": "2026/11/21/[$LATEST]0123456789abcdef",
            "subscriptionFilters": ["capture"],
            "logEvents": events,
        }
        return _zip(envelope), total

    def _message(self) -> tuple[str, Manifest]:
        self._count += 1
        draw = self._random.random()
        if draw < 0.01 and self.has_strangers:  # noqa: PLR2004 - lines of others
            return f"START RequestId: {self._count} Version: $LATEST\n", Manifest(foreign=1)
        record = self._record()
        line = write_line(record, KEYS)
        if draw < 0.015 and self.has_strangers:  # noqa: PLR2004 - lines that were cut
            return line[: len(line) // 2], Manifest(invalid=1)
        payload = record.payload.inline or record.payload.gzip_base64 or ""
        return line, Manifest(
            valid=1, ids_crc=zlib.crc32(record.id.encode()), payload_bytes=len(payload.encode())
        )

    def _record(self) -> Record:
        rand = self._random
        size = self.fixed_bytes or round(rand.lognormvariate(6.05, 0.6))
        if not self.fixed_bytes and rand.random() < 0.0008:  # noqa: PLR2004 - few long ones
            size = rand.randrange(16_000, 100_000)
        document = self._order(size)
        payload = pack(json.dumps(document, separators=(",", ":")).encode(), 190_000)
        assert payload is not None  # noqa: S101 - sizes are below the limit
        return Record(
            id=f"0193f2c1-{self._count:08x}-7000-8000-{rand.randrange(16**6):012x}",
            captured_at=f"2026-11-21T10:{self._count % 60:02d}:00.{rand.randrange(10**6):06d}Z",
            source=Source(name="invoker", version="0.1.0"),
            target=Target(
                function=f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:orders", qualifier="live"
            ),
            payload=payload,
            outcome=Outcome(
                kind=OutcomeKind.THROTTLED,
                code="TooManyRequestsException",
                reason="ReservedFunctionConcurrentInvocationLimitExceeded",
                status=429,
                message="Rate Exceeded.",
                request_id=f"0193f2c1-{rand.randrange(16**4):04x}-7000-8000-000000000000",
            ),
        )

    def _order(self, size: int) -> dict[str, object]:
        """Return an order as shops send them: the same keys, and articles of one catalogue."""
        rand = self._random
        titles = _OTHER_TITLES if rand.random() < 0.05 else _TITLES  # noqa: PLR2004 - one in twenty
        number = rand.randrange(10**6)
        items: list[dict[str, object]] = []
        while len(items) * _ITEM_BYTES < size - _ITEM_BYTES:
            article = rand.randrange(40)
            items.append(
                {
                    "articleNumber": f"A-{1000 + article}",
                    "title": titles[article % len(titles)],
                    "quantity": 1,
                    "unitPrice": {"amount": 995 + 100 * article, "currency": "EUR"},
                    "discount": None,
                }
            )
        return {
            "orderId": f"2026-11-{number:06d}",
            "customerId": f"c-{rand.randrange(10**5):05d}",
            "status": rand.choice(["placed", "paid", "packed", "sent"]),
            "channel": rand.choice(["web", "app", "shop"]),
            "placedAt": f"2026-11-21T10:{rand.randrange(60):02d}:00Z",
            "items": items,
        }


def _zip(document: object) -> bytes:
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return gzip.compress(text.encode(), compresslevel=6, mtime=0)


def repeat_to(
    pool: list[tuple[bytes, Manifest]], size_bytes: int, seed: int = 1
) -> Iterator[tuple[bytes, Manifest]]:
    """Yield members of a pool in random order until there is so much of them."""
    rand = Random(seed)
    total = 0
    while total < size_bytes:
        member = rand.choice(pool)
        total += len(member[0])
        yield member
