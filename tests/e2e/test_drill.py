"""The drill of an operator on call: one incident, every command that it asks for, in the order of a night."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from e2e.test_redrive import forget_gate, short_backoffs
from e2e.world import new_run, poll
from reprise.ledger import State
from reprise_cli.calling import InvokerClient
from reprise_cli.replay.window import again_id

if TYPE_CHECKING:
    from pathlib import Path

    from e2e.world import World

CALLS = 12
BAD = 5
ORDER = CALLS + 1
"""The one call with a business key."""


@pytest.mark.slow
def test_every_task_of_the_drill_is_one_command(world: World, guest: str, tmp_path: Path) -> None:
    run = new_run()
    with short_backoffs(world, guest):
        Drill(world, guest, run).go(tmp_path)


class Drill:
    """The incident of one target."""

    def __init__(self, world: World, guest: str, run: str) -> None:
        self.world, self.guest, self.run = world, guest, run
        self.key = f"order-{run}"
        self.waiting: list[str] = []
        self.bad: list[str] = []
        self.order = ""

    def go(self, tmp_path: Path) -> None:
        self.world.hold(self.guest)
        self.waiting = self.world.capture(self.guest, self.run, CALLS)
        body = {"run": self.run, "call": ORDER, "order": self.key}
        answer = self.world.call(self.guest, body, IdempotencyKey=self.key)["reprise"]
        self.order = answer["id"]
        self.find()
        self.stop_and_go()
        self.cancel_and_undo()
        self.world.let_go(self.guest)
        rows = self.world.await_end([*self.waiting[1:], self.order], limit_s=120.0)
        assert {row.state for row in rows} == {State.SUCCEEDED}
        self.late_result(answer["status_token"])
        self.give_up()
        self.redrive(tmp_path)
        self.replay()
        self.who_did_it()

    def do(self, *arguments: str) -> Any:
        """Return what a command answers a program."""
        done = self.world.look(*arguments, "--json")
        assert done.code == 0, (arguments, done.stderr)
        return done.document

    def find(self) -> None:
        """By state, target, time, business key, and a field of the payload."""
        wanted = ("calls", "list", "--target", self.guest, "--newer-than", "10m")
        poll(lambda: self.do(*wanted, "--state", "open")["count"] == ORDER)
        assert self.do(*wanted, "--state", "succeeded")["count"] == 0
        shown = self.do("calls", "show", self.key)
        assert shown["id"] == self.order
        # Payloads are in no index: the capture objects have them, whose records the reader writes as lines.
        read = self.world.look("read", shown["capture_object"])
        found = [line for line in read.stdout.splitlines() if self.key in line]
        assert self.order in {json.loads(line)["id"] for line in found}
        # What waits says for what.
        poll(lambda: "has held for" in self.why(self.order))
        assert "its replays are throttled" in self.why(self.order)

    def why(self, call_id: str) -> str:
        return str(self.do("calls", "show", call_id)["steps"][-1]["how"])

    def stop_and_go(self) -> None:
        """One target, and all."""
        for which in ((self.guest,), ("--all",)):
            self.do("policy", "pause", *which, "--reason", "its vendor is down")
            assert "paused since" in self.why(self.order)
            assert self.guest in self.do("top")["paused"] or "default" in self.do("top")["paused"]
            self.do("policy", "resume", *which)
            assert not self.do("top")["paused"]

    def cancel_and_undo(self) -> None:
        """One waiting call; one of the two by mistake."""
        wrong, mistake = self.waiting[:2]

        def cancelled() -> bool:
            # What is a probe just now is refused.
            self.world.look("calls", "cancel", wrong, mistake, "--why", "wrong price")
            return self.world.states([wrong, mistake]) == {State.DEAD_LETTERED: 2}

        poll(cancelled)
        undone = self.do("replay", "--call", mistake, "--why", "not that one")
        assert (undone["redriven"], undone["left"]) == (1, 0)
        row = self.world.ledger.get(mistake)
        assert row is not None
        assert row.state is not State.DEAD_LETTERED

    def late_result(self, token: str) -> None:
        shown = self.do("calls", "show", self.key, "--result")
        assert json.loads(shown["result"]) == {"run": self.run, "call": ORDER}
        assert self.do("calls", "wait", self.key)["state"] == "succeeded"
        # And by its caller, who has the token of the 202.
        request = {"StatusOf": self.order, "StatusToken": token}
        answer = InvokerClient(self.world.functions, self.world.stack.invoker).call(request)
        assert json.loads(answer.document["Payload"]) == json.loads(shown["result"])

    def give_up(self) -> None:
        """A release fails with some calls."""
        forget_gate(self.world, self.guest)
        for number in range(1, BAD + 1):
            body = {"run": f"{self.run}-bad", "call": number, "behaviour": "poison"}
            self.bad.append(self.world.call(self.guest, body)["reprise"]["id"])

        def have_ended() -> bool:
            rows = [self.world.ledger.get(call_id) for call_id in self.bad]
            return all(row is not None and row.letter_sent for row in rows)

        poll(have_ended, limit_s=90.0)

    def redrive(self, tmp_path: Path) -> None:
        """With care: a look, an edit, a canary, the first two slowly; the rest is discarded."""
        wanted = ("--target", self.guest, "--reason", "exhausted", "--error", "asked to fail")
        young = (*wanted, "--newer-than", "10m")
        assert self.do("dlq", "list", *young)["count"] == BAD
        assert self.do("dlq", "list", *wanted, "--older-than", "10m")["count"] == 0
        assert "asked to fail" in self.world.look("dlq", "show", self.bad[0]).stdout
        assert self.run not in self.world.look("dlq", "show", self.bad[0]).stdout
        assert self.do("dlq", "redrive", *young, "--dry-run")["redriven"] == BAD

        # An edit: this payload can succeed.
        good = tmp_path / "payload.json"
        good.write_text(json.dumps({"run": f"{self.run}-edited", "call": 1}))
        edit = ("dlq", "redrive", self.bad[-1], "--payload", str(good), "--why", "its price")
        assert self.do(*edit)["redriven"] == 1
        (row,) = self.world.await_end(self.bad[-1:], limit_s=60.0)
        assert row.state is State.SUCCEEDED
        assert self.world.receipts(f"{self.run}-edited") == [(1, True)]

        # The first two, one a second; a canary finds that nothing is mended, and the other stays.
        few = (*young, "--max", "2", "--rate", "1/s", "--canary", "1", "--yes", "--why", "mended?")
        stopped = self.world.look("dlq", "redrive", *few)
        assert stopped.code == 1
        assert "given up again" in stopped.stderr
        self.world.await_end(self.bad[:1], limit_s=60.0)
        gone = ("dlq", "discard", *young, "--yes", "--why", "test data")
        assert self.do(*gone)["discarded"] == BAD - 1
        assert self.do("dlq", "list", "--target", self.guest)["count"] == 0

    def replay(self) -> None:
        """The window in which calls succeeded and did nothing: a look, one by name, then the first three."""
        window = ("replay", "--from", "15m", "--target", self.guest, "--state", "ended")
        before = self.world.receipts(self.run)
        looked = self.do(*window, "--dry-run")
        steps = {group["step"]: group["calls"] for group in looked["groups"]}
        assert steps == {"replay": BAD, "run again": CALLS + 1}
        assert self.world.receipts(self.run) == before
        named = self.do("replay", "--call", self.key, "--yes", "--why", "it did nothing")
        again = again_id(self.order, named["job"])
        (row,) = self.world.await_end([again], limit_s=60.0)
        assert row.state is State.SUCCEEDED
        assert self.world.receipts(self.run) == sorted([*before, (ORDER, True)])
        # Each of the two tells of the other.
        assert again in self.do("calls", "show", self.order)["facts"]["run again as"]
        assert named["job"] in self.world.look("calls", "show", again).stdout

        some = ("--max", "3", "--rate", "10/s", "--yes", "--why", "release 42 did nothing")
        done = self.do(*window, *some)
        assert (done["redriven"], done["left"]) == (3, 0)
        # The one that was cancelled runs under its own id, if it is among them.
        poll(lambda: len(self.world.receipts(self.run)) == len(before) + 1 + 3)

    def who_did_it(self) -> None:
        """Every one of these, by whom and why."""
        jobs = [job for job in self.do("audit")["jobs"] if job["by"].startswith("arn:aws:")]
        whys = {(job["verb"], job["why"]) for job in jobs}
        assert whys >= {
            ("cancel", "wrong price"),
            ("replay", "not that one"),
            ("redrive", "its price"),
            ("redrive", "mended?"),
            ("discard", "test data"),
            ("replay", "it did nothing"),
            ("replay", "release 42 did nothing"),
        }
        told = self.world.look("calls", "show", self.bad[-1]).stdout
        assert "(its price)" in " ".join(told.split())
        changes = self.do("policy", "history")
        assert "its vendor is down" in json.dumps(changes)
