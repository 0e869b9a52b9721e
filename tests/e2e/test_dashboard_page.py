"""The page in a real browser, after a chaos run: what it shows is what the ledger says."""

from __future__ import annotations

import json
import os
import urllib.request
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from e2e.page import NARROW, WIDE, Visit, chromium, hostile_site, served_page
from e2e.world import poll
from reprise_cli.deploy import REPOSITORY
from reprise_cli.page.access import HOST
from reprise_cli.page.detached import start_page, stop_page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from e2e.world import World

SCREENSHOTS = os.environ.get("REPRISE_SCREENSHOTS")
"""Folder of this repository that the pictures go to, if somebody wants to keep them."""
CALLS, POISON, HOLD = (600, 6, "40s") if SCREENSHOTS else (60, 2, "2s")
"""A picture is worth a longer outage."""
START = "/?range=5m&period=5s&refresh=off&var.target=reprise-chaos-target"
ATTACK = """async url => {
  const said = {};
  const path = url + "/api/dashboard?range=3d";
  const read = async options => {
    try {
      const response = await fetch(path, options);
      return response.type === "opaque" ? "sent" : `read ${await response.text()}`;
    } catch { return "refused"; }
  };
  // An answer that may not be embedded is an error to the page that asked, whatever it held.
  said.blind = await read({mode: "no-cors"});
  said.seen = await read({});
  said.withCookies = await read({credentials: "include"});
  said.withToken = await read({headers: {Authorization: "Bearer guess"}});
  for (const tag of ["img", "script", "iframe"]) {
    await new Promise(done => {
      const element = document.createElement(tag);
      element.src = tag === "iframe" ? url + "/?range=3d" : path;
      element.addEventListener("load", done);
      element.addEventListener("error", done);
      document.body.append(element);
    });
  }
  // The page itself, opened by another one: it knows the token, and would ask.
  const opened = open(url + "/?range=3d");
  await new Promise(done => setTimeout(done, 2000));
  opened?.close();
  return said;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where screenshots go."""
    return REPOSITORY / SCREENSHOTS if SCREENSHOTS else tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def address(world: World, browser: Browser) -> Iterator[str]:
    """Run a chaos test, and serve the page of its stack."""
    del browser  # Without one there is no need for all this.
    done = world.reprise(
        *("chaos", "--json", "--hold", HOLD, "--concurrency", "8", "--timeout", "60s"),
        *("--calls", str(CALLS), "--poison", str(POISON), "--large", "1"),
    )
    assert done.code == 0, done.stderr
    with served_page(world.place) as found:
        yield found


def open_page(browser: Browser, url: str, width: int, **options: Any) -> Visit:
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)
    return Visit(context.new_page(), url)


def ledger_counts(world: World) -> Counter[str]:
    """Return how many calls of the chaos target are in each state, by reading every row."""
    pages = world.dynamodb.get_paginator("scan").paginate(
        TableName=world.stack.ledger_table, ConsistentRead=True
    )
    return Counter(
        item["state"]["S"]
        for page in pages
        for item in page["Items"]
        if "state" in item and item["target"]["S"].endswith(f":{world.stack.chaos_target}")
    )


def test_the_page_shows_what_the_ledger_says(
    world: World, browser: Browser, address: str, pictures: Path
) -> None:
    visit = open_page(browser, address, WIDE, color_scheme="light")
    visit.go(START)
    ledger = ledger_counts(world)
    expected = {
        "captured": ledger.total(),
        "in the ledger": ledger.total(),
        "succeeded": ledger["succeeded"],
        "dead-lettered": ledger["dead_lettered"],
    }
    assert ledger.total() >= CALLS

    def shown() -> dict[str, str] | None:
        visit.page.click("#now")
        visit.page.wait_for_load_state("networkidle")
        found = visit.legend(f"{world.stack.chaos_target}: calls")
        return (
            found if all(found[name] == f"Σ {count}" for name, count in expected.items()) else None
        )

    # The last log lines of the functions are read after their last call.
    poll(shown, limit_s=20)
    # The queue has the letters of other tests' targets, too.
    assert visit.number("How many need a person?") == str(world.letters())
    assert visit.blank_charts() == []
    assert visit.complaints == []
    assert visit.foreign() == []
    visit.picture(pictures, "dashboard-light.png", height=1450)


def test_range_period_refresh_theme_and_keys_work(browser: Browser, address: str) -> None:
    visit = open_page(browser, address, WIDE, color_scheme="dark")
    visit.go(START)
    page = visit.page
    assert page.get_attribute("html", "data-theme") == "dark"
    assert "per 5 s" in visit.card("Flow").inner_text()
    before = visit.data_requests()
    page.select_option("#period", "1m")
    page.wait_for_selector(".card.timeSeries >> text=per 60 s")
    page.select_option("#range", "3h")
    page.wait_for_function("document.getElementById('range').value === '3h'")
    assert "range=3h" in page.url
    assert "period=1m" in page.url
    page.click("#now")
    page.wait_for_load_state("networkidle")
    assert visit.data_requests() == before + 3
    page.select_option("#theme", "light")
    assert page.get_attribute("html", "data-theme") == "light"
    visit.card("Flow").locator(".plot").focus()
    page.keyboard.press("ArrowLeft")
    assert "captured" in page.inner_text("#spoken")
    entry = visit.card("Flow").locator(".legend button").first
    entry.focus()
    page.keyboard.press("Enter")
    assert entry.get_attribute("aria-pressed") == "false"
    assert visit.complaints == []


def test_it_refreshes_by_itself(browser: Browser, address: str) -> None:
    visit = open_page(browser, address, WIDE)
    visit.page.clock.install()
    visit.go("/?range=5m")
    with visit.page.expect_response("**/api/dashboard*"):
        visit.page.clock.fast_forward(5_000)
    assert visit.complaints == []


def test_the_page_is_readable_in_the_dark_and_on_a_phone(
    browser: Browser, address: str, pictures: Path
) -> None:
    wide = open_page(browser, address, WIDE, color_scheme="dark")
    wide.go(START)
    assert wide.overflow_px() == 0
    wide.picture(pictures, "dashboard-dark.png", height=1450)
    narrow = open_page(browser, address, NARROW, color_scheme="light")
    narrow.go(START)
    assert narrow.overflow_px() == 0
    assert narrow.blank_charts() == []
    narrow.picture(pictures, "dashboard-phone.png", height=1500)


def test_a_calls_page_tells_its_story_without_its_payload(
    world: World, browser: Browser, address: str, pictures: Path
) -> None:
    letter = world.reprise("dlq", "list", "--json").document["letters"][0]
    visit = open_page(browser, address, WIDE, color_scheme="light")
    visit.go(START)
    visit.page.fill("#call-id", letter["id"])
    visit.page.press("#call-id", "Enter")
    visit.page.wait_for_selector(".steps")
    told = visit.page.locator(".steps tbody tr b").all_inner_texts()
    assert told[:3] == ["captured", "in S3", "unpacked"]
    assert told[-1] == "given up"
    assert '"behaviour"' not in visit.page.content()
    visit.page.set_viewport_size({"width": 1100, "height": 640})
    visit.picture(pictures, "call.png")
    visit.go("/calls/nobody")
    assert "no call 'nobody' is known" in visit.page.inner_text("#problem")
    assert all("404" in complaint for complaint in visit.complaints)
    assert visit.foreign() == []


def test_without_the_whole_address_the_page_reads_nothing(browser: Browser, address: str) -> None:
    visit = open_page(browser, address, WIDE)
    visit.go(START, has_token=False)
    assert "Open the whole address" in visit.page.inner_text("#problem")
    assert visit.page.locator(".card").count() == 0
    visit.go(START)
    assert visit.page.locator(".card").count() > 10
    assert "token" not in visit.page.url
    # Another tab of this browser, and a reload, go on without it; another browser does not.
    other = Visit(visit.page.context.new_page(), address)
    other.go(START, has_token=False)
    assert other.page.locator(".card").count() > 10
    assert visit.page.context.cookies() == []
    stranger = open_page(browser, address, WIDE)
    stranger.go("/calls/any", has_token=False)
    assert "Open the whole address" in stranger.page.inner_text("#problem")


def test_another_address_behind_the_sign_only_is_taken_at_once(
    browser: Browser, address: str
) -> None:
    visit = open_page(browser, address.replace("#token=", "#token=of-an-earlier-start"), WIDE)
    visit.go(START)
    assert visit.page.locator(".card").count() == 0
    token = address.partition("#")[2]
    visit.page.evaluate("hash => { location.hash = hash; }", token)
    visit.page.wait_for_selector(".card")
    assert "token" not in visit.page.url


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"], ids=["another site", "another port"])
def test_another_page_cannot_make_it_ask_for_metrics(
    world: World, browser: Browser, address: str, host: str
) -> None:
    for context in browser.contexts:
        context.close()  # Pages of other tests refresh by themselves.
    counted: dict[str, object] = {"service": "cloudwatch", "operation": "GetMetricData"}
    visit = open_page(browser, address, WIDE)
    visit.go(START)
    with world.faults(counted), hostile_site() as port:
        visit.page.goto(f"http://{host}:{port}/")
        said = visit.page.evaluate(ATTACK, visit.url)
        (found,) = world.admin("GET", "faults")["faults"]
        assert (found["hits"], set(said.values())) == (0, {"refused"})
        # By its own address it does.
        visit.go(START)
        (found,) = world.admin("GET", "faults")["faults"]
        assert found["hits"] > 0


@pytest.mark.usefixtures("address")
def test_the_board_shows_what_the_ledger_says(world: World) -> None:
    ledger = ledger_counts(world)
    lines = world.reprise("top", "--json").document["targets"]
    (line,) = [line for line in lines if line["target"] == world.stack.chaos_target]
    assert (line["state"], line["backlog"]) == ("flowing", 0)
    assert line["dead_lettered"] == ledger["dead_lettered"]


def test_a_picture_is_taken_without_a_page(world: World, browser: Browser, tmp_path: Path) -> None:
    del browser
    path = tmp_path / "page.png"
    done = world.reprise("dashboard", "--png", str(path), "--range", "15m", "--json")
    assert done.code == 0, done.stderr
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size > 50_000


def test_a_page_left_running_is_stopped_by_its_process_id(world: World, tmp_path: Path) -> None:
    door = start_page(tmp_path, world.place, world.stack.name)
    assert (tmp_path / "page.json").stat().st_mode & 0o777 == 0o600
    url = f"http://{HOST}:{door.port}/"
    request = urllib.request.Request(
        f"{url}api/dashboard?range=5m", headers={"Authorization": f"Bearer {door.token}"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert json.load(answer)["name"] == world.stack.name
    assert stop_page(tmp_path)
    assert not stop_page(tmp_path)
    poll(lambda: not is_open(url))


def is_open(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except OSError:
        return False
    return True
