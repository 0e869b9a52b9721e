"""Say in a few words what a request asks for, for traces."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from exploration.store import keys_of

if TYPE_CHECKING:
    from exploration.tape import Request

_CALL: Final = re.compile(r"key-(\d+)~")
_STATES: Final = (":leased", ":after")
"""Values of the ledger's updates that name the state they lead to."""


@lru_cache(maxsize=1 << 14)
def say(request: Request) -> str:
    """Return a request in a few words: `lease call 0`, `update gate`, `invoke call 2`."""
    kind, name, body = request
    if kind == "invoke":
        return f"invoke call {json.loads(json.loads(body))['order']}"
    if kind in {"send", "delete", "line"}:
        calls = sorted(set(_CALL.findall(body)))
        return f"{kind} {name} of call {', '.join(calls)}".replace("  ", " ")
    if kind != "dynamodb":
        return kind
    asked: dict[str, Any] = json.loads(body)
    about = ", ".join(dict.fromkeys(_short(key) for key in keys_of(asked)))
    values = asked.get("ExpressionAttributeValues", {})
    state = next((values[each]["S"] for each in _STATES if each in values), "")
    state = state or asked.get("Item", {}).get("state", {}).get("S", "")
    if name == "batch_execute_statement":
        verb = "enter" if asked["Statements"][0]["Statement"].startswith("INSERT") else "change"
        return f"{verb} {about}"
    verb = {"get_item": "read", "batch_get_item": "read", "delete_item": "release"}.get(
        name, "write"
    )
    return f"{verb} {about}{f': {state}' if state else ''}"


def _short(key: str) -> str:
    match = _CALL.search(key)
    return f"call {match[1]}" if match else "gate"
