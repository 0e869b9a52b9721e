"""A full account: what the invoker keeps with room of its own, and what nobody keeps without."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from reprise.instant import utc_now
from reprise_cli.app import App

if TYPE_CHECKING:
    import pytest

    from e2e.world import World

LIMIT, CALLS = 8, 24
ACCOUNT_FULL = "ConcurrentInvocationLimitExceeded"


def test_full_account_refuses_the_invoker_unless_it_has_room_of_its_own(
    world: World, guest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The command finds the engine of the repository; this one is the test's.
    monkeypatch.setattr(App, "engine", world.engine)
    done = world.look(
        *("chaos", "--json", "--account-limit", str(LIMIT), "--hold", "1s", "--timeout", "100s"),
        *("--calls", str(CALLS), "--poison", "0", "--large", "0"),
        # Not the stack's own target: the dashboard's tests count what that had in five minutes.
        *("--target", guest, "--receipts-table", str(world.stack.receipts_table)),
    )
    assert done.code == 0, done.stderr
    report = done.document
    assert (report["account_limit"], report["invoker_reserved"]) == (LIMIT, LIMIT // 2)
    shared, own = report["without_reservation"], report["with_reservation"]
    for proof in (shared, own):
        refused = sum(proof["refused_at_the_invoker"].values())
        assert proof["direct"] + proof["captured"] + refused == proof["calls"] == CALLS
        assert proof["succeeded"] == proof["captured"]
        assert (proof["lost"], proof["executed_twice"], proof["dead_lettered"]) == (0, 0, 0)
    # As calls of others end, one of these may get through now and then.
    assert shared["refused_at_the_invoker"][ACCOUNT_FULL] > CALLS // 2
    assert own["refused_at_the_invoker"] == {}
    assert own["captured"] > CALLS // 2
    assert throttles(world) >= shared["refused_at_the_invoker"][ACCOUNT_FULL]
    assert world.admin("GET", "account") == {"limit": 1000}
    assert "ReservedConcurrentExecutions" not in world.functions.get_function_concurrency(
        FunctionName=world.stack.invoker
    )


def test_account_that_is_not_the_local_engines_is_left_alone(world: World) -> None:
    # To the command this engine is none: it has the key, and nothing that controls it.
    done = world.look("chaos", "--account-limit", str(LIMIT))
    assert done.code == 2
    assert "on AWS that is a quota" in done.stderr
    assert world.admin("GET", "account") == {"limit": 1000}


def throttles(world: World) -> float:
    """Return what the alarm on the invoker looks at."""
    found = world.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="Throttles",
        Dimensions=[{"Name": "FunctionName", "Value": world.stack.invoker}],
        StartTime=utc_now() - timedelta(minutes=10),
        EndTime=utc_now() + timedelta(minutes=1),
        Period=60,
        Statistics=["Sum"],
    )
    return float(sum(point["Sum"] for point in found["Datapoints"]))
