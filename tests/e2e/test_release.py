"""The packaged template, away from the repository, by both command lines that docs/howto/release.md names."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from e2e.another_stack import assert_call_is_captured_and_replayed, at_work, leave_nothing_of
from e2e.world import GUESTS
from reprise_cli.deploy import REPOSITORY, SAM
from reprise_release.samconfig import samconfig
from reprise_release.templates import TemplatePackage

if TYPE_CHECKING:
    from pathlib import Path

    from e2e.world import World
    from reprise_cli.deploy import Deployment

AWS_CLI: Final = REPOSITORY / ".tools" / "callers" / "bin" / "aws"
BUCKET: Final = "code-of-releases"
CAPABILITIES: Final = ("--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND")


@pytest.fixture
def package(deployment: Deployment, tmp_path: Path) -> Path:
    made = TemplatePackage(folder=tmp_path / "package")
    made.folder.mkdir()
    made.add(deployment.build_dir / "template.yaml", "template")
    (made.folder / "samconfig.toml").write_text(samconfig(REPOSITORY))
    return made.folder


def run(deployment: Deployment, folder: Path, *command: object) -> None:
    done = subprocess.run(
        [str(each) for each in command],
        cwd=folder,
        env=deployment.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_the_packaged_template_is_deployed_by_the_sam_cli_and_keeps_calls(
    world: World, deployment: Deployment, guest: str, package: Path
) -> None:
    stack = "released"
    run(
        deployment,
        package,
        *(REPOSITORY / SAM, "deploy", "--stack-name", stack, "--parameter-overrides"),
        *(f"Targets={GUESTS}", f"PythonRuntime={deployment.runtime}"),
    )
    try:
        assert_call_is_captured_and_replayed(at_work(world, stack), guest)
    finally:
        leave_nothing_of(world, stack)


@pytest.mark.slow
@pytest.mark.skipif(not AWS_CLI.is_file(), reason="no AWS CLI: make .tools/callers/.stamp")
def test_the_packaged_template_is_deployed_by_the_aws_cli_and_keeps_calls(
    world: World, deployment: Deployment, guest: str, package: Path
) -> None:
    stack = "released-too"
    world.s3.create_bucket(Bucket=BUCKET)
    run(
        deployment,
        package,
        *(AWS_CLI, "cloudformation", "package", "--template-file", "template.json"),
        *("--s3-bucket", BUCKET, "--output-template-file", "packaged.yaml"),
    )
    run(
        deployment,
        package,
        *(AWS_CLI, "cloudformation", "deploy", "--template-file", "packaged.yaml"),
        *("--stack-name", stack, "--s3-bucket", BUCKET, *CAPABILITIES, "--parameter-overrides"),
        *(f"Targets={GUESTS}", f"PythonRuntime={deployment.runtime}"),
    )
    try:
        assert_call_is_captured_and_replayed(at_work(world, stack), guest)
    finally:
        leave_nothing_of(world, stack)
