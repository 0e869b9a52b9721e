"""`reprise policy` on moto's Systems Manager."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest

from functional.cli.test_commands import Cloud, cloud, document_of, run
from reprise.instant import utc_now
from reprise.ledger import State
from reprise_cli.exits import CommandError
from reprise_cli.policy.parameter import PolicyParameter
from strategies import make_row
from unit.cli.test_stack import OUTPUTS

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["cloud"]
NAME = OUTPUTS["PolicyParameter"]
FIRST = '{"default": {}, "targets": {}}'


@pytest.fixture
def ssm(cloud: Cloud) -> Any:
    del cloud
    client = boto3.client("ssm")
    client.put_parameter(Name=NAME, Value=FIRST, Type="String")
    return client


def document(ssm: Any) -> Any:
    return json.loads(ssm.get_parameter(Name=NAME)["Parameter"]["Value"])


def write_by_hand(ssm: Any, text: str) -> None:
    ssm.put_parameter(Name=NAME, Value=text, Type="String", Overwrite=True)


def test_fields_are_set_and_left_out_again(ssm: Any) -> None:
    result = run("policy", "set", "orders", "idempotent=true", "capture_on=throttled,transient")
    assert (result.exit_code, result.stderr.startswith("place: ")) == (0, True)
    fields = {"idempotent": True, "capture_on": ["throttled", "transient"]}
    assert document(ssm) == {"default": {}, "targets": {"orders": fields}}
    assert "targets.orders.idempotent: not said -> true" in result.stdout
    told = document_of(run("policy", "unset", "orders", *fields, "--json"))
    assert (told["before"], told["version"]) == (2, 3)
    assert document(ssm) == {"default": {}, "targets": {}}


def test_what_holds_for_a_target_is_shown_with_who_says_it(
    ssm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_by_hand(ssm, '{"default":{"maximum_attempts":5},"targets":{"orders":{"headroom":0.5}}}')
    told = document_of(run("policy", "get", "orders", "--json"))
    assert (told["policy"]["maximum_attempts"], told["policy"]["headroom"]) == (5, 0.5)
    found = {name: told["said_by"][name] for name in ("maximum_attempts", "headroom", "enabled")}
    assert found == {"maximum_attempts": "default", "headroom": "orders", "enabled": "built in"}
    for columns in ("60", "80", "200"):
        monkeypatch.setenv("COLUMNS", columns)
        shown = run("policy", "get", "orders").stdout
        assert "non_retryable_error_types" in shown
        assert max(map(len, shown.splitlines())) <= int(columns)


def test_a_name_of_old_becomes_the_present_one(ssm: Any) -> None:
    write_by_hand(ssm, '{"targets":{"orders":{"max_attempts":5}}}')
    assert run("policy", "set", "orders", "max_attempts=6").exit_code == 0
    assert document(ssm)["targets"] == {"orders": {"maximum_attempts": 6}}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["set", "orders", "enbaled=false"], 2, "FIELD=VALUE: 'enbaled' is no field of a policy"),
        (["set", "orders", "maximum_attempts=0"], 1, "targets.orders.maximum_attempts: Expected `int` >= 1"),
        (["set", "orders", "enabled=nein"], 1, "targets.orders.enabled: Expected `bool`"),
        (["set", "orders", "capture_on=x"], 1, "targets.orders.capture_on: Invalid enum value 'x'"),
        (["set", "ordrs", "enabled=false"], 1, "TARGET: 'ordrs' is nothing that this stack may call. Did"),
        (["set", "orders", "enabled"], 2, "enabled: has no value"),
        (["set", "orders"], 2, "FIELD=VALUE: is missing"),
        (["set"], 2, "TARGET: or --file must be given"),
        (["set", "--file", "/nope/x"], 2, "FILE: /nope/x cannot be read"),
        (["unset", "orders", "enbaled"], 2, "FIELD: 'enbaled' is no field"),
        (["pause"], 2, "TARGET: or --all must be given"),
        (["pause", "orders", "--all"], 2, "TARGET: or --all must be given"),
        (["pause", "payments"], 1, "TARGET: 'payments' is nothing that this stack may call"),
        (["validate", "/nope/x"], 2, "FILE: /nope/x cannot be read"),
    ],
)  # fmt: skip
def test_an_error_names_the_field_and_changes_nothing(
    ssm: Any, arguments: list[str], code: int, said: str
) -> None:
    result = run("policy", *arguments)
    assert result.exit_code == code
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert line.startswith(f"error: {said}")
    assert ssm.get_parameter(Name=NAME)["Parameter"]["Version"] == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"targets":', "policy: policy document is not JSON: Expecting value: line 1 column 12"),
        ('{"targets":{"orders":{"enbaled":false}}}', "targets.orders.enbaled: is no field of a policy. Did"),
        ('{"targets":{"orders":{},"orders":{}}}', "orders: is given twice"),
        ('{"default":{"initial_interval_s":900}}', "default: maximum_interval_s must not be below"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_valid_is_refused_with_the_place_at_fault(
    ssm: Any, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "p.json").write_text(text)
    for arguments in (("validate",), ("set", "--file")):
        result = run("policy", *arguments, str(tmp_path / "p.json"))
        assert (result.exit_code, f"error: {said}" in result.stderr) == (1, True)
    assert document(ssm) == json.loads(FIRST)


def test_a_file_takes_the_place_of_the_document_and_unknown_targets_are_told(
    ssm: Any, tmp_path: Path
) -> None:
    (tmp_path / "p.json").write_text('{"targets":{"ordrs":{"enabled":false}}}')
    result = run("policy", "set", "--file", str(tmp_path / "p.json"), "--reason", "from git")
    assert result.exit_code == 0
    assert "targets.ordrs: the stack calls nothing of that name" in result.stderr
    assert document(ssm)["targets"] == {"ordrs": {"enabled": False}}


def test_a_bad_document_can_be_mended_by_the_command(ssm: Any, tmp_path: Path) -> None:
    write_by_hand(ssm, "{")
    assert run("policy", "validate").exit_code == 1
    assert "{" in run("policy", "get").stdout
    (tmp_path / "p.json").write_text("{}")
    assert run("policy", "set", "--file", str(tmp_path / "p.json")).exit_code == 0
    assert run("policy", "validate").exit_code == 0
    assert document(ssm) == {}


def test_a_target_is_paused_and_resumed_and_the_history_says_by_whom_and_why(ssm: Any) -> None:
    paused = run("policy", "pause", "orders", "--reason", "the vendor is down")
    assert "orders is paused: replays stop within a minute" in paused.stdout
    assert document(ssm)["targets"] == {"orders": {"enabled": False}}
    told = document_of(run("policy", "get", "orders", "--json"))["paused"]
    assert (told["by"], told["why"]) == ("unknown", "the vendor is down")
    again = run("policy", "pause", "orders")
    assert "paused already: nothing was changed" in again.stdout
    resumed = run("policy", "resume", "orders")
    assert "orders is resumed: what waited goes on within 10 s" in resumed.stdout
    assert document(ssm)["targets"] == {}
    versions = document_of(run("policy", "history", "--json"))["versions"]
    assert [each["why"] for each in versions] == [
        "resume orders",
        "pause orders: the vendor is down",
        "",
    ]
    assert versions[1]["changes"] == ["targets.orders.enabled: not said -> false"]


def paused_for(monkeypatch: pytest.MonkeyPatch, hours: int) -> None:
    """Let the command's clock be so far ahead."""
    later = utc_now() + timedelta(hours=hours)
    monkeypatch.setattr("reprise_cli.commands.policy.utc_now", lambda: later)


def test_a_target_whose_calls_would_be_given_up_is_not_resumed_unawares(
    ssm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("policy", "pause", "orders")
    paused_for(monkeypatch, 9)
    for command in (("resume", "orders"), ("resume", "--all")):
        refused = run("policy", *command)
        assert (refused.exit_code, document(ssm)["targets"]) == (1, {"orders": {"enabled": False}})
        assert "error: orders: has been paused for 9h" in refused.stderr
    step = "policy set orders max_age_s=57600"
    assert f"First `reprise {step}`, then resume" in refused.stderr
    assert run(*step.split()).exit_code == 0
    assert run("policy", "resume", "orders").exit_code == 0
    assert document(ssm)["targets"] == {"orders": {"max_age_s": 57600}}


def test_whoever_says_so_lets_old_calls_be_given_up(
    ssm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("policy", "pause", "orders")
    paused_for(monkeypatch, 9)
    assert run("policy", "resume", "orders", "--yes").exit_code == 0
    assert document(ssm)["targets"] == {}


def test_a_pause_of_another_target_keeps_none_from_being_resumed(
    ssm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_by_hand(ssm, '{"targets":{"other":{"enabled":false}}}')
    paused_for(monkeypatch, 9)
    assert run("policy", "resume", "orders").exit_code == 0


def test_the_next_step_for_a_document_in_force_is_to_edit_it(ssm: Any) -> None:
    for text in ('{"default":{"maximum_attempts":0}}', '{"default":{"enbaled":false}}', "{"):
        write_by_hand(ssm, text)
        for command in (("validate",), ("pause", "orders"), ("set", "orders", "enabled=false")):
            assert "`reprise policy edit` mends it" in run("policy", *command).stderr


def test_an_edit_that_leaves_a_bad_document_as_it_is_fails(
    ssm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_by_hand(ssm, '{"default":{"enbaled":false}}')
    monkeypatch.setenv("VISUAL", "grep -q 'error: default.enbaled: is no field of a policy'")
    result = run("policy", "edit")
    assert (result.exit_code, "default.enbaled: is no field" in result.stderr) == (1, True)


def test_an_edit_of_a_bad_document_tells_what_was_changed_and_nothing_else(
    ssm: Any, tmp_path: Path
) -> None:
    write_by_hand(ssm, '{"default":{"enbaled":false,"maximum_attempts":5},"tagrets":{"orders":{}}}')
    mended = '{"default":{"enabled":false,"maximum_attempts":5}}'
    file = tmp_path / "policy.json"
    file.write_text(mended)
    result = run("policy", "set", "--file", str(file))
    assert result.stdout.splitlines()[-3:] == [
        "default.enabled: not said -> false",
        "default.enbaled: false -> not said",
        "tagrets.orders: {} -> not said",
    ]


def test_an_edit_of_what_is_no_json_tells_the_lines_that_were_changed(
    ssm: Any, tmp_path: Path
) -> None:
    write_by_hand(ssm, '{"default":{}')
    file = tmp_path / "policy.json"
    file.write_text('{"default":{}}')
    result = run("policy", "set", "--file", str(file))
    assert '- {"default":{}' in result.stdout.splitlines()


def test_everything_is_paused_by_one_command_and_resumed_by_one(ssm: Any) -> None:
    write_by_hand(ssm, '{"targets":{"orders":{"enabled":true,"idempotent":true}}}')
    assert run("policy", "pause", "--all", "--reason", "all hands").exit_code == 0
    assert document(ssm)["default"] == {"enabled": False}
    assert document(ssm)["targets"] == {"orders": {"idempotent": True}}
    told = document_of(run("policy", "get", "--json"))["paused"]
    assert {name: pause["why"] for name, pause in told.items()} == {
        "default": "all hands",
        "orders": "all hands",
    }
    assert run("policy", "resume", "orders").exit_code == 0
    assert document(ssm)["targets"] == {"orders": {"idempotent": True, "enabled": True}}
    assert run("policy", "resume", "--all").exit_code == 0
    assert document(ssm) == {"default": {}, "targets": {"orders": {"idempotent": True}}}


def test_a_pause_by_hand_is_told_without_the_reason_of_another(ssm: Any) -> None:
    run("policy", "set", "orders", "idempotent=true", "--reason", "checked")
    ssm.put_parameter(
        Name=NAME,
        Value='{"targets":{"orders":{"enabled":false}}}',
        Type="String",
        Overwrite=True,
        Description="set orders: checked",
    )
    told = document_of(run("policy", "get", "orders", "--json"))["paused"]
    assert (told["since"] is not None, told["why"]) == (True, "")
    shown = run("policy", "history").stdout
    assert (shown.count("checked"), "unchanged" in shown) == (1, True)


def test_a_version_that_somebody_else_wrote_meanwhile_is_not_overwritten(ssm: Any) -> None:
    parameter = PolicyParameter(client=ssm, name=NAME)
    before = parameter.read()
    write_by_hand(ssm, '{"default":{"headroom":0.3}}')
    with pytest.raises(CommandError, match="version 2 was written since version 1 was read"):
        parameter.write("{}", before, "")
    assert document(ssm) == {"default": {"headroom": 0.3}}


def test_who_writes_at_the_same_moment_is_told_so(ssm: Any) -> None:
    class Racing:
        """Lets somebody else write between the look and the write."""

        get_parameter = ssm.get_parameter

        def put_parameter(self, **settings: Any) -> Any:
            write_by_hand(ssm, '{"default":{"headroom":0.3}}')
            return ssm.put_parameter(**settings)

    parameter = PolicyParameter(client=cast("Any", Racing()), name=NAME)
    with pytest.raises(CommandError, match="version 2 was written at the same moment"):
        parameter.write("{}", parameter.read(), "")


def test_an_edit_is_kept(ssm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", 'sed -i "/default/s/{}/{\\\\\\"headroom\\\\\\":0.2}/"')
    result = run("policy", "edit", "--reason", "more room")
    assert result.exit_code == 0, result.stderr
    assert document(ssm)["default"] == {"headroom": 0.2}
    monkeypatch.setenv("VISUAL", "true")
    assert "nothing was changed" in run("policy", "edit").stdout
    monkeypatch.setenv("VISUAL", "/nope/editor")
    assert "error: EDITOR: /nope/editor" in run("policy", "edit").stderr


def test_a_history_fits_narrow_terminals(ssm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run("policy", "pause", "orders", "--reason", "a reason that is rather long, as reasons are")
    write_by_hand(ssm, "{")
    for columns in ("60", "80", "200"):
        monkeypatch.setenv("COLUMNS", columns)
        shown = run("policy", "history").stdout
        assert max(map(len, shown.splitlines())) <= int(columns)
        assert "not valid" in shown


def test_a_waiting_call_says_that_its_target_is_paused(cloud: Cloud, ssm: Any) -> None:
    del ssm
    cloud.ledger.record(make_row(id="call-1", state=State.CAPTURED, capture_object=None))
    run("policy", "pause", "--all", "--reason", "the vendor is down")
    told = document_of(run("status", "call-1", "--json"))
    (waiting,) = [step for step in told["steps"] if step["what"] == "waiting"]
    assert "its target is paused since " in waiting["how"]
    assert waiting["how"].endswith("by unknown: the vendor is down")


def test_top_says_what_is_paused_and_what_is_wrong_with_the_policy(ssm: Any) -> None:
    run("policy", "pause", "orders", "--reason", "the vendor is down")
    shown = run("top", "--once").stdout
    assert "orders is paused since " in shown
    write_by_hand(ssm, '{"targets":{"orders":{"enbaled":false}}}')
    told = document_of(run("top", "--json"))
    assert told["policy_problem"] == "targets.orders.enbaled: is no field of a policy"
    # The last good document is in force.
    assert told["targets"][0]["paused"]["why"] == "the vendor is down"


def test_who_may_not_read_the_policy_is_told_so_and_sees_the_rest(cloud: Cloud) -> None:
    del cloud
    result = run("top", "--once")
    assert result.exit_code == 0
    assert "policy: it cannot be read, nor what is paused: ParameterNotFound" in result.stdout
