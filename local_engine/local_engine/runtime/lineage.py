"""The ``Lineage`` of a request chain, which Lambda's recursion guard counts.

A trace header reads ``Root=1-…;Parent=…;Sampled=0;Lineage=1:24b18b0a:5``: the
hop's format, a hash of the function, and how many times the chain invoked it;
functions are parted by ``|``. AWS documents the guard, not the field's layout.

Source: aws-facts, section 8; Lambda Developer Guide, "Use Lambda recursive loop
detection to prevent infinite loops".
"""

from __future__ import annotations

import hashlib
import random
import time

#: Invocations of one function in one chain that still run.
MAX_CHAIN_LENGTH = 16

_FIELD = "Lineage"


def parse(trace_header: str) -> dict[str, str]:
    """Return the fields of a trace header."""
    pairs = (part.partition("=") for part in trace_header.split(";") if "=" in part)
    return {name.strip(): value.strip() for name, _, value in pairs}


def count(trace_header: str, function_arn: str) -> int:
    """Return how often the chain has invoked the function so far."""
    return _counts(parse(trace_header)).get(_hash(function_arn), 0)


def longest(trace_header: str) -> int:
    """Return the highest count of any function in the chain."""
    return max(_counts(parse(trace_header)).values(), default=0)


def next_hop(trace_header: str, function_arn: str) -> str:
    """Return the trace header of an invocation of the function in this chain.

    Starts a chain when there is none.
    """
    fields = parse(trace_header)
    counts = _counts(fields)
    name = _hash(function_arn)
    counts[name] = counts.get(name, 0) + 1
    root = fields.get("Root") or f"1-{int(time.time()):08x}-{_hex(12)}"
    lineage = "|".join(f"1:{name}:{number}" for name, number in counts.items())
    return f"Root={root};Parent={_hex(8)};Sampled={fields.get('Sampled', '0')};{_FIELD}={lineage}"


def _counts(fields: dict[str, str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for hop in filter(None, fields.get(_FIELD, "").split("|")):
        parts = hop.split(":")
        if len(parts) == 3 and parts[2].isdigit():  # noqa: PLR2004 - format:function:count
            counts[parts[1]] = int(parts[2])
    return counts


def _hex(size_bytes: int) -> str:
    # Identifiers, not secrets; the system's source costs a context switch each.
    return f"{random.getrandbits(8 * size_bytes):0{2 * size_bytes}x}"


def _hash(function_arn: str) -> str:
    unqualified = ":".join(function_arn.split(":")[:7])
    return hashlib.sha256(unqualified.encode()).hexdigest()[:8]
