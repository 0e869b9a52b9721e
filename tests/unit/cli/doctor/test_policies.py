"""What policy documents allow, and whether a queue lets S3 in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise_cli.doctor.policies import Allowances, read_document, roles_of_template
from reprise_cli.doctor.queue_policy import lets_s3_send
from unit.cli.doctor.healthy import LETS_IN

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def allowing(*actions: str) -> Allowances:
    return Allowances(frozenset(actions))


@pytest.mark.parametrize(
    ("pattern", "action", "is_allowed"),
    [
        ("s3:GetObject", "s3:GetObject", True),
        ("S3:getobject", "s3:GetObject", True),
        ("s3:Get*", "s3:GetObject", True),
        ("*", "s3:GetObject", True),
        ("s3:Get?bject", "s3:GetObject", True),
        ("s3:Get", "s3:GetObject", False),
        ("s3:[Gg]etObject", "s3:GetObject", False),
        ("sqs:*", "s3:GetObject", False),
    ],
)
def test_patterns_are_those_of_iam(pattern: str, action: str, *, is_allowed: bool) -> None:
    assert allowing(pattern).allow(action) is is_allowed


def test_a_statement_may_stand_alone_and_its_action_too() -> None:
    document = {"Statement": {"Effect": "Allow", "Action": "s3:*"}}
    assert read_document(document) == allowing("s3:*")


def test_what_allows_all_but_some_lacks_nothing() -> None:
    document = {"Statement": [{"Effect": "Allow", "NotAction": "iam:*"}]}
    assert read_document(document).lacks(allowing("s3:GetObject")) == []


def test_roles_of_a_template_leave_conditional_statements_out() -> None:
    statements = [
        {"Effect": "Allow", "Action": ["a:B", "a:C"]},
        {"Fn::If": ["HasKey", {"Effect": "Allow", "Action": "kms:Decrypt"}, {}]},
    ]
    policies = [{"PolicyName": "p", "PolicyDocument": {"Statement": statements}}]
    template = {
        "Resources": {
            "R": {"Type": "AWS::IAM::Role", "Properties": {"Policies": policies}},
            "Q": {"Type": "AWS::SQS::Queue"},
        }
    }
    assert roles_of_template(template) == {"R": allowing("a:B", "a:C")}


@given(json_values)
def test_no_document_ends_the_reading(value: Any) -> None:
    read_document(value)
    roles_of_template(value)
    read_document({"Statement": value})
    roles_of_template({"Resources": value})
    lets_s3_send(json.dumps({"Statement": value}), "b")


def _let(**changes: Any) -> str:
    (statement,) = json.loads(LETS_IN)["Statement"]
    return json.dumps({"Statement": [statement | changes]})


@pytest.mark.parametrize(
    ("policy", "is_let"),
    [
        (LETS_IN, True),
        (_let(Principal="*", Action=["sqs:*"]), True),
        (_let(Condition={}), True),
        (_let(Condition={"ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"}}), True),
        (_let(Effect="Deny"), False),
        (_let(Principal={"Service": "sns.amazonaws.com"}), False),
        (_let(Action="sqs:ReceiveMessage"), False),
        (_let(Condition={"ArnLike": {"aws:SourceArn": "arn:aws:s3:::other"}}), False),
        ("", False),
        ("{", False),
        ("[]", False),
    ],
)
def test_a_queue_lets_s3_send_for_its_bucket_only_where_a_statement_says_so(
    policy: str, *, is_let: bool
) -> None:
    assert lets_s3_send(policy, "reprise-bucket") is is_let
