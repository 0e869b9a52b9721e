"""docs/reference/parameters.md and alarms.md: what the templates say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from reprise.monitor.incidents import RUNBOOKS_OF
from reprise_reference.markdown import table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT: Final = Path(__file__).parents[3]
_ADDONS: Final = ("schedules", "batch", "replies", "endpoint")
_PARAMETERS: Final = """# Parameters and outputs of the templates

Written by `make reference` from the templates. Give parameters by `--parameter-overrides NAME=VALUE ...`:
those that it does not name keep the values of the deployed stack, or have their defaults where there is none.
One must be given: `Targets`. The option takes the place of samconfig.toml's own `parameter_overrides`, which
only `--config-env local` has.
"""
_ALARMS: Final = """# Alarms

Written by `make reference` from the templates. An alarm's name begins with the stack's. Each is an
incident, which is told once when it begins and once when it is over, to `IncidentEmail` and `SlackWebhookUrl`
([who is told](events.md#who-is-told)); the topic `AlarmTopicArn` gets the alarm as CloudWatch tells it
([parameters](parameters.md)). Besides, the observer tells by itself of a policy document that is not valid
([runbook](../runbooks/policy.md)).
"""


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short tags as what they are given."""


def _tag(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:  # noqa: ANN401 - YAML's
    del suffix
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)  # type: ignore[arg-type] # the third kind


_Loader.add_multi_constructor("!", _tag)


def read(name: str) -> dict[str, Any]:
    """Return a template of the repository."""
    found: dict[str, Any] = yaml.load((ROOT / name).read_text(), _Loader)  # noqa: S506 - a SafeLoader
    return found


def parameters_page() -> str:
    """Return the page of parameters and outputs."""
    return "\n".join(_parameters()).rstrip() + "\n"


def alarms_page() -> str:
    """Return the page of alarms."""
    return "\n".join(_alarms()).rstrip() + "\n"


def _parameters() -> Iterator[str]:
    yield _PARAMETERS
    yield "## The stack\n"
    root = read("template.yaml")
    for group in root["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]:
        yield f"### {group['Label']['default']}\n"
        yield from _table({name: root["Parameters"][name] for name in group["Parameters"]})
    yield from _outputs(root)
    for addon in _ADDONS:
        template = read(f"addons/{addon}/template.yaml")
        yield f"## The add-on `{addon}`\n"
        yield f"{template['Description'].strip()}\n"
        yield from _table(template.get("Parameters", {}))
        yield from _outputs(template)


def _table(parameters: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    rows = []
    for name, said in parameters.items():
        values = said.get("ConstraintDescription") or (
            "one of " + ", ".join(map(str, said["AllowedValues"]))
            if "AllowedValues" in said
            else ""
        )
        default = said.get("Default")
        shown = "must be given" if default is None else f"`{default}`" if default != "" else "none"
        rows.append([f"`{name}`", shown, said["Description"], values])
    if rows:
        yield from table(["parameter", "default", "what it is", "values"], rows)


def _outputs(template: Mapping[str, Any]) -> Iterator[str]:
    rows = [
        [f"`{name}`", said.get("Description", "")] for name, said in template["Outputs"].items()
    ]
    yield "Outputs:\n"
    yield from table(["output", ""], rows)


def _alarms() -> Iterator[str]:
    yield _ALARMS
    sources = ["infra/alarms.yaml", *(f"addons/{addon}/template.yaml" for addon in _ADDONS)]
    rows = [row for source in sources for row in _alarms_of(source)]
    yield from table(["alarm", "what it says", "runbook"], rows)


def _alarms_of(source: str) -> Iterator[list[str]]:
    for resource in read(source)["Resources"].values():
        if resource["Type"] != "AWS::CloudWatch::Alarm":
            continue
        properties = resource["Properties"]
        name = re.sub(r"^\$\{[A-Za-z]+\}-", "", properties["AlarmName"])
        text, _, _ = properties["AlarmDescription"].partition(" docs/runbooks/")
        text = text.replace("${StuckMinutes}", _stuck_minutes())
        runbook = RUNBOOKS_OF.get(name, name)
        yield [f"`{name}`", text, f"[{runbook}](../runbooks/{runbook}.md)"]


def _stuck_minutes() -> str:
    said = [each["StuckMinutes"] for each in read("template.yaml")["Mappings"]["Timeouts"].values()]
    return f"{min(said)} to {max(said)} (by `LongestTargetTimeout`)"
