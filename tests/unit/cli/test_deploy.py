from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reprise_cli.deploy import Deployment, merge_overrides, read_changes
from reprise_cli.exits import CommandError
from reprise_cli.place import Place

if TYPE_CHECKING:
    from pathlib import Path

PLACE = Place(endpoint_url="http://x", access_key="k", secret_key="s")


def test_the_last_statement_of_a_parameter_wins() -> None:
    merged = merge_overrides("ChaosTarget=true Tracing=false", ("Tracing=true", "Targets=a,b"))
    assert merged == ["ChaosTarget=true", "Tracing=true", "Targets=a,b"]


def test_a_typed_parameter_is_quoted_where_sam_would_cut_it() -> None:
    typed = ["Targets=a,b", "WarmSchedule=cron(0 6 * * ? *)", 'WarmPayload={"a": "b"}']
    assert read_changes(typed) == (
        "Targets=a,b",
        'WarmSchedule="cron(0 6 * * ? *)"',
        'WarmPayload="{\\"a\\": \\"b\\"}"',
    )


@pytest.mark.parametrize("text", ["WarmTimezone", "=x", "Warm Timezone=UTC"])
def test_what_is_no_parameter_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(CommandError, match=r"--parameter: .* is no NAME=VALUE. Write for example"):
        read_changes([text])


def test_an_add_on_is_built_beside_the_stack_that_it_names(tmp_path: Path) -> None:
    root = Deployment(
        place=PLACE, stack_name="s", runtime="python3.13", build_dir=tmp_path / "build"
    )
    addon = root.beside("schedules", stack_name="s-schedules", changes=("Targets=a",))
    assert addon.build_dir == tmp_path / "schedules" / "build"
    assert addon.cache_dir == tmp_path / "schedules" / "cache"
    assert (addon.stack_name, addon.changes) == ("s-schedules", ("RootStack=s", "Targets=a"))


def test_an_add_on_is_deployed_by_its_own_settings(tmp_path: Path) -> None:
    sam = tmp_path / ".tools/sam/bin/sam"
    sam.parent.mkdir(parents=True)
    sam.write_text('#!/bin/sh\necho "$@"\nexit 3\n')
    sam.chmod(0o700)
    (tmp_path / "samconfig.toml").write_text("[schedules.deploy.parameters]\n")
    root = Deployment(place=PLACE, stack_name="s", runtime="python3.13", repository=tmp_path)
    with pytest.raises(CommandError, match=r"--config-env schedules .*RootStack=s") as caught:
        root.beside("schedules", stack_name="t").deploy()
    assert "--stack-name t --parameter-overrides PythonRuntime=python3.13" in str(caught.value)


def test_a_missing_sam_cli_names_make_setup(tmp_path: Path) -> None:
    deployment = Deployment(place=PLACE, stack_name="s", runtime="python3.13", repository=tmp_path)
    with pytest.raises(CommandError, match="make setup"):
        deployment.build()


def test_the_end_of_what_sam_wrote_is_shown_when_it_fails(tmp_path: Path) -> None:
    sam = tmp_path / ".tools/sam/bin/sam"
    sam.parent.mkdir(parents=True)
    sam.write_text('#!/bin/sh\necho "bad template in $AWS_ENDPOINT_URL"\nexit 3\n')
    sam.chmod(0o700)
    deployment = Deployment(place=PLACE, stack_name="s", runtime="python3.13", repository=tmp_path)
    with pytest.raises(CommandError, match="bad template in http://x"):
        deployment.build()
