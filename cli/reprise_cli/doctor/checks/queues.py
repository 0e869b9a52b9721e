"""Whether queues keep what functions could not process, and feed it to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reprise_cli.doctor.check import Check, CheckGroup, Problem
from reprise_cli.doctor.checks.deployment import PUT_BACK
from reprise_cli.doctor.mend import aws
from reprise_cli.doctor.read import known

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reprise_cli.doctor.facts import Facts
    from reprise_cli.doctor.things import MappingFacts, QueueFacts

_DEAD: Final = {
    "capture-dlq": (
        "capture objects could not be read",
        "Mend what `reprise dlq list --queue capture` says; `reprise dlq redrive --queue capture --all`",
        "runbooks/capture-path.md",
    ),
    "dead-letter": (
        "calls were given up",
        "`reprise dlq list` says why; mend that, then `reprise dlq redrive`",
        "runbooks/dead-letters.md",
    ),
    "letter-jobs-dlq": (
        "jobs at the dead-letter queues were given up",
        "`reprise audit` says why",
        "runbooks/dead-letters.md#many-letters-in-the-stack",
    ),
    "schedules-jobs-dlq": (
        "scheduled runs could not be made",
        "Each message says why",
        "runbooks/jobs-not-run.md",
    ),
    "replies-dlq": (
        "late results could not be delivered",
        "Each message says why",
        "runbooks/replies-not-delivered.md",
    ),
}
"""What a message in a queue means, by what follows the stack's name."""
_STATES_ON: Final = frozenset({"Enabled", "Enabling", "Creating", "Updating"})


def _there(name: str, queue: QueueFacts | None, facts: Facts) -> Iterable[Problem]:
    del facts
    if queue is None:
        yield Problem(f"queue {name} is gone", PUT_BACK)


def _feeds(facts: Facts) -> dict[str, MappingFacts]:
    """Return the mappings by their queues' names.

    Raises:
        CannotTellError: If they could not be listed.
    """
    return {each.queue.rpartition(":")[2]: each for each in known(facts.mappings)}


def _fed(function: str, name: str, facts: Facts) -> Iterable[Problem]:
    feed = _feeds(facts).get(name)
    if feed is None:
        yield Problem(f"nothing feeds queue {name} to function {function}", PUT_BACK)
    elif feed.state not in _STATES_ON:
        yield Problem(
            f"queue {name} is not fed to function {function}: its mapping is {feed.state}",
            aws("lambda update-event-source-mapping", enabled="", uuid=feed.uuid),
            "runbooks/waiting.md",
        )
    elif not feed.reports_failures:
        yield Problem(
            f"the mapping of queue {name} ignores which messages of a batch failed: those are lost",
            aws(
                "lambda update-event-source-mapping",
                function_response_types="ReportBatchItemFailures",
                uuid=feed.uuid,
            ),
        )


def _wanted_feeds(facts: Facts) -> dict[str, str]:
    """Return which queue each function is fed from: what the template maps, by function."""
    wanted = {
        facts.outputs.get(function, ""): facts.outputs.get(url, "").rpartition("/")[2]
        for function, url in (
            ("UnpackerFunction", "CaptureQueueUrl"),
            ("ReplayerFunction", "ReplayQueueUrl"),
            ("LetterJobsFunction", "LetterJobsQueueUrl"),
        )
    }
    return {function: queue for function, queue in wanted.items() if function and queue}


def _visibility(name: str, queue: QueueFacts | None, facts: Facts) -> Iterable[Problem]:
    feed = _feeds(facts).get(name)
    if queue is None or feed is None or feed.function not in facts.functions:
        return
    function = known(facts.functions[feed.function])
    if function is not None and queue.visibility_s < function.timeout_s:
        yield Problem(
            f"queue {name} hides a message for {queue.visibility_s} s, and {feed.function} may run "
            f"for {function.timeout_s} s: it is delivered again meanwhile",
            aws(
                "sqs set-queue-attributes",
                queue_url=queue.url,
                attributes=f"VisibilityTimeout={function.timeout_s + 30}",
            ),
        )


def _redrive(name: str, queue: QueueFacts | None, facts: Facts) -> Iterable[Problem]:
    if queue is None or name not in _feeds(facts):
        return
    if queue.dead_letters_to is None:
        yield Problem(
            f"queue {name} has no dead-letter queue: a message that crashes its function comes for ever, "
            "then expires",
            PUT_BACK,
        )
    elif (dead := queue.dead_letters_to.rpartition(":")[2]) in facts.queues and known(
        facts.queues[dead]
    ) is None:
        yield Problem(f"queue {name} sends its dead letters to {dead}, which is gone", PUT_BACK)


def _retention(name: str, queue: QueueFacts | None, facts: Facts) -> Iterable[Problem]:
    if queue is None or queue.dead_letters_to is None:
        return
    dead_name = queue.dead_letters_to.rpartition(":")[2]
    dead = known(facts.queues[dead_name]) if dead_name in facts.queues else None
    if dead is not None and dead.retention_s < queue.retention_s:
        yield Problem(
            f"queue {dead_name} keeps messages for {dead.retention_s} s, less than {name}: a dead letter, "
            "which keeps its age, may expire at once",
            aws(
                "sqs set-queue-attributes",
                queue_url=dead.url,
                attributes="MessageRetentionPeriod=1209600",
            ),
        )


def _empty(name: str, queue: QueueFacts | None, facts: Facts) -> Iterable[Problem]:
    known_as = name.removeprefix(f"{facts.stack}-")
    if queue is not None and queue.messages and known_as in _DEAD:
        what, mend, page = _DEAD[known_as]
        yield Problem(f"{queue.messages:,} in queue {name}: {what}", mend, page)


def _check(name: str, asks: str, of: Any, look: Any) -> Check[Any]:  # noqa: ANN401 - a row
    group = CheckGroup.OPERATOR if look is _empty else CheckGroup.REPLAY
    return Check(name=name, group=group, asks=asks, page="runbooks/waiting.md", of=of, look=look)


QUEUE_CHECKS: Final[tuple[Check[Any], ...]] = (
    _check("queue-there", "are all queues there?", lambda facts: facts.queues, _there),
    _check(
        "queue-fed",
        "is each queue fed to its function?",
        _wanted_feeds,
        _fed,
    ),
    _check(
        "queue-visibility",
        "does each queue hide messages for as long as its function may run?",
        lambda facts: facts.queues,
        _visibility,
    ),
    _check(
        "queue-redrive",
        "has each queue that feeds a function a dead-letter queue?",
        lambda facts: facts.queues,
        _redrive,
    ),
    _check(
        "queue-retention",
        "do dead-letter queues keep longer than their sources?",
        lambda facts: facts.queues,
        _retention,
    ),
    _check(
        "dead-letters",
        "are the dead-letter queues empty?",
        lambda facts: facts.queues,
        _empty,
    ),
)
