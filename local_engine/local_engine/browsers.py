"""Refuse what a web page can have a browser send.

A page may send requests to any address, this machine's own included, though it may not read every
answer. SDKs send neither ``Origin`` nor ``Sec-Fetch-Site`` and never ``OPTIONS``; browsers name the
sender in the first two, and ask by the last whether a page may send more than a form could. A page whose
own name was made to mean this machine (DNS rebinding) is of the same origin to the browser: it is told by
``Host``.

Source: Fetch Standard, "CORS protocol"; Fetch Metadata Request Headers, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_OWN_NAMES = ("127.0.0.1", "localhost")
_OWN_SITES = ("none", "same-origin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a request is not let in."""

    code: str
    """Error code, as AWS has it."""
    message: str
    """For people, with the next step."""


def refuse_page(method: str, headers: Mapping[str, str], port: int) -> Refusal | None:
    """Return why a request may be a web page's; None if it is none.

    Args:
        method: HTTP method.
        headers: Names in lower case.
        port: The engine's own.
    """
    host, site = headers.get("host", ""), headers.get("sec-fetch-site", "none")
    if host.lower() not in {f"{name}:{port}" for name in _OWN_NAMES}:
        reason = f"it is not served as {host!r}"
    elif "origin" in headers or site.lower() not in _OWN_SITES:
        reason = "it answers no web page"
    elif method == "OPTIONS":
        reason = "it grants nothing to web pages"
    else:
        return None
    step = f"Use an SDK with http://127.0.0.1:{port}"
    if ".execute-api." in host:
        step = f"Call an API at http://127.0.0.1:{port}/_aws/execute-api/ID/STAGE/..., signed for execute-api"
    message = f"The local engine refuses this: {reason}. {step}"
    return Refusal(code="AccessDenied", message=message)
