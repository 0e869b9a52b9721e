"""A report for an issue: masked, and signed so that its stack's operators can tell whether it is theirs.

The digest shows that nothing was lost or altered on the way; whoever alters on purpose makes another. The MAC
is by the stack's own operator key (RFC 2104, as capture lines): it convinces those who may read that key, and
nobody else, since whoever can check it can make it. A key pair would need a library for its sake alone, and
would still only say that somebody with a key had run the command.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from reprise.capturing.record import Mac
from reprise.capturing.signature import OPERATOR, canonical, split_key_id
from reprise.errors import BadRecordError
from reprise.instant import format_instant
from reprise_cli.doctor.check import CheckStatus
from reprise_cli.doctor.undecided import UNDECIDED

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from reprise.capturing.signature import MacKeys
    from reprise_cli.doctor.check import Diagnosis
    from reprise_cli.doctor.facts import Facts

FORMAT: Final = 1
DOMAIN: Final = "doctor-report"
"""What a signed report is, so that it passes for nothing else that operators sign."""
_TOLD: Final = (
    "Architecture",
    "BufferingSeconds",
    "CaptureOutcomes",
    "ChaosTarget",
    "InvokerReservedConcurrency",
    "LongestTargetTimeout",
    "Options",
    "PythonRuntime",
    "ReplayConcurrency",
    "RetentionDays",
    "Tracing",
)
"""Parameters that are in it; the others name people, addresses or keys."""
_ACCOUNT: Final = re.compile(r"(?<!\d)\d{12}(?!\d)")
_MAIL: Final = re.compile(r"[^\s@:<>\"']+@[^\s@:<>\"']+\.[^\s@:<>\"']+")
_ADDRESS: Final = re.compile(r"(https?://[^\s/]+)/[^\s\"']*")


def document_of(facts: Facts, diagnosis: Diagnosis, at: datetime) -> dict[str, Any]:
    """Return what was found, as JSON values; neither masked nor signed."""
    return {
        "report": FORMAT,
        "at": format_instant(at),
        "version": facts.command_version,
        "stack": facts.stack,
        "stack_version": facts.outputs.get("Version"),
        "region": facts.region,
        "account": facts.account,
        "parameters": {name: facts.parameters[name] for name in _TOLD if name in facts.parameters},
        "summary": {status.value: len(diagnosis.of(status)) for status in CheckStatus},
        "findings": [each.document() for status in CheckStatus for each in diagnosis.of(status)],
        "undecided": list(UNDECIDED),
    }


def masked(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document for the public: accounts, mail addresses and what follows a host are masked.

    Names stay: of functions, queues and buckets, whose account is masked in them, too.
    """
    accounts: dict[str, str] = {}

    def name(found: re.Match[str]) -> str:
        return accounts.setdefault(found[0], f"ACCOUNT-{len(accounts) + 1}")

    def mask(value: Any) -> Any:  # noqa: ANN401 - JSON
        if isinstance(value, str):
            text = _MAIL.sub("MAIL", _ADDRESS.sub(r"\1/...", value))
            return _ACCOUNT.sub(name, text)
        if isinstance(value, dict):
            return {key: mask(each) for key, each in value.items()}
        return [mask(each) for each in value] if isinstance(value, list) else value

    return {key: mask(value) for key, value in document.items()}


def sealed(document: dict[str, Any], keys: MacKeys | None, why_not: str = "") -> dict[str, Any]:
    """Return a document with its digest, and its MAC where there are keys.

    Args:
        document: What to seal.
        keys: Those of the stack's operators.
        why_not: Why there are none.
    """
    whole = document | {"sha256": _digest(document)}
    if keys is None:
        return whole | {"mac": None, "unsigned": why_not}
    mac = keys.sign(whole, DOMAIN)
    return whole | {"mac": {"key_id": mac.key_id, "value": mac.value}}


def _digest(document: dict[str, Any]) -> str:
    content = {
        key: each for key, each in document.items() if key not in {"sha256", "mac", "unsigned"}
    }
    return hashlib.sha256(canonical(content)).hexdigest()


class NoKeysError(Exception):
    """There are no keys here to check a report with."""

    def __init__(self, why: str) -> None:
        """Keep why."""
        super().__init__(why)


class Signature(StrEnum):
    """What is known of who made a report."""

    VALID = "valid"
    INVALID = "invalid"
    NONE = "none"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportCheck:
    """What a report is worth."""

    is_whole: bool
    signature: Signature
    why: str

    @property
    def is_good(self) -> bool:
        """Tell whether nothing speaks against it."""
        return self.is_whole and self.signature is not Signature.INVALID


def check_report(document: dict[str, Any], find: Callable[[str], MacKeys]) -> ReportCheck:
    """Return what is known of a report.

    Args:
        document: The report.
        find: Returns the keys that a key id names, or raises `NoKeysError`.
    """
    is_whole = document.get("sha256") == _digest(document)
    if not is_whole:
        why = "its digest does not fit what it says: it was altered, or cut"
        return ReportCheck(is_whole=False, signature=Signature.NOT_CHECKED, why=why)
    said = document.get("mac")
    if not isinstance(said, dict):
        why = "nobody signed it; the digest shows only that it is whole"
        return ReportCheck(is_whole=True, signature=Signature.NONE, why=why)
    mac = Mac(key_id=str(said.get("key_id")), value=str(said.get("value")))
    content = {key: each for key, each in document.items() if key != "mac"}
    if split_key_id(mac.key_id)[0] != OPERATOR:
        why = f"signed by {mac.key_id!r}, and not by operators"
        return ReportCheck(is_whole=True, signature=Signature.INVALID, why=why)
    try:
        find(mac.key_id).verify(content, mac, DOMAIN)
    except BadRecordError as error:
        return ReportCheck(is_whole=True, signature=Signature.INVALID, why=error.message)
    except NoKeysError as error:
        return ReportCheck(is_whole=True, signature=Signature.NOT_CHECKED, why=str(error))
    why = f"made by somebody who may read the key {mac.key_id} of this stack, and unaltered since"
    return ReportCheck(is_whole=True, signature=Signature.VALID, why=why)


def read_report(text: str) -> dict[str, Any] | None:
    """Return the report that a text holds; None if it is none."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_report = isinstance(document, dict) and document.get("report") == FORMAT
    return document if is_report else None
