"""What one seed lets happen: calls, targets, policy, and which faults there are, how often.

Each kind of fault is in about half of the scenarios only, so that there are runs with almost none, in which
more can be asked of the pipeline, and runs full of one of them.

Source: Groce et al., "Swarm Testing", ISSTA 2012.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Final

from harness import MAIL, ORDERS
from reprise.call.reply_to import ReplyTo

STORE_FAULTS: Final[dict[str, float]] = {
    "refuse": 0.05,
    "lose answer": 0.03,
    "repeat": 0.04,
    "arrive late": 0.04,
    "die": 0.012,
    "crash": 0.012,
    "slow": 0.05,
}
"""Share of the calls of stores that meet each: refused; done but its answer lost; sent twice by the SDK;
given up by the SDK and done later all the same; the process dies before or after it; it takes up to 40 s."""
OTHER_FAULTS: Final[dict[str, float]] = {
    "outlive": 0.15,  # a process that its platform kills late, long after its leases
    "twin": 0.03,  # one message twice in one batch
    "share": 0.06,  # one message to two consumers
    "keep deleted": 0.03,  # a delete is lost
    "ignore wait": 0.05,  # a visibility change is lost
    "send in part": 0.1,  # some entries of a SendMessageBatch fail
    "refuse statement": 0.1,  # one statement of a batch is throttled, and the others are not
    "unknown": 0.08,  # the target runs and its answer is lost
    "transient": 0.08,  # the service fails before the target runs
    "notify twice": 0.3,  # S3 notifies twice
    "lose notice": 0.15,  # S3 does not notify
    "restore": 0.3,  # a row that has not ended is gone, as in a restored table; share of runs
    "redrive": 0.5,  # share of runs in which an operator redrives
    "disable": 0.3,  # share of runs in which a policy is not enabled for a while
    "flip idempotent": 0.2,
    "capture again": 0.4,  # share of runs in which callers repeat themselves
}
LATER_FAULTS: Final[dict[str, float]] = {
    "skip line": 0.03,  # the log service loses a line
    "rewrite object": 0.1,  # Firehose writes an object again, under its key
    "deliver twice": 0.1,  # or what is in it under another
    "hot item": 0.02,  # DynamoDB throttles all requests for an item, for seconds
    "leave keys": 0.1,  # one key of a BatchGetItem is not read
    "step clock": 0.1,  # a process's clock jumps
    "deploy": 0.3,  # share of runs in which new code takes over, while old code ends
}
"""Drawn by a chance of their own: what else a seed lets happen does not depend on them."""
CANCELS: Final = 1 / 3
"""Share of runs in which an operator cancels calls."""
FAULTS_END_S: Final = 900.0
GOOD, POISON, FLAKY = "good", "poison", "flaky"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One capture."""

    number: int
    """Of the call; one that is captured again has the number of the first."""
    function: str
    nature: str
    """`good`, `poison` (always fails) or `flaky` (fails once)."""
    captured: str
    """How the caller's own try ended: `throttled`, `failed`, `transient` or `unknown`."""
    at_s: float = 0.0
    key: str | None = None
    is_large: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What one seed lets happen."""

    seed: int
    has_table: bool
    """Whether ledger and gates are the real ones, on a DynamoDB in this process."""
    objects: tuple[tuple[Planned, ...], ...]
    """What is captured before the start, by capture object."""
    later: tuple[Planned, ...]
    """What is captured later, an object each."""
    repeats: tuple[Planned, ...]
    """What callers call again live, by the key of a captured call."""
    log_path_s: float
    """How long what was captured before the start is on its way."""
    policy: dict[str, Any]
    edits: tuple[tuple[float, dict[str, Any]], ...]
    """When the policy changes, and to what."""
    phases: dict[str, tuple[tuple[float, str], ...]]
    """By function: until when it throttles, or fails for everybody; then it is well."""
    limits: dict[str, int]
    """How many calls a target runs at once."""
    service_s: float
    rates: dict[str, float]
    replayers: int
    unpackers: int
    in_flight_limit: int
    visibility_s: float
    redrives_s: tuple[float, ...]
    restores_s: tuple[float, ...]
    cancels_s: tuple[float, ...] = ()
    deploys_s: tuple[float, ...] = ()
    retention_days: float = 30

    def reply_to(self, plan: Planned) -> ReplyTo | None:
        """Return where a capture's late result is to go; in a quarter of the runs, and of some calls only.

        Drawn of no chance: what other seeds do stays as it was.
        """
        if self.seed % 4 != 3 or plan.number % 2:
            return None
        # Each capture of a call has a place of its own.
        return ReplyTo(event=f"{plan.number} at {plan.at_s}")

    @property
    def ever_idempotent(self) -> bool:
        policies = [self.policy, *(policy for _, policy in self.edits)]
        return any(policy["default"].get("idempotent") for policy in policies)


@dataclass(slots=True)
class _Maker:
    seed: int
    random: Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def rates(self) -> dict[str, float]:
        scale = self.random.choice((0.5, 1.0, 1.0, 2.0))
        rates = {**STORE_FAULTS, **OTHER_FAULTS}
        drawn = {name: rate * scale if self.chance(0.5) else 0.0 for name, rate in rates.items()}
        later = Random(f"later faults {self.seed}")
        return drawn | {
            name: rate * scale if later.random() < 0.5 else 0.0
            for name, rate in LATER_FAULTS.items()
        }

    def plan(self, number: int) -> Planned:
        random = self.random
        return Planned(
            number=number,
            function=random.choice((ORDERS, ORDERS, MAIL)),
            nature=random.choice((GOOD, GOOD, GOOD, GOOD, POISON, FLAKY)),
            captured=random.choice(
                ("throttled",) * 5 + ("failed", "failed", "transient", "unknown")
            ),
            key=f"key-{number}" if self.chance(0.4) else None,
            is_large=number == 0 and self.chance(0.1),
        )

    def plan_again(self, first: Planned) -> Planned:
        random = self.random
        return Planned(
            number=first.number,
            function=first.function,
            nature=first.nature,
            captured=random.choice(("throttled", "unknown")),
            at_s=random.choice((20, 300, 1500)) * random.random(),
            key=first.key,
        )

    def policy(self, *, is_long: bool) -> dict[str, Any]:
        random = self.random
        default: dict[str, Any] = {
            "idempotent": self.chance(0.4),
            "maximum_attempts": random.choice((1, 2, 3, 3, 3, 5)),
            "initial_interval_s": random.choice((5, 20, 60)),
            "maximum_interval_s": random.choice((60, 120)),
            "max_age_s": 14 * 86_400 if is_long else random.choice((1200, 21_600, 21_600)),
        }
        if self.chance(0.08):
            # Few deliveries, and hours between them.
            default |= {
                "initial_interval_s": 3600,
                "maximum_interval_s": 5400,
                "max_age_s": 14 * 86_400,
            }
        if self.chance(0.2):
            default["replay_on"] = ["throttled", "transient"]
        if self.chance(0.15):
            default["non_retryable_error_types"] = ["ValueError"]
        if {"replay_on", "non_retryable_error_types"} & set(default):
            # What the policy bars must not come back by the door of unknown outcomes.
            default["idempotent"] = self.chance(0.8)
        if self.chance(0.4):
            default["max_concurrency"] = random.choice((1, 2, 3))
        return {"default": default}

    def edits(
        self, policy: dict[str, Any], rates: dict[str, float]
    ) -> tuple[tuple[float, dict[str, Any]], ...]:
        random, default = self.random, policy["default"]
        edits: list[tuple[float, dict[str, Any]]] = []
        if self.chance(rates["disable"]):
            at_s = random.uniform(0, 300)
            edits += [
                (at_s, {"default": {**default, "enabled": False}}),
                (at_s + random.choice((20, 120, 400)), policy),
            ]
        if self.chance(rates["flip idempotent"]):
            flipped = {**default, "idempotent": not default["idempotent"]}
            edits.append((random.uniform(0, 400), {"default": flipped}))
        return tuple(sorted(edits, key=lambda edit: edit[0]))

    def phases(self, *, is_long: bool) -> tuple[tuple[float, str], ...]:
        random = self.random
        if is_long:
            return ((random.uniform(1.2, 3) * 3600, "throttle"),)
        ends_s = random.choice((0.0, random.uniform(5, 60), random.uniform(60, 500)))
        phases = [(ends_s, random.choice(("throttle", "throttle", "fail")))]
        if self.chance(0.3):
            phases += [
                (ends_s + random.uniform(5, 60), "well"),
                (ends_s + random.uniform(60, 200), random.choice(("throttle", "fail"))),
            ]
        return tuple(phases)

    def repeats(self, planned: list[Planned]) -> tuple[Planned, ...]:
        # By a chance of their own: what else a seed lets happen is not to depend on it.
        random = Random(f"repeats {self.seed}")
        keyed = [plan for plan in planned if plan.key is not None and not plan.is_large]
        if random.random() < 0.4 or not keyed:
            return ()
        return tuple(
            replace(plan, at_s=1.5 + random.choice((5, 60, 300, 1500, 5000)) * random.random())
            for plan in random.choices(keyed, k=random.randint(1, 6))
        )

    def cancels(self) -> tuple[float, ...]:
        """Return when an operator cancels a call; in a third of the runs."""
        random = Random(f"cancels at {self.seed}")
        if random.random() >= CANCELS:
            return ()
        return tuple(random.choice((5, 60, 600)) * random.random() for _ in range(4))

    def deploys(self, rate: float) -> tuple[float, ...]:
        """Return when new code takes over."""
        random = Random(f"deploys {self.seed}")
        if random.random() >= rate:
            return ()
        return tuple(random.choice((10, 100, 900)) * random.random() for _ in range(2))

    def log_path_s(self) -> float:
        random = Random(f"log path {self.seed}")
        return random.choice((0.0, 0.0, 5.0, 60.0, 300.0)) * random.random()

    def in_flight_limit(self, policy: dict[str, Any], repeats: tuple[Planned, ...]) -> int:
        limit: int = self.random.choice((6, 12, 120_000))
        # Messages that wait for hours, a repeated call's second ones among them, would fill a small one.
        is_filled = repeats and policy["default"]["initial_interval_s"] >= 3600
        return 120_000 if is_filled else limit

    def redrives(self) -> tuple[float, ...]:
        """Return when an operator comes; now and then two come at once."""
        times_s: list[float] = []
        for _ in range(3):
            at_s = self.random.uniform(60, 1000)
            times_s += [at_s, at_s + self.random.random()] if self.chance(0.5) else [at_s]
        return tuple(times_s)

    def make(self) -> Scenario:
        random = self.random
        is_long = self.chance(0.02)
        rates = self.rates()
        if is_long:
            # Every copy is looked at for hours.
            copies = ("twin", "share", "keep deleted", "notify twice", "rewrite object")
            rates |= dict.fromkeys((*copies, "deliver twice"), 0.0)
        calls = random.randint(2, 4) if is_long else random.randint(6, 14)
        planned = [self.plan(number) for number in range(calls)]
        later: list[Planned] = []
        if self.chance(rates["capture again"]):
            keyed = [plan for plan in planned if plan.key is not None and not plan.is_large]
            # Those that may have run are the ones to get wrong.
            keyed.sort(key=lambda plan: plan.captured != "unknown")
            later = [self.plan_again(first) for first in keyed[:2]]
        objects = []
        left = planned
        while left:
            size = random.randint(1, 7)
            objects.append(tuple(left[:size]))
            left = left[size:]
        policy = self.policy(is_long=is_long)
        repeats = self.repeats(planned)
        names = (ORDERS, MAIL)
        return Scenario(
            seed=self.seed,
            has_table=self.seed % 2 == 1,
            objects=tuple(objects),
            later=tuple(later),
            repeats=repeats,
            log_path_s=self.log_path_s() if repeats else 0.0,
            policy=policy,
            edits=self.edits(policy, rates),
            phases={name: self.phases(is_long=is_long and name == ORDERS) for name in names},
            limits={name: random.choice((1, 3, 10)) for name in names},
            service_s=random.choice((0.1, 1.0, 6.0)),
            rates=rates,
            replayers=random.randint(2, 4),
            unpackers=random.randint(1, 2),
            in_flight_limit=self.in_flight_limit(policy, repeats),
            visibility_s=random.choice((60.0, 60.0, 25.0)),
            redrives_s=self.redrives() if self.chance(rates["redrive"]) else (),
            restores_s=tuple(random.uniform(1, 600) for _ in range(3))
            if self.chance(rates["restore"])
            else (),
            cancels_s=self.cancels(),
            deploys_s=self.deploys(rates["deploy"]),
            retention_days=0.13 if is_long else 30,
        )


def scenario_of(seed: int) -> Scenario:
    """Return what a seed lets happen."""
    return _Maker(seed).make()
