"""Rows of the filter-pattern grammar, most of them AWS's own examples."""

from __future__ import annotations

import json

import pytest

from local_engine.patterns import compile_pattern

EVENT = json.dumps(
    {
        "eventType": "UpdateTrail",
        "sourceIPAddress": "111.111.111.111",
        "arrayKey": ["value", "another value"],
        "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
        "SomeObject": None,
        "cluster.name": "c",
        "errorCode": 400,
        "ready": True,
        "nested": {"deep": {"size": 1000.5}},
    }
)


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        ("", "anything", True),
        ("ERROR", "[ERROR] boom", True),
        ("ERROR", "error", False),
        ("ERROR ARGUMENTS", "ERROR 400 bad ARGUMENTS", True),
        ("ERROR ARGUMENTS", "ERROR 400", False),
        ("?ERROR ?ARGUMENTS", "ARGUMENTS", True),
        ("?ERROR ?ARGUMENTS REQUEST", "ERROR", False),
        ("?ERROR ?ARGUMENTS REQUEST", "REQUEST", True),
        ('"INTERNAL SERVER ERROR"', "an INTERNAL SERVER ERROR", True),
        ('"INTERNAL SERVER ERROR"', "INTERNAL ERROR SERVER", False),
        ("ERROR -ARGUMENTS", "ERROR ARGUMENTS", False),
        ("ERROR -ARGUMENTS", "ERROR", True),
        ('{ $.eventType = "UpdateTrail" }', EVENT, True),
        ('{ $.eventType = "UpdateTrail" }', f"INFO {EVENT}", False),
        ('{ $.eventType = "Other" }', EVENT, False),
        ("{ $.eventType = Update* }", EVENT, True),
        ("{ $.sourceIPAddress != 123.123.* }", EVENT, True),
        ("{ $.sourceIPAddress != 111.* }", EVENT, False),
        ("{ $.missing != 5 }", EVENT, False),
        ('{ $.arrayKey[0] = "value" }', EVENT, True),
        ('{ $.arrayKey = "value" }', EVENT, False),
        ("{ $.arrayKey[*] = %val.{2}% }", EVENT, True),
        ("{ $.objectList[1].id = 2 }", EVENT, True),
        ("{ $.errorCode = 400}", EVENT, True),
        ("{ $.errorCode = 4e+2 }", EVENT, True),
        ("{ $.errorCode >= 401 }", EVENT, False),
        ("{ $.nested.deep.size > 1000 }", EVENT, True),
        ("{ $.['cluster.name'] = \"c\" }", EVENT, True),
        ("{ $.SomeObject IS NULL }", EVENT, True),
        ("{ $.ready IS TRUE }", EVENT, True),
        ("{ $.ready IS FALSE }", EVENT, False),
        ("{ $.SomeOtherObject NOT EXISTS }", EVENT, True),
        ("{ $.SomeObject NOT EXISTS }", EVENT, False),
        ('{ ($.errorCode = 1 || $.errorCode = 400) && $.eventType = "U*" }', EVENT, True),
        ('{ $.errorCode = 400 || $.errorCode = 1 && $.eventType = "x" }', EVENT, True),
        ("[ip, user, status = 4*, bytes]", "127.0.0.1 me 404 12", True),
        ("[ip, user, status = 4*, bytes]", "127.0.0.1 me 200 12", False),
        ("[..., status = 4*, bytes > 10]", "a b c d 404 12", True),
        ("[ip, bytes]", "1 2 3", False),
    ],
)
def test_pattern_selects_as_documented(pattern: str, message: str, *, expected: bool) -> None:
    assert compile_pattern(pattern)(message) is expected


@pytest.mark.parametrize(
    "pattern",
    ["{ $.a = }", "{ a = 1 }", "{ $.a = 1", "{ $.a IS NOT NULL }", "[a, b", "{ $.a > x }"],
)
def test_malformed_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        compile_pattern(pattern)
