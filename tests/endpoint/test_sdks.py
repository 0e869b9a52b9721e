from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from endpoint_sdks import CASES, SDKS, SdkError, try_out

if TYPE_CHECKING:
    from endpoint_place import World


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("sdk", SDKS)
def test_every_sdk_sends_a_call_once_and_is_told_the_truth(
    world: World, sdk: str, case: str
) -> None:
    expected = CASES[case]
    seen, made = try_out(sdk, case, world.dynamodb)
    assert (seen.status, seen.error) == (expected.status, expected.error)
    assert len(made.sends) == 1
    records = made.records()
    assert len(records) == expected.lines
    if records:
        document = json.loads(seen.body)
        assert document["errorType"] == "Reprise.Captured"
        assert document["reprise"]["id"] == records[0].id
    else:
        assert seen.body.encode() == expected.answer.body


@pytest.mark.parametrize("sdk", SDKS)
def test_a_kept_call_may_be_an_exception_of_every_sdk_after_one_send(
    world: World, sdk: str
) -> None:
    with pytest.raises(SdkError, match="CallCapturedException") as caught:
        try_out(sdk, "429 of the function", world.dynamodb, REPRISE_ON_CAPTURE="exception")
    (record,) = caught.value.world.records()
    assert f"kept as {record.id}" in str(caught.value)
    assert len(caught.value.world.sends) == 1


@pytest.mark.parametrize("sdk", SDKS)
def test_a_kept_call_may_be_a_plain_202(world: World, sdk: str) -> None:
    case = "429 of the account"
    seen, made = try_out(sdk, case, world.dynamodb, REPRISE_ON_CAPTURE="accepted")
    assert (seen.status, seen.error) == (202, None)
    assert json.loads(seen.body)["reprise"]["id"] == made.records()[0].id
    assert len(made.sends) == 1
