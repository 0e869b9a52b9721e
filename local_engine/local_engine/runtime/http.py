"""The few lines of HTTP/1.1 that the Lambda Runtime API needs.

A connection is fed bytes and gives whole requests; nothing here waits.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

_HEAD_END = b"\r\n\r\n"
_REASONS = {
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    413: "Payload Too Large",
}
_HEXADECIMAL = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """One request of a runtime."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


class RequestParser:
    """Bytes in, requests out."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        """Start with nothing received."""
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[ApiRequest]:
        """Add received bytes and return the requests they complete."""
        self._buffer += data
        requests = []
        while (request := self._take()) is not None:
            requests.append(request)
        return requests

    def _take(self) -> ApiRequest | None:
        end = self._buffer.find(_HEAD_END)
        if end < 0:
            return None
        first, *lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        start = end + len(_HEAD_END)
        if headers.get("transfer-encoding", "").lower() == "chunked":
            if (found := _join_chunks(self._buffer, start)) is None:
                return None
            body, used = found
        else:
            used = start + int(headers.get("content-length", "0") or "0")
            if len(self._buffer) < used:
                return None
            body = bytes(self._buffer[start:used])
        del self._buffer[:used]
        method, path, _ = first.split(" ", 2)
        return ApiRequest(method=method, path=path, headers=headers, body=body)


def _join_chunks(buffer: bytearray, start: int) -> tuple[bytes, int] | None:
    """Return a chunked body and where it ends, or None if it is not all there.

    Source: RFC 9112, section 7.1. Trailers are skipped.
    """
    body = bytearray()
    while (end := buffer.find(b"\r\n", start)) >= 0:
        size = int(bytes(buffer[start:end]).partition(b";")[0], _HEXADECIMAL)
        if size == 0:
            if buffer.startswith(b"\r\n", end + 2):
                return bytes(body), end + 4
            last = buffer.find(_HEAD_END, end)
            return None if last < 0 else (bytes(body), last + len(_HEAD_END))
        start = end + 2
        body += buffer[start : start + size]
        start += size + 2
    return None


def answer(status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> bytes:
    """Return the bytes of a response.

    Header values must hold no line break; the callers' values are identifiers,
    numbers and JSON in ASCII.
    """
    lines = [f"HTTP/1.1 {status} {_REASONS[status]}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode("utf-8") + body


def refusal(status: int, kind: str, message: str) -> bytes:
    """Return the bytes of a refusal, in the shape of the API's ErrorResponse."""
    return answer(status, body=json.dumps({"errorMessage": message, "errorType": kind}).encode())
