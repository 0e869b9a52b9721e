"""The page as a workbench, in a real browser: what an operator sees, decides and does there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from e2e.page import NARROW, WIDE, Visit, chromium, hostile_site, served_page
from e2e.test_redrive import give_up
from e2e.world import new_run, poll
from reprise.ledger import State
from reprise_cli.deploy import REPOSITORY
from reprise_cli.stack import find_schedules

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from e2e.world import World

SCREENSHOTS = os.environ.get("REPRISE_SCREENSHOTS")
LETTERS, WAITING = 6, 12
PAGES = ("/letters", "/calls", "/jobs", "/policy", "/runbooks", "/runbooks/holding")
ACT = """async ([url, path, headers]) => {
  try {
    const options = {method: "POST", headers, body: JSON.stringify({all: true, reason: "attack"})};
    const response = await fetch(url + path, options);
    return response.status;
  } catch { return "refused"; }
}"""
BLIND = """async ([url, path]) => {
  const said = {};
  const send = async options => {
    try { return (await fetch(url + path, options)).type; } catch { return "refused"; }
  };
  const body = JSON.stringify({all: true});
  said.blind = await send({method: "POST", mode: "no-cors", body});
  said.cookies = await send({method: "POST", credentials: "include", body});
  said.json = await send({method: "POST", headers: {"Content-Type": "application/json"}, body});
  const form = document.createElement("form");
  Object.assign(form, {method: "POST", action: url + path, target: "there", enctype: "text/plain"});
  const frame = document.createElement("iframe");
  frame.name = "there";
  document.body.append(frame, form);
  form.submit();
  await new Promise(done => setTimeout(done, 1500));
  return said;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return REPOSITORY / SCREENSHOTS if SCREENSHOTS else tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def poison(world: World, browser: Browser) -> str:
    """Return a target whose calls were given up: one whose policy does that within seconds."""
    del browser  # Without one there is no need for all this.
    name = world.stack.chaos_target
    assert name is not None
    give_up(world, name, new_run(), LETTERS)
    return name


@pytest.fixture(scope="module")
def held(world: World, browser: Browser) -> Iterator[str]:
    """Return a target that refuses its calls, some of which wait."""
    del browser
    name = world.make_guest()
    world.hold(name)
    calls = world.capture(name, new_run(), WAITING)
    poll(lambda: any(row and row.refusals for row in map(world.ledger.get, calls)), limit_s=60)
    yield name

    def are_cancelled() -> bool:
        # One that is tried at this moment is refused.
        world.look("calls", "cancel", "--target", name, "--why", "the test is over", "--yes")
        return world.states(calls)["dead_lettered"] == WAITING

    poll(are_cancelled)
    world.functions.delete_function(FunctionName=name)


@pytest.fixture(scope="module")
def operating(world: World, browser: Browser) -> Iterator[str]:
    """Return the address of a page that may operate."""
    del browser
    with served_page(world.place, "--operate") as found:
        yield found


def open_page(browser: Browser, url: str, width: int = WIDE, **options: Any) -> Visit:
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)
    return Visit(context.new_page(), url)


def reading(address: str) -> str:
    """Return the address that may only read."""
    return address.partition("&operate=")[0]


def count_letters(world: World, target: str) -> int:
    """Return how many letters of a target there are: other tests leave some, too."""
    return int(world.look("dlq", "list", "--target", target, "--json").document["count"])


def await_rows(visit: Visit, count: int) -> None:
    poll(lambda: visit.page.locator("td.id a").count() == count)


def test_a_hold_is_wrong_before_any_alarm_and_numbers_are_those_of_top(
    world: World, browser: Browser, operating: str, held: str, poison: str, pictures: Path
) -> None:
    del held, poison
    visit = open_page(browser, operating, color_scheme="light")
    visit.go("/?range=15m&period=5s")
    page = visit.page
    page.wait_for_selector(".wrong >> text=guest-* has held for")

    def agree() -> bool:
        top = world.look("top", "--once", "--json").document
        cells = page.locator(".live tr", has=page.locator("text=guest-*")).locator("td")
        shown = dict(
            zip(
                cells.evaluate_all("all => all.map(each => each.dataset.name)"),
                cells.all_inner_texts(),
                strict=True,
            )
        )
        (line,) = [line for line in top["targets"] if line["target"] == "guest-*"]
        return (
            shown["backlog"].strip() == str(line["backlog"])
            and shown["given up"].strip() == str(line["dead_lettered"])
            and shown["gate"].startswith(line["state"])
            and f"{top['dead_letters']} dead letter" in page.inner_text(".wrong")
            and visit.number("How many calls wait?") == str(line["backlog"])
            and visit.number("How many need a person?") == str(top["dead_letters"])
        )

    poll(agree, limit_s=20)
    tile = visit.card("How many calls wait?").locator(".number a")
    assert tile.inner_text() == "most of guest-*"
    # The target that has a backlog is the one that is shown.
    assert page.locator("#variables select").input_value() == "guest-*"
    assert visit.card("guest-*: calls").count() == 1
    # Where the add-on is not deployed nothing of it is drawn; other tests deploy it.
    has_schedules = find_schedules(world.client("cloudformation"), "reprise-schedules") is not None
    assert ("Scheduled runs" in page.inner_text("#widgets")) is has_schedules
    visit.picture(pictures, "dashboard-held.png", height=900)
    page.click(".wrong >> text=runbook")
    page.wait_for_selector("text=A gate holds too long")
    assert visit.complaints == []
    assert visit.foreign() == []


@pytest.mark.slow
def test_the_chosen_target_and_two_instants_are_kept(
    browser: Browser, operating: str, held: str
) -> None:
    del held
    visit = open_page(browser, operating)
    visit.go("/")
    page = visit.page
    page.click(".live >> text=reprise-chaos-target")
    page.wait_for_selector("h2 >> text=reprise-chaos-target: calls")
    visit.go("/")
    page.wait_for_selector("h2 >> text=reprise-chaos-target: calls")
    page.select_option("#range", "between")
    page.fill("#from", "2026-01-01T00:00")
    page.click("#between button")
    poll(lambda: "from=2026-01-01T" in page.url)
    page.select_option("#range", "1w")
    page.locator("#between").wait_for(state="hidden")
    assert "from=" not in page.url


def test_calls_that_wait_are_listed_and_followed_to_their_story(
    world: World, browser: Browser, operating: str, held: str
) -> None:
    visit = open_page(browser, reading(operating), color_scheme="light")
    visit.go("/?range=5m")
    page = visit.page
    page.locator(".live tr", has=page.locator("text=guest-*")).locator(
        "[data-name=backlog] a"
    ).click()
    page.wait_for_selector("caption >> text=By target and state")
    page.locator("tr", has=page.locator(f"td >> text={held}")).locator("button").first.click()
    listed = world.look("calls", "list", "--target", held, "--json").document
    assert listed["count"] == WAITING
    assert f"target={held}" in page.url
    page.select_option("[name=state]", "all")
    await_rows(visit, WAITING)
    assert listed["calls"][0]["id"] in page.inner_text("main")
    page.locator("td.id a").first.click()
    page.wait_for_selector(".steps")
    told = page.locator(".steps tbody tr b").all_inner_texts()
    assert told[0] == "captured"
    assert told[-1] == "waiting"
    visit.go("/calls")
    page.fill("[name=id]", listed["calls"][0]["id"][:-2])
    page.press("[name=id]", "Enter")
    page.wait_for_selector(".steps")
    assert page.inner_text("#id") == listed["calls"][0]["id"]
    assert visit.complaints == []


def test_letters_are_found_by_their_group_and_followed_to_the_story(
    world: World, browser: Browser, operating: str, poison: str
) -> None:
    count = count_letters(world, poison)
    visit = open_page(browser, reading(operating), color_scheme="light")
    visit.go("/")
    page = visit.page
    visit.card("How many need a person?").locator(".number a").click()
    page.wait_for_selector("caption >> text=By target, reason and error")
    group = page.locator("tr", has=page.locator(f"td >> text={poison}")).first
    group.locator("button").click()
    await_rows(visit, count)
    assert f"target={poison}" in page.url
    assert "error=" in page.url
    page.reload()
    await_rows(visit, count)
    page.fill("[name=error]", "no such words")
    page.press("[name=error]", "Enter")
    page.wait_for_selector("text=None of these.")
    page.click("text=Clear")
    page.wait_for_selector("td.id a")
    page.select_option("[name=target]", poison)
    await_rows(visit, count)
    page.locator("td.id a").first.click()
    page.wait_for_selector("caption >> text=Its tries")
    assert "PoisonError" in page.inner_text("main")
    page.click("text=its call's story")
    page.wait_for_selector(".steps")
    page.click("text=its dead letter")
    page.wait_for_selector("caption >> text=Its tries")
    assert '"behaviour"' not in page.content()
    # Who only reads is shown no button that does anything.
    assert page.locator("button.grave").count() == 0
    assert page.locator("text=Redrive").count() == 0
    assert visit.complaints == []


def test_letters_are_tried_redriven_and_audited(
    world: World, browser: Browser, operating: str, poison: str, pictures: Path
) -> None:
    count = count_letters(world, poison)
    visit = open_page(browser, operating, color_scheme="light")
    visit.go(f"/letters?target={poison}")
    page = visit.page
    start = page.locator("button", has_text=f"Redrive {count} letters")
    start.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("dialog")
    place = dialog.locator(".where").inner_text()
    assert "stack reprise" in place
    assert "the local engine at http://127.0.0.1" in place
    # By the keyboard: Esc leaves everything as it was, and the keyboard where it was.
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    assert start.evaluate("each => each === document.activeElement")
    page.keyboard.press("Enter")
    go = dialog.locator(".buttons button").last
    assert go.is_disabled()
    dialog.locator("[name=why]").fill("its vendor is back")
    dialog.locator("[name=max]").fill("2")
    dialog.locator("text=Try it first").click()
    dialog.locator("text=would be: 2 redriven").wait_for()
    assert count_letters(world, poison) == count
    visit.picture(pictures, "redrive.png", height=900)
    dialog.locator("[name=max]").fill("1")
    assert go.is_disabled()
    dialog.locator("text=Try it first").click()
    dialog.locator("text=would be: 1 redriven").wait_for()
    go.click()
    page.wait_for_url("**/jobs/*")
    page.wait_for_selector(".state.succeeded", timeout=60_000)
    assert "1 of 1" in page.inner_text("main")
    (job, *_) = world.look("audit", "--json").document["jobs"]
    assert page.url.endswith(job["id"])
    assert (job["why"], job["counts"]) == ("its vendor is back", {"redriven": 1})
    assert job["by"].startswith("arn:")
    assert visit.complaints == []


@pytest.mark.slow
def test_a_job_of_the_stack_is_stopped_and_gone_on_with(
    browser: Browser, operating: str, poison: str
) -> None:
    visit = open_page(browser, operating)
    visit.go(f"/letters?target={poison}")
    page, dialog = visit.page, visit.page.locator("dialog")
    page.locator("button", has_text="Redrive").first.click()
    dialog.locator("[name=max]").fill("2")
    dialog.locator("[name=rate]").fill("2/m")
    dialog.locator("text=Try it first").click()
    dialog.locator("text=would be: 2 redriven").wait_for()
    dialog.locator(".buttons button").last.click()
    page.wait_for_url("**/jobs/*")
    page.click("text=Stop …")
    dialog.locator("text=Stop it").click()
    page.click("text=Go on …", timeout=60_000)
    assert "cancelled by arn:" in page.inner_text("main")
    # The first of a run goes at once, the next half a minute later.
    dialog.locator(".buttons button").last.click()
    page.wait_for_selector(".state.succeeded", timeout=60_000)
    assert "2 of 2" in page.inner_text(".line")
    assert visit.complaints == []


@pytest.mark.slow
def test_a_letter_is_discarded_with_its_reason(
    world: World, browser: Browser, operating: str, poison: str
) -> None:
    visit = open_page(browser, operating)
    visit.go(f"/letters?target={poison}")
    page = visit.page
    call = page.locator("td.id a").first.inner_text()
    page.locator("td.id a").first.click()
    page.click("text=Discard it …")
    dialog = page.locator("dialog")
    dialog.locator("text=Try it first").click()
    dialog.locator("text=would be: 1 discarded").wait_for()
    go = dialog.locator(".buttons button").last
    assert go.is_disabled()
    dialog.locator("[name=why]").fill("its order was cancelled")
    go.click()
    page.wait_for_url("**/jobs/*")
    page.wait_for_selector(".state.succeeded", timeout=60_000)
    row = world.ledger.get(call)
    assert row is not None
    assert row.state is State.DEAD_LETTERED
    assert "its order was cancelled" in (row.note or "")


def test_a_target_is_paused_and_resumed_with_who_and_why(
    world: World, browser: Browser, operating: str
) -> None:
    name = "guest-paused"
    visit = open_page(browser, operating)
    visit.go("/policy")
    page = visit.page
    page.get_by_label("Another function").fill(name)
    page.locator("form.filters button").click()
    dialog = page.locator("dialog")
    dialog.locator("[name=reason]").fill("drill")
    dialog.locator(f"button >> text=Pause {name}").click()
    page.wait_for_selector(f"#told >> text=targets.{name}.enabled")
    paused = world.look("top", "--once", "--json").document["paused"][name]
    assert (paused["why"], bool(paused["by"])) == ("drill", True)
    visit.go("/?range=5m")
    page.wait_for_selector(f".wrong >> text={name} is paused since")
    page.click(".wrong >> text=policy")
    page.wait_for_selector(f"td >> text=pause {name}: drill")
    page.get_by_label(f"resume {name}").click()
    dialog.locator(f"button >> text=Resume {name}").click()
    page.wait_for_selector(f"#told >> text=targets.{name}.enabled: false -> not said")
    assert world.look("top", "--once", "--json").document["paused"] == {}
    page.get_by_label("Another function").fill("guset-x")
    page.locator("form.filters button").click()
    dialog.locator("button >> text=Pause guset-x").click()
    dialog.locator("text=nothing that this stack may call").wait_for()
    assert [each for each in visit.complaints if "400" not in each and "502" not in each] == []


@pytest.mark.slow
def test_nobody_else_can_act(world: World, browser: Browser, operating: str) -> None:
    before = world.look("policy", "get", "--json").document["version"]
    visit = open_page(browser, operating)
    visit.go("/policy")
    url, path = visit.url, "/api/policy/pause"
    token = visit.page.evaluate("localStorage.getItem('reprise-token')")
    json = {"Content-Type": "application/json"}
    bearer = {"Authorization": f"Bearer {token}", **json}
    # From the page itself, without the operator's token, and with another.
    for headers in (json, bearer, {**bearer, "Reprise-Operate": token}):
        assert visit.page.evaluate(ACT, [url, path, headers]) == 403
    reader = open_page(browser, reading(operating))
    reader.go("/policy")
    assert reader.page.locator("button", has_text="Pause").count() == 0
    assert reader.page.inner_text("#mode") == "read only"
    with hostile_site() as port:
        for host in ("localhost", "127.0.0.1"):
            visit.page.goto(f"http://{host}:{port}/")
            said = visit.page.evaluate(BLIND, [url, path])
            assert set(said.values()) == {"refused"}
    assert world.look("policy", "get", "--json").document["version"] == before


@pytest.mark.parametrize(
    ("width", "scheme"), [pytest.param(WIDE, "light", marks=pytest.mark.slow), (NARROW, "dark")]
)
def test_every_page_fits_is_named_and_is_reached_by_the_keyboard(
    browser: Browser, operating: str, poison: str, width: int, scheme: str
) -> None:
    del poison
    visit = open_page(browser, operating, width, color_scheme=scheme)
    for path in PAGES:
        visit.go(path)
        page = visit.page
        assert visit.overflow_px() == 0, path
        assert page.inner_text("#name") == "reprise"
        unnamed = page.evaluate(
            """() => [...document.querySelectorAll("button, a, input, select")].filter(each =>
            !(each.ariaLabel || each.textContent.trim() || each.labels?.length)).length"""
        )
        assert unnamed == 0, path
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Dashboard"
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
    assert visit.complaints == []


@pytest.mark.slow
def test_runbooks_of_the_dashboard_lead_to_pages(browser: Browser, operating: str) -> None:
    visit = open_page(browser, reading(operating))
    visit.go("/?range=5m")
    page = visit.page
    links = page.locator(".markdown a[href^='/runbooks/']")
    assert links.count() >= 8
    links.first.click()
    page.wait_for_selector("h2 >> text=What it means")
    page.click("nav >> text=Runbooks")
    page.wait_for_selector("ul.titles a")
    assert page.locator("ul.titles a").count() == len(
        list((REPOSITORY / "docs/runbooks").glob("*.md"))
    )
    assert visit.complaints == []
