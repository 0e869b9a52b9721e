"""Draws capture lines: genuine ones, and forgeries of every kind that we could think of."""

from __future__ import annotations

import copy
import hashlib
import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import line_judge as judge
from harness import ACCOUNT, LOG_GROUP, MAIL, ORDERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

type Document = dict[str, Any]

NIGHTLY: Final = f"arn:aws:batch:eu-central-1:{ACCOUNT}:job-definition/nightly"
ELSEWHERE: Final = (
    f"{ORDERS}2",
    f"{ORDERS}:live",
    f"{ORDERS} ",
    ORDERS.upper(),
    "orders",
    "",
    "*",
    ORDERS.replace(ACCOUNT, "210987654321"),
    ORDERS.replace("eu-central-1", "us-east-1"),
    ORDERS.replace("orders", "\u043erders"),
    ORDERS.replace("arn:aws:", "arn:aws-cn:"),
    NIGHTLY,
)
"""What is not among the stack's targets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A line, and where it says that it comes from."""

    kind: str
    line: str
    owner: str = ACCOUNT
    log_group: str = LOG_GROUP


@dataclass(slots=True)
class Forger:
    """Who holds all genuine lines, some keys, and a pen."""

    random: Random
    genuine: list[Document] = field(default_factory=list)
    """Put by the holders of keys; the last is not yet unpacked."""

    def record(self, source: str, function: str) -> Document:
        """Return a record as a source would write it, unsigned."""
        text = json.dumps({"order": self.random.getrandbits(64)})
        record: Document = {
            "reprise": 1,
            "event": "invocation.captured",
            "level": "ERROR",
            "id": self.uuid(),
            "captured_at": "2026-11-21T10:00:00.000000Z",
            "source": {"name": source, "version": "0.2.0"},
            "target": {"function": function, "qualifier": None, "tenant_id": None},
            "payload": payload(text),
            "client_context": self.random.choice([None, "e30="]),
            "outcome": {
                "kind": "throttled",
                "code": "TooManyRequestsException",
                "reason": None,
                "status": 429,
                "message": None,
                "retry_after_s": None,
                "request_id": None,
                "function_error": None,
            },
            "not_after": None,
            "trace": None,
        }
        if self.random.random() < 0.5:
            record["idempotency_key"] = f"order-{self.random.getrandbits(64):x}"
            record["id"] = judge.keyed_id(record, source)
        return record

    def put(self) -> Drawn:
        """Return the line of a new genuine call."""
        key_id = self.random.choice(["invoker/k2", "invoker/k1", "shop/k1", "k1"])
        source = key_id.rpartition("/")[0] or "invoker"
        function = MAIL if source == "shop" else self.random.choice([ORDERS, MAIL])
        record = judge.sign(self.record(source, function), key_id, judge.CURRENT[key_id])
        self.genuine.append(record)
        return Drawn(kind="genuine", line=compact(record))

    def uuid(self) -> str:
        """Return a UUIDv7."""
        value = self.random.getrandbits(128) & ~(0xF << 76) & ~(0x3 << 62)
        return str(uuid.UUID(int=value | 0x7 << 76 | 0x2 << 62))

    def one(self) -> Document:
        """Return a copy of some genuine record."""
        return copy.deepcopy(self.random.choice(self.genuine))

    def signed(self, record: Document, key_id: str) -> Document:
        """Return a record as the holder of a valid key signs it."""
        return judge.sign(record, key_id, judge.CURRENT[key_id])


def payload(text: str) -> Document:
    """Return a payload as a record carries it."""
    data = text.encode()
    return {
        "inline": text,
        "gzip_base64": None,
        "claim_check": None,
        "size_bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def compact(document: Document) -> str:
    """Return a document as our writers write it."""
    return json.dumps(document, separators=(",", ":"))


def leaves(value: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the paths of all that is no object."""
    if not isinstance(value, dict):
        return [path]
    return [leaf for name, inner in value.items() for leaf in leaves(inner, (*path, name))]


type Kind = Callable[[Forger], str | Drawn]


def _again(forger: Forger) -> str:
    return compact(forger.one())


def _respelled(forger: Forger) -> str:
    """A genuine record in other JSON: order, blanks, escapes, what log tools add, number forms."""
    record = forger.one()
    match forger.random.randrange(6):
        case 0:
            return json.dumps(dict(reversed(record.items())), indent=1)
        case 1:
            return compact({"host": "h", **record, "@timestamp": 1e400})
        case 2:
            size_bytes = record["payload"]["size_bytes"]
            old, new = f'"size_bytes":{size_bytes}', f'"size_bytes":{size_bytes}.0'
            return compact(record).replace(old, new)
        case 3:
            return compact(record).replace('"payload"', '"\\u0070ayload"')
        case 4:
            return f'{{"target":{{"function":"forged"}},{compact(record)[1:]}'
        case _:
            without: Document = {name: value for name, value in record.items() if value is not None}
            return compact(without)


REPEATS: Final[dict[str, Kind]] = {"again": _again, "again in another spelling": _respelled}
"""Genuine lines put once more: their calls must not run once more."""
