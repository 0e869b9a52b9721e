from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.call.target import Target, is_allowed, is_unqualified_arn, resolve_target
from reprise.errors import BadRequestError
from strategies import ARN_PREFIX, ORDERS, function_names, qualifiers

OTHER = "arn:aws:lambda:us-east-1:210987654321:function:invoices"
ALLOWED = (ORDERS, OTHER, f"{ARN_PREFIX}shop-*")


@pytest.mark.parametrize(
    ("name", "function", "qualifier"),
    [
        ("orders", ORDERS, None),
        ("orders:live", ORDERS, "live"),
        ("orders:$LATEST", ORDERS, "$LATEST"),
        ("orders:$LATEST.PUBLISHED", ORDERS, "$LATEST.PUBLISHED"),
        (f"{ORDERS}:$LATEST.PUBLISHED", ORDERS, "$LATEST.PUBLISHED"),
        ("123456789012:function:orders", ORDERS, None),
        ("123456789012:function:orders:7", ORDERS, "7"),
        (ORDERS, ORDERS, None),
        (f"{ORDERS}:live", ORDERS, "live"),
        ("invoices", OTHER, None),
        ("210987654321:function:invoices", OTHER, None),
        ("shop-cart", f"{ARN_PREFIX}shop-cart", None),
        (f"{ARN_PREFIX}shop-cart:live", f"{ARN_PREFIX}shop-cart", "live"),
    ],
)
def test_every_spelling_of_the_invoke_api_is_understood(
    name: str, function: str, qualifier: str | None
) -> None:
    assert resolve_target(name, ALLOWED) == Target(function=function, qualifier=qualifier)


@pytest.mark.parametrize(
    "name",
    [
        "payments",
        "shop",
        "210987654321:function:orders",
        f"{ARN_PREFIX}payments",
        OTHER.replace("us-east-1", "eu-west-1"),
        ORDERS.replace("arn:aws:", "arn:aws-cn:"),
    ],
)
def test_a_function_that_is_not_listed_is_forbidden(name: str) -> None:
    with pytest.raises(BadRequestError, match="not an allowed target") as caught:
        resolve_target(name, ALLOWED)
    assert (caught.value.field, caught.value.status) == ("FunctionName", 403)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " orders",
        "orders\n",
        "orders:",
        "orders:a:b",
        "orders:$OLD",
        "o" * 141,
        "\N{CYRILLIC SMALL LETTER O}rders",
        "a/b",
    ],
)
def test_a_malformed_name_is_refused(name: str) -> None:
    with pytest.raises(BadRequestError, match="not a function name") as caught:
        resolve_target(name, ALLOWED)
    assert caught.value.status == 400


def test_the_same_qualifier_may_be_named_twice() -> None:
    target = resolve_target("orders:live", ALLOWED, qualifier="live", tenant_id="t-1")
    assert target == Target(function=ORDERS, qualifier="live", tenant_id="t-1")


def test_two_qualifiers_are_refused() -> None:
    with pytest.raises(BadRequestError, match="ends in 'live'") as caught:
        resolve_target("orders:live", ALLOWED, qualifier="8")
    assert caught.value.field == "Qualifier"


@pytest.mark.parametrize("qualifier", ["", "a b", "$OLD", "x" * 129])
def test_a_malformed_qualifier_is_refused(qualifier: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        resolve_target("orders", ALLOWED, qualifier=qualifier)
    assert caught.value.field == "Qualifier"


@pytest.mark.parametrize(
    "allowed",
    ["*", "arn:aws:lambda:*", "arn:aws:lambda:eu-west-1:123456789012:*", "arn:aws:lambda:*:ord*"],
)
def test_a_wide_prefix_completes_no_bare_name_to_what_is_no_arn(allowed: str) -> None:
    """Region and account of a bare name must be known: guessing them makes a target of nobody."""
    with pytest.raises(BadRequestError, match="not an allowed target"):
        resolve_target("orders", (allowed,))
    assert allowed.endswith("ord*") or resolve_target(ORDERS, (allowed,)).function == ORDERS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ORDERS, True),
        (f"{ORDERS}:live", False),
        ("orders", False),
        (ORDERS.replace("aws", "aws-us-gov"), True),
        (f"{ORDERS}\n", False),
        (ORDERS.replace("123456789012", "١٢٣٤٥٦٧٨٩٠١٢"), False),
        ("arn:aws:sqs:eu-west-1:123456789012:orders", False),
    ],
)
def test_an_unqualified_arn_is_told_from_everything_else(text: str, *, expected: bool) -> None:
    assert is_unqualified_arn(text) is expected


def test_a_star_allows_a_prefix_and_nothing_before_it() -> None:
    assert is_allowed(f"{ARN_PREFIX}shop-", ALLOWED)
    assert not is_allowed(f"{ARN_PREFIX}shop", ALLOWED)
    assert not is_allowed(f"x{ARN_PREFIX}shop-cart", ALLOWED)
    assert not is_allowed(ORDERS, ())


@given(name=function_names, qualifier=st.none() | qualifiers)
def test_every_spelling_means_the_same_target(name: str, qualifier: str | None) -> None:
    arn = f"{ARN_PREFIX}{name}"
    suffix = f":{qualifier}" if qualifier else ""
    spellings = [f"{arn}{suffix}", f"123456789012:function:{name}{suffix}", f"{name}{suffix}"]
    expected = Target(function=arn, qualifier=qualifier)
    assert [resolve_target(text, (arn,)) for text in spellings] == [expected] * 3
    assert resolve_target(name, (f"{ARN_PREFIX}*",), qualifier=qualifier) == expected


@given(
    text=st.text(max_size=40) | st.from_regex(r"[a-z:*$0-9]{0,60}", fullmatch=True),
    allowed=st.lists(
        st.sampled_from([*ALLOWED, "*", "arn:*", f"{ARN_PREFIX}*", "::*", "junk"]), max_size=3
    ),
)
def test_what_is_resolved_is_an_allowed_arn(text: str, allowed: list[str]) -> None:
    try:
        target = resolve_target(text, tuple(allowed))
    except BadRequestError:
        return
    assert is_unqualified_arn(target.function)
    assert is_allowed(target.function, tuple(allowed))


@pytest.mark.parametrize(
    ("qualifier", "qualified"), [(None, f"{ORDERS}:$LATEST"), ("live", f"{ORDERS}:live")]
)
def test_a_target_knows_its_name_and_its_qualified_arn(
    qualifier: str | None, qualified: str
) -> None:
    target = Target(function=ORDERS, qualifier=qualifier)
    assert (target.name, target.qualified) == ("orders", qualified)


@pytest.mark.parametrize("name", ["nightly", "job-definition/nightly", "weekly-1", "{}nightly"])
def test_a_job_definition_among_the_targets_is_no_function_that_a_caller_may_name(
    name: str,
) -> None:
    batch = ORDERS.replace(":lambda:", ":batch:").replace(":function:orders", ":job-definition/")
    allowed = (f"{batch}nightly", f"{batch}weekly*", ORDERS)
    with pytest.raises(BadRequestError, match="FunctionName"):
        resolve_target(name.format(batch), allowed)
    assert resolve_target("orders", allowed).function == ORDERS
