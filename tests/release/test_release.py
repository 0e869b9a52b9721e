"""What `make release` writes: the same bytes each time, whole, and of one version."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tomllib
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from reprise.version import __version__
from reprise_release.archive import pack
from reprise_release.notes import release_notes
from reprise_release.release import ARCHITECTURES, BUILD, REPOSITORY, Release
from reprise_release.sbom import bill_of_materials
from reprise_release.templates import NAMING, TemplatePackage, read_template

if TYPE_CHECKING:
    from pathlib import Path

TERRAFORM = shutil.which("terraform")
ADDONS = {"schedules", "endpoint", "replies", "batch"}


def templates(package: Path) -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text()) for path in package.glob("*.json")}


def named(template: dict[str, Any]) -> list[str]:
    return [
        resource["Properties"][NAMING[resource["Type"]]]
        for resource in template["Resources"].values()
        if resource["Type"] in NAMING
    ]


def test_two_releases_of_the_same_sources_have_the_same_checksums(
    release: Release, tmp_path: Path
) -> None:
    again = Release(folder=tmp_path / "elsewhere" / "release")
    before = os.umask(0o077)
    try:
        again.write()
    finally:
        os.umask(before)
    sums = (again.folder / "SHA256SUMS").read_text()
    assert sums == (release.folder / "SHA256SUMS").read_text()
    assert len(sums.splitlines()) == len([*release.folder.iterdir()]) - 1


def test_a_zip_tells_nothing_of_times_and_owners_and_keeps_what_can_be_run(tmp_path: Path) -> None:
    folder = tmp_path / "code"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "b.py").write_text("b = 1\n")
    (folder / "a").write_text("#!/bin/sh\n")
    (folder / "a").chmod(0o700)
    first = pack(folder, tmp_path / "first.zip").read_bytes()
    os.utime(folder / "a", (1, 1))
    (folder / "deep" / "b.py").chmod(0o600)
    assert pack(folder, tmp_path / "second.zip").read_bytes() == first
    with zipfile.ZipFile(tmp_path / "first.zip") as made:
        modes = {each.filename: each.external_attr >> 16 for each in made.infolist()}
    assert modes == {"a": 0o100755, "deep/b.py": 0o100644}


def test_the_checksums_are_those_of_the_files(release: Release) -> None:
    for line in (release.folder / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((release.folder / name).read_bytes()).hexdigest() == digest


def test_every_file_that_a_template_names_is_beside_it_and_none_is_left_over(package: Path) -> None:
    found = templates(package)
    names = {name for template in found.values() for name in named(template)}
    assert all("/" not in name and (package / name).is_file() for name in names)
    stand_alone = {f"{name}.json" for name in (ADDONS | {"template"})}
    assert names | stand_alone | {"LICENSE", "README.md", "samconfig.toml"} == {
        path.name for path in package.iterdir()
    }


def test_nothing_in_a_template_speaks_of_the_build(package: Path) -> None:
    for path in package.glob("*.json"):
        text = path.read_text()
        assert not re.search("BuildMethod|BuildArchitecture|SamResourceId|aws-sam", text), path.name
        assert "AWS::Serverless::Application" not in text


def test_sam_deploy_needs_no_setting_but_what_is_called(package: Path) -> None:
    config = tomllib.loads((package / "samconfig.toml").read_text())
    deployed = {name: config[name]["deploy"]["parameters"] for name in config if name != "version"}
    assert {each["template_file"] for each in deployed.values()} == {
        f"{name}.json" for name in (ADDONS | {"template"})
    }
    for settings in deployed.values():
        assert (package / settings["template_file"]).is_file()
        assert settings["resolve_s3"] is True
        assert "CAPABILITY_IAM" in settings["capabilities"]
    assert deployed["default"]["stack_name"] == "reprise"
    assert deployed["batch"]["stack_name"] == "reprise-batch"


def test_the_zip_of_the_template_is_its_folder(release: Release, tmp_path: Path) -> None:
    with zipfile.ZipFile(release.folder / f"reprise-{__version__}-template.zip") as made:
        made.extractall(tmp_path)
    unpacked = tmp_path / f"reprise-{__version__}"
    assert {path.name: path.read_bytes() for path in unpacked.iterdir()} == {
        path.name: path.read_bytes() for path in release.package.iterdir()
    }


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_endpoints_layer_holds_the_binary_that_is_released_alone(
    release: Release, architecture: str
) -> None:
    name = f"reprise-{__version__}-endpoint-layer-{architecture}.zip"
    binary = release.folder / f"reprise-{__version__}-endpoint-linux-{architecture}"
    with zipfile.ZipFile(release.folder / name) as layer:
        assert layer.read("extensions/reprise") == binary.read_bytes()
    assert os.access(binary, os.X_OK)
    assert __version__.encode() in binary.read_bytes()


def test_two_codes_of_one_name_are_refused(tmp_path: Path) -> None:
    for number in ("1", "2"):
        (tmp_path / number / "code" / "worker").mkdir(parents=True)
        (tmp_path / number / "code" / "worker" / "main.py").write_text(number)
        function = {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "code"}}
        template = {"Resources": {"Worker": function}}
        (tmp_path / number / "template.yaml").write_text(json.dumps(template))
    (tmp_path / "made").mkdir()
    made = TemplatePackage(folder=tmp_path / "made")
    made.add(tmp_path / "1" / "template.yaml", "one")
    with pytest.raises(ValueError, match=r"worker\.zip would be two"):
        made.add(tmp_path / "2" / "template.yaml", "two")


def test_the_bill_of_materials_is_what_the_layer_holds(package: Path) -> None:
    with zipfile.ZipFile(package / "layer.zip") as layer:
        shipped = {
            tuple(name.split("/")[1].removesuffix(".dist-info").split("-"))
            for name in layer.namelist()
            if name.endswith(".dist-info/METADATA")
        }
    bill = bill_of_materials(REPOSITORY, __version__)
    assert {
        (each["name"].replace("-", "_"), each["version"])
        for each in bill["components"]
        if each["properties"][0]["value"] == "layer"
    } == shipped
    assert {each["purl"].split("@")[0] for each in bill["components"]} >= {
        "pkg:golang/std",
        "pkg:npm/uplot",
        "pkg:pypi/orjson",
    }
    assert bill["dependencies"][0]["dependsOn"] == [each["bom-ref"] for each in bill["components"]]


def test_the_notes_are_the_changelogs_section_of_the_version() -> None:
    log = "# Changelog\n\n## [Unreleased]\n\n## [1.1.0] - 2027-01-01\n\n- new\n\n## [1.0.0]\n\n- old\n"
    assert release_notes(log, "1.1.0") == "# Reprise 1.1.0\n\n- new\n"
    assert release_notes(log, "1.0.0") == "# Reprise 1.0.0\n\n- old\n"
    with pytest.raises(ValueError, match=r"no section \[2.0.0\]"):
        release_notes(log, "2.0.0")
    early = release_notes("## [Unreleased]\n\n- soon\n", "2.0.0")
    assert early == "# Reprise 2.0.0, before its release\n\n- soon\n"


def test_the_terraform_module_has_the_packaged_template_and_nothing_of_a_run(
    release: Release,
) -> None:
    root = f"reprise-{__version__}-terraform"
    with zipfile.ZipFile(release.folder / f"{root}.zip") as packed:
        names = {name.removeprefix(f"{root}/") for name in packed.namelist()}
    assert {f"package/{path.name}" for path in release.package.iterdir()} < names
    assert {"main.tf", "variables.tf", "outputs.tf", "modules/addresses/main.tf"} < names
    assert not [name for name in names if ".terraform" in name or "tfstate" in name]


@pytest.mark.skipif(TERRAFORM is None, reason="no terraform on PATH")
def test_the_terraform_module_is_formatted() -> None:
    folder = REPOSITORY / "infra" / "terraform"
    done = subprocess.run(
        [str(TERRAFORM), "fmt", "-check", "-recursive", "-diff", folder],
        env={"CHECKPOINT_DISABLE": "1"},
        capture_output=True,
        check=False,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_the_catalogues_entry_has_what_it_must_have(package: Path) -> None:
    """SAM developer guide, "AWS SAM template Metadata section properties"."""
    entry = templates(package)["template"]["Metadata"]["AWS::ServerlessRepo::Application"]
    assert {"Name", "Description", "Author"} <= set(entry)
    assert re.fullmatch(r"[a-zA-Z0-9-]{1,140}", entry["Name"])
    assert len(entry["Description"]) <= 256
    assert entry["SemanticVersion"] == __version__
    assert all(re.fullmatch(r"[a-zA-Z0-9+-_:/@]{1,127}", label) for label in entry["Labels"])
    assert all((package / entry[name]).is_file() for name in ("LicenseUrl", "ReadmeUrl"))


def test_the_endpoint_says_the_one_version() -> None:
    assert f'version = "{__version__}"' in (REPOSITORY / "endpoint" / "main.go").read_text()
    for folder in (REPOSITORY, REPOSITORY / "local_engine"):
        text = (folder / "pyproject.toml").read_text()
        assert not re.search('^version = "', text, re.MULTILINE)


def test_the_packaged_template_makes_the_resources_that_the_built_one_makes(package: Path) -> None:
    """By their logical ids, so that a stack of one is upgraded in place by the other."""
    built = read_template(BUILD / "build" / "template.yaml")
    for properties in (resource["Properties"] for resource in built["Resources"].values()):
        if "ContentUri" in properties:
            properties["ContentUri"] = "s3://bucket/code"
    packaged = templates(package)["template"]
    packaged["Resources"]["RepriseLayer"]["Properties"]["ContentUri"] = "s3://bucket/code"
    done = subprocess.run(
        [REPOSITORY / ".tools/sam/bin/python", REPOSITORY / "tests/template/expand.py"],
        input=json.dumps({"built": built, "packaged": packaged}),
        env={"AWS_DEFAULT_REGION": "eu-west-1"},
        capture_output=True,
        check=True,
        text=True,
    )
    made = {
        name: {each: resource["Type"] for each, resource in template["Resources"].items()}
        for name, template in json.loads(done.stdout).items()
    }
    assert made["packaged"] == made["built"]
    assert made["built"]["Capture"] == "AWS::CloudFormation::Stack"
