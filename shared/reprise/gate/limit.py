"""The limit: what throttles take from a window of permits, and what admissions give; and how fast it drains.

It adds up. Every throttle takes one permit, every fresh attempt that was admitted adds a small part of one;
where the two balance, that part is the share of throttles. A small window has a larger share: one permit of
three is a third of it, and a share that suits fifty would give it back after minutes. A plain AIMD window
balances at a share of about 2 / window^2; a seventh of that is allowed here.

Two things show that the target has changed, and that the balance is far: throttles that stay away for much
longer than they would, and a burst of them. Then the window moves faster, up or down. The window before a
burst is remembered: the next slow start ends there.

A window, worked: calls take a second, and every permit is in use (a test computes each row).

       at  admitted  throttled  window         why
      0 s         1          0  held -> 2.0    the probe shows room: a small window, and slow start
      1 s         2          0  2.0 -> 8.0     slow start: each admission brings ramp - 1 = 3 permits
      2 s         8          0  8.0 -> 32.0    again
      3 s        30          2  32.0 -> 28.8   the first throttle ends it; 0.9 of what was in use stays
     10 s       200          0  28.8 -> 29.2   each fresh admission adds 0.002
     31 s       200          0  29.2 -> 30.0   28 s without a throttle: twice that
     60 s       200          0  30.0 -> 32.4   57 s: five times
     61 s        30          1  32.4 -> 31.8   a throttle takes one
     62 s        20          8  31.8 -> 12.7   a fifth of the window refused within a second: cut to 0.4
     63 s         9          3  12.7 -> 9.7    three are no burst
     64 s         6          1  9.7 -> 3.9     the fourth within a second: another cut
     83 s        60          0  3.9 -> 6.1     a small window adds 0.3 / window^2, and twice that after 19 s
     84 s         1          5  6.1 -> 2.5     a burst
     85 s         0          2  2.5 -> held    less than one would be left: it holds
     90 s         1          0  held -> 2.0    a probe again
     91 s         2          0  2.0 -> 6.1     slow start ends at the window before the last burst

Source: AIMD after Chiu and Jain 1989, with an integrator for the additive part; the larger share of small
windows after the Reno-friendly region of CUBIC, and faster growth after quiet after its convex region (RFC
9438, 4.3 and 4.5); the end of slow start after TCP's threshold (RFC 5681, 3.1).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from reprise.gate.parameters import DEFAULTS, GateParameters

if TYPE_CHECKING:
    from reprise.gate.samples import Samples
    from reprise.gate.state import GateState, Value

MIN_GAP_S: Final = 2.0
"""Shortest time from one probe to the next."""
MAX_GAP_S: Final = 10.0
"""Longest gap in the first half hour of a hold."""
MAX_LONG_GAP_S: Final = 20.0
"""Longest gap of all."""
LONG_HOLD_S: Final = 1800.0
UNKNOWN_FAULT_LIMIT: Final = 3
"""Calls that fail in a row and show an outage where none ever succeeded: the others of a small backlog then
keep their attempts."""
FAULT_HOLDS_APART_S: Final = 600.0
"""Holds for failures that follow each other so soon are counted together."""
MAX_DOUBLINGS: Final = 5
"""A real outage then costs at most 320 calls an attempt before it is seen."""
IDLE_S: Final = 60.0
"""A gate that nobody used for so long starts over: its window is old news."""


def gap_s(gate: GateState, now_ms: int, parameters: GateParameters = DEFAULTS) -> float:
    """Return the time from one probe to the next, in [2, 20] seconds, growing with the hold's age."""
    age_s = hold_age_s(gate, now_ms)
    longest_s = MAX_LONG_GAP_S if age_s > LONG_HOLD_S else MAX_GAP_S
    return min(longest_s, max(MIN_GAP_S, parameters.gap_share * age_s))


def hold_age_s(gate: GateState, now_ms: int) -> float:
    """Return for how long a gate has held, in seconds; 0 while it flows."""
    if not gate.holding_since_ms:
        return 0.0
    return max(0.0, (now_ms - gate.holding_since_ms) / 1000)


def used_at_ms(gate: GateState) -> int:
    """Return when a gate last saw anything; 0 for never."""
    return max(gate.succeeded_at_ms, gate.changed_at_ms, gate.throttled_at_ms)


def is_idle(gate: GateState, now_ms: int) -> bool:
    """Tell whether nobody has used a gate for a minute."""
    return gate.in_flight <= 0 and now_ms - used_at_ms(gate) > IDLE_S * 1000


def service_s(gate: GateState) -> float:
    """Return how long a call of the target takes on average, at least 10 ms; 1 s if unknown."""
    if not gate.succeeded:
        return 1.0
    return max(0.01, gate.busy_ms / 1000 / gate.succeeded)


def rate_per_s(gate: GateState) -> float:
    """Return how many calls a second the target drains through its window.

    Throttles that several replayers add up may take the sum below one permit for a moment.
    """
    return max(1.0, gate.window) / service_s(gate)


def fault_limit(gate: GateState, now_ms: int, parameters: GateParameters) -> int:
    """Return how many calls that fail in a row show an outage.

    Fewer do where none ever succeeded. Twice as many must for each hold of late that a success ended: most
    likely those were some callers' bad calls.
    """
    limit = parameters.fault_limit
    if not gate.succeeded_at_ms:
        return min(limit, UNKNOWN_FAULT_LIMIT)
    doublings = min(gate.fault_holds, MAX_DOUBLINGS) if has_held_of_late(gate, now_ms) else 0
    return int(limit) << doublings


def has_held_of_late(gate: GateState, now_ms: int) -> bool:
    """Tell whether a hold for failures ended not long ago."""
    return now_ms - gate.fault_hold_ended_at_ms < FAULT_HOLDS_APART_S * 1000


BINDING_SHARE: Final = 0.75
"""A window of which less is in use does not bind, and need not grow."""
OVERSHOOT_KEEPS: Final = 0.9
"""What the first throttle leaves of the permits in use: slow start went a little too far."""
SMALL_SHARE: Final = 0.3
"""Share of throttles that a small window is allowed, times the square of the window."""
SMALL_POWER: Final = 5
"""Power of the quiet that a small window grows with, where others grow with the square: its throttles come
seldom, so until growth has doubled quiet says little, and from then on much."""
QUIET_ROUNDS: Final = 5.0
"""Quiet of a small window: so many service times for each of its permits, which is 1.5 of the gaps that
the balance would leave between its throttles."""
MIN_ROUND_S: Final = 1.0
"""A shorter service time counts as this there: fresh attempts come with batches, which last for seconds."""
QUIET_GAPS: Final = 0.75
"""Quiet is at least so much of the gap that the balance leaves between throttles: half a minute without one
means nothing where calls take as long."""
BURST_SHARE: Final = 0.2
"""Part of the window that, refused within one service time, is a burst."""
MIN_BURST: Final = 4
"""Fewer throttles never are: live calls come in clusters, too."""
CUT_APART_S: Final = 1.0
"""Shortest time between cuts, if no call takes longer: the effect of the last one must show first."""


def start_over(gate: GateState, now_ms: int, parameters: GateParameters) -> dict[str, Value]:
    """Return what a gate knows of a target that starts over after a hold: a small window, and slow start."""
    return {
        "window": min(parameters.first_window, gate.cap or math.inf),
        "slow_start": 1,
        "faults": 0,
        "holding_since_ms": 0,
        "changed_at_ms": now_ms,
    }


def growth_of(gate: GateState, tally: Samples, now_ms: int, parameters: GateParameters) -> float:
    """Return what is added to the window, or taken from it.

    It stays at least 1, and grows to its cap at most: what is above could never be used, and would make its
    target look like a faster one.
    """
    is_binding = gate.in_flight + 1 >= gate.window * BINDING_SHARE
    cap = gate.cap or math.inf
    threshold = min(cap, gate.known_window or math.inf)
    if gate.slow_start and gate.window < threshold:
        grows = is_binding and not tally.throttled
        # A batch may tell of several rounds at once; the window grows by one round at a time.
        told = min(tally.succeeded, gate.window)
        return min(told * (parameters.ramp - 1), threshold - gate.window) if grows else 0.0
    growth = -float(tally.throttled)
    if is_binding:
        fresh = max(0, tally.attempts - tally.throttled - tally.handed)
        growth += fresh * _share(gate, now_ms, parameters)
    return max(1.0 - gate.window, min(growth, max(0.0, cap - gate.window)))


def _share(gate: GateState, now_ms: int, parameters: GateParameters) -> float:
    """Return what a fresh attempt adds, at most 1: the balance's share, and the more the longer the quiet."""
    window = max(1.0, gate.window)
    usual, small = parameters.refused_share, SMALL_SHARE / window**2
    quiet_s = (now_ms - max(gate.throttled_at_ms, gate.changed_at_ms)) / 1000
    throttles_apart_s = service_s(gate) / (window * max(usual, small))
    rounds_s = QUIET_ROUNDS * window * max(MIN_ROUND_S, service_s(gate))
    quiet = quiet_s / max(QUIET_GAPS * throttles_apart_s, min(parameters.quiet_s, rounds_s))
    return min(1.0, max(usual * (1.0 + quiet**2), small * (1.0 + quiet**SMALL_POWER)))


def cut_to(
    gate: GateState, tally: Samples, now_ms: int, parameters: GateParameters
) -> float | None:
    """Return the window after a cut; None if there is none.

    An attempt admitted before the last cut tells what that cut has answered already.
    """
    if not tally.throttled or tally.turn < gate.turn:
        return None
    if gate.slow_start:
        return max(1.0, OVERSHOOT_KEEPS * min(gate.window, gate.in_flight))
    burst = burst_before(gate, now_ms) + tally.throttled
    is_burst = burst >= max(MIN_BURST, BURST_SHARE * gate.window)
    apart_ms = 1000 * max(CUT_APART_S, service_s(gate))
    if not is_burst or now_ms - gate.changed_at_ms < apart_ms:
        return None
    return cut_window(gate, parameters)


def cut_window(gate: GateState, parameters: GateParameters) -> float:
    """Return what a cut leaves of the window, at least 1."""
    return max(1.0, gate.window * parameters.cut)


def burst_before(gate: GateState, now_ms: int) -> int:
    """Return how many throttles came within the last service time; 0 if their first is longer ago."""
    if now_ms - gate.burst_at_ms > 1000 * service_s(gate):
        return 0
    return gate.burst
