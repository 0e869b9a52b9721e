"""Misconfigurations of capture path and replay: the check that must name each, and what it must say to do."""

from __future__ import annotations

from functools import partial
from typing import Final

from e2e import ailments as of_path
from e2e import ailments_kept as kept
from e2e.patient import TARGET, Ailment

PUT_BACK: Final = "docs/howto/doctor.md#put-back-what-the-template-made"
_PUT_FILTER: Final = "aws logs put-subscription-filter --log-group-name /reprise/doctor/capture"

PATH: Final = {
    # --- capture path ---
    "filter deleted": Ailment(
        "filter-there",
        "has no filter doctor-capture",
        _PUT_FILTER,
        of_path.filters,
        touches="filter",
    ),
    "filter with another pattern": Ailment(
        "filter-pattern",
        "selects 'ERROR'",
        _PUT_FILTER,
        partial(of_path.filters, filterPattern="ERROR"),
        touches="filter",
    ),
    "filter to another stream": Ailment(
        "filter-destination",
        "deliverystream/reprise-capture",
        _PUT_FILTER,
        partial(
            of_path.filters,
            destinationArn="arn:aws:firehose:us-east-1:000000000000:deliverystream/reprise-capture",
        ),
        touches="filter",
    ),
    "no room for the filter": Ailment(
        "filter-there",
        "has the filters one, two",
        "Remove one of the two",
        of_path.crowd,
        touches="filter",
    ),
    "own log group subscribed": Ailment(
        "filter-loop",
        "fed its own output",
        "aws logs delete-subscription-filter --log-group-name /reprise/doctor/letter-jobs",
        of_path.loop,
        touches="filter",
    ),
    "stream writes elsewhere": Ailment(
        "stream-destination",
        "writes below 'lines/'",
        "Set its prefix to captured/",
        partial(of_path.stream, Prefix="lines/"),
    ),
    "stream writes as another": Ailment(
        "stream-role",
        "writes as role arn:aws:iam::000000000000:role/other",
        "Give it the role doctor-Capture-",
        partial(of_path.stream, RoleARN="arn:aws:iam::000000000000:role/other"),
    ),
    "bucket tells nobody": Ailment(
        "bucket-notification", "tells nobody of new objects", PUT_BACK, of_path.notification
    ),
    "queue lets S3 not in": Ailment(
        "queue-lets-s3-send",
        "does not let S3 send",
        "FromOurBucketOnly",
        partial(of_path.queue, queue="capture", Policy=""),
    ),
    # --- replay ---
    "messages seen too soon": Ailment(
        "queue-visibility",
        "hides a message for 30 s",
        "VisibilityTimeout=330",
        partial(of_path.queue, queue="capture", VisibilityTimeout="30"),
    ),
    "no dead-letter queue": Ailment(
        "queue-redrive",
        "queue doctor-replay has no dead-letter queue",
        PUT_BACK,
        partial(of_path.queue, queue="replay", RedrivePolicy=""),
        touches="replay queue",
    ),
    "dead letters expire": Ailment(
        "queue-retention",
        "keeps messages for 3600 s",
        "MessageRetentionPeriod=1209600",
        partial(of_path.queue, queue="dead-letter", MessageRetentionPeriod="3600"),
        touches="replay queue",
    ),
    "mapping disabled": Ailment(
        "queue-fed",
        "queue doctor-replay is not fed to function doctor-replayer",
        "aws lambda update-event-source-mapping --enabled",
        partial(of_path.mapping, function="replayer", Enabled=False),
    ),
    "failures of a batch ignored": Ailment(
        "queue-fed",
        "those are lost",
        "ReportBatchItemFailures",
        partial(of_path.mapping, function="unpacker", FunctionResponseTypes=[]),
    ),
    "unpacker held": Ailment(
        "function-held",
        "function doctor-unpacker has reserved concurrency 0",
        "aws lambda delete-function-concurrency --function-name doctor-unpacker",
        partial(of_path.held, function="doctor-unpacker"),
    ),
    "loops are stopped": Ailment(
        "recursion-allowed", "after 16 hops", "--recursive-loop Allow", of_path.recursion
    ),
    "target held": Ailment(
        "target-held",
        f"target {TARGET} has reserved concurrency 0",
        f"aws lambda delete-function-concurrency --function-name {TARGET}",
        partial(of_path.held, function=TARGET),
        touches="target",
    ),
    "target gone": Ailment(
        "target-there",
        f"function:{TARGET} is not there",
        "out of Targets",
        of_path.no_target,
        touches="target",
    ),
    "target slower than a call": Ailment(
        "target-timeout",
        "may run for 900 s",
        "LongestTargetTimeout",
        partial(of_path.function, function=TARGET, Timeout=900),
        touches="target",
    ),
    "functions disagree": Ailment(
        "settings-agree",
        "another REPRISE_BUCKET",
        PUT_BACK,
        partial(
            of_path.function, function="doctor-replayer", variables={"REPRISE_BUCKET": "another"}
        ),
    ),
    "variable missing": Ailment(
        "settings-complete",
        "no variable REPRISE_LEDGER_TABLE",
        PUT_BACK,
        partial(
            of_path.function, function="doctor-invoker", variables={"REPRISE_LEDGER_TABLE": None}
        ),
    ),
    "layer taken off": Ailment(
        "function-layer",
        "function doctor-unpacker has not the stack's layer",
        "sam build",
        partial(of_path.function, function="doctor-unpacker", Layers=[]),
    ),
    "policy not valid": Ailment(
        "policy-valid",
        "the policy document is not valid",
        "policy edit",
        partial(kept.policy, document='{"default": {"maximum_attempts": "many"}}'),
        touches="policy",
    ),
    "everything paused": Ailment(
        "policy-paused",
        "everything is paused",
        "policy resume --all",
        partial(kept.policy, document={"default": {"enabled": False}}),
        touches="policy",
    ),
    "policy of nobody": Ailment(
        "policy-names",
        "the policy is for ordrs",
        "policy edit",
        partial(kept.policy, document={"targets": {"ordrs": {"idempotent": True}}}),
        touches="policy",
    ),
}
