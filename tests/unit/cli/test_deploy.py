from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reprise_cli.deploy import Deployment, merge_overrides
from reprise_cli.exits import CommandError

if TYPE_CHECKING:
    from pathlib import Path


def test_the_last_statement_of_a_parameter_wins() -> None:
    merged = merge_overrides("ChaosTarget=true OnAws=false", ("OnAws=true", "Targets=a,b"))
    assert merged == ["ChaosTarget=true", "OnAws=true", "Targets=a,b"]


def test_a_missing_sam_cli_names_make_setup(tmp_path: Path) -> None:
    deployment = Deployment(
        engine_url="http://x", stack_name="s", runtime="python3.13", repository=tmp_path
    )
    with pytest.raises(CommandError, match="make setup"):
        deployment.build()


def test_the_end_of_what_sam_wrote_is_shown_when_it_fails(tmp_path: Path) -> None:
    sam = tmp_path / ".tools/sam/bin/sam"
    sam.parent.mkdir(parents=True)
    sam.write_text('#!/bin/sh\necho "bad template in $AWS_ENDPOINT_URL"\nexit 3\n')
    sam.chmod(0o700)
    deployment = Deployment(
        engine_url="http://x", stack_name="s", runtime="python3.13", repository=tmp_path
    )
    with pytest.raises(CommandError, match="bad template in http://x"):
        deployment.build()
