"""One engine with IAM enforced, and one real deployment, for all of these tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from e2e.replies import Replies
from e2e.world import BATCH_JOB, DOORS, GUESTS, WARM_GUESTS, World
from local_engine.control import Engine
from reprise_cli.aws import Aws
from reprise_cli.deploy import Deployment
from reprise_cli.place import LOCAL_REGION, local_place
from reprise_cli.stack import find_schedules, read_stack

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from reprise_cli.stack import Schedules

HERE = Path(__file__).parent
STACK_NAME = "reprise"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.e2e)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the functions complained of, with a failure."""
    report = yield
    world = getattr(item, "funcargs", {}).get("world")
    if report.failed and isinstance(world, World):
        lines = [line[:600] for line in world.complaints()[-40:]]
        report.sections.append(("Functions' complaints", "\n".join(lines)))
    return report


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Run an engine where what IAM does not allow is refused."""
    engine = Engine(state_dir=tmp_path_factory.mktemp("engine"))
    engine.start(auth=True)
    try:
        yield engine
    finally:
        engine.stop()


@pytest.fixture(scope="session")
def deployment(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Build the unchanged template, which any number of stacks can be deployed from."""
    deployment = Deployment(
        place=local_place(engine),
        stack_name=STACK_NAME,
        runtime=engine.admin("GET", "health")["runtimes"][0],
        # Short timeouts: a lease, and the visibility of its message, last as long as a function may.
        changes=(
            f"Targets={GUESTS}",
            "LongestTargetTimeout=30",
            f"FrontDoors={DOORS}",
        ),
        build_dir=tmp_path_factory.mktemp("build"),
        # Not the repository's: `make test` builds there at the same time.
        cache_dir=tmp_path_factory.mktemp("cache"),
    )
    deployment.build()
    return deployment


@pytest.fixture(scope="session")
def world(engine: Engine, deployment: Deployment) -> World:
    """Deploy a stack for all tests."""
    deployment.deploy()
    # test_permissions.py asks what of the roles was used.
    engine.admin("POST", "permissions")
    aws = Aws(deployment.place)
    return World(engine, read_stack(aws.cloudformation, STACK_NAME, LOCAL_REGION))


@pytest.fixture(scope="session")
def schedules(world: World, deployment: Deployment) -> Schedules:
    """Deploy the add-on schedules beside the stack, which runs without it until somebody asks."""
    name = f"{STACK_NAME}-schedules"
    changes = (
        f"Targets={GUESTS},{BATCH_JOB}",
        "LongestTargetTimeout=30",
        f"WarmFunctions={','.join(WARM_GUESTS)}",
        "WarmTimezone=Asia/Seoul",
        # Seldom: other tests let days pass in a second. SAM wants values with blanks quoted.
        'WarmSchedule="cron(0 6 3 1 ? *)"',
    )
    addon = deployment.beside("schedules", stack_name=name, changes=changes)
    addon.build()
    addon.deploy()
    found = find_schedules(Aws(world.place).cloudformation, name)
    assert found is not None
    return found


@pytest.fixture(scope="session")
def replies(world: World, deployment: Deployment) -> Iterator[Replies]:
    """Deploy the add-on replies beside the stack, with a caller that takes late results in."""
    with Replies(world) as found:
        addon = deployment.beside(
            "replies", stack_name=f"{STACK_NAME}-replies", changes=found.destinations()
        )
        addon.build()
        addon.deploy()
        yield found


@pytest.fixture(scope="session", autouse=True)
def inbox(world: World) -> str:
    """Hear of incidents from the start; return the queue that they come to."""
    return world.subscribe(f"{STACK_NAME}-incidents")


@pytest.fixture
def guest(world: World) -> Iterator[str]:
    """Deploy a target of this test's own."""
    name = world.make_guest()
    yield name
    world.functions.delete_function(FunctionName=name)
