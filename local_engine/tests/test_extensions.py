"""Extensions in a function's layers: started, told of every call and of the end, and missed when they go."""

from __future__ import annotations

import json
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local_engine.testing import archive, wait_for

if TYPE_CHECKING:
    from local_engine.testing import Aws

CLIENT = (
    f"#!{sys.executable} -u"
    """
import http.client, json, os, sys, time
name = os.path.basename(sys.argv[0])
connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, what, body=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, "/2020-01-01/extension/" + what, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.headers, json.loads(answer.read() or b"null")
def register(events=("INVOKE", "SHUTDOWN"), **headers):
    body = json.dumps({"events": events})
    status, headers, found = call("POST", "register", body, Lambda_Extension_Name=name, **headers)
    me = headers["Lambda-Extension-Identifier"]
    return found, lambda method, what, body=None, **more: call(
        method, what, body, Lambda_Extension_Identifier=me, **more)
def fail(what, kind, body=None):
    me("POST", what, body, Lambda_Extension_Function_Error_Type=kind)
    sys.exit(1)
"""
)
TELLING = (
    CLIENT
    + """
found, me = register(Lambda_Extension_Accept_Feature="accountId")
some = {"_HANDLER", "MINE", "AWS_LAMBDA_FUNCTION_NAME"}
print("registered", json.dumps(found), sorted(some & set(os.environ)))
while True:
    event = me("GET", "event/next")[2]
    print("event", json.dumps(event), flush=True)
    if event["eventType"] == "SHUTDOWN":
        sys.exit(0)
"""
)
HANDLER = "import os\ndef handle(event, context): return context.aws_request_id\n"


def layer(aws: Aws, **programs: str) -> str:
    files = {f"extensions/{name}": text for name, text in programs.items()}
    published = aws.client("lambda").publish_layer_version(
        LayerName=f"l-{uuid.uuid4().hex[:8]}", Content={"ZipFile": archive(files)}
    )
    return str(published["LayerVersionArn"])


def events(aws: Aws, name: str) -> list[dict[str, Any]]:
    lines = aws.log_lines(f"/aws/lambda/{name}")
    return [json.loads(line.removeprefix("event ")) for line in lines if line.startswith("event ")]


def test_extension_is_told_of_every_call_and_of_the_end(aws: Aws) -> None:
    name = aws.make_function(
        HANDLER, Layers=[layer(aws, teller=TELLING)], Environment={"Variables": {"MINE": "1"}}
    )
    ids = [aws.invoke(name, {}) for _ in range(3)]
    aws.client("lambda").update_function_configuration(FunctionName=name, MemorySize=256)
    told = wait_for(lambda: events(aws, name)[3:] and events(aws, name))
    assert [event["eventType"] for event in told] == ["INVOKE", "INVOKE", "INVOKE", "SHUTDOWN"]
    assert [event["requestId"] for event in told[:3]] == ids
    assert told[0]["invokedFunctionArn"].endswith(f":function:{name}")
    assert told[0]["tracing"]["type"] == "X-Amzn-Trace-Id"
    assert told[3]["shutdownReason"] == "spindown"
    lines = aws.log_lines(f"/aws/lambda/{name}")
    described = {
        "functionName": name,
        "functionVersion": "$LATEST",
        "handler": "handler.handle",
        "accountId": "000000000000",
    }
    assert f"registered {json.dumps(described)} ['AWS_LAMBDA_FUNCTION_NAME', 'MINE']" in lines
    assert "EXTENSION\tName: teller\tState: Ready\tEvents: [INVOKE,SHUTDOWN]" in lines


def test_extension_is_there_before_the_function_starts_and_has_a_port_of_its_own(aws: Aws) -> None:
    """Two environments at once: on AWS each has a loopback interface of its own."""
    server = (
        CLIENT
        + """
import http.server, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(str(os.getpid()).encode())
    def log_message(self, *a): pass
port = int(os.environ["AWS_ENDPOINT_URL_LAMBDA"].rpartition(":")[2])
assert os.environ["REPRISE_ENDPOINT_PORT"] == str(port)
server = http.server.HTTPServer(("127.0.0.1", port), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
_, me = register(["INVOKE"])
while True: me("GET", "event/next")
"""
    )
    name = aws.make_function(
        "import os, time, urllib.request\n"
        "url = os.environ['AWS_ENDPOINT_URL_LAMBDA']\n"
        "assert url.endswith(':' + os.environ['PORT'])\n"
        "pid = urllib.request.urlopen(url).read().decode()\n"
        "def handle(event, context):\n"
        "  time.sleep(0.5)\n"
        "  return [pid, urllib.request.urlopen(url).read().decode()]",
        Layers=[layer(aws, server=server)],
        Environment={
            "Variables": {"AWS_ENDPOINT_URL_LAMBDA": "http://127.0.0.1:9350", "PORT": "9350"}
        },
    )
    with ThreadPoolExecutor(2) as pool:
        (first, again), (second, _) = pool.map(lambda _: aws.invoke(name, {}), range(2))
    assert first == again
    assert first != second


def test_environment_waits_until_its_extensions_are_done(aws: Aws) -> None:
    slow = (
        CLIENT
        + """
_, me = register(["INVOKE"])
while True:
    event = me("GET", "event/next")[2]
    time.sleep(0.3)
    print("done with", event["requestId"])
"""
    )
    name = aws.make_function(HANDLER, Layers=[layer(aws, slow=slow)])
    first = aws.invoke(name, {})
    assert f"done with {first}" not in aws.log_lines(f"/aws/lambda/{name}")
    aws.invoke(name, {})
    assert f"done with {first}" in aws.log_lines(f"/aws/lambda/{name}")


@pytest.mark.parametrize(
    ("ending", "kind", "message"),
    [
        ("sys.exit(3)", "Extension.Crash", "exit status 3"),
        ("sys.exit(0)", "Extension.Crash", "exit code 0"),
        (
            'fail("init/error", "Extension.NoKey", b\'{"errorMessage": "no key"}\')',
            "Extension.InitError",
            "Extension.NoKey: no key",
        ),
        (
            'fail("exit/error", "Extension.Lost")',
            "Extension.ExitError",
            "Extension.Lost",
        ),
    ],
)
@pytest.mark.parametrize("when", ["before", "during"])
def test_extension_that_goes_ends_the_environment(
    aws: Aws, when: str, ending: str, kind: str, message: str
) -> None:
    waiting = 'me("GET", "event/next")\n' if when == "during" else ""
    name = aws.make_function(
        "import time\ndef handle(event, context): time.sleep(5)",
        Layers=[layer(aws, short=CLIENT + f"_, me = register()\n{waiting}{ending}\n")],
    )
    error = aws.invoke(name, {})
    assert error["errorType"] == kind
    assert error["errorMessage"].endswith(message)


def test_extension_that_goes_between_two_calls_costs_a_cold_start(aws: Aws) -> None:
    once = CLIENT + '_, me = register(["INVOKE"])\nme("GET", "event/next")\n'
    name = aws.make_function(
        "import os, time\ndef handle(event, context): return os.getpid()",
        Layers=[layer(aws, once=once)],
    )
    first = aws.invoke(name, {})

    # It may still be there when the next call comes, and go during that.
    wait_for(lambda: aws.invoke(name, {}) not in (first, None))


def test_extension_that_ignores_its_end_is_killed(aws: Aws) -> None:
    stubborn = (
        CLIENT
        + """
_, me = register()
print("pid", os.getpid())
while True: me("GET", "event/next")
"""
    )
    name = aws.make_function(HANDLER, Layers=[layer(aws, stubborn=stubborn)])
    aws.invoke(name, {})
    (pid,) = [
        int(line.removeprefix("pid "))
        for line in aws.log_lines(f"/aws/lambda/{name}")
        if line.startswith("pid ")
    ]
    aws.client("lambda").delete_function(FunctionName=name)
    wait_for(lambda: not _runs(pid))


def test_frozen_environment_does_nothing_until_its_next_call(aws: Aws) -> None:
    name = aws.make_function(
        "import os\ndef handle(event, context): return os.getpid()",
        Layers=[layer(aws, teller=TELLING)],
    )
    pid = aws.invoke(name, {})
    assert aws.admin("POST", "freeze", function=name) == {"frozen": 1}
    wait_for(lambda: _state(pid) == "T")
    assert aws.invoke(name, {}) == pid
    assert _state(pid) != "T"
    aws.admin("POST", "freeze", function=name)
    aws.client("lambda").update_function_configuration(FunctionName=name, MemorySize=256)
    wait_for(lambda: events(aws, name)[2:] or None)
    wait_for(lambda: not _runs(pid))


def test_timeout_is_the_reason_that_an_extension_is_told(aws: Aws) -> None:
    name = aws.make_function(
        "import time\ndef handle(event, context): time.sleep(60)",
        Layers=[layer(aws, teller=TELLING)],
        Timeout=1,
    )
    assert aws.invoke(name, {})["errorType"] == "Sandbox.Timedout"
    told = wait_for(lambda: events(aws, name)[1:] and events(aws, name))
    assert told[1]["shutdownReason"] == "timeout"


def test_registrations_that_lambda_refuses(aws: Aws) -> None:
    program = (
        CLIENT
        + """
def refused(body, **headers):
    status, _, error = call("POST", "register", body, **headers)
    print("refused", status, error["errorType"])
refused("[]", Lambda_Extension_Name=name)
refused('{"events": ["INVOKE"]}')
refused('{"events": ["OTHER"]}', Lambda_Extension_Name=name)
refused('{"events": ["SHUTDOWN"]}', Lambda_Extension_Name="internal")
print("refused", *call("GET", "event/next", Lambda_Extension_Identifier="x")[::2])
_, me = register(["INVOKE"])
refused('{"events": ["INVOKE"]}', Lambda_Extension_Name=name)
me("GET", "event/next")
me("GET", "event/next")
"""
    )
    name = aws.make_function(HANDLER, Layers=[layer(aws, program=program)])
    aws.invoke(name, {})
    lines = aws.log_lines(f"/aws/lambda/{name}")
    statuses = [line.split()[1] for line in lines if line.startswith("refused")]
    assert statuses == ["400", "403", "400", "400", "403", "403"]


def test_internal_extension_registers_itself(aws: Aws) -> None:
    register_itself = (
        CLIENT.partition("\n")[2].replace("sys.argv[0]", "'internal'")
        + """
import threading
_, me = register(["INVOKE"])
seen = []
def loop():
    while True: seen.append(me("GET", "event/next")[2])
threading.Thread(target=loop, daemon=True).start()
def handle(event, context):
    deadline = time.time() + 5
    while not seen and time.time() < deadline: time.sleep(0.01)
    return [event["eventType"] for event in seen]
"""
    )
    name = aws.make_function(register_itself)
    assert aws.invoke(name, {}) == ["INVOKE"]


def _state(pid: int) -> str:
    """Return the letter of a process's state, X if it is gone."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.read_text().rpartition(") ")[2][0] if stat.exists() else "X"


def _runs(pid: int) -> bool:
    return _state(pid) not in "XZ"
