"""Whether somebody watches, and somebody is told."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from reprise_cli.doctor.check import Check, CheckGroup, Problem, one
from reprise_cli.doctor.checks.deployment import PUT_BACK
from reprise_cli.doctor.mend import aws
from reprise_cli.doctor.read import CannotTellError, NotRead

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reprise_cli.doctor.facts import Facts
    from reprise_cli.doctor.things import AlarmFacts, RuleFacts, TopicFacts

OBSERVER: Final = "runbooks/observer.md"
ALARM: Final = "AWS::CloudWatch::Alarm"
_RUNBOOK: Final = re.compile(r"docs/(runbooks/[a-z-]+\.md)")


def _there(_: str, alarms: Mapping[str, AlarmFacts], facts: Facts) -> Iterable[Problem]:
    for each in facts.of_kind(ALARM):
        if each.physical not in alarms:
            yield Problem(
                f"alarm {each.physical} is gone: nobody hears of what it watches", PUT_BACK
            )


def _acts(_: str, alarms: Mapping[str, AlarmFacts], facts: Facts) -> Iterable[Problem]:
    topic = facts.parameters.get("AlarmTopicArn", "")
    for name, alarm in alarms.items():
        if not alarm.is_enabled:
            yield Problem(
                f"alarm {name} does not act: its actions are disabled",
                aws("cloudwatch enable-alarm-actions", alarm_names=name),
            )
        elif topic and topic not in alarm.actions:
            yield Problem(f"alarm {name} does not notify {topic}", PUT_BACK)


def _rings(_: str, alarms: Mapping[str, AlarmFacts], facts: Facts) -> Iterable[Problem]:
    del facts
    for name, alarm in alarms.items():
        if alarm.state == "ALARM":
            page = _RUNBOOK.search(alarm.says)
            says = _RUNBOOK.sub("", alarm.says).strip()
            yield Problem(
                f"alarm {name} is in ALARM: {says}",
                "Follow its runbook",
                page[1] if page else "on-call.md",
            )


def _has_data(_: str, alarms: Mapping[str, AlarmFacts], facts: Facts) -> Iterable[Problem]:
    del facts
    blind = sorted(name for name, alarm in alarms.items() if alarm.state == "INSUFFICIENT_DATA")
    if blind:
        raise CannotTellError(
            NotRead(
                f"no data yet for {', '.join(blind)}: look again some minutes after the first captured call"
            )
        )
    yield from ()


def _heard(_: str, topic: TopicFacts | None, facts: Facts) -> Iterable[Problem]:
    name = facts.outputs.get("IncidentTopicArn", "").rpartition(":")[2]
    if topic is None:
        yield Problem(f"topic {name} is gone: no incident is told", PUT_BACK)
    elif topic.confirmed:
        return
    elif topic.pending:
        yield Problem(
            f"topic {name} waits for the confirmation of its subscription: no incident is told",
            "Open the mail that AWS sent to it, and follow its link; it is good for two days",
        )
    elif not facts.parameters.get("SlackWebhookUrl") and not facts.parameters.get("AlarmTopicArn"):
        yield Problem(
            f"nobody has subscribed to topic {name}: no incident is told",
            "Deploy with IncidentEmail=, SlackWebhookUrl= or AlarmTopicArn=",
            "reference/parameters.md",
        )


def _rule(_: str, rule: RuleFacts | None, facts: Facts) -> Iterable[Problem]:
    name, topic = f"{facts.stack}-incidents", facts.outputs.get("IncidentTopicArn", "")
    if rule is None:
        yield Problem(f"rule {name} is gone: incidents come to nobody", PUT_BACK)
    elif rule.state != "ENABLED":
        yield Problem(
            f"rule {name} is {rule.state}: incidents come to nobody",
            aws("events enable-rule", name=name),
        )
    elif topic not in rule.targets:
        yield Problem(
            f"rule {name} does not send to topic {topic}: incidents come to nobody", PUT_BACK
        )


def _runs(name: str, state: str | None, facts: Facts) -> Iterable[Problem]:
    del facts
    if state is None:
        yield Problem(f"schedule {name} is gone: what it starts does not run", PUT_BACK)
    elif state != "ENABLED":
        yield Problem(
            f"schedule {name} is {state}: what it starts does not run",
            PUT_BACK,
        )


_COUNTED: Final = {
    "RecursiveInvocationsDropped": (
        "Lambda stopped {n:,} messages as a runaway",
        "Look at the check recursion-allowed, which has the command",
        "runbooks/waiting.md",
    ),
    "StoreFaults": (
        "{n:,} requests to stores failed",
        "The functions' logs name service and code",
        "runbooks/ledger.md",
    ),
    "LostNotifications": (
        "S3 did not tell of {n:,} objects; they were found",
        "Look at the capture queue's policy, and its key's",
        "runbooks/capture-path.md",
    ),
    "LostLines": (
        "{n:,} captured calls had not arrived; they were found",
        "Look at filter, stream and their roles",
        "runbooks/capture-path.md#lines-that-were-lost",
    ),
    "Throttles": (
        "Lambda refused the invoker {n:,} times: those calls were not captured",
        "Give it room of its own: InvokerReservedConcurrency",
        "runbooks/invoker-throttled.md",
    ),
    "FailedInvocations": (
        "EventBridge could not hand over {n:,} incidents",
        "Look at the topic's policy, and its key's",
        "runbooks/observer.md",
    ),
}
"""What a metric means that should be 0, the mend, and the page."""
ZERO_METRICS: Final = tuple(_COUNTED)


def _counted(name: str, total: float | None, facts: Facts) -> Iterable[Problem]:
    del facts
    if total and total > 0:
        what, mend, page = _COUNTED[name]
        yield Problem(f"{what.format(n=round(total))}, in the last day ({name})", mend, page)


_check: Final = partial(Check[Any], CheckGroup.OPERATOR)

ALARMS: Final = "reference/alarms.md"
OPERATOR_CHECKS: Final[tuple[Check[Any], ...]] = (
    _check("alarm-there", "are all alarms there?", ALARMS, lambda facts: one(facts.alarms), _there),
    _check("alarm-acts", "do they act?", ALARMS, lambda facts: one(facts.alarms), _acts),
    _check(
        "alarm-quiet", "is none in ALARM?", "on-call.md", lambda facts: one(facts.alarms), _rings
    ),
    _check("alarm-data", "has each data?", ALARMS, lambda facts: one(facts.alarms), _has_data),
    _check(
        "incident-heard",
        "is anybody told of incidents?",
        OBSERVER,
        lambda facts: one(facts.topic),
        _heard,
    ),
    _check(
        "incident-rule",
        "do incidents come to the topic?",
        OBSERVER,
        lambda facts: one(facts.rule),
        _rule,
    ),
    _check(
        "schedule-on",
        "do observer and reconciler run?",
        OBSERVER,
        lambda facts: facts.schedules,
        _runs,
    ),
    _check(
        "metric-zero",
        "were the metrics 0, for a day, that should be?",
        "reference/metrics.md",
        lambda facts: facts.metrics,
        _counted,
    ),
)
