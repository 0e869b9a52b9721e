"""Tell which process is at the other end of a loopback connection.

The Runtime API has no credentials: on AWS nothing but the function can reach it. Here every program and
every page in a browser can connect to its port, so the kernel is asked.

Source: proc_pid_net(5), ``tcp``; proc_pid_fd(5); proc_pid_stat(5).
"""

from __future__ import annotations

import contextlib
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROC = Path("/proc")


def belongs_to(process_id: int, connection: socket.socket) -> bool:
    """Tell whether the other end of an accepted IPv4 connection is a socket of a process or its descendants.

    A client that closes its end first belongs to nobody any more.
    """
    try:
        ends = _hexadecimal(connection.getpeername()), _hexadecimal(connection.getsockname())
        inode = find_inode((_PROC / "self/net/tcp").read_text(), *ends)
        # Its children cost a look at every process, so they come second.
        return inode is not None and (
            _holds(process_id, inode)
            or any(_holds(child, inode) for child in _descendants(process_id))
        )
    except OSError:
        return False


def _holds(process_id: int, inode: str) -> bool:
    # A process may end, and another user's shows nothing, meanwhile.
    with contextlib.suppress(OSError):
        links = (_PROC / str(process_id) / "fd").iterdir()
        return any(_target(link) == f"socket:[{inode}]" for link in links)
    return False


def _descendants(process_id: int) -> Iterator[int]:
    """Yield the processes of a session and the children of its processes, in sessions of their own too."""
    family = {process_id}
    for folder in sorted(_PROC.glob("[0-9]*"), key=lambda folder: int(folder.name)):
        with contextlib.suppress(OSError):
            # The name in brackets may hold blanks: state, parent, group, session.
            _, parent, _, session = (folder / "stat").read_text().rpartition(") ")[2].split()[:4]
            if family & {int(parent), int(session)} and int(folder.name) != process_id:
                family.add(int(folder.name))
                yield int(folder.name)


def find_inode(table: str, local: str, remote: str) -> str | None:
    """Return the inode of a socket; None if it is gone.

    Args:
        table: Text of ``/proc/net/tcp``.
        local: Its own end, as the table writes it: ``0100007F:1F90``.
        remote: The other end.
    """
    for line in table.splitlines()[1:]:
        columns = line.split()
        if columns[1:3] == [local, remote]:
            return columns[9]
    return None


def _hexadecimal(address: tuple[str, int]) -> str:
    host, port = address
    (number,) = struct.unpack("=I", socket.inet_aton(host))
    return f"{number:08X}:{port:04X}"


def _target(link: Path) -> str | None:
    # Another thread may close a file meanwhile.
    with contextlib.suppress(FileNotFoundError):
        return str(link.readlink())
    return None
