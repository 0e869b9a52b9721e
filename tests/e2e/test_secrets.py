"""Secrets planted in calls through a deployed stack, and everything that operators and logs then show.

The table of what may show is docs/reference/where-data-goes.md. The functional test of that name fills it for
the stations; this one for what is only there when the stack runs.
"""

from __future__ import annotations

import base64
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any, Final

import pytest

from e2e.test_redrive import short_backoffs
from e2e.world import GUEST_PREFIX, new_run, poll
from functional.test_where_data_goes import documented
from planted import holds
from reprise.ledger import State
from reprise_cli.app import App
from reprise_cli.options import Options
from reprise_cli.output import Output
from reprise_cli.page.access import HOST, PageAccess, PageRequest
from reprise_cli.page.routes import ROUTES
from reprise_cli.page.server import answer
from reprise_cli.page.workbench import make_views

if TYPE_CHECKING:
    from collections.abc import Iterator

    from e2e.world import World

PLANTED: Final = {
    "payload": "PLANTED-PAYLOAD",
    "client context": "PLANTED-CONTEXT",
    "idempotency key": "PLANTED-KEY",
    "error text": "PLANTED-ERROR",
    "reply": "PLANTED-REPLY",
}
TARGET: Final = f"""
def handle(event, context):
    if event["fails"]:
        raise ValueError("{PLANTED["error text"]}")
    return {{"reply": "{PLANTED["reply"]}"}}
"""
COMMANDS: Final = (
    *(("top", "--once"), ("calls", "list"), ("dlq", "list"), ("audit",)),
    *(("policy", "show"), ("sources", "list"), ("dashboard", "--help")),
)


@pytest.fixture
def teller(world: World) -> Iterator[str]:
    """Deploy a target that answers and fails with what was planted."""
    name = f"{GUEST_PREFIX}{new_run()[-8:]}"
    model = world.functions.get_function_configuration(FunctionName=world.stack.chaos_target)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("target.py", TARGET)
    world.functions.create_function(
        FunctionName=name,
        Code={"ZipFile": buffer.getvalue()},
        Handler="target.handle",
        **{key: model[key] for key in ("Runtime", "Role", "Timeout")},
    )
    yield name
    world.functions.delete_function(FunctionName=name)


@pytest.fixture
def events(world: World) -> str:
    """Send the stack's events to a queue; return its address."""
    name = f"{new_run()}-events"
    url = str(world.sqs.create_queue(QueueName=name)["QueueUrl"])
    bus, arn = world.client("events"), f"arn:aws:sqs:us-east-1:000000000000:{name}"
    bus.put_rule(Name=name, EventPattern=json.dumps({"source": [{"prefix": "reprise"}]}))
    bus.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    return url


class Planter:
    """Makes calls with planted secrets, and gathers what is written and shown of them."""

    def __init__(self, world: World, target: str) -> None:
        self.world = world
        self.target = target
        self.ids: list[str] = []
        self.tokens: list[str] = []

    def capture(self, *, fails: bool) -> str:
        """Capture a call."""
        custom = {"custom": {"secret": PLANTED["client context"]}}
        context = base64.b64encode(json.dumps(custom).encode()).decode()
        document = self.world.call(
            self.target,
            {"card": PLANTED["payload"], "fails": fails},
            ClientContext=context,
            IdempotencyKey=f"{PLANTED['idempotency key']}-{new_run()}",
        )
        assert document["StatusCode"] == 202, document
        self.ids.append(str(document["reprise"]["id"]))
        self.tokens.append(str(document["reprise"]["status_token"]).rpartition(".")[2])
        return self.ids[-1]

    def end(self, *, fails: bool) -> str:
        """Capture a call, and let it end as it is meant to; return its id."""
        self.world.hold(self.target)
        call_id = self.capture(fails=fails)
        self.world.let_go(self.target)
        (row,) = self.world.await_end([call_id], limit_s=180)
        assert row.state is (State.DEAD_LETTERED if fails else State.SUCCEEDED), row
        return call_id

    def keys(self) -> list[str]:
        """Return the key of every source."""
        secrets = self.world.client("secretsmanager")
        texts = [
            secrets.get_secret_value(SecretId=entry["ARN"])["SecretString"]
            for entry in secrets.list_secrets()["SecretList"]
        ]
        documents = [json.loads(text) for text in texts if text.startswith("{")]
        names = ("current", "targets")
        return [key for each in documents for name, key in each.items() if name not in names]

    def logs(self) -> str:
        """Return the lines of every function but the target, and none of the capture log group."""
        logs = self.world.client("logs")
        own = [name for name in self.world.log_groups() if self.target not in name]
        own.remove(self.world.stack.capture_log_group)
        pages = [
            page
            for name in own
            for page in logs.get_paginator("filter_log_events").paginate(logGroupName=name)
        ]
        return "\n".join(event["message"] for page in pages for event in page["events"])

    def metrics(self) -> str:
        """Return names and dimensions of all metrics, the dashboard and the alarms."""
        cloudwatch, name = self.world.client("cloudwatch"), self.world.stack.name
        shown = [
            *cloudwatch.get_paginator("list_metrics").paginate(),
            cloudwatch.get_dashboard(DashboardName=name),
            cloudwatch.describe_alarms(),
        ]
        return json.dumps(shown, default=str)

    def commands(self) -> str:
        """Return what the commands print that look, as text and as JSON."""
        asked: list[tuple[str, ...]] = [*COMMANDS]
        for call_id in self.ids:
            asked += [("status", call_id), ("calls", "show", call_id), ("dlq", "show", call_id)]
        shown = [self.world.look(*words, *more) for words in asked for more in ((), ("--json",))]
        assert sum(done.code == 0 for done in shown) > len(asked), [done.stderr for done in shown]
        return "\n".join(done.stdout + done.stderr for done in shown)

    def page(self) -> str:
        """Return what the page's addresses answer that only read."""
        app = App(
            Options(), Output(is_json=True, stdout=io.StringIO()), self.world.place
        ).for_stack(self.world.stack.name)
        views = make_views(app, shows_payload=False, operates=False)
        door = PageAccess(port=1, token="of-this-start")
        headers = {"Host": f"{HOST}:1", "Authorization": "Bearer of-this-start"}
        paths = [
            path for path, route in ROUTES.items() if not route.acts and not path.endswith("/")
        ]
        paths += [f"/api/{kind}/{call_id}" for kind in ("calls", "letters") for call_id in self.ids]
        found = [
            answer(views, PageRequest(method="GET", target=path, headers=headers), door)
            for path in paths
        ]
        assert sum(each.status == 200 for each in found) >= len(paths) - len(self.ids)
        return "\n".join(each.body.decode() for each in found)


def drain(world: World, url: str) -> str:
    """Return what a queue holds, and leave it empty."""
    texts: list[str] = []
    while messages := world.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
        "Messages"
    ):
        for message in messages:
            world.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            texts.append(message["Body"])
    return "\n".join(texts)


@pytest.mark.slow
def test_planted_secrets_show_only_where_the_docs_say(
    world: World, teller: str, events: str, inbox: str
) -> None:
    planter = Planter(world, teller)
    good = planter.end(fails=False)
    with short_backoffs(world, teller):
        bad = planter.end(fails=True)
    forge(world, good)
    told = poll(lambda: drain(world, events))
    world.functions.invoke(FunctionName=f"{world.stack.name}-observer")

    secrets: dict[str, list[str]] = {name: [secret] for name, secret in PLANTED.items()}
    secrets |= {"status token": planter.tokens, "sources' keys": planter.keys()}
    assert len(secrets["sources' keys"]) > 1
    written: dict[str, str] = {
        "events": told,
        "logs of the functions": planter.logs(),
        "metrics": planter.metrics(),
        "incidents, mail, Slack": drain(world, inbox),
        "commands and the page": planter.commands() + planter.page(),
    }
    for place in ("events", "logs of the functions", "commands and the page"):
        assert bad in written[place], f"{place}: nothing of this call is there at all"
    found = {
        place: {name for name, each in secrets.items() if holds(text, each)}
        for place, text in written.items()
    }
    # No call of this test has a tenant.
    assert found == {place: documented()[place] - {"tenant id"} for place in written}


def forge(world: World, call_id: str) -> None:
    """Put a line that cannot be trusted, with what was planted in it, in the capture log group."""
    logs, group = world.client("logs"), world.stack.capture_log_group
    lines: list[dict[str, Any]] = logs.filter_log_events(
        logGroupName=group, filterPattern=f'"{call_id}"'
    )["events"]
    line = lines[0]["message"].replace('"inline":"', '"inline":"x')
    stream = new_run()
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    event = {"timestamp": lines[0]["timestamp"], "message": line}
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])
    prefix = "quarantine/"
    poll(lambda: world.s3.list_objects_v2(Bucket=world.stack.bucket, Prefix=prefix).get("Contents"))
