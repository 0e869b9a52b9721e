"""Compare ways to replay after an outage, in simulation, and plot the reference scenario.

The product's own gate (`reprise.gate`) and backlog rule (`reprise.unpack.expansion`) play against each call
on its own and against a plain shared window. Recovery is measured in units of the physical bound; "extra
live" is what live callers are refused more than without replays. The same seeds give every player the same
live calls.
Ends with an error if the product's own replay lost a call or did not come to an end.

    make bench     or     .tools/bench/bin/python bench/replay_control.py [--seeds 1,2,3] [--plot FILE]
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "shared"), str(ROOT / "bench")]

from replay_sim.players import PLAYERS, Ours
from replay_sim.world import Scenario, World

SCENARIOS = (
    Scenario(name="base-10k"),
    Scenario(name="no-live", live_share=0.0),
    Scenario(name="constant", spread=0.0),
    Scenario(name="poison-1pct", poison_share=0.01),
    Scenario(name="error-outage", is_by_errors=True),
    Scenario(name="crashy", crash_share=0.01),
    Scenario(name="store-away", store_away_s=(500.0, 720.0)),
    Scenario(name="small", records=100, concurrency=10, outage_s=60.0),
)

HEAD = "scenario       player       recovery/bound  429s/record  extra live %   lost"


def measure(world: World) -> tuple[float, float, float, float]:
    """Return recovery / bound, throttles a record, extra live throttles in per cent, calls lost."""
    scenario = world.scenario
    end_s = world.recovered_at_s if world.recovered_at_s is not None else world.now_s
    after = [second for at_s, second in world.seconds.items() if at_s >= scenario.outage_s]
    live = sum(second.live for second in after)
    extra = sum(second.live_refused - second.shadow_refused for second in after)
    refused = sum(second.refused for second in world.seconds.values())
    return (
        (end_s - scenario.outage_s) / scenario.bound_s,
        refused / max(1, world.cohort),
        100 * extra / live if live else 0.0,
        world.lost + (world.cohort_left if world.recovered_at_s is None else 0),
    )


def plot(world: World, path: Path) -> None:
    """Draw backlog, window, live throttles and wasted replays over time."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    start_s, end_s = world.scenario.outage_s, world.now_s
    figure, axes = plt.subplots(4, 1, figsize=(9, 9), sharex=True, layout="constrained")
    times = [at_s - start_s for at_s, _, _ in world.probes]
    axes[0].plot(times, [backlog for *_, backlog in world.probes], color="tab:blue")
    axes[0].set_ylabel("calls that wait")
    axes[1].step(times, [window for _, window, _ in world.probes], color="tab:green", where="post")
    spare = world.scenario.concurrency * (1 - world.scenario.live_share)
    axes[1].axhline(spare, color="gray", linestyle="--", linewidth=1)
    axes[1].annotate("left by live calls on average", (-start_s, spare + 2), fontsize=8)
    axes[1].set_ylabel("window (permits)")
    bin_s = 10
    bins = range(0, int(end_s) + bin_s, bin_s)

    def in_bins(name: str) -> list[int]:
        return [
            sum(
                getattr(world.seconds[at_s], name)
                for at_s in range(at, at + bin_s)
                if at_s in world.seconds
            )
            for at in bins
        ]

    extra = [
        live - shadow if at >= start_s else 0
        for at, live, shadow in zip(
            bins, in_bins("live_refused"), in_bins("shadow_refused"), strict=True
        )
    ]
    left = [at - start_s for at in bins]
    axes[2].bar(left, extra, width=bin_s, align="edge", color="tab:red")
    axes[2].set_ylabel("extra live throttles\nin 10 s")
    axes[3].bar(left, in_bins("refused"), width=bin_s, align="edge", color="tab:orange")
    axes[3].set_ylabel("replays throttled\nin 10 s")
    axes[3].set_xlabel("seconds since the outage's end")
    for axis in axes:
        axis.axvline(0, color="black", linewidth=1)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    axes[0].set_title(
        f"{world.scenario.name}: 10,000 calls captured in ten minutes at concurrency 0,"
        " then half of 100 for live calls"
    )
    figure.savefig(path, dpi=110)


def main() -> None:
    """Print the table; write the plot if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--scenarios", default=",".join(scenario.name for scenario in SCENARIOS))
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    seeds = [int(seed) for seed in options.seeds.split(",")]
    print(HEAD)
    has_lost = False
    for scenario in SCENARIOS:
        if scenario.name not in options.scenarios.split(","):
            continue
        for player in PLAYERS:
            worlds = [World(scenario, player, seed) for seed in seeds]
            for world in worlds:
                world.run()
            means = [sum(column) / len(seeds) for column in zip(*map(measure, worlds), strict=True)]
            row = f"{scenario.name:14} {player.name:12} {means[0]:14.2f} {means[1]:12.3f}"
            print(f"{row} {means[2]:13.2f} {means[3]:6.0f}", flush=True)
            has_lost = has_lost or (player is Ours and means[3] > 0)
    if options.plot is not None:
        world = World(SCENARIOS[0], Ours, seeds[0])
        world.run()
        plot(world, options.plot)
    if has_lost:
        sys.exit("error: calls were lost, or are still open")


if __name__ == "__main__":
    main()
