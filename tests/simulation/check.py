"""The promise, as checks on one run."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Final

from reprise.capturing.open_calls import KNOWN_FOR_MS
from reprise.gate.fallback import LocalGate
from reprise.gate.session import GateSession
from reprise.gate.state import Mode
from reprise.instant import parse_instant
from reprise.ledger import TERMINAL, State, is_cancelled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reprise.capturing.invoker import Answer
    from reprise.ledger import Row
    from simulation.history import Batch, Execution, Held
    from simulation.run import Simulation

LEAST_DRAW: Final = 0.5
"""The pipeline's draws are from the upper half."""
EXPIRES_EARLY_S: Final = 1.0


class Checker:
    """Checks one run, and notes what is broken in its history."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._scenario = simulation.scenario
        self._history = simulation.history
        self._world = simulation.world
        default = dict(simulation.scenario.policy["default"])
        self._default = default
        self._maximum_attempts: int = default["maximum_attempts"]

    # --- while it runs ----------------------------------------------------------------------------

    def check_execution(self, function: str, call_id: str, batch: Batch) -> None:
        """Check that an execution that is about to begin may begin."""
        now_s = self._simulation.now_s
        report = self._history.report
        if batch.is_live:
            self._check_live(call_id, batch)
            return
        if not batch.is_enabled[function]:
            report("enabled", f"{call_id} runs, and its policy is not enabled")
        runs = self._history.executions[call_id]
        is_redriven = self._history.redrives[call_id] or call_id in self._history.restored
        hows = {how for name, _, how in self._history.captures if name == call_id}
        if hows == {"unknown"} and not (self._scenario.ever_idempotent or is_redriven):
            report("unknown", f"{call_id} runs, and may have run at its caller's")
        if hows == {"failed"} and self._bars_errors() and not is_redriven:
            report("barred", f"{call_id} runs, and its policy bars what was captured of it")
        if now_s > batch.deadline_s:
            return
        self._check_cancelled(call_id)
        unknown_at_s = self._history.unknown_entered_at_s.get(call_id, math.inf)
        may_have_run = call_id in self._history.unknown or batch.began_at_s > unknown_at_s
        has_jumped = self._history.excuses[call_id]["clock"]
        if may_have_run and not (self._scenario.ever_idempotent or is_redriven or has_jumped):
            report("unknown again", f"{call_id} runs, and an earlier try may have run")
        held = self._world.look(call_id)
        is_held = held is not None and held.state == State.LEASED
        is_ours = held is not None and held.owner == batch.holds.get(call_id)
        if not (is_held and is_ours) and not (call_id in self._history.restored or has_jumped):
            report("lease", f"{call_id} runs in {batch.name}, which does not hold it: {held}")
        self._check_wait(call_id, runs, now_s)
        self._check_gate(function, call_id, batch, now_s)

    def _check_cancelled(self, call_id: str) -> None:
        """What an operator cancelled does not run, unless its row was opened again, or is gone."""
        held = self._world.look(call_id)
        if held is not None and held.state == State.DEAD_LETTERED and held.reason == "cancelled":
            self._history.report("cancelled", f"{call_id} runs, and was cancelled")

    def _check_live(self, call_id: str, batch: Batch) -> None:
        """A live call with a captured one's key runs under its claim, or because nobody could know."""
        history, held = self._history, self._world.look(call_id)
        owner = batch.holds.get(call_id)
        if held is not None and owner == held.owner is not None:
            return
        is_given_up = held is not None and held.state == State.DEAD_LETTERED
        # What was given up nobody holds: callers that ask for it at the same time each have their way.
        is_beside = is_given_up and any(
            run.batch.is_live and run.batch.finished_at_s > self._simulation.now_s
            for run in history.executions[call_id]
        )
        if batch.met_gate_fault or self._is_forgotten(call_id, held) or is_beside:
            history.unprotected[call_id] += 1
        elif not is_given_up and call_id not in history.restored:
            history.report("claim", f"{call_id} runs live, and {batch.name} does not hold it")

    def _is_forgotten(self, call_id: str, held: Held | None) -> bool:
        """Tell whether a key need not be known any more: nothing was heard of its call for so long."""
        if held is not None and held.state not in TERMINAL:
            return False
        history = self._history
        captured_at_s = max(at_s for name, at_s, _ in history.captures if name == call_id)
        heard_at_s = max(captured_at_s, history.ended_at_s.get(call_id, 0.0))
        return self._simulation.now_s >= heard_at_s + KNOWN_FOR_MS / 1000

    def _bars_errors(self) -> bool:
        bars = "function_error" not in self._default.get("replay_on", ["function_error"])
        bars = bars or bool(self._default.get("non_retryable_error_types"))
        return bars or self._maximum_attempts == 1

    def _check_wait(self, call_id: str, runs: list[Execution], now_s: float) -> None:
        """A call that failed waits its backoff, whoever brings it back."""
        history = self._history
        captures = sum(name == call_id for name, _, _ in history.captures)
        if not runs or history.excuses[call_id] or history.redrives[call_id] or captures > 1:
            return
        last = runs[-1]
        if last.batch.is_live:
            return
        least_s = LEAST_DRAW * min(
            self._default["initial_interval_s"], self._default["maximum_interval_s"]
        )
        # Whoever it failed at may reckon by a clock that is behind, whoever runs it by one that is ahead.
        latest_s = now_s + 2 * history.clock_step_s
        if not last.is_ok and last.is_answered and latest_s < last.ends_at_s + least_s:
            history.report(
                "wait",
                f"{call_id} runs {now_s - last.ends_at_s:.1f} s after it failed, not {least_s}",
            )

    def _check_gate(self, function: str, call_id: str, batch: Batch, now_s: float) -> None:
        """Beside a holding gate only the probe runs; and never more than the policy's concurrency."""
        is_otherwise = self._history.is_gate_told_otherwise
        if batch.met_gate_fault or is_otherwise or now_s > batch.deadline_s:
            return
        image = self._world.gate(function)
        if (
            image.mode != Mode.FLOWING
            and batch.began_at_s > self._world.held_since_s(function)
            and image.probe_owner != batch.name
            and not self._simulation.faults.met["arrive late"]
        ):
            self._history.report("gate", f"{call_id} runs in {batch.name}, beside a holding gate")
        most = self._default.get("max_concurrency")
        # Who cannot reach the gate goes by its own memory, who outlives its time outlives its permit, and
        # what nobody waits for any more is nobody's.
        running = [
            run
            for run in self._simulation.functions.running.get(function, [])
            if run.ends_at_s > now_s
            and run.is_answered
            and not run.batch.is_live
            and not run.batch.met_gate_fault
            and now_s <= run.batch.deadline_s
        ]
        if most is not None and len(running) >= most and not self._history.is_gate_told_twice:
            self._history.report("cap", f"{len(running) + 1} run of {function}, not {most}")

    def check_answer(self, call_id: str, answer: Answer) -> None:
        """Check what a caller is told who calls again."""
        captured = answer.captured or answer.late
        if captured is not None and captured.call_id != call_id:
            self._history.report("answer", f"{call_id} is told of as {captured.call_id}")
        runs = self._history.executions[call_id]
        if answer.late is not None and not any(run.is_ok for run in runs):
            self._history.report("answer", f"{call_id} has a late result, and never ran well")

    # --- at its end -------------------------------------------------------------------------------

    def check(self) -> None:
        """Check what is left when nothing is left to do."""
        simulation, report = self._simulation, self._history.report
        for queue in (simulation.replays, simulation.captures):
            if queue.messages:
                report("end", f"{len(queue.messages)} messages are left in {queue.name}")
        if self._world.pipeline.capture_dlq.sent:
            report("queue limit", "a capture object was given up")
        rows = self._world.rows()
        if unknown := set(rows) - set(self._history.plans):
            report("row", f"rows of no call: {unknown}")
        for call_id in self._history.plans:
            row = rows.get(call_id)
            if call_id in self._history.skipped and (row is None or row.state not in TERMINAL):
                # Its line never arrived.
                continue
            if row is None:
                report("lost", f"{call_id} has no row")
            elif row.state not in TERMINAL:
                report("lost", f"{call_id} is {row.state} for ever")
            else:
                self._check_row(call_id, row)
        self._check_letters(rows)
        self._check_replies()
        self._check_captures(rows)
        self._check_gates()

    def _check_row(self, call_id: str, row: Row) -> None:
        history, report = self._history, self._history.report
        runs = history.executions[call_id]
        redrives = history.redrives[call_id]
        is_restored = call_id in history.restored
        ok = sum(run.is_ok for run in runs)
        lost = sum(not run.is_answered for run in runs) + history.excuses[call_id].total()
        may_repeat = self._scenario.ever_idempotent or call_id in history.ran_over_end
        allowed = 1 + redrives + (lost if may_repeat else 0) + history.unprotected[call_id]
        if ok > allowed and not is_restored:
            report("twice", f"{call_id} succeeded {ok} times")
        if row.state is State.SUCCEEDED and not ok:
            report("end", f"{call_id} is succeeded, and never ran well")
        hows = {how for name, _, how in history.captures if name == call_id}
        own = int(bool(hows) and hows <= {"failed", "unknown"})
        # A capture of a call that was given up opens it again.
        captures = sum(name == call_id for name, _, _ in history.captures)
        most = self._maximum_attempts * (captures + redrives)
        replays = sum(not run.batch.is_live for run in runs)
        if replays + own > most and not is_restored:
            report("attempts", f"{call_id} ran {replays} times after {own}, not {most} in all")
        if row.state is State.DEAD_LETTERED:
            self._check_death(call_id, row, ok, lost)

    def _check_death(self, call_id: str, row: Row, ok: int, lost: int) -> None:
        """A call is given up for a cause, and not if somebody knows that it ran well."""
        history, report = self._history, self._history.report
        plan = history.plans[call_id]
        runs = history.executions[call_id]
        is_known = not lost and not history.unprotected[call_id]
        if ok and is_known and call_id not in history.restored:
            report("death", f"{call_id} ran well, and was given up: {row.reason}")
        failed = any(not run.is_ok for run in runs)
        # Which of several lines under one key is entered first, nobody knows.
        hows = {how for name, _, how in history.captures if name == call_id}
        own = int(bool(hows & {"failed", "unknown"}))
        is_barred = plan.captured == "failed" and self._bars_errors()
        causes = {
            "unknown": bool(lost) or self._was_unknown(call_id),
            "exhausted": bool(lost) or failed or bool(own),
            "permanent": failed or is_barred,
            "expired": self._is_old(call_id),
            "cancelled": call_id in history.maybe_cancelled,
        }
        if not causes.get(str(row.reason), False):
            report("death", f"{call_id} ({plan.nature}) was given up without cause: {row.reason}")
        captures = sum(name == call_id for name, _, _ in history.captures)
        if row.reason != "exhausted" or captures > 1:
            return
        # The caller's own attempt counts until an operator gives the call all of them anew.
        opened_at_s = history.redriven_at_s.get(call_id, -1.0)
        since = sum(run.began_at_s > opened_at_s for run in runs) + own * (opened_at_s < 0)
        if since + lost < self._maximum_attempts and not is_barred:
            report("death", f"{call_id} is exhausted after {since} executions")

    def _was_unknown(self, call_id: str) -> bool:
        return any(name == call_id and how == "unknown" for name, _, how in self._history.captures)

    def _is_old(self, call_id: str) -> bool:
        ended_at_s = self._history.ended_at_s.get(call_id)
        if ended_at_s is None:
            return True
        begun_at_s = min(at_s for name, at_s, _ in self._history.captures if name == call_id)
        max_age_s: int = self._default["max_age_s"]
        return ended_at_s - begun_at_s >= max_age_s - EXPIRES_EARLY_S

    def _check_letters(self, rows: Mapping[str, Row]) -> None:
        dead = {name for name, row in rows.items() if row.state is State.DEAD_LETTERED}
        letters = {
            json.loads(message.body)["reprise"]["id"]
            for message in self._simulation.letters.messages.values()
        }
        for call_id in dead - letters:
            if is_cancelled(rows[call_id]):
                continue
            self._history.report("letters", f"{call_id} was given up, and has no letter")
        for call_id in letters - dead:
            # An operator's copy may stay: a second letter of one call, or one that he could not delete.
            captures = sum(name == call_id for name, _, _ in self._history.captures)
            is_restored = call_id in self._history.restored
            is_repeated = self._history.redrives[call_id] or self._history.repeats[call_id]
            if not (is_repeated or captures > 1 or is_restored):
                self._history.report("letters", f"{call_id} has a letter, and was not given up")

    def _check_replies(self) -> None:
        """Each capture whose caller asked for its late result is told of, whoever ended the call."""
        told = {(record.id, record.reply_to) for record in self._world.pipeline.replies.told}
        for call_id, place in self._history.asked - told:
            self._history.report("replies", f"{call_id} has ended, and {place} was not told")

    def _check_captures(self, rows: Mapping[str, Row]) -> None:
        """What was captured under the key of an earlier call has an end of its own, or shares a good one."""
        for call_id, at_s, _ in self._history.captures:
            row = rows.get(call_id)
            ended_at_s = self._history.ended_at_s.get(call_id)
            if row is None or row.state is not State.DEAD_LETTERED or ended_at_s is None:
                continue
            # One that is too old itself shares the end of the call before it; its row says so.
            opened_at_s = parse_instant(row.opened_at).timestamp() - self._world.start_s
            # By clocks that differ it may have been captured before that end.
            latest_s = max(ended_at_s, opened_at_s) + 2 * self._history.clock_step_s
            if latest_s < at_s - 1e-3 and not self._history.redrives[call_id]:
                self._history.report(
                    "captured again", f"{call_id} was captured after it was given up"
                )

    def _check_gates(self) -> None:
        """A day later every gate lets a call through, whatever died with its permits."""
        for function in self._world.pipeline.targets:
            if not any(self._is_let_through(function, 86_400.0 + look * 60) for look in range(3)):
                image = self._world.gate(function)
                self._history.report("gate", f"{function} lets nothing through any more: {image}")

    def _is_let_through(self, function: str, later_s: float) -> bool:
        """Tell whether a batch of one call gets a permit; it may only hear first that a pause is over."""
        later_ms = int((self._world.start_s + self._simulation.now_s + later_s) * 1000)
        visit = GateSession(
            gates=self._world.gates(),
            memory=LocalGate(),
            function=function,
            owner="later",
            now_ms=lambda: later_ms,
            draw=lambda: 0.5,
            lease_ms=60_000,
        )
        return bool(visit.enter(1).permits)
