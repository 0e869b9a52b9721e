"""Whether a capture line gets from its log group to the capture queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reprise_cli.doctor.check import Check, CheckGroup, Problem, one
from reprise_cli.doctor.checks.deployment import PUT_BACK
from reprise_cli.doctor.mend import aws, named
from reprise_cli.doctor.queue_policy import lets_s3_send

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reprise_cli.doctor.facts import Facts
    from reprise_cli.doctor.things import FilterFacts, NotificationFacts, QueueFacts, StreamFacts

PAGE: Final = "runbooks/capture-path.md"
PATTERN: Final = '{ $.event = "invocation.captured" }'
"""As infra/capture.yaml has it; a test holds it to that."""
PREFIX: Final = "captured/"
"""Below which objects are notified; likewise."""
_MOST_FILTERS: Final = 2
"""CloudWatch Logs user guide, "CloudWatch Logs quotas"."""
MISSED: Final = "runbooks/capture-path.md#lines-that-no-filter-saw"
"""How to take in what came meanwhile."""


def _ours(facts: Facts, filters: Iterable[FilterFacts]) -> FilterFacts | None:
    return next((each for each in filters if each.name == f"{facts.stack}-capture"), None)


def _there(group: str, filters: tuple[FilterFacts, ...] | None, facts: Facts) -> Iterable[Problem]:
    if filters is None:
        yield Problem(f"log group {group} is gone, so no line of it arrives", PUT_BACK)
    elif _ours(facts, filters) is None and len(filters) >= _MOST_FILTERS:
        names = ", ".join(each.name for each in filters)
        yield Problem(
            f"log group {group} has the filters {names}, and no room for {facts.stack}-capture: captured "
            "calls do not arrive",
            "Remove one of the two; ask again for the command that puts ours back",
            MISSED,
        )
    elif _ours(facts, filters) is None:
        yield Problem(
            f"log group {group} has no filter {facts.stack}-capture: captured calls do not arrive",
            _put_filter(group, facts),
            MISSED,
        )


def _put_filter(group: str, facts: Facts) -> str:
    """Return the command that makes the filter as the template does."""
    where = f"arn:{facts.partition}"
    stream, role = (
        facts.outputs.get("CaptureStream", ""),
        facts.physical("Capture", "SubscriptionRole"),
    )
    return aws(
        "logs put-subscription-filter",
        log_group_name=group,
        filter_name=f"{facts.stack}-capture",
        filter_pattern=PATTERN,
        destination_arn=f"{where}:firehose:{facts.region}:{facts.account}:deliverystream/{stream}",
        role_arn=f"{where}:iam::{facts.account}:role/{role or 'ROLE'}",
    )


def _pattern(
    group: str, filters: tuple[FilterFacts, ...] | None, facts: Facts
) -> Iterable[Problem]:
    ours = _ours(facts, filters or ())
    if ours is not None and _plain(ours.pattern) != _plain(PATTERN):
        yield Problem(
            f"the filter of log group {group} selects {ours.pattern or 'everything'!r}, "
            "which is not the capture lines",
            _put_filter(group, facts),
            MISSED,
        )


def _plain(pattern: str) -> str:
    return "".join(pattern.split())


def _destination(
    group: str, filters: tuple[FilterFacts, ...] | None, facts: Facts
) -> Iterable[Problem]:
    ours = _ours(facts, filters or ())
    stream = facts.outputs.get("CaptureStream", "")
    if ours is not None and not ours.destination.endswith(f":deliverystream/{stream}"):
        yield Problem(
            f"the filter of log group {group} sends to {ours.destination}",
            _put_filter(group, facts),
            MISSED,
        )


def _loop(group: str, filters: tuple[FilterFacts, ...] | None, facts: Facts) -> Iterable[Problem]:
    stream = f":deliverystream/{facts.outputs.get('CaptureStream', '')}"
    for each in filters or ():
        if each.destination.endswith(stream):
            yield Problem(
                f"log group {group}, the pipeline's own, is subscribed: it is fed its own output",
                aws("logs delete-subscription-filter", log_group_name=group, filter_name=each.name),
            )


def _stream(_: str, stream: StreamFacts | None, facts: Facts) -> Iterable[Problem]:
    name = facts.outputs.get("CaptureStream", "")
    if stream is None:
        yield Problem(f"stream {name} is gone: captured calls do not arrive", PUT_BACK)
    elif stream.status != "ACTIVE":
        yield Problem(
            f"stream {name} is {stream.status}",
            f"`aws firehose describe-delivery-stream --delivery-stream-name {named(name)}` says why",
        )


def _where(_: str, stream: StreamFacts | None, facts: Facts) -> Iterable[Problem]:
    if stream is None:
        return
    name, bucket = facts.outputs.get("CaptureStream", ""), facts.outputs.get("BucketName", "")
    if not stream.bucket.endswith(f":::{bucket}"):
        yield Problem(
            f"stream {name} writes to {stream.bucket}", f"Let it write to bucket {bucket}"
        )
    if not stream.prefix.startswith(PREFIX):
        yield Problem(
            f"stream {name} writes below {stream.prefix or 'no prefix'!r}, of which nobody is told",
            f"Set its prefix to {PREFIX}!{{timestamp:yyyy/MM/dd/HH}}/, then move what it wrote below "
            f"{PREFIX}",
        )


def _writer(_: str, stream: StreamFacts | None, facts: Facts) -> Iterable[Problem]:
    wanted = facts.physical("Capture", "StreamRole")
    if stream is not None and wanted and stream.role.rpartition("/")[2] != wanted:
        yield Problem(
            f"stream {facts.outputs.get('CaptureStream', '')} writes as role {stream.role}",
            f"Give it the role {wanted}: another may lack the bucket, or the key",
        )


def _told(_: str, told: tuple[NotificationFacts, ...] | None, facts: Facts) -> Iterable[Problem]:
    if told is None:
        return
    bucket, queue = facts.outputs.get("BucketName", ""), facts.outputs.get("CaptureQueueUrl", "")
    name = queue.rpartition("/")[2]
    about = [each for each in told if PREFIX.startswith(each.prefix) and _is_creation(each)]
    if not about:
        yield Problem(
            f"bucket {bucket} tells nobody of new objects below {PREFIX}: they are not unpacked",
            PUT_BACK,
        )
    elif not any(each.queue.rpartition(":")[2] == name for each in about):
        yield Problem(
            f"bucket {bucket} tells {about[0].queue} of new objects, and not queue {name}",
            f"Let it tell queue {name}; what came meanwhile is found within two hours",
        )


def _is_creation(told: NotificationFacts) -> bool:
    return any(each in {"s3:ObjectCreated:*", "s3:*"} for each in told.events)


def _capture_queue(facts: Facts) -> Iterator[tuple[str, Any]]:
    name = facts.outputs.get("CaptureQueueUrl", "").rpartition("/")[2]
    if name in facts.queues:
        yield name, facts.queues[name]


def _let_in(name: str, queue: QueueFacts | None, facts: Facts) -> Iterable[Problem]:
    if queue is not None and not lets_s3_send(queue.policy, facts.outputs.get("BucketName", "")):
        yield Problem(
            f"queue {name} does not let S3 send for bucket {facts.outputs.get('BucketName', '')}",
            "Put the statement FromOurBucketOnly back: s3.amazonaws.com, sqs:SendMessage, "
            "aws:SourceArn of the bucket; what S3 dropped meanwhile is found within two hours",
        )


def _check(name: str, asks: str, of: Any, look: Any) -> Check[Any]:  # noqa: ANN401 - a row
    return Check(name=name, group=CheckGroup.CAPTURE, asks=asks, page=PAGE, of=of, look=look)


CAPTURE_CHECKS: Final[tuple[Check[Any], ...]] = (
    _check(
        "filter-there",
        "has each captured log group its filter?",
        lambda facts: facts.filters,
        _there,
    ),
    _check(
        "filter-pattern",
        "does the filter select capture lines?",
        lambda facts: facts.filters,
        _pattern,
    ),
    _check(
        "filter-destination",
        "does it send to the stack's stream?",
        lambda facts: facts.filters,
        _destination,
    ),
    _check(
        "filter-loop",
        "is no log group of the pipeline subscribed?",
        lambda facts: facts.own_filters,
        _loop,
    ),
    _check("stream-active", "is the stream active?", lambda facts: one(facts.stream), _stream),
    _check(
        "stream-destination",
        "does it write where objects are notified?",
        lambda facts: one(facts.stream),
        _where,
    ),
    _check("stream-role", "by its own role?", lambda facts: one(facts.stream), _writer),
    _check(
        "bucket-notification",
        "does the bucket tell the capture queue?",
        lambda facts: one(facts.notifications),
        _told,
    ),
    _check(
        "queue-lets-s3-send",
        "does the capture queue let S3 send?",
        lambda facts: dict(_capture_queue(facts)),
        _let_in,
    ),
)
