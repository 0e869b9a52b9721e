"""The kinds of forgeries, each a function that draws one: what no holder of a right has signed."""

from __future__ import annotations

import json
from typing import Any, Final

import line_judge as judge
from forged_lines import ELSEWHERE, NIGHTLY, Document, Drawn, Forger, Kind, compact, leaves, payload
from harness import MAIL, ORDERS

_MACS: Final = ("", "0", "0" * 64, "\u00e9" * 64, "null", "a" * 10_000)
_KEY_IDS: Final = (
    *("shop/k1", "operator/k1", "pipeline/k1", "invoker/k2", "invoker/k1", "k1"),
    *("invoker/k0", "stranger/k1", "invoker/", "/k1", "", "invoker//k1", "../invoker/k1"),
    *("INVOKER/k1", "invoker/k1 ", "invoker/current", "invoker/targets", "invoker\u0000/k1"),
)
_VALUES: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -1, 1.5, 10**30, "", "x", "\ud800", "\u202e", [], {}, ["x"], {"x": 1}),
    *("2030-01-01T00:00:00Z", "permanent", "succeeded", 1e308, "a" * 5000, NIGHTLY, ORDERS, MAIL),
)


def _mac(forger: Forger) -> str:
    record = forger.one()
    value = record["mac"]["value"]
    place = forger.random.randrange(len(value))
    flipped = value[:place] + ("0" if value[place] != "0" else "1") + value[place + 1 :]
    others = [flipped, flipped, flipped, value[:-1], f"{value}0", f" {value}", value[::-1], *_MACS]
    record["mac"]["value"] = forger.random.choice(others)
    return compact(record)


def _no_mac(forger: Forger) -> str:
    record = forger.one()
    record["mac"] = forger.random.choice([None, {}, "", [], {"key_id": record["mac"]["key_id"]}, 0])
    if forger.random.random() < 0.3:
        del record["mac"]
    return compact(record)


def _payload(forger: Forger) -> str:
    record = forger.one()
    record["payload"] = payload(json.dumps({"order": "forged"}))
    if forger.random.random() < 0.3:
        record["payload"]["sha256"] = "0" * 64
    return compact(record)


def _target(forger: Forger) -> str:
    record = forger.one()
    now = record["target"]["function"]
    record["target"]["function"] = forger.random.choice(
        [MAIL if now == ORDERS else ORDERS, *ELSEWHERE]
    )
    return compact(record)


def _any_field(forger: Forger) -> str:
    record = forger.one()
    path = forger.random.choice(leaves(record))
    parent = record
    for name in path[:-1]:
        parent = parent[name]
    before = parent[path[-1]]
    parent[path[-1]] = forger.random.choice([each for each in _VALUES if each != before])
    return compact(record)


def _added_field(forger: Forger) -> str:
    record = forger.one()
    absent: Document = {
        "scope": "other",
        "edits": "0" * 64,
        "idempotency_key": "k",
        "trace": "Root=1",
    }
    absent |= {
        "reply_to": {"kind": "sqs", "url": "https://example.org"},
        "not_after": "2030-01-01T00:00:00Z",
    }
    free = [name for name in absent if record.get(name) is None]
    name = forger.random.choice(free)
    record[name] = absent[name]
    return compact(record)


def _schema(forger: Forger) -> str:
    record = forger.one()
    record["reprise"] = forger.random.choice([0, 2, -1, True, "1", None, 1.5, [1], 10**30])
    return compact(record)


def _key_id(forger: Forger) -> str:
    record = forger.one()
    now = record["mac"]["key_id"]
    record["mac"]["key_id"] = forger.random.choice([each for each in _KEY_IDS if each != now])
    return compact(record)


def _retired(forger: Forger) -> str:
    """Signed by a key that was taken away, under its own id or another's."""
    key_id = forger.random.choice(list(judge.RETIRED))
    source = key_id.partition("/")[0]
    said = forger.random.choice([key_id, f"{source}/k1", "invoker/k2"])
    return compact(judge.sign(forger.record(source, MAIL), said, judge.RETIRED[key_id]))


def _strange(forger: Forger) -> str:
    key_id = forger.random.choice([*judge.CURRENT, "stranger/k1"])
    source = key_id.rpartition("/")[0] or "invoker"
    return compact(judge.sign(forger.record(source, ORDERS), key_id, judge.STRANGE))


def _cross_target(forger: Forger) -> str:
    """Signed by a genuine key for what it has no right to."""
    key_id, functions = forger.random.choice(
        [
            ("shop/k1", (ORDERS, *ELSEWHERE)),
            ("pipeline/k1", (ORDERS, MAIL, *ELSEWHERE)),
            ("invoker/k2", ELSEWHERE),
            ("k1", ELSEWHERE),
        ]
    )
    source = key_id.rpartition("/")[0] or "invoker"
    return compact(forger.signed(forger.record(source, forger.random.choice(functions)), key_id))


def _cross_name(forger: Forger) -> str:
    """Signed by one source in another's name."""
    key_id, name = forger.random.choice(
        [
            ("shop/k1", "invoker"),
            ("invoker/k2", "shop"),
            ("operator/k1", "invoker"),
            ("invoker/k1", "operator"),
            ("k1", "shop"),
            ("k1", "pipeline"),
            ("shop/k1", ""),
            ("shop/k1", "shop/k1"),
        ]
    )
    return compact(forger.signed(forger.record(name, MAIL), key_id))


def _others_id(forger: Forger) -> str:
    """Signed by a holder of a key under the id of somebody else's call."""
    record = forger.record("shop", MAIL)
    record["idempotency_key"] = f"order-{forger.random.getrandbits(64):x}"
    record["id"] = judge.keyed_id(record, "invoker")
    match forger.random.randrange(4):
        case 0:
            del record["idempotency_key"]
        case 1:
            record["id"] = judge.keyed_id(record, "shop")
            record["scope"] = "another scope than the id's"
        case 2:
            record["id"] = f"orders:{record['idempotency_key']}"
            del record["idempotency_key"]
        case _:
            pass
    return compact(forger.signed(record, "shop/k1"))


def _spliced(forger: Forger) -> str:
    """The fields of one genuine line and the MAC, or one field, of another."""
    record, other = forger.one(), forger.one()
    names = [name for name in record if name in other and record[name] != other[name]]
    if not names:
        return _mac(forger)
    name = forger.random.choice(names)
    record[name] = other[name]
    return compact(record)


def _twice(forger: Forger) -> str:
    """A field that stands there twice, the forged one last, perhaps spelled with escapes."""
    record = forger.one()
    name, value = forger.random.choice(
        [
            ("target", {"function": MAIL, "qualifier": "forged", "tenant_id": None}),
            ("payload", payload("forged")),
            ("id", forger.uuid()),
            ("client_context", "Zm9yZ2Vk"),
            ("mac", None),
        ]
    )
    spelled = json.dumps(name)
    if forger.random.random() < 0.5:
        spelled = f'"\\u{ord(name[0]):04x}{name[1:]}"'
    return f"{compact(record)[:-1]},{spelled}:{json.dumps(value)}}}"


def _domain(forger: Forger) -> str:
    """A MAC that a genuine key made over something else than a record."""
    prefix = forger.random.choice(["reprise.settlement.1", "reprise.continuation.1", " ", "{}"])
    key = judge.CURRENT["invoker/k2"]
    return compact(judge.sign(forger.record("invoker", ORDERS), "invoker/k2", key, prefix))


def _cut(forger: Forger) -> str:
    line, other = compact(forger.one()), compact(forger.one())
    place = forger.random.randrange(1, len(line) - 1)
    return forger.random.choice(
        [line[:place], line[place:], line[:place] + other[place:], line + other]
    )


def _from_elsewhere(forger: Forger) -> Drawn:
    """A line of a call that nobody put here, signed as it should be: of another account or log group."""
    line = compact(forger.signed(forger.record("invoker", ORDERS), "invoker/k2"))
    if forger.random.random() < 0.5:
        owner = forger.random.choice(["210987654321", "", "*", "0"])
        return Drawn(kind="", line=line, owner=owner)
    group = forger.random.choice(
        ["/reprise/other/capture", "/aws/lambda/orders", "", "/reprise/reprise/capture2"]
    )
    return Drawn(kind="", line=line, log_group=group)


FORGERIES: Final[dict[str, Kind]] = {
    "mac": _mac,
    "no mac": _no_mac,
    "payload": _payload,
    "target": _target,
    "any field": _any_field,
    "added field": _added_field,
    "schema": _schema,
    "key id": _key_id,
    "retired key": _retired,
    "forger's own key": _strange,
    "right to another target": _cross_target,
    "name of another source": _cross_name,
    "id of another's call": _others_id,
    "spliced": _spliced,
    "field twice": _twice,
    "mac of another domain": _domain,
    "cut or glued": _cut,
    "another account or log group": _from_elsewhere,
}
