"""Tell what has changed in what AWS says of itself, where this project relies on it: `make drift`.

botocore's models carry the API reference: operations, members, limits, errors and their sentences. A digest
of the parts that we rely on is checked in (tests/drift.json): limits as they are, sentences as a hash and
their numbers. A newer botocore is compared with it; what differs is named, with the new sentence, so that a
person decides whether code, template or docs must follow. Not part of `make test`: it asks the package index.

    make drift                         the newest botocore against the digest
    make drift BOTOCORE=1.44.8         that version
    make drift AGAINST=1.44.6          the newest against another version instead of the digest
    make drift WRITE=1                 take the digest anew, once everything was looked at
"""

# ruff: noqa: T201 - its output is the point
from __future__ import annotations

import argparse
import hashlib
import html
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from botocore.loaders import Loader
from botocore.model import ListShape, OperationModel, ServiceModel, Shape, StructureShape

type Entry = dict[str, Any]
"""What is said of one thing: `limits`, and `sentences` as [hash, numbers] each."""

HERE: Final = Path(__file__).parent
DIGEST: Final = HERE / "drift.json"
TOOLS: Final = HERE.parent / ".tools"
WATCHED: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "lambda": {
        "Invoke": (
            "FunctionName",
            "Qualifier",
            "Payload",
            "ClientContext",
            "TenantId",
            "InvocationType",
            "TooManyRequestsException.Reason",
            "TooManyRequestsException.retryAfterSeconds",
        ),
        "CreateFunction": ("Timeout", "Runtime", "Architectures"),
        "PutFunctionConcurrency": ("ReservedConcurrentExecutions",),
        "GetAccountSettings": (),
    },
    "sqs": {
        "SendMessageBatch": (
            "Entries",
            "Entries.DelaySeconds",
            "Entries.MessageBody",
            "Entries.MessageGroupId",
        ),
        "ChangeMessageVisibility": ("VisibilityTimeout",),
        "ReceiveMessage": ("MaxNumberOfMessages", "VisibilityTimeout"),
        "CreateQueue": ("Attributes",),
    },
    "dynamodb": {
        "UpdateItem": ("ReturnValuesOnConditionCheckFailure",),
        "BatchGetItem": ("RequestItems",),
    },
    "firehose": {
        "CreateDeliveryStream": ("DeliveryStreamName",),
        "PutRecordBatch": ("Records",),
    },
    "logs": {
        "PutSubscriptionFilter": ("filterPattern", "destinationArn"),
        "PutLogEvents": ("logEvents",),
    },
    "s3": {"GetObject": ("VersionId",), "ListObjectsV2": ("MaxKeys",)},
    "events": {"PutEvents": ("Entries",)},
    "scheduler": {"CreateSchedule": ("ScheduleExpression", "ScheduleExpressionTimezone", "Name")},
    "ssm": {"PutParameter": ("Value", "Tier")},
    "secretsmanager": {"CreateSecret": ("Name", "SecretString")},
    "batch": {"SubmitJob": ("jobName", "arrayProperties", "retryStrategy", "timeout", "tags")},
    "cloudwatch": {
        "PutMetricAlarm": ("TreatMissingData", "EvaluationPeriods"),
        "GetMetricData": (),
    },
}
"""Operations, and the members of their requests and errors, that code, template or docs rely on.

A dot goes into a structure, or into the entries of a list of them.
"""
_LIMITS: Final = ("min", "max", "pattern", "enum")
_TAG: Final = re.compile(r"<[^>]+>")
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_NUMBER: Final = re.compile(r"\d[\d,.]*\d|\d")


def sentences(documentation: str) -> list[str]:
    """Return the sentences of a model's documentation, without markup."""
    text = " ".join(html.unescape(_TAG.sub(" ", documentation)).split())
    return [sentence for sentence in _SENTENCE_END.split(text) if sentence]


def said(documentation: str, limits: dict[str, Any]) -> tuple[Entry, dict[str, str]]:
    """Return the digest of one thing, and its sentences by hash."""
    texts = {
        hashlib.sha256(sentence.encode()).hexdigest()[:12]: sentence
        for sentence in sentences(documentation)
    }
    told = [[name, _NUMBER.findall(sentence)] for name, sentence in texts.items()]
    return {"limits": limits, "sentences": told}, texts


def digest(loader: Loader) -> tuple[dict[str, Entry], dict[str, str]]:
    """Return what is said of everything that is watched, by name, and all sentences by hash."""
    entries: dict[str, Entry] = {}
    texts: dict[str, str] = {}

    def note(name: str, documentation: str, limits: dict[str, Any]) -> None:
        entries[name], found = said(documentation, limits)
        texts.update(found)

    for service, operations in WATCHED.items():
        model = ServiceModel(loader.load_service_model(service, "service-2"), service)
        for operation_name, members in operations.items():
            operation = model.operation_model(operation_name)
            name = f"{service} {operation_name}"
            errors = sorted(shape.name for shape in operation.error_shapes)
            note(name, operation.documentation, {"errors": errors})
            for member in members:
                shape = _member(operation, member)
                note(f"{name} {member}", shape.documentation, _limits(shape))
    return entries, texts


def _member(operation: OperationModel, path: str) -> Shape:
    errors = {error.name: error for error in operation.error_shapes}
    members = _members(operation.input_shape) | errors
    for name in path.split("."):
        if name not in members:
            sys.exit(
                f"error: {operation.name} has no member {path} any more: look, and correct WATCHED"
            )
        shape = members[name]
        members = _members(shape.member if isinstance(shape, ListShape) else shape)
    return shape


def _members(shape: Shape | None) -> dict[str, Shape]:
    return dict(shape.members) if isinstance(shape, StructureShape) else {}


def _limits(shape: Shape) -> dict[str, Any]:
    limits = {key: shape.metadata[key] for key in _LIMITS if key in shape.metadata}
    return {key: sorted(value) if key == "enum" else value for key, value in limits.items()}


def compare(before: dict[str, Entry], after: dict[str, Entry], texts: dict[str, str]) -> list[str]:
    """Return what has changed, a line each; none if nothing has.

    Args:
        before: The digest that was relied on.
        after: The present one.
        texts: Its sentences, by hash.
    """
    changes = [f"{name}: is not watched any more" for name in before if name not in after]
    for name, entry in after.items():
        if name not in before:
            changes.append(f"{name}: is new here")
            continue
        old = before[name]
        changes += _changed_limits(name, old["limits"], entry["limits"])
        known = {key for key, _ in old["sentences"]}
        present = {key for key, _ in entry["sentences"]}
        gone = [numbers for key, numbers in old["sentences"] if key not in present]
        new = [(texts[key], numbers) for key, numbers in entry["sentences"] if key not in known]
        changes += [
            f"{name}: says now: {text}{_numbers(gone[at] if at < len(gone) else [], numbers)}"
            for at, (text, numbers) in enumerate(new)
        ]
        if len(gone) > len(new):
            changes.append(f"{name}: {len(gone) - len(new)} sentences are gone")
    return changes


def _changed_limits(name: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [
        f"{name}: {key} was {_difference(old.get(key), new.get(key))}"
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    ]


def _difference(old: object, new: object) -> str:
    """Return both, or of two lists what came and what went."""
    if isinstance(old, list) and isinstance(new, list):
        came = sorted(set(new) - set(old))
        went = sorted(set(old) - set(new))
        return f"without {came}" if not went else f"with {went}, without {came}"
    return f"{old}, is {new}"


def _numbers(old: list[str], new: list[str]) -> str:
    return "" if old == new else f" [numbers were {', '.join(old) or 'none'}]"


def _loader(version: str) -> tuple[Loader, str]:
    """Return the models of a version from the index, the newest if none is named, and which it is."""
    folder = TOOLS / "drift" / (version or "newest")
    wanted = f"botocore=={version}" if version else "botocore"
    uv = TOOLS / "uv" / "bin" / "uv"
    options = ["--quiet", "--no-deps", "--upgrade", "--target", str(folder)]
    subprocess.run([uv, "pip", "install", *options, wanted], check=True)
    (found,) = folder.glob("botocore-*.dist-info")
    data = str(folder / "botocore" / "data")
    loader = Loader(extra_search_paths=[data], include_default_search_paths=False)
    return loader, found.name.removeprefix("botocore-").removesuffix(".dist-info")


def main() -> None:
    """Print what has changed; exit 1 if anything has."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--botocore", default="", help="version; the newest if none is given")
    parser.add_argument("--against", default="", help="version to compare with; the digest if none")
    parser.add_argument("--write", action="store_true", help="take the digest anew")
    options = parser.parse_args()
    loader, version = _loader(options.botocore)
    after, texts = digest(loader)
    if options.write:
        lines = [
            f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in sorted(after.items())
        ]
        said_lines = ",\n".join(lines)
        DIGEST.write_text(f'{{"botocore": "{version}", "said": {{\n{said_lines}\n}}}}\n')
        print(f"{DIGEST.name}: {len(after)} entries of botocore {version}")
        return
    if options.against:
        other, known = _loader(options.against)
        before, _ = digest(other)
    else:
        document = json.loads(DIGEST.read_text())
        before, known = document["said"], document["botocore"]
    changes = compare(before, after, texts)
    print(f"botocore {known} -> {version}: {len(changes)} changes in {len(after)} entries")
    for change in changes:
        print(f"- {change}")
    sys.exit(1 if changes else 0)


if __name__ == "__main__":
    main()
