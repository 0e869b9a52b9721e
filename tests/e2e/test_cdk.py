"""The examples of docs/howto/cdk.md: synthesized in both languages, deployed, and at work."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from e2e.another_stack import SHOP, assert_calls_survive, delete_stack, leave_nothing_of
from e2e.cdk_apps import MORE, PYTHON, TYPESCRIPT
from reprise.version import __version__
from reprise_cli.deploy import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from e2e.world import World
    from reprise_cli.deploy import Deployment

TOOLS: Final = Path(os.environ.get("REPRISE_CDK_TOOLS", REPOSITORY / ".tools"))
RELEASE: Final = REPOSITORY / "dist" / "release"
WHEEL: Final = RELEASE / f"reprise_cdk-{__version__}-py3-none-any.whl"
TARBALL: Final = RELEASE / f"reprise-cdk-{__version__}.tgz"
PAGE: Final = (REPOSITORY / "docs" / "howto" / "cdk.md").read_text()
STACK, APP = "from-cdk", "ShopOfCdk"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not WHEEL.is_file(), reason="no construct: make release"),
]


def example(language: str) -> str:
    [found] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def run(*command: object, folder: Path, said: object = None, **variables: str) -> None:
    done = subprocess.run(
        [str(each) for each in command],
        cwd=folder,
        input=json.dumps(said),
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


@pytest.fixture(scope="module")
def shop(world: World) -> Iterator[dict[str, str]]:
    """Deploy a target, and say what the apps are told."""
    orders = world.make_guest()
    yield {"app": APP, "orders": orders, "shop": f"{orders}-shop", "code": SHOP}
    world.functions.delete_function(FunctionName=orders)


def synthesize(folder: Path, code: str, said: dict[str, str]) -> Path:
    """Return what an app in Python makes with the wheel that was released."""
    uv = REPOSITORY / ".tools/uv/bin/uv"
    run(uv, "pip", "install", "--quiet", "--no-deps", "--target", "site", WHEEL, folder=folder)
    (folder / "app.py").write_text(PYTHON.replace("EXAMPLE", code))
    out = folder / "cdk.out"
    told = {**said, "outdir": str(out)}
    run(TOOLS / "cdk/bin/python", "app.py", folder=folder, said=told, PYTHONPATH="site")
    return out


@pytest.fixture(scope="module")
def of_python(
    shop: dict[str, str], deployment: Deployment, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    settings = f'stack_name="{STACK}", parameters={{"PythonRuntime": "{deployment.runtime}"}}'
    code = example("python").replace("targets=[orders]", f"targets=[orders], {settings}")
    return synthesize(tmp_path_factory.mktemp("python-app"), code, shop)


def templates(out: Path) -> dict[str, Any]:
    """Return what was synthesized, but for CDK's own metadata."""
    found = {}
    for path in out.glob("*.template.json"):
        template = json.loads(path.read_text())
        for resource in template["Resources"].values():
            resource.pop("Metadata", None)
        template["Resources"].pop("CDKMetadata", None)
        found[path.name] = template
    return found


def test_both_languages_synthesize_the_same(
    of_python: Path, shop: dict[str, str], deployment: Deployment, tmp_path: Path
) -> None:
    modules = tmp_path / "node_modules"
    modules.mkdir()
    with tarfile.open(TARBALL) as packed:
        packed.extractall(modules, filter="data")
    (modules / "package").rename(modules / "reprise-cdk")
    tools = TOOLS / "cdk-js" / "node_modules"
    for name in ("aws-cdk-lib", "constructs", "@types"):
        (modules / name).symlink_to(tools / name)
    settings = f"stackName: '{STACK}', parameters: {{ PythonRuntime: '{deployment.runtime}' }}"
    imports, code = example("ts").split("\n\n", 1)
    code = code.replace("targets: [orders]", f"targets: [orders], {settings}")
    text = TYPESCRIPT.replace("IMPORTS", imports).replace("EXAMPLE", code)
    (tmp_path / "app.ts").write_text(text)
    options = ("--strict", "--skipLibCheck", "--module", "commonjs", "--target", "es2022")
    run(tools / ".bin" / "tsc", *options, "app.ts", folder=tmp_path)
    out = tmp_path / "cdk.out"
    run("node", "app.js", folder=tmp_path, said={**shop, "outdir": str(out)})
    assert templates(out) == templates(of_python)


def test_what_is_synthesized_keeps_the_calls_of_the_protected_function(
    world: World, of_python: Path, shop: dict[str, str]
) -> None:
    try:
        deploy(world, of_python)
        assert_calls_survive(world, STACK, caller=shop["shop"], target=shop["orders"])
    finally:
        delete_stack(world, APP)
        leave_nothing_of(world, STACK)


def test_addons_are_stacks_of_their_own_and_a_front_door_an_alias(
    shop: dict[str, str], tmp_path: Path
) -> None:
    out = synthesize(tmp_path, MORE, shop)
    stacks = stacks_of(out)
    names = {each["properties"].get("stackName", name): name for name, each in stacks.items()}
    assert set(names) == {APP, "reprise", "reprise-schedules", "reprise-batch"}
    root = names["reprise"]
    for name in (APP, "reprise-schedules", "reprise-batch"):
        assert root in stacks[names[name]]["dependencies"]
    made = {name: templates(out)[f"{names[name]}.template.json"] for name in names}
    [alias] = [
        each["Properties"]
        for each in made["reprise"]["Resources"].values()
        if each["Type"] == "AWS::Lambda::Alias"
    ]
    assert (alias["FunctionName"], alias["Name"]) == ("reprise-invoker", "checkout")
    assert made["reprise"]["Outputs"]["FrontDoors"]["Value"] == "checkout=named"
    targets = json.dumps(made["reprise"]["Resources"]["Secrets"]["Properties"]["Parameters"])
    assert ":function:named," in targets
    assert ":job-definition/nightly" in targets
    permission = [
        json.dumps(each["Properties"]["FunctionName"])
        for each in made[APP]["Resources"].values()
        if each["Type"] == "AWS::Lambda::Permission"
    ]
    assert "reprise-invoker:checkout" in permission[0]


def stacks_of(out: Path) -> dict[str, Any]:
    artifacts = json.loads((out / "manifest.json").read_text())["artifacts"]
    kind = "aws:cloudformation:stack"
    return {name: each for name, each in artifacts.items() if each["type"] == kind}


def deploy(world: World, out: Path) -> None:
    """Do what `cdk bootstrap` and `cdk deploy --all` do: publish the assets, make the stacks in order."""
    here = {"${AWS::AccountId}": "000000000000", "${AWS::Region}": "us-east-1"}
    world.s3.create_bucket(
        Bucket=placed("cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}", here)
    )
    world.client("ssm").put_parameter(
        Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String", Overwrite=True
    )
    for path in out.glob("*.assets.json"):
        for file in json.loads(path.read_text())["files"].values():
            assert file["source"]["packaging"] == "file"
            for to in file["destinations"].values():
                body = (out / file["source"]["path"]).read_bytes()
                bucket = placed(to["bucketName"], here)
                world.s3.put_object(Bucket=bucket, Key=to["objectKey"], Body=body)
    stacks = stacks_of(out)
    done: set[str] = set()
    while len(done) < len(stacks):
        [name, *_] = [
            each
            for each, artifact in stacks.items()
            if each not in done and not set(artifact.get("dependencies", [])) & set(stacks) - done
        ]
        properties = stacks[name]["properties"]
        create(world, properties.get("stackName", name), out / properties["templateFile"])
        done.add(name)


def placed(text: str, here: dict[str, str]) -> str:
    for name, value in here.items():
        text = text.replace(name, value)
    return text


def create(world: World, stack: str, template: Path) -> None:
    cloudformation = world.client("cloudformation")
    named = {"StackName": stack, "ChangeSetName": "cdk-deploy-change-set"}
    cloudformation.create_change_set(
        **named,
        ChangeSetType="CREATE",
        TemplateBody=template.read_text(),
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    cloudformation.get_waiter("change_set_create_complete").wait(
        **named, WaiterConfig={"Delay": 0.2, "MaxAttempts": 300}
    )
    cloudformation.execute_change_set(**named)
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=stack, WaiterConfig={"Delay": 0.5, "MaxAttempts": 300}
    )
