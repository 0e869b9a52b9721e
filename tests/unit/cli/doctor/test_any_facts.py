"""No set of facts ends the doctor: whatever an account holds, each check says something of it."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from reprise_cli.doctor.check import CheckStatus, diagnose
from reprise_cli.doctor.checks import CHECKS
from reprise_cli.doctor.checks.operator import ZERO_METRICS
from reprise_cli.doctor.facts import Facts
from reprise_cli.doctor.policies import Allowances
from reprise_cli.doctor.read import NotRead
from reprise_cli.doctor.things import (
    AlarmFacts,
    DriftFacts,
    ExpiryFacts,
    FilterFacts,
    FunctionFacts,
    LambdaLimits,
    LayerFacts,
    MappingFacts,
    NotificationFacts,
    QueueFacts,
    ResourceFacts,
    RoleFacts,
    RuleFacts,
    SourceFacts,
    StackFacts,
    StreamFacts,
    TableFacts,
    TopicFacts,
)
from reprise_cli.doctor.view import show
from reprise_cli.output import Output
from unit.cli.doctor.healthy import LETS_IN, OUTPUTS

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

text = st.sampled_from(
    [
        *OUTPUTS.values(),
        *("", "{", "[]", "{}", "'", "*", "a:b:c", "\x1b[2J", "reprise-capture", "ENABLED", "ALARM"),
        *(
            "Allow",
            "DRIFTED",
            "aws it's",
            '{"targets": 1}',
            '{"default": {"enabled": false}}',
            LETS_IN,
        ),
    ]
) | st.text(max_size=8)
number = st.integers(min_value=-1, max_value=10**7)
texts = st.lists(text, max_size=3).map(tuple)
allowances = st.builds(Allowances, st.frozensets(text), st.frozensets(text))


def read(values: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return values | st.builds(NotRead, text)


def maybe(values: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return read(values | st.none())


def by_name(values: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return st.dictionaries(text, maybe(values), max_size=3)


def several(values: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return st.lists(values, max_size=3).map(tuple)


functions = st.builds(
    FunctionFacts,
    arn=text,
    role=text,
    timeout_s=number,
    runtime=text,
    architecture=text,
    layers=texts,
    environment=st.dictionaries(
        st.sampled_from(["AWS_ENDPOINT_URL_LAMBDA", "REPRISE_SOURCE", "REPRISE_BUCKET"]), text
    ),
    state=text,
    update=text,
    reserved=maybe(number),
    recursion=maybe(text),
    in_vpc=st.booleans(),
)
filters = several(st.builds(FilterFacts, name=text, pattern=text, destination=text))
facts = st.builds(
    Facts,
    stack=text,
    region=text,
    account=text,
    command_version=text,
    stacks=st.dictionaries(text, read(st.builds(StackFacts, status=text, why=texts)), max_size=3),
    is_up=st.booleans(),
    clock_ahead_s=read(st.floats(allow_nan=False, allow_infinity=False)),
    outputs=st.just(OUTPUTS) | st.dictionaries(st.sampled_from(list(OUTPUTS)), text),
    parameters=st.dictionaries(text, text),
    resources=read(
        several(st.builds(ResourceFacts, stack=text, logical=text, kind=text, physical=text))
    ),
    drift=by_name(st.builds(DriftFacts, status=text, changed=texts)).map(
        lambda found: {name: each for name, each in found.items() if each is not None}
    ),
    limits=read(st.builds(LambdaLimits, concurrent=number, unreserved=number)),
    key_state=maybe(text),
    log_groups=by_name(number),
    filters=by_name(filters),
    own_filters=by_name(filters),
    stream=maybe(st.builds(StreamFacts, status=text, bucket=text, prefix=text, role=text)),
    notifications=maybe(
        several(st.builds(NotificationFacts, queue=text, prefix=text, events=texts))
    ),
    is_versioned=maybe(st.booleans()),
    is_private=maybe(st.booleans()),
    expiries=maybe(several(st.builds(ExpiryFacts, prefix=text, days=number))),
    queues=by_name(
        st.builds(
            QueueFacts,
            arn=text,
            url=text,
            visibility_s=number,
            retention_s=number,
            messages=number,
            dead_letters_to=text | st.none(),
            policy=text,
        )
    ),
    mappings=read(
        several(
            st.builds(
                MappingFacts,
                uuid=text,
                state=text,
                queue=text,
                function=text,
                reports_failures=st.booleans(),
            )
        )
    ),
    functions=by_name(functions),
    roles=by_name(
        st.builds(RoleFacts, has=allowances, wanted=allowances, boundary=text | st.none())
    ),
    layers=by_name(st.builds(LayerFacts, runtimes=texts, architectures=texts)),
    table=maybe(
        st.builds(
            TableFacts,
            status=text,
            billing=text,
            ttl_attribute=text | st.none(),
            has_recovery=st.booleans(),
        )
    ),
    policy=maybe(text),
    sources=read(by_name(st.builds(SourceFacts, problem=text, current=text, names=texts))),
    targets=by_name(functions),
    alarms=read(
        st.dictionaries(
            text,
            st.builds(AlarmFacts, state=text, is_enabled=st.booleans(), actions=texts, says=text),
            max_size=3,
        )
    ),
    topic=maybe(st.builds(TopicFacts, confirmed=number, pending=number)),
    rule=maybe(st.builds(RuleFacts, state=text, targets=texts)),
    schedules=by_name(text),
    metrics=st.dictionaries(
        st.sampled_from(ZERO_METRICS), maybe(st.floats(allow_nan=False, allow_infinity=False))
    ),
    callers=by_name(functions),
    caller_roles=by_name(allowances),
    asked=texts,
    callers_said=maybe(text),
    aliases=by_name(text),
)


@given(facts)
def test_each_check_says_something_of_any_facts_and_all_of_it_can_be_shown(found: Facts) -> None:
    diagnosis = diagnose(CHECKS, found)
    assert {each.check for each in diagnosis.findings} == {check.name for check in CHECKS}
    for each in diagnosis.of(CheckStatus.PROBLEM):
        assert each.says
        assert each.mend
    shown = StringIO()
    out = Output(is_json=False, stdout=shown)
    for thing in show(found, diagnosis, 80):
        out.show(thing)
    assert "\x1b" not in shown.getvalue()
    assert "well: " in shown.getvalue() or not diagnosis.of(CheckStatus.OK)
