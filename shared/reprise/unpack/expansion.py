"""Decide when a folded object is expanded: what the target drains within seconds, and no more.

An object that stays folded costs one queue message whatever it holds. While a gate holds, only a few
calls are expanded to carry probes; while it is paused, one at a time, to find out whether it still is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from reprise.gate.adjust import is_held_for_faults
from reprise.gate.lease import at_least_s, expire
from reprise.gate.limit import (
    LONG_HOLD_S,
    gap_s,
    hold_age_s,
    is_idle,
    rate_per_s,
    service_s,
    used_at_ms,
)
from reprise.gate.parameters import DEFAULTS, GateParameters
from reprise.gate.paused import NOTED_S, is_paused
from reprise.gate.state import Change, Condition, GateState, Mode

SCOUTS: Final = 2
"""Calls expanded while a gate holds, to carry its probes."""
OVERDUE_S: Final = 1.0
"""A probe of a target held for failures that is overdue for so long: no call that waits may make it."""
SCOUT_COMES_S: Final = 4.0
"""Until a scout has come, no others are sent for."""
INITIAL_EXPANSION: Final = 25
"""Calls expanded for a gate that nobody used of late: most likely an outage has just begun, and what is
expanded must be looked at call by call until it ends. What is left of the object follows in seconds."""
OFFERED_PER_S: Final = 1000.0
"""Calls in the folded objects of a holding target that are looked at a second, all taken together: once it
flows, that is what can be expanded at first."""
LOOKS_PER_S: Final = 10.0
"""Most looks a second: small objects are many for what they hold."""
MANY_OBJECTS: Final = 200
"""Where there are more, and the hold is a long one, the looks get rarer in proportion: few targets drain such
a backlog faster than that."""
FLOWING_LOOKS_PER_S: Final = 10.0
"""The same for a flowing target, if there are too many for `FLOWING_DELAY_S` each."""
FLOWING_DELAY_S: Final = 20.0
"""Longest time from look to look while flowing: a window can grow a lot in it."""
LOOK_SHARE: Final = 0.25
"""The same as a part of a service time, for slow targets: their windows grow no faster than calls end."""
AHEAD_SHARE: Final = 0.5
"""Part of a service time that is kept expanded at least: what ends until the next look comes."""
RAMP_PER_S: Final = 100.0
"""Drain expected of slow start: its own is about to be outgrown."""
STARVED_S: Final = 5.0
"""A window used by less than half, and no end for so long, show that `waiting` is counted too high."""
STARVED_SERVICES: Final = 2.0
"""The same in service times."""
STARVED_AGAIN_SHARE: Final = 0.5
MAX_STARVED_S: Final = 240.0
"""If what was expanded for that is not used either, perhaps nobody has time to replay: half of the time since
the gate was last used, or an expansion was due, passes before more follows, and four minutes at most."""
PAUSED_LOOK_S: Final = 5.0
"""Time from look to look while paused, if no more than `LOOKS_PER_S` come of that: what is resumed goes on
within seconds."""
FORGOTTEN_S: Final = 2 * NOTED_S
"""A paused gate that nobody asked for so long, although calls wait, counts calls that have ended."""
MIN_DELAY_S: Final = 2.0
MAX_DELAY_S: Final = 1800.0
MAX_SPREAD_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A piece of an object that may be expanded: at most 1,000 calls of one target."""

    records: int
    is_folded: bool
    """Whether the gate counts it as folded already: true from the second look on."""
    unrun: int = 0
    """Calls in it that did not run in their caller's own try; known at the first look only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expand:
    """Send the first `records` calls of the piece, once the gate took the change."""

    records: int
    spread_s: float
    """Each call is sent with a delay drawn evenly from [0, spread_s]."""
    rest_delay_s: float
    """When to look at what is left of the piece, if anything is."""
    change: Change
    is_told: bool = True
    """Whether the gate's conditions let the change in; false for one that is told when it can be reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """Leave the piece folded, and look again."""

    delay_s: float
    change: Change | None
    """What the gate should know; None if it knows."""
    is_told: bool = True
    scouts: int = 0
    """Calls that did not run in their caller's own try, to be sent all the same; they stay in the piece."""


def decide_expansion(
    gate: GateState,
    piece: Slice,
    *,
    now_ms: int,
    draw: float,
    parameters: GateParameters = DEFAULTS,
) -> Expand | Leave:
    """Return what becomes of a piece of a captured object.

    Args:
        gate: The gate of its target, as last known.
        piece: What could be expanded.
        now_ms: The present.
        draw: From [0, 1), made by the caller.
        parameters: The rule's numbers.
    """
    if gate.mode != Mode.FLOWING:
        return _while_holding(gate, piece, now_ms, draw)
    in_flight = expire(gate, now_ms).in_flight
    limit = _enough(gate, in_flight, parameters)
    waiting, conditions = gate.waiting, [Condition(name="mode", relation="=", value=Mode.FLOWING)]
    is_starved = gate.waiting > limit and _is_starved(gate, in_flight, now_ms)
    if gate.waiting <= limit:
        conditions.append(Condition(name="waiting", relation="<=", value=limit))
    elif is_starved:
        waiting = in_flight
        seen = gate.expanded_at_ms
        conditions.append(Condition(name="expanded_at_ms", relation="=", value=seen))
    else:
        return leave(piece, _clamp(_look_s(gate, piece, now_ms) * (0.5 + draw)))
    rate = max(rate_per_s(gate), _ramp_per_s(gate, parameters))
    # Twice what is drained ahead: the next look finds half of it left, and no window runs dry.
    useful = (
        INITIAL_EXPANSION if is_idle(gate, now_ms) else max(INITIAL_EXPANSION, 2 * limit - waiting)
    )
    records = min(piece.records, useful)
    spread_s = 0.7 * (max(0, waiting - in_flight) + records) / rate
    change = expansion(piece, records, now_ms, tuple(conditions))
    return Expand(
        records=records,
        spread_s=min(MAX_SPREAD_S, max(1.0, spread_s)),
        rest_delay_s=MIN_DELAY_S,
        change=_counted_anew(change, waiting + records) if is_starved else change,
    )


def _enough(gate: GateState, in_flight: int, parameters: GateParameters) -> int:
    """Return how many expanded calls are enough: those that run, and what is drained in the look-ahead.

    Until one has run that is a guess, and a first offer that waits is enough: no second one follows it.
    """
    ahead_s = max(parameters.lookahead_s, AHEAD_SHARE * service_s(gate))
    calls = round(ahead_s * rate_per_s(gate)) + in_flight
    has_run = gate.succeeded_at_ms >= max(1, gate.changed_at_ms)
    return calls if has_run or not gate.slow_start else min(calls, INITIAL_EXPANSION - 1)


def _ramp_per_s(gate: GateState, parameters: GateParameters) -> float:
    """Return what slow start may drain soon: it multiplies once a service time, up to the cap."""
    if not gate.slow_start:
        return 0.0
    rounds = min(10.0, parameters.lookahead_s / service_s(gate))
    ramp_per_s = min(RAMP_PER_S, rate_per_s(gate) * math.pow(parameters.ramp, rounds))
    return min(ramp_per_s, gate.cap / service_s(gate)) if gate.cap else ramp_per_s


def _look_s(gate: GateState, piece: Slice, now_ms: int) -> float:
    folded_s = (gate.folded_records + piece.records) / rate_per_s(gate)
    slow_s = LOOK_SHARE * at_least_s(gate, now_ms)
    return min(
        folded_s / 3, max(FLOWING_DELAY_S, slow_s, gate.folded_objects / FLOWING_LOOKS_PER_S)
    )


def _while_holding(gate: GateState, piece: Slice, now_ms: int, draw: float) -> Expand | Leave:
    if is_paused(gate):
        return _while_paused(gate, piece, now_ms, draw)
    is_long = hold_age_s(gate, now_ms) > LONG_HOLD_S
    rarer = max(1.0, gate.folded_objects / MANY_OBJECTS) if is_long else 1.0
    looks_apart_s = rarer * max(
        gate.folded_records / OFFERED_PER_S, gate.folded_objects / LOOKS_PER_S
    )
    delay_s = _clamp(max(looks_apart_s, gap_s(gate, now_ms)) * (0.5 + draw))
    overdue_ms = now_ms - gate.probe_at_ms
    # A probe whose lease ran out long ago has no successor, either: `waiting` is counted too high.
    nobody_probes = overdue_ms > 4000 * gap_s(gate, now_ms)
    if is_held_for_faults(gate):
        # None of the calls that wait may be the probe: they have failed. One that has not is still folded.
        came_ms = now_ms - gate.expanded_at_ms
        nobody_probes = overdue_ms > OVERDUE_S * 1000 and came_ms > SCOUT_COMES_S * 1000
    if gate.waiting >= SCOUTS and not nobody_probes:
        # They are the best probes of a target that is held for failures: other callers' calls may be good.
        scouts = min(SCOUTS, piece.unrun) if is_held_for_faults(gate) else 0
        return leave(piece, delay_s, scouts)
    scouts = min(SCOUTS, piece.records)
    seen = Condition(name="expanded_at_ms", relation="=", value=gate.expanded_at_ms)
    return Expand(
        records=scouts,
        spread_s=max(1.0, (gate.probe_at_ms - now_ms) / 1000),
        rest_delay_s=delay_s,
        change=expansion(piece, scouts, now_ms, (seen,)),
    )


def _while_paused(gate: GateState, piece: Slice, now_ms: int, draw: float) -> Expand | Leave:
    """Keep one call expanded, whose replayer finds out when the policy is enabled again."""
    look_s = max(PAUSED_LOOK_S, gate.folded_objects / LOOKS_PER_S)
    delay_s = _clamp(look_s * (0.5 + draw))
    # Whoever sees the policy notes when the next look is due: one long overdue shows that nobody is left.
    is_forgotten = now_ms - max(gate.probe_at_ms, gate.expanded_at_ms) > 1000 * FORGOTTEN_S
    if gate.waiting > 0 and not is_forgotten:
        return leave(piece, delay_s)
    seen = Condition(name="expanded_at_ms", relation="=", value=gate.expanded_at_ms)
    return Expand(
        records=1,
        spread_s=1.0,
        rest_delay_s=delay_s,
        change=_counted_anew(expansion(piece, 1, now_ms, (seen,)), 1),
    )


def _is_starved(gate: GateState, in_flight: int, now_ms: int) -> bool:
    """Tell whether too few calls are out, although more are counted: those must have ended unseen.

    Permits of the dead count as out until their lease is over, and no longer.
    """
    if in_flight >= gate.window / 2:
        return False
    used_s = (now_ms - max(used_at_ms(gate), gate.offered_at_ms)) / 1000
    again_s = min(MAX_STARVED_S, STARVED_AGAIN_SHARE * used_s)
    starved_s = max(STARVED_S, STARVED_SERVICES * service_s(gate))
    since_ms = max(gate.expanded_at_ms, gate.changed_at_ms)
    return (
        now_ms - since_ms > 1000 * max(starved_s, again_s)
        and now_ms - max(gate.ended_at_ms, gate.succeeded_at_ms) > 1000 * starved_s
    )


def _counted_anew(change: Change, waiting: int) -> Change:
    """Return an expansion that also corrects the count of calls that wait, and was not due by it."""
    add = {name: amount for name, amount in change.add.items() if name != "waiting"}
    put = {name: value for name, value in change.put.items() if name != "offered_at_ms"}
    return Change(put={**put, "waiting": waiting}, add=add, when=change.when)


def expansion(piece: Slice, records: int, now_ms: int, when: tuple[Condition, ...]) -> Change:
    """Return what a gate must know before the first `records` calls of a piece are sent."""
    left = piece.records - records
    add: dict[str, int | float] = {"waiting": records}
    if piece.is_folded:
        add |= {"folded_records": -records, "folded_objects": 0 if left else -1}
    elif left:
        add |= {"folded_records": left, "folded_objects": 1}
    put = {"expanded_at_ms": now_ms, "offered_at_ms": now_ms}
    return Change(put=put, add=add, when=when)


def leave(piece: Slice, delay_s: float, scouts: int = 0) -> Leave:
    """Return that a piece stays folded; the gate counts it once."""
    if piece.is_folded:
        return Leave(delay_s=delay_s, change=None)
    add = {"folded_objects": 1, "folded_records": piece.records}
    if scouts:
        add["waiting"] = scouts
    return Leave(delay_s=delay_s, change=Change(add=add), scouts=scouts)


def _clamp(delay_s: float) -> float:
    return min(MAX_DELAY_S, max(MIN_DELAY_S, delay_s))
