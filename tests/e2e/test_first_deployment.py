"""The first deployment of a stranger: the real SAM CLI on a terminal, by both ways that the README names."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from e2e.another_stack import (
    assert_call_is_captured_and_replayed,
    at_work,
    delete_stack,
    kept_of,
    leave_nothing_of,
)
from e2e.dialogue import talk
from e2e.world import GUESTS
from reprise_cli.deploy import SAM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from e2e.dialogue import Dialogue
    from e2e.world import World
    from reprise_cli.deploy import Deployment

    type SamDeploy = Callable[..., Dialogue]

STACK = "first"
BUCKET, LEDGER, *QUEUES = kept_of(STACK)


@pytest.fixture
def sam_deploy(deployment: Deployment, tmp_path: Path) -> SamDeploy:
    """Return what runs `sam deploy` with a copy of samconfig.toml, since the dialogue writes to it."""
    config = shutil.copy(deployment.repository / "samconfig.toml", tmp_path)

    def run(
        *arguments: str, overrides: tuple[str, ...] = (), answers: Mapping[str, str] | None = None
    ) -> Dialogue:
        # Which Python the engine has.
        engine = (f"PythonRuntime={deployment.runtime}",)
        return talk(
            [
                deployment.repository / SAM,
                "deploy",
                *("--config-file", config),
                *("--template-file", deployment.build_dir / "template.yaml"),
                *("--stack-name", STACK),
                *arguments,
                *("--parameter-overrides", *overrides, *engine),
            ],
            cwd=deployment.repository,
            env=deployment.environment(),
            answers=answers,
        )

    return run


@pytest.fixture(autouse=True)
def leave_nothing(world: World) -> Iterator[None]:
    """Delete the stack and what it kept: each test makes the first deployment of this name."""
    yield
    leave_nothing_of(world, STACK)


def test_with_the_targets_on_the_command_line_nothing_is_asked_and_cleanup_lets_it_be_done_again(
    world: World, guest: str, sam_deploy: SamDeploy
) -> None:
    said = sam_deploy(overrides=(f"Targets={GUESTS}",))
    assert (said.questions, said.code) == ([], 0), said.text[-3000:]
    assert_call_is_captured_and_replayed(at_work(world, STACK), guest)
    refused = world.reprise("cleanup", "--stack-name", STACK, BUCKET, LEDGER)
    assert refused.code == 1
    assert f"stack '{STACK}' is CREATE_COMPLETE" in refused.stderr

    delete_stack(world, STACK)
    failed = sam_deploy(overrides=(f"Targets={GUESTS}",))
    assert (failed.questions, failed.code) == ([], 1)
    assert "already exists" in "".join(failed.text.split("\n"))
    rehearsed = world.reprise("cleanup", "--stack-name", STACK, "--dry-run", "--json").document
    assert rehearsed["status"] == "ROLLBACK_COMPLETE"
    assert [one["name"] for one in rehearsed["delete"]] == [*QUEUES]
    assert [one["name"] for one in rehearsed["keep"]] == [BUCKET, LEDGER]
    assert world.reprise("cleanup", "--stack-name", STACK).code == 1
    assert world.reprise("cleanup", "--stack-name", STACK, BUCKET, LEDGER).code == 0


def test_the_dialogue_passes_with_enter_alone_once_the_targets_are_given(
    world: World, guest: str, sam_deploy: SamDeploy
) -> None:
    said = sam_deploy("--guided", answers={"Parameter Targets": GUESTS})
    assert said.code == 0, said.text[-3000:]
    asked = [question.split()[1] for question in said.questions if "Parameter " in question]
    assert asked[0] == "Targets"
    assert "SlackWebhookUrl" in asked
    assert_call_is_captured_and_replayed(at_work(world, STACK), guest)
