"""The Runtime API of an environment is for the function in it: nobody else gets its calls."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_engine.runtime.peer import belongs_to, find_inode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_engine.testing import Aws

ADDRESS = 'import os\ndef handle(event, context): return os.environ["AWS_LAMBDA_RUNTIME_API"]'
NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
ENDS = st.from_regex(r"[0-9A-F]{8}:[0-9A-F]{4}", fullmatch=True)
TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0
   1: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 22 1 0
   2: 0100007F:D431 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 33 1 0
"""


def test_a_stranger_gets_no_call_of_a_function(aws: Aws) -> None:
    name = aws.make_function(ADDRESS)
    host, _, port = aws.invoke(name, {}).partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as stranger:
        stranger.sendall(NEXT)
        assert aws.invoke(name, {}) == f"{host}:{port}"
        with contextlib.suppress(ConnectionResetError):
            assert stranger.recv(1) == b""
    assert aws.invoke(name, {}) == f"{host}:{port}"


def test_the_other_end_is_the_one_by_both_addresses() -> None:
    assert find_inode(TABLE, "0100007F:D431", "0100007F:1F90") == "33"
    assert find_inode(TABLE, "0100007F:1F90", "0100007F:D431") == "22"
    assert find_inode(TABLE, "0100007F:1F91", "0100007F:D431") is None


@given(
    st.lists(
        st.tuples(ENDS, ENDS, st.integers(min_value=1)), unique_by=lambda row: row[:2], min_size=1
    )
)
def test_every_socket_of_a_table_is_found(rows: list[tuple[str, str, int]]) -> None:
    lines = [
        f"  {n}: {one} {two} 01 0:0 0:0 0 0 0 {inode} 1 0"
        for n, (one, two, inode) in enumerate(rows)
    ]
    table = "\n".join(["  sl  local_address ...", *lines])
    assert [find_inode(table, one, two) for one, two, _ in rows] == [str(row[2]) for row in rows]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.mark.parametrize("in_between", [[], ["setsid"], ["sh", "-c", 'setsid "$@"', "sh"]])
def test_a_connection_belongs_to_the_process_that_made_it_and_those_before_it(
    listener: socket.socket, in_between: list[str]
) -> None:
    port = listener.getsockname()[1]
    program = f"import socket; s = socket.create_connection(('127.0.0.1', {port})); input()"
    command = [*in_between, sys.executable, "-c", program]
    with (
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger,
        subprocess.Popen(command, stdin=subprocess.PIPE) as process,
    ):
        connection, _ = listener.accept()
        with connection:
            assert belongs_to(process.pid, connection)
            assert not belongs_to(stranger.pid, connection)
        stranger.communicate(b"\n", timeout=10)
        process.communicate(b"\n", timeout=10)


def test_a_connection_that_is_closed_belongs_to_nobody(listener: socket.socket) -> None:
    client = socket.create_connection(listener.getsockname())
    connection, _ = listener.accept()
    connection.close()
    client.close()
    assert not belongs_to(os.getpid(), connection)
