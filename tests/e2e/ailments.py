"""How misconfigurations of the capture path, of replay and of callers are planted and undone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from e2e.patient import SHOP, SHOP_ROLE, TARGET

if TYPE_CHECKING:
    from collections.abc import Callable

    from e2e.patient import Patient, Undo


def filters(patient: Patient, **changes: str) -> Undo:
    logs, group = patient["logs"], f"/reprise/{patient.name}/capture"
    (found,) = logs.describe_subscription_filters(logGroupName=group)["subscriptionFilters"]
    kept = ("logGroupName", "filterName", "filterPattern", "destinationArn", "roleArn")
    before = {name: found[name] for name in kept}
    if changes:
        logs.put_subscription_filter(**before | changes)
    else:
        logs.delete_subscription_filter(logGroupName=group, filterName=before["filterName"])
    return lambda: logs.put_subscription_filter(**before)


def crowd(patient: Patient) -> Undo:
    """Take our filter away, and let two of others fill its group."""
    logs, group = patient["logs"], f"/reprise/{patient.name}/capture"
    (ours,) = logs.describe_subscription_filters(logGroupName=group)["subscriptionFilters"]
    put_back = filters(patient)
    for name in ("one", "two"):
        logs.put_subscription_filter(
            logGroupName=group,
            filterName=name,
            filterPattern="nothing",
            destinationArn=ours["destinationArn"],
            roleArn=ours["roleArn"],
        )

    def undo() -> None:
        for name in ("one", "two"):
            logs.delete_subscription_filter(logGroupName=group, filterName=name)
        put_back()

    return undo


def loop(patient: Patient) -> Undo:
    logs, name = patient["logs"], patient.name
    (ours,) = logs.describe_subscription_filters(logGroupName=f"/reprise/{name}/capture")[
        "subscriptionFilters"
    ]
    group = f"/reprise/{name}/letter-jobs"
    logs.put_subscription_filter(
        logGroupName=group,
        filterName="all",
        filterPattern="nothing",
        destinationArn=ours["destinationArn"],
        roleArn=ours["roleArn"],
    )
    return lambda: logs.delete_subscription_filter(logGroupName=group, filterName="all")


def stream(patient: Patient, **changes: str) -> Undo:
    firehose, name = patient["firehose"], f"{patient.name}-capture"

    def told() -> Any:
        return firehose.describe_delivery_stream(DeliveryStreamName=name)[
            "DeliveryStreamDescription"
        ]

    def update(settings: dict[str, str]) -> None:
        firehose.update_destination(
            DeliveryStreamName=name,
            CurrentDeliveryStreamVersionId=told()["VersionId"],
            DestinationId=told()["Destinations"][0]["DestinationId"],
            ExtendedS3DestinationUpdate=settings,
        )

    before = told()["Destinations"][0]["ExtendedS3DestinationDescription"]
    update(changes)
    return lambda: update({key: before[key] for key in changes})


def notification(patient: Patient) -> Undo:
    s3 = patient["s3"]
    before = s3.get_bucket_notification_configuration(Bucket=patient.bucket)
    before.pop("ResponseMetadata")
    s3.put_bucket_notification_configuration(Bucket=patient.bucket, NotificationConfiguration={})
    return lambda: s3.put_bucket_notification_configuration(
        Bucket=patient.bucket, NotificationConfiguration=before
    )


def queue(patient: Patient, queue: str, **changes: str) -> Undo:
    sqs, url = patient["sqs"], patient.url(queue)
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes=changes)
    before = {name: found[name] for name in changes}
    return lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes=before)


def letter(patient: Patient) -> Undo:
    sqs, url = patient["sqs"], patient.url("capture-dlq")
    sqs.send_message(QueueUrl=url, MessageBody="{}")

    return lambda: sqs.purge_queue(QueueUrl=url)


def mapping(patient: Patient, function: str, **changes: Any) -> Undo:
    functions = patient["lambda"]
    (found,) = functions.list_event_source_mappings(FunctionName=f"{patient.name}-{function}")[
        "EventSourceMappings"
    ]
    functions.update_event_source_mapping(UUID=found["UUID"], **changes)
    return lambda: functions.update_event_source_mapping(
        UUID=found["UUID"], Enabled=True, FunctionResponseTypes=["ReportBatchItemFailures"]
    )


def held(patient: Patient, function: str) -> Undo:
    patient.world.hold(function)
    return lambda: patient.world.let_go(function)


def recursion(patient: Patient) -> Undo:
    put, name = patient["lambda"].put_function_recursion_config, f"{patient.name}-replayer"
    put(FunctionName=name, RecursiveLoop="Terminate")
    return lambda: put(FunctionName=name, RecursiveLoop="Allow")


def no_target(patient: Patient) -> Undo:
    patient["lambda"].delete_function(FunctionName=TARGET)
    return lambda: patient.world.make_function(TARGET)


def function(patient: Patient, function: str, **changes: Any) -> Undo:
    functions = patient["lambda"]
    found = functions.get_function_configuration(FunctionName=function)
    before = {
        "Timeout": found["Timeout"],
        "Environment": found["Environment"],
        "Layers": [layer["Arn"] for layer in found.get("Layers", [])],
    }
    if variables := changes.pop("variables", None):
        merged = found["Environment"]["Variables"] | variables
        changes["Environment"] = {
            "Variables": {name: value for name, value in merged.items() if value is not None}
        }
    functions.update_function_configuration(FunctionName=function, **changes)
    return lambda: functions.update_function_configuration(
        FunctionName=function, **{name: before[name] for name in changes}
    )


def role(patient: Patient, change: Callable[[list[Any]], list[Any]]) -> Undo:
    iam = patient["iam"]
    role, policy, document = patient.role_of("replayer")

    def put(statements: list[Any]) -> None:
        text = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=text)

    put(change(document["Statement"]))
    return lambda: put(document["Statement"])


def without(sid: str) -> Callable[[list[Any]], list[Any]]:
    return lambda statements: [each for each in statements if each.get("Sid") != sid]


def denying(action: str) -> Callable[[list[Any]], list[Any]]:
    return lambda all_: [*all_, {"Effect": "Deny", "Action": action, "Resource": "*"}]


def shop_role(patient: Patient) -> Undo:
    iam = patient["iam"]
    name = f"{patient.name}-source-{SHOP}"
    found = iam.get_role_policy(RoleName=SHOP_ROLE, PolicyName=name)["PolicyDocument"]
    iam.delete_role_policy(RoleName=SHOP_ROLE, PolicyName=name)
    return lambda: iam.put_role_policy(
        RoleName=SHOP_ROLE, PolicyName=name, PolicyDocument=json.dumps(found)
    )


def other_layer(patient: Patient) -> Undo:
    made = patient["lambda"].publish_layer_version(
        LayerName="doctor-arm",
        Content={"ZipFile": _EMPTY_ZIP},
        CompatibleArchitectures=["arm64"],
    )
    return function(patient, SHOP, Layers=[made["LayerVersionArn"]])


_EMPTY_ZIP: Final = b"PK\x05\x06" + bytes(18)
