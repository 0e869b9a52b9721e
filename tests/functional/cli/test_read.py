"""`reprise read` as people run it: on files, standard input and S3, whole and damaged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from reprise.call.payload import pack
from reprise.capturing.line import write_line
from reprise_cli.main import app
from reprise_cli.read_quarantine import quarantine_in
from strategies import CONTROL, KEYS, LOG_GROUP, NOW_MS, envelope, make_record, zipped

if TYPE_CHECKING:
    from typer.testing import Result

RECORDS = [write_line(make_record(id=f"orders:{number}"), KEYS) for number in range(3)]
OBJECT = b"".join(map(zipped, [envelope(RECORDS[:2]), CONTROL, envelope(["hi", RECORDS[2]])]))


def run(*arguments: str, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(app, ["read", *arguments], input=stdin)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "object"
    path.write_bytes(OBJECT)
    return path


def stats(*arguments: str, stdin: bytes = b"") -> tuple[int, dict[str, Any]]:
    result = run("--stats", "--json", *arguments, stdin=stdin)
    document: dict[str, Any] = json.loads(result.stdout)
    return result.exit_code, document["total"]


def test_records_are_printed_as_they_were_logged(path: Path) -> None:
    result = run(str(path))
    assert (result.exit_code, result.stdout.splitlines()) == (0, RECORDS)


def test_standard_input_is_read_like_a_file() -> None:
    result = run("-", stdin=OBJECT)
    assert (result.exit_code, result.stdout.splitlines()) == (0, RECORDS)


def test_statistics_account_for_every_byte(path: Path) -> None:
    code, total = stats(str(path))
    assert code == 0
    assert total["is_complete"]
    expected = {
        "records": 3,
        "invalid_records": 0,
        "foreign_lines": 1,
        "control_messages": 1,
        "events": 4,
        "members": 3,
        "layers": 1,
        "damage": 0,
        "bytes_in": len(OBJECT),
        "bytes_accounted": len(OBJECT),
    }
    assert {name: total[name] for name in expected} == expected


def test_statistics_of_several_objects_are_summed(path: Path) -> None:
    assert stats(str(path), str(path))[1]["records"] == 6
    shown = run("--stats", str(path), str(path)).stdout
    assert "all 2 objects" in shown
    assert "bytes accounted for" in shown


def test_events_are_printed_with_all_that_is_known(tmp_path: Path) -> None:
    path = tmp_path / "object"
    path.write_bytes(zipped(envelope(["a", "b\n"])) + zipped(b'{"other":1}\n'))
    lines = [json.loads(line) for line in run("--events", str(path)).stdout.splitlines()]
    first = {
        "log_group": LOG_GROUP,
        "log_stream": "2026/11/21/[$LATEST]0123",
        "id": "0",
        "timestamp": NOW_MS,
        "message": "a",
    }
    assert lines == [first, first | {"id": "1", "message": "b\n"}, {"message": '{"other":1}'}]


@pytest.mark.parametrize("option", ["--events", ""], ids=["events", "records"])
def test_what_a_terminal_would_obey_is_printed_as_the_escape_that_json_has(
    option: str, tmp_path: Path
) -> None:
    payload = pack('"\x7f\x9b31m\u202e\U000e0041"'.encode(), 10**6)
    document = json.loads(write_line(make_record(payload=payload), KEYS))
    # Whoever writes lines by another library need not escape what JSON lets stand.
    line = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    path = tmp_path / "object"
    path.write_bytes(envelope([line]))
    result = run(str(path), *filter(None, [option]))
    (printed,) = result.stdout.splitlines()
    assert printed.isprintable()
    found = json.loads(printed)
    assert (json.loads(found["message"]) if option else found) == document


def test_damage_ends_with_its_own_code_and_goes_to_quarantine(path: Path, tmp_path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole + b"garbage" + zipped(envelope([RECORDS[0][:60]])))
    folder = tmp_path / "quarantine"

    result = run(str(path), "--quarantine", str(folder))

    assert (result.exit_code, result.stdout.splitlines()) == (5, RECORDS)
    assert "1 damaged stretches and 1 invalid records" in " ".join(result.stderr.split())
    kept = [
        json.loads(line)
        for file in folder.rglob("*.jsonl")
        for line in file.read_text().splitlines()
    ]
    damage = next(entry for entry in kept if entry["reason"] == "damaged")
    assert (damage["source"], damage["offset"], damage["length"]) == (str(path), len(whole), 7)
    assert {entry["reason"] for entry in kept} == {"damaged", "truncated"}


@pytest.mark.parametrize(
    "source",
    ["x\0y", "s3://bucket/" + "k" * 300, "s3://bucket/" + "é" * 200 + "/z", "a\ud800b", "../../x"],
)
def test_every_source_has_a_place_of_its_own_in_the_folder(source: str, tmp_path: Path) -> None:
    folder = tmp_path / "quarantine"
    for name in (source, source + "2"):
        keep = quarantine_in(folder, name)
        keep.add(0, "damaged", "why", b"data")
        keep.flush()

    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 2
    assert all(path.is_relative_to(folder) for path in files)


def test_folder_that_cannot_be_written_is_named(path: Path, tmp_path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"garbage")
    (tmp_path / "file").write_text("")

    result = run(str(path), "--quarantine", str(tmp_path / "file"))

    assert result.exit_code == 1
    assert "--quarantine" in result.stderr
    assert "Name a folder that can be written" in " ".join(result.stderr.split())


def test_all_damage_is_kept_in_the_folder_however_much(path: Path, tmp_path: Path) -> None:
    junk = [RECORDS[0].replace("invocation", "invocation.captured" + "x" * 100_000)[:100_000]] * 50
    path.write_bytes(zipped(envelope(junk)))
    folder = tmp_path / "quarantine"

    assert run(str(path), "--quarantine", str(folder)).exit_code == 5

    kept = [line for file in folder.rglob("*.jsonl") for line in file.read_text().splitlines()]
    assert len(kept) == 50


def test_a_record_whose_payload_was_altered_is_none(tmp_path: Path) -> None:
    path = tmp_path / "object"
    path.write_bytes(envelope([RECORDS[0].replace('order\\":1', 'order\\":2')]))
    code, total = stats(str(path))
    assert (code, total["records"], total["invalid_records"]) == (5, 0, 1)


@pytest.mark.parametrize("data", [b"", b"\n", zipped(b""), b"just text\n", zipped(b"x\ny\n")])
def test_other_peoples_objects_are_no_error(data: bytes) -> None:
    code, total = stats("-", stdin=data)
    assert (code, total["records"], total["bytes_accounted"]) == (0, 0, len(data))


@pytest.mark.parametrize("fill", [os.urandom(50_000), OBJECT[:-5], OBJECT[5:], b"\x1f\x8b"])
def test_no_input_ends_in_a_traceback(fill: bytes) -> None:
    code, total = stats("-", stdin=fill)
    assert code == 5
    assert total["bytes_in"] == total["bytes_accounted"] == len(fill)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["/no/such/file"], 1, "No such file"),
        (["/"], 1, "Is a directory"),
        (["s3://bucket"], 2, "names no object"),
        (["--stats", "--events", "-"], 2, "prints no events"),
    ],
)
@pytest.mark.usefixtures("aws_env")
def test_what_cannot_be_opened_is_told_in_one_line(
    arguments: list[str], code: int, words: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == code
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.usefixtures("aws_env")
def test_objects_are_read_from_s3() -> None:
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="capture-objects")
        s3.put_object(Bucket="capture-objects", Key="a b/c?x", Body=OBJECT)
        result = run("s3://capture-objects/a b/c?x")
        missing = run("s3://capture-objects/none")
    assert (result.exit_code, result.stdout.splitlines()) == (0, RECORDS)
    assert missing.exit_code == 1
    assert "NoSuchKey" in missing.stderr


@pytest.mark.parametrize(
    "key",
    ["a+b", "a%2Bb", "a%252Bb", "ü 100%", "/from//root/", "end?", "x#y", "a\tb", "?versionId"],
)
@pytest.mark.usefixtures("aws_env")
def test_keys_are_taken_as_they_are(key: str) -> None:
    """A key is no URL: nothing in it is encoded, cut off or joined."""
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="capture-objects")
        s3.put_bucket_versioning(
            Bucket="capture-objects", VersioningConfiguration={"Status": "Enabled"}
        )
        first = s3.put_object(Bucket="capture-objects", Key=key, Body=OBJECT)["VersionId"]
        s3.put_object(Bucket="capture-objects", Key=key, Body=b"")
        newest = run(f"s3://capture-objects/{key}")
        version = run(f"s3://capture-objects/{key}?versionId={first}")
    assert (newest.exit_code, newest.stdout) == (0, "")
    assert (version.exit_code, version.stdout.splitlines()) == (0, RECORDS)


def test_a_closed_pipe_ends_the_command_quietly(tmp_path: Path) -> None:
    path = tmp_path / "object"
    path.write_bytes(OBJECT * 2000)
    command: list[str | Path] = [Path(sys.executable).parent / "reprise", "read", path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
