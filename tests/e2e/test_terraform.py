"""The configuration of docs/howto/terraform.md, applied by Terraform with a stand-in for the AWS provider."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from e2e.another_stack import SHOP, assert_calls_survive, kept_of
from reprise.version import __version__
from reprise_cli.deploy import REPOSITORY
from reprise_cli.place import exports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from e2e.world import World
    from reprise_cli.deploy import Deployment

TERRAFORM: Final = shutil.which("terraform")
TOOLS: Final = Path(os.environ.get("REPRISE_TERRAFORM_TOOLS", REPOSITORY / ".tools" / "terraform"))
PYTHON: Final = TOOLS / "bin" / "python"
MODULE: Final = REPOSITORY / "dist" / "release" / f"reprise-{__version__}-terraform.zip"
PAGE: Final = (REPOSITORY / "docs" / "howto" / "terraform.md").read_text()
STACK, BUCKET, ROLE = "from-terraform", "my-code", "terraform-shop"
OUTPUTS: Final = """
output "layers" {
  value = module.reprise.layers
}
output "environment" {
  value = module.reprise.environment
}
output "doors" {
  value = module.reprise.doors
}
"""

type Terraform = Callable[..., str]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(TERRAFORM is None, reason="no terraform on PATH"),
    pytest.mark.skipif(not PYTHON.is_file(), reason="no stand-in: make .tools/terraform/.stamp"),
    pytest.mark.skipif(not MODULE.is_file(), reason="no module: make release"),
]


@pytest.fixture(scope="module")
def orders(world: World) -> Iterator[str]:
    """Deploy a target, and the role of who calls it."""
    world.s3.create_bucket(Bucket=BUCKET)
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    document = {"Version": "2012-10-17", "Statement": [trust]}
    world.client("iam").create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(document))
    name = world.make_guest()
    yield name
    world.functions.delete_function(FunctionName=name)


@pytest.fixture
def configuration(tmp_path: Path, deployment: Deployment, orders: str) -> Path:
    """Write what the page says, with its names resolved, beside the module that was released."""
    with zipfile.ZipFile(MODULE) as packed:
        packed.extractall(tmp_path)
    written = re.findall(r"```hcl\n(module .*?)```", PAGE, re.DOTALL)[0]
    more = f"""
  stack_name  = "{STACK}"
  front_doors = {{ door = "{orders}" }}
  parameters  = {{ PythonRuntime = "{deployment.runtime}" }}
}}
"""
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{orders}"
    text = written.rstrip().removesuffix("}").rstrip() + more + OUTPUTS
    for said, here in {
        "VERSION": __version__,
        "aws_lambda_function.orders.arn": f'"{arn}"',
        "aws_iam_role.web_shop.name": f'"{ROLE}"',
    }.items():
        assert said in text
        text = text.replace(said, here)
    (tmp_path / "main.tf").write_text(text)
    return tmp_path


@pytest.fixture
def terraform(world: World, configuration: Path) -> Terraform:
    """Return what runs Terraform there, with the stand-in in the provider's place."""
    plugin = configuration / "plugin"
    plugin.mkdir()
    program = plugin / "terraform-provider-aws"
    standin = REPOSITORY / "tests" / "terraform" / "standin_provider.py"
    program.write_text(f'#!/bin/sh\nexec "{PYTHON}" "{standin}"\n')
    program.chmod(0o755)
    rc = configuration / "terraform.rc"
    override = f'dev_overrides {{\n    "hashicorp/aws" = "{plugin}"\n  }}\n  direct {{}}'
    rc.write_text(f"provider_installation {{\n  {override}\n}}\n")
    environment = {
        **exports(world.place),
        "PATH": os.environ["PATH"],
        "HOME": str(configuration),
        "TF_CLI_CONFIG_FILE": str(rc),
        "CHECKPOINT_DISABLE": "1",
    }

    def run(*arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [str(TERRAFORM), *arguments, "-no-color"],
            cwd=configuration,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, (done.stdout + done.stderr)[-4000:]
        return done.stdout

    run("get")
    return run


def test_the_pages_configuration_is_applied_keeps_calls_and_goes_again(
    world: World, terraform: Terraform, deployment: Deployment, orders: str
) -> None:
    terraform("validate")
    terraform("apply", "-auto-approve")
    try:
        outputs = {
            name: each["value"] for name, each in json.loads(terraform("output", "-json")).items()
        }
        assert outputs["doors"]["door"].endswith(f":function:{STACK}-invoker:door")
        shop = make_shop(world, deployment, outputs, orders)
        assert_calls_survive(world, STACK, caller=shop, target=orders)
        assert "No changes" in terraform("plan", "-detailed-exitcode")
    finally:
        terraform("destroy", "-auto-approve")
        cleaned = world.look("cleanup", "--stack-name", STACK, *kept_of(STACK))
    assert cleaned.code == 0, cleaned.stderr


def test_addons_are_stacks_of_their_own(terraform: Terraform, configuration: Path) -> None:
    main = configuration / "main.tf"
    more = """  schedules = { WarmTimezone = "Asia/Seoul" }
  batch     = { job_definitions = ["nightly"], job_queues = ["spot"] }
"""
    main.write_text(main.read_text().replace("  stack_name ", f"{more}  stack_name "))
    planned = terraform("plan")
    assert f'"{STACK}-schedules"' in planned
    assert f'"{STACK}-batch"' in planned
    assert re.search(
        r'"BatchJobQueues" += "arn:aws:batch:us-east-1:000000000000:job-queue/spot"', planned
    )
    assert planned.count(":job-definition/nightly") == 3


def test_an_argument_that_the_provider_has_not_is_refused(
    terraform: Terraform, configuration: Path
) -> None:
    main = configuration / f"reprise-{__version__}-terraform" / "main.tf"
    main.write_text(main.read_text().replace("template_url =", "template_uri ="))
    assert "Unsupported argument" in terraform("validate", "-json", code=1)


def make_shop(world: World, deployment: Deployment, outputs: dict[str, Any], orders: str) -> str:
    """Deploy the caller, as the page has its function: with the layer and the variables."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr("index.py", SHOP)
    name = f"{orders}-shop"
    world.functions.create_function(
        FunctionName=name,
        Role=f"arn:aws:iam::000000000000:role/{ROLE}",
        Runtime=deployment.runtime,
        Handler="index.handler",
        Timeout=30,
        Code={"ZipFile": buffer.getvalue()},
        Layers=[outputs["layers"]["x86_64"]],
        Environment={"Variables": outputs["environment"]["web-shop"] | {"ORDERS": orders}},
    )
    return name
