"""Decides whether a record may be invoked, from keys and rights as plain tables.

It shares no code with what it judges: HMAC, canonical form, ids and rights are written down here once more.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from typing import Any, Final

ACCOUNT: Final = "123456789012"
_FUNCTIONS: Final = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:"
ORDERS: Final = f"{_FUNCTIONS}orders"
MAIL: Final = f"{_FUNCTIONS}mail"
CURRENT: Final = {
    "invoker/k2": "the second key of the invoker, for forgers to guess",
    "invoker/k1": "the first key of the invoker, not yet taken away",
    "shop/k1": "the key of a library user who may send mail only",
    "operator/k1": "the key of the operators, who replace payloads",
    "pipeline/k1": "the key of the pipeline, which signs for jobs only",
    "k1": "the one key of version 0.1.0, by which all was signed",
}
"""Keys that are valid now, by id."""
RETIRED: Final = {
    "invoker/k0": "a key of the invoker that a rotation took away",
    "shop/k0": "a key of the library user that a rotation took away",
}
STRANGE: Final = "a key that a forger has made for itself, of length enough"
RIGHTS: Final = {
    "invoker": frozenset({ORDERS, MAIL}),
    "shop": frozenset({MAIL}),
    "operator": frozenset({ORDERS, MAIL}),
    "pipeline": frozenset[str](),
    "": frozenset({ORDERS, MAIL}),
}
"""Targets of the stack that each source may sign for."""
_OLD_NAMES: Final = frozenset({"invoker", "runner", "library", "decorator"})
_UUID7: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_NAME: Final = re.compile(r"[!-~]{1,256}")


def sign(record: dict[str, Any], key_id: str, key: str, prefix: str = "") -> dict[str, Any]:
    """Return a record as signed by any key under any key id."""
    own = {name: value for name, value in record.items() if name != "mac"}
    return own | {"mac": {"key_id": key_id, "value": _mac(own, key_id, key, prefix)}}


def spelled(record: dict[str, Any]) -> str:
    """Return one text for all spellings of a record."""
    return json.dumps(record, sort_keys=True)


def keyed_id(record: dict[str, Any], source: str) -> str:
    """Return the id that a source's call has by the key, scope and target of a record."""
    target = record["target"]
    whole = (
        target["function"],
        target["qualifier"] or "$LATEST",
        target["tenant_id"],
        source,
        record.get("scope"),
        record["idempotency_key"],
    )
    digest = hashlib.sha256(json.dumps(whole).encode()).hexdigest()
    name = target["function"].rpartition(":")[2]
    return f"{name}:{record['idempotency_key']}~{digest[:32]}"


def objection(record: dict[str, Any]) -> str | None:
    """Return why a record must not be invoked; None if a holder of the right signed every field of it."""
    key_id, value = record["mac"]["key_id"], record["mac"]["value"]
    own = {name: field for name, field in record.items() if name != "mac"}
    if key_id not in CURRENT:
        return f"no valid key {key_id!r}"
    if value != _mac(own, key_id, CURRENT[key_id]):
        return "mac of other fields"
    source, name = key_id.rpartition("/")[0], record["source"]["name"]
    if name not in (_OLD_NAMES if source == "" else {source}):
        return f"{source!r} in the name of {name!r}"
    if record["target"]["function"] not in RIGHTS[source]:
        return f"{source!r} has no right to {record['target']['function']!r}"
    if not _has_own_id(record, name):
        return "the id of somebody else's call"
    return None


def _has_own_id(record: dict[str, Any], source: str) -> bool:
    call_id = record["id"]
    if record.get("idempotency_key") is not None:
        return bool(call_id == keyed_id(record, source))
    if record.get("scope") is not None:
        return False
    if _UUID7.fullmatch(call_id):
        return True
    # As 0.1.0 named calls with a key.
    name, colon, key = call_id.partition(":")
    is_old = bool(colon) and record["target"]["function"].endswith(f":function:{name}")
    return is_old and bool(_NAME.fullmatch(key)) and not re.search(r"~[0-9a-f]{32}\b", key)


def _mac(own: dict[str, Any], key_id: str, key: str, prefix: str = "") -> str:
    content = own | {"mac": {"key_id": key_id}}
    text = prefix + json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
