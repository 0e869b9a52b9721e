"""What may be wrong, a row each: the check, what it looks at, and what it says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from reprise_cli.doctor.policies import Allowances
from reprise_cli.doctor.things import (
    DriftFacts,
    ExpiryFacts,
    FilterFacts,
    LambdaLimits,
    LayerFacts,
    NotificationFacts,
    RuleFacts,
    SourceFacts,
    StackFacts,
    TopicFacts,
)
from unit.cli.doctor.healthy import (
    GROUP,
    LAYER,
    OUR_FILTER,
    STREAM,
    TARGET,
    TOPIC,
    alarm,
    caller,
    function,
    mapped,
    queue,
    with_environment,
    with_stream,
    with_table,
)

SICK: Final[list[tuple[str, dict[str, Any], str]]] = [
    (
        "stack-complete",
        {"stacks": {"reprise": StackFacts(status="UPDATE_IN_PROGRESS")}},
        "is UPDATE_IN",
    ),
    (
        "stack-complete",
        {"stacks": {"reprise": StackFacts(status="ROLLBACK_COMPLETE")}},
        "is ROLLBACK",
    ),
    ("clock", {"clock_ahead_s": -61.0}, "61 s behind"),
    ("clock", {"clock_ahead_s": 300.0}, "300 s ahead of"),
    ("version", {"command_version": "1.2.4"}, "the stack is version 1.2.3, this command 1.2.4"),
    ("version", {"outputs": {}}, "does not say its version"),
    (
        "drift",
        {"drift": {"x": DriftFacts(status="DRIFTED", changed=("Q is gone",))}},
        "by others: Q is gone",
    ),
    ("account-room", {"limits": LambdaLimits(concurrent=10, unreserved=10)}, "runs 10 functions"),
    ("account-room", {"limits": LambdaLimits(concurrent=1000, unreserved=99)}, "99 of 1000"),
    ("customer-key", {"key_state": "PendingDeletion"}, "is PendingDeletion"),
    ("function-ready", {"functions": {"f": None}}, "function f is gone"),
    ("function-ready", {"functions": {"f": function("f", state="Failed")}}, "f is Failed"),
    ("function-ready", {"functions": {"f": function("f", update="Failed")}}, "last update Failed"),
    ("function-held", {"functions": {"f": function("f", reserved=0)}}, "reserved concurrency 0"),
    ("function-layer", {"functions": {"f": function("f", layers=())}}, "not the stack's layer"),
    (
        "function-layer",
        {"functions": {"f": function("f", layers=(f"{LAYER}-2:1",))}},
        "not the stack's",
    ),
    ("role-actions", {"roles": {"r": None}}, "role r is gone"),
    ("source-keys", {"sources": {"invoker": None}}, "secret reprise/source/invoker is gone"),
    ("source-keys", {"sources": {"a": SourceFacts(problem="no JSON")}}, "is refused: no JSON"),
    (
        "source-keys",
        {"sources": {"a": SourceFacts(current="k3", names=("k3",))}},
        "no key before it",
    ),
    ("log-retention", {"log_groups": {"/g": None}}, "/g is gone"),
    ("log-retention", {"log_groups": {"/g": 0}}, "/g keeps its lines for ever"),
    ("ledger-there", {"table": None}, "reprise-ledger is gone"),
    ("ledger-there", with_table(status="DELETING"), "is DELETING"),
    ("ledger-expiry", with_table(ttl_attribute=None), "do not expire"),
    ("ledger-expiry", with_table(ttl_attribute="ttl"), "do not expire by expires_at_s"),
    ("ledger-recovery", with_table(has_recovery=False), "no point-in-time recovery"),
    ("ledger-capacity", with_table(billing="PROVISIONED"), "provisioned capacity"),
    ("bucket-versions", {"is_versioned": None}, "bucket reprise-bucket is gone"),
    ("bucket-versions", {"is_versioned": False}, "keeps no versions"),
    ("bucket-private", {"is_private": False}, "does not block public access"),
    ("bucket-expiry", {"expiries": ()}, "nothing in bucket"),
    ("bucket-expiry", {"expiries": (ExpiryFacts(prefix="", days=29),)}, "deletes everything"),
    ("filter-there", {"filters": {GROUP: None}}, "is gone"),
    ("filter-there", {"filters": {GROUP: ()}}, "no filter reprise-capture"),
    ("filter-pattern", {"filters": {GROUP: (replace(OUR_FILTER, pattern=""),)}}, "'everything'"),
    (
        "filter-destination",
        {"filters": {GROUP: (replace(OUR_FILTER, destination="arn:other"),)}},
        "sends to arn:other",
    ),
    (
        "filter-loop",
        {"own_filters": {"/g": (FilterFacts(name="x", pattern="", destination=STREAM),)}},
        "fed its own output",
    ),
    ("stream-active", {"stream": None}, "is gone"),
    ("stream-active", with_stream(status="CREATING_FAILED"), "is CREATING_FAILED"),
    (
        "stream-destination",
        with_stream(bucket="arn:aws:s3:::other"),
        "writes to arn:aws:s3:::other",
    ),
    ("stream-destination", with_stream(prefix=""), "'no prefix'"),
    ("stream-role", with_stream(role="arn:role/other"), "as role arn:role/other"),
    ("bucket-notification", {"notifications": ()}, "tells nobody"),
    (
        "bucket-notification",
        {
            "notifications": (
                NotificationFacts(queue="a:b", prefix="", events=("s3:ObjectCreated:*",)),
            )
        },
        "tells a:b",
    ),
    (
        "bucket-notification",
        {
            "notifications": (
                NotificationFacts(queue="q", prefix="captured/", events=("s3:ObjectRemoved:*",)),
            )
        },
        "tells nobody of new objects",
    ),
    (
        "queue-lets-s3-send",
        {"queues": {"reprise-capture": queue("reprise-capture", policy="")}},
        "let S3",
    ),
    ("queue-there", {"queues": {"q": None}}, "queue q is gone"),
    ("queue-fed", {"mappings": ()}, "nothing feeds queue reprise-capture"),
    (
        "queue-fed",
        {"mappings": (mapped("reprise-unpacker", "reprise-capture", state="Disabled"),)},
        "its mapping is Disabled",
    ),
    (
        "queue-fed",
        {"mappings": (mapped("reprise-unpacker", "reprise-capture", reports_failures=False),)},
        "those are lost",
    ),
    (
        "queue-visibility",
        {"queues": {"reprise-replay": queue("reprise-replay", visibility_s=299)}},
        "may run for 300 s",
    ),
    (
        "queue-redrive",
        {"queues": {"reprise-replay": queue("reprise-replay", dead_letters_to=None)}},
        "has no dead-letter queue",
    ),
    (
        "queue-redrive",
        {"queues": {"reprise-replay": queue("reprise-replay"), "reprise-dead-letter": None}},
        "which is gone",
    ),
    (
        "queue-retention",
        {
            "queues": {
                "reprise-replay": queue("reprise-replay"),
                "reprise-dead-letter": queue("reprise-dead-letter", retention_s=60),
            }
        },
        "keeps messages for 60 s",
    ),
    (
        "dead-letters",
        {"queues": {"reprise-dead-letter": queue("reprise-dead-letter", messages=1200)}},
        "1,200 in queue reprise-dead-letter: calls were given up",
    ),
    ("target-there", {"targets": {TARGET: None}}, "is not there"),
    ("target-held", {"targets": {TARGET: function("orders", reserved=0)}}, "target orders"),
    ("target-timeout", {"targets": {TARGET: function("orders", timeout_s=306)}}, "after 305 s"),
    (
        "settings-agree",
        {"functions": {"f": function("f", **with_environment(REPRISE_TARGETS="arn:x"))}},
        "another REPRISE_TARGETS than the stack: arn:x",
    ),
    (
        "settings-complete",
        {"functions": {"reprise-invoker": function("i", **with_environment(REPRISE_BUCKET=""))}},
        "no variable REPRISE_BUCKET",
    ),
    ("recursion-allowed", {"functions": {"f": function("f", recursion="Terminate")}}, "16 hops"),
    ("policy-valid", {"policy": None}, "/reprise/reprise/policy is gone"),
    ("policy-valid", {"policy": "{"}, "is not valid"),
    ("policy-paused", {"policy": '{"default": {"enabled": false}}'}, "everything is paused"),
    (
        "policy-paused",
        {"policy": '{"targets": {"orders": {"enabled": false}}}'},
        "target orders is paused",
    ),
    ("policy-names", {"policy": '{"targets": {"ordrs": {}}}'}, "is for ordrs"),
    ("alarm-there", {"alarms": {}}, "alarm w is gone"),
    ("alarm-acts", {"alarms": {"w": alarm(is_enabled=False)}}, "actions are disabled"),
    ("alarm-acts", {"parameters": {"AlarmTopicArn": "arn:t"}}, "does not notify arn:t"),
    ("alarm-quiet", {"alarms": {"w": alarm(state="ALARM")}}, "alarm w is in ALARM: It is late."),
    ("incident-heard", {"topic": None}, "topic reprise-incidents is gone"),
    ("incident-heard", {"topic": TopicFacts(confirmed=0, pending=1)}, "waits for the confirmation"),
    ("incident-heard", {"topic": TopicFacts(confirmed=0, pending=0)}, "nobody has subscribed"),
    ("incident-rule", {"rule": None}, "is gone"),
    ("incident-rule", {"rule": RuleFacts(state="DISABLED", targets=(TOPIC,))}, "is DISABLED"),
    ("incident-rule", {"rule": RuleFacts(state="ENABLED", targets=())}, "does not send to topic"),
    ("schedule-on", {"schedules": {"o": None}}, "schedule o is gone"),
    ("schedule-on", {"schedules": {"o": "DISABLED"}}, "schedule o is DISABLED"),
    ("metric-zero", {"metrics": {"LostLines": 3.0}}, "3 captured calls had not arrived"),
    ("callers-told", {"callers_said": None}, "/reprise/callers is gone"),
    ("callers-told", {"callers_said": "[]"}, "is no JSON object"),
    ("callers-told", {"callers_said": "{}"}, "another bucket"),
    ("front-doors", {"aliases": {"orders": None}}, "has no alias"),
    ("front-doors", {"aliases": {"orders": "3"}}, "is of version 3"),
    ("caller-way-in", {"callers": {"shp": None}}, "there is no function shp"),
    ("caller-way-in", {"callers": {"f": caller(environment={})}}, "calls Lambda directly"),
    (
        "caller-way-in",
        {
            "callers": {
                "f": caller(
                    layers=(),
                    environment={"BOTOCORE_EXPERIMENTAL__PLUGINS": "reprise=reprise.boto3_plugin"},
                )
            }
        },
        "the plugin's variable, and not the stack's layer",
    ),
    ("caller-endpoint", {"callers": {"f": caller(layers=())}}, "no layer that listens there"),
    (
        "caller-layer",
        {"layers": {f"{LAYER}:7": LayerFacts(runtimes=(), architectures=("arm64",))}},
        "is x86_64, and its layer",
    ),
    (
        "caller-layer",
        {"layers": {f"{LAYER}:7": LayerFacts(runtimes=("python3.12",), architectures=())}},
        "is python3.13",
    ),
    ("caller-source", {"sources": {}}, "signs as source web-shop, and there is none"),
    (
        "caller-role",
        {"caller_roles": {"web-shop": Allowances()}},
        "may not lambda:InvokeFunction, sec",
    ),
    (
        "caller-role",
        {"caller_roles": {"web-shop": None}},
        "web-shop-role of function web-shop is gone",
    ),
]
