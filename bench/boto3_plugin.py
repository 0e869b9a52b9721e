"""Compare boto3 with the plugin to bare boto3: a success, making a client, and a call that is refused.

Lambda and Secrets Manager are servers on the loopback that answer at once, capture lines go to standard
output: what is left is the plugin's own. Successes are made in pairs, one with and one without, in turn.

    .tools/bench/bin/python bench/boto3_plugin.py [--calls 1500]       (any environment with boto3 will do)
"""

from __future__ import annotations

import argparse
import io
import json
import os
import socket
import statistics
import sys
import threading
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
VARIABLE = "BOTOCORE_EXPERIMENTAL__PLUGINS"
REASON = "ReservedFunctionConcurrentInvocationLimitExceeded"
SECRET = {"current": "k1", "k1": "k" * 40, "targets": ["*"]}


class Server:
    """Answers every request alike, in one write: a second would wait for the first's acknowledgement."""

    def __init__(self, body: bytes, status: int = 200, **headers: str) -> None:
        """Listen on a port of the loopback."""
        self.set(body, status, **headers)
        self.count = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def set(self, body: bytes, status: int = 200, **headers: str) -> None:
        """Answer so from now on."""
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        head = [f"HTTP/1.1 {status} -", f"content-length: {len(body)}", *lines]
        self._answer = "\r\n".join([*head, "", ""]).encode() + body

    def _accept(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection, connection.makefile("rb") as read:
            while read.readline():
                length = 0
                while (line := read.readline().strip()) != b"":
                    name, _, value = line.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                read.read(length)
                self.count += 1
                connection.sendall(self._answer)


def took_ms(act: Callable[[], object]) -> float:
    """Return how long something takes."""
    start_s = time.perf_counter()
    act()
    return (time.perf_counter() - start_s) * 1000


def percentile(values: list[float], percent: int) -> float:
    """Return a percentile."""
    return statistics.quantiles(values, n=100)[percent - 1]


def invoke(client: Any) -> tuple[int, str | None]:  # noqa: ANN401 - boto3's clients have no type of their own
    """Make a call, and return status and error."""
    try:
        found = client.invoke(FunctionName="orders", Payload=b'{"n": 1}')
    except client.exceptions.TooManyRequestsException:
        return 429, "TooManyRequestsException"
    found["Payload"].read()
    return found["StatusCode"], found.get("FunctionError")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1500)
    calls = parser.parse_args().calls
    functions = Server(b'{"ok": true}')
    document = {"Name": "reprise/source/web", "ARN": "arn", "SecretString": json.dumps(SECRET)}
    secrets = Server(json.dumps(document).encode(), content_type="application/x-amz-json-1.1")
    os.environ.pop(VARIABLE, None)
    os.environ.update(
        AWS_ACCESS_KEY_ID="x",
        AWS_SECRET_ACCESS_KEY="x",
        AWS_DEFAULT_REGION="eu-west-1",
        AWS_EC2_METADATA_DISABLED="true",
        AWS_CONFIG_FILE=os.devnull,
        AWS_ENDPOINT_URL_LAMBDA=functions.url,
        AWS_ENDPOINT_URL_SECRETS_MANAGER=secrets.url,
        REPRISE_SOURCE="web",
        REPRISE_TARGETS="arn:aws:lambda:eu-west-1:111122223333:function:orders",
        REPRISE_BUCKET="bucket",
        REPRISE_LEDGER_TABLE="table",
        REPRISE_CALL_TIMEOUT_S="30",
        REPRISE_CAPTURE_LOG_GROUP="stdout",
    )
    sys.path.insert(0, str(ROOT / "shared"))
    import boto3
    import botocore

    clients: dict[str, Any] = {}

    def make(name: str) -> Callable[[], None]:
        return lambda: clients.update({name: boto3.client("lambda")})

    make("warm")()
    bare_ms = took_ms(make("bare"))
    os.environ[VARIABLE] = "reprise=reprise.boto3_plugin"
    first_ms, next_ms = took_ms(make("plugin")), took_ms(make("plugin"))
    print(f"botocore {botocore.__version__}, Python {sys.version.split()[0]}")
    print(
        f"make a client   bare {bare_ms:.1f} ms; with the plugin first {first_ms:.1f}, then {next_ms:.1f} ms"
    )

    took: dict[str, list[float]] = {"bare": [], "plugin": []}
    for number in range(calls + 50):
        for name in sorted(took, reverse=bool(number % 2)):
            took[name].append(took_ms(lambda name=name: invoke(clients[name])))  # type: ignore[misc]
    for name, values in took.items():
        took[name] = values[50:]
        print(
            f"a success       {name:6} p50 {percentile(took[name], 50):.3f} ms, "
            f"p99 {percentile(took[name], 99):.3f} ms"
        )
    added = statistics.median(b - a for a, b in zip(took["bare"], took["plugin"], strict=True))
    print(f"                median of the pairs' differences {added:+.3f} ms")

    functions.set(
        json.dumps({"Reason": REASON, "message": "Rate Exceeded."}).encode(),
        429,
        x_amzn_ErrorType="TooManyRequestsException",
    )
    for name in ("bare", "plugin"):
        functions.count, lines, times = 0, io.StringIO(), []
        with redirect_stdout(lines):
            times = [took_ms(lambda name=name: invoke(clients[name])) for _ in range(4)]  # type: ignore[misc]
            told = invoke(clients[name])
        kept = lines.getvalue().count('"invocation.captured"')
        print(
            f"a refused call  {name:6} {told}, {functions.count / 5:g} sends, {kept} of 5 kept, "
            f"ms {', '.join(f'{each:.1f}' for each in times)}"
        )


if __name__ == "__main__":
    main()
