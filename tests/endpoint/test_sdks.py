from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from endpoint_sdks import CASES, SDKS, try_out

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
