"""Measure what the local endpoint adds to a call, and what it takes: latency, memory, time to be ready, size.

Every call is made twice, directly and through the endpoint, in turn, on connections that stay open; the
server is a process of its own that answers at once. So the difference is the endpoint's, and the machine's
noise is in both. The server counts what arrives, each call once and signed anew, and sends every body back,
which must be the one that was sent.

    make endpoint; .tools/bench/bin/python bench/endpoint_latency.py [--calls 4000]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

ROOT = Path(__file__).parents[1]
MACHINE = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}[os.uname().machine]
BINARY = ROOT / "dist" / "endpoint" / MACHINE / "extensions" / "reprise"
PATH = "/2015-03-31/functions/orders/invocations"
SIGNED = (
    "AWS4-HMAC-SHA256 Credential=AKCALLER/20261129/us-east-1/lambda/aws4_request, "
    "SignedHeaders=host, Signature=00"
)
KILOBYTE = json.dumps({"order": "x" * 1000}).encode()
SIX_MEGABYTES = bytes(range(256)) * (6 * 1024 * 1024 // 256)
TARGETS = {
    "added_p50_ms": 0.3,
    "added_p99_ms": 1.0,
    "rss_mb": 15.0,
    "ready_ms": 30.0,
    "binary_mb": 10.0,
}


def read_message(connection: socket.socket, buffered: bytes) -> tuple[bytes, bytes, bytes]:
    """Return head and body of one HTTP message, and what came after it."""
    while b"\r\n\r\n" not in buffered:
        piece = connection.recv(1 << 16)
        if not piece:
            raise EOFError
        buffered += piece
    head, _, rest = buffered.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    pieces, have = [rest], len(rest)
    while have < length:
        piece = connection.recv(1 << 20)
        if not piece:
            raise EOFError
        pieces.append(piece)
        have += len(piece)
    whole = b"".join(pieces)
    return head, whole[:length], whole[length:]


def serve(told: Connection) -> None:
    """Send every body back, and tell at the end how many there were of each kind."""
    listener = socket.create_server(("127.0.0.1", 0))
    told.send(listener.getsockname()[1])
    counts = {"direct": 0, "signed anew": 0}

    def one(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        buffered = b""
        try:
            while True:
                head, body, buffered = read_message(connection, buffered)
                if not head.startswith(b"POST " + PATH.encode()):
                    # The endpoint asks for its stack, which is not here.
                    connection.sendall(b"HTTP/1.1 400 Bad\r\nContent-Length: 2\r\n\r\n{}")
                    continue
                counts["signed anew" if b"Credential=AKOWN/" in head else "direct"] += 1
                answer = b"HTTP/1.1 200 OK\r\nX-Amzn-Requestid: r\r\nContent-Length: %d\r\n\r\n"
                connection.sendall(answer % len(body) + body)
        except (EOFError, OSError):
            connection.close()

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    told.recv()
    told.send(counts)


class Caller:
    """One connection that stays open."""

    def __init__(self, port: int) -> None:
        """Connect."""
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self, body: bytes) -> float:
        """Make a call, check its reply, and return how long it took, in milliseconds."""
        head = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {SIGNED}\r\n"
        head += f"Content-Type: application/octet-stream\r\nContent-Length: {len(body)}\r\n\r\n"
        message = head.encode() + body
        began_s = time.perf_counter()
        self.socket.sendall(message)
        answer, reply, _ = read_message(self.socket, b"")
        took_ms = (time.perf_counter() - began_s) * 1000
        if b" 200 " not in answer.split(b"\r\n")[0] or reply != body:
            sys.exit(f"the answer is not the target's: {answer[:200]!r}")
        return took_ms


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def start(port: int, upstream: int) -> tuple[subprocess.Popen[bytes], float]:
    """Start the endpoint, and return it and how long it took until it served, in milliseconds."""
    environment = {
        "AWS_ACCESS_KEY_ID": "AKOWN",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{upstream}",
        "REPRISE_ENDPOINT_PORT": str(port),
        "REPRISE_SOURCE": "bench",
        "HOME": "/nonexistent",
    }
    ask = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    began_s = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - the binary that is measured
        [BINARY], env=environment, stderr=subprocess.DEVNULL
    )
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(ask)
                if b" 200 " in connection.recv(1024):
                    return process, (time.perf_counter() - began_s) * 1000
        except OSError:
            if process.poll() is not None:
                sys.exit("the endpoint ended at once")
            time.sleep(0.0002)


def processes(pid: int) -> Iterator[int]:
    """Yield the supervisor and the process that serves."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        yield from map(int, (task / "children").read_text().split())


def memory_mb(pid: int, name: str) -> float:
    """Return one of a process's sizes, by the kernel."""
    file = "smaps_rollup" if name == "Pss" else "status"
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(name)


def percentile(values: list[float], share: float) -> float:
    """Return the value that this share of all is below."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def main() -> None:
    """Measure, and print a table and one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=4000)
    parser.add_argument("--starts", type=int, default=15)
    options = parser.parse_args()
    if not BINARY.is_file():
        sys.exit(f"{BINARY} is not there: make endpoint")
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("fork").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    upstream = ours.recv()

    starts_ms = []
    for _ in range(options.starts):
        process, ready_ms = start(free_port(), upstream)
        starts_ms.append(ready_ms)
        process.terminate()
        process.wait()

    port = free_port()
    process, _ = start(port, upstream)
    direct, through = Caller(upstream), Caller(port)
    for caller in (direct, through) * 200:
        caller.call(KILOBYTE)
    pairs = []
    for number in range(options.calls):
        # Who goes first takes turns, too.
        if number % 2:
            pairs.append((direct.call(KILOBYTE), through.call(KILOBYTE)))
        else:
            late = through.call(KILOBYTE)
            pairs.append((direct.call(KILOBYTE), late))
    both = list(processes(process.pid))
    supervisor_mb, serving_mb = (memory_mb(pid, "VmRSS") for pid in both)
    shared_mb = sum(memory_mb(pid, "Pss") for pid in both)
    big_ms = [through.call(SIX_MEGABYTES) for _ in range(5)]
    time.sleep(3)  # The endpoint gives memory back when there is time for it.
    after_mb = memory_mb(both[1], "VmRSS")
    process.terminate()
    process.wait()
    ours.send("how many?")
    counts = ours.recv()
    expected = {"direct": 200 + options.calls, "signed anew": 200 + options.calls + 5}
    if counts != expected:
        sys.exit(f"the server saw {counts}, and {expected} were made")

    direct_ms = [pair[0] for pair in pairs]
    through_ms = [pair[1] for pair in pairs]
    result: dict[str, Any] = {
        "calls": options.calls,
        "direct_p50_ms": statistics.median(direct_ms),
        "direct_p99_ms": percentile(direct_ms, 0.99),
        "endpoint_p50_ms": statistics.median(through_ms),
        "endpoint_p99_ms": percentile(through_ms, 0.99),
        "added_p50_ms": statistics.median(late - early for early, late in pairs),
        "added_p99_ms": percentile(through_ms, 0.99) - percentile(direct_ms, 0.99),
        "rss_mb": serving_mb,
        "rss_after_six_megabytes_mb": after_mb,
        "supervisor_rss_mb": supervisor_mb,
        "both_pss_mb": shared_mb,
        "ready_ms": statistics.median(starts_ms),
        "ready_worst_ms": max(starts_ms),
        "six_megabytes_ms": statistics.median(big_ms),
        "binary_mb": BINARY.stat().st_size / 1e6,
    }
    for name, value in result.items():
        bound = f"at most {TARGETS[name]}" if name in TARGETS else ""
        print(f"{name:28} {value:10.3f}  {bound}")
    result["is_within"] = all(result[name] <= bound for name, bound in TARGETS.items())
    print(json.dumps({n: round(v, 3) if isinstance(v, float) else v for n, v in result.items()}))


if __name__ == "__main__":
    main()
