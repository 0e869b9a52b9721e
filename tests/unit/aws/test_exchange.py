from __future__ import annotations

import io
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Any, Final, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.aws.exchange import read_answer

if TYPE_CHECKING:
    import socket

_TOKEN: Final = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12)
_VALUE: Final = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30)
_FRAMING: Final = frozenset({"connection", "content-length", "transfer-encoding", "keep-alive"})


class _Socket:
    """What `http.client` needs of a socket."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def _by_the_library(data: bytes) -> tuple[int, dict[str, str], bytes, bool]:
    response = HTTPResponse(cast("socket.socket", _Socket(data)), method="POST")
    response.begin()
    content = response.read()
    headers: dict[str, str] = {}
    for spelt, value in response.getheaders():
        name = spelt.lower()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return response.status, headers, content, not response.will_close


def _by_ours(data: bytes) -> tuple[int, dict[str, str], bytes, bool]:
    reply, may_stay = read_answer(io.BytesIO(data))
    return reply.status_code, dict(reply.headers), reply.content, may_stay


def _chunked(body: bytes, size: int) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    lines = [b"%x;of=no-matter\r\n%s\r\n" % (len(part), part) for part in parts]
    return b"".join([*lines, b"0\r\ntrailer: no matter\r\n\r\n"])


@st.composite
def _answers(draw: st.DrawFn) -> bytes:
    body = draw(st.binary(max_size=300))
    status = draw(st.sampled_from([200, 202, 204, 304, 400, 429, 500, 503]))
    version = draw(st.sampled_from([b"HTTP/1.1", b"HTTP/1.0"]))
    headers = draw(st.lists(st.tuples(_TOKEN, _VALUE), max_size=6))
    lines = [f"{name}: {value}" for name, value in headers if name not in _FRAMING]
    lines += draw(st.sampled_from([[], ["Connection: close"], ["Connection: keep-alive"]]))
    kind = draw(st.sampled_from(["length", "chunked", "until the end"]))
    if kind == "length":
        lines.append(f"Content-Length: {len(body)}")
    elif kind == "chunked":
        lines.append("Transfer-Encoding: chunked")
        body = _chunked(body, draw(st.integers(1, 100)))
    interim = draw(st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n"]))
    head = "\r\n".join([f" {status} As it is", *lines, "", ""]).encode()
    return interim + version + head + body


@given(_answers())
def test_an_answer_is_read_as_the_standard_library_reads_it(data: bytes) -> None:
    status, headers, content, stays = _by_ours(data)
    expected = _by_the_library(data)
    assert (status, headers, content) == expected[:3]
    # A connection may be closed without need, and is never kept where the library would not.
    assert not stays or expected[3]


@pytest.mark.parametrize("cut", [b"Content-Length: 9\r\n", b"Transfer-Encoding: chunked\r\n"])
@given(length=st.integers(0, 60))
def test_an_answer_that_is_cut_is_an_error_and_never_a_shorter_one(cut: bytes, length: int) -> None:
    whole = b"HTTP/1.1 200 OK\r\n" + cut + b"\r\n"
    whole += b"123456789" if b"Length" in cut else _chunked(b"123456789", 4)
    if length >= len(whole):
        return
    with pytest.raises((HTTPException, ValueError)):
        read_answer(io.BytesIO(whole[:length]))


@pytest.mark.parametrize(
    "bad",
    [
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % 10**30,
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 50),
        b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nx: a\r\n Content-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length\r\n\r\nok",
        b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 2_0 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\n0123456789",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabcde\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcde\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcd\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % 10**30,
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"x%d: y\r\n" % n for n in range(101)) + b"\r\n",
    ],
)
def test_what_is_no_answer_is_an_error(bad: bytes) -> None:
    with pytest.raises((HTTPException, ValueError)):
        read_answer(io.BytesIO(bad))


def test_headers_are_found_by_small_letters_and_repeated_ones_are_joined() -> None:
    data = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a:2\r\nContent-Length: 0\r\n\r\n"
    reply: Any = read_answer(io.BytesIO(data))[0]
    assert reply.headers["x-a"] == "1, 2"
