"""More misconfigurations: of what keeps things, of who watches, and of what the stack is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from e2e.patient import SHOP

if TYPE_CHECKING:
    from e2e.patient import Patient, Undo


def retention(patient: Patient) -> Undo:
    logs, group = patient["logs"], f"/reprise/{patient.name}/observer"
    logs.delete_retention_policy(logGroupName=group)
    return lambda: logs.put_retention_policy(logGroupName=group, retentionInDays=30)


def ttl(patient: Patient) -> Undo:
    def put(*, is_on: bool) -> None:
        patient["dynamodb"].update_time_to_live(
            TableName=f"{patient.name}-ledger",
            TimeToLiveSpecification={"Enabled": is_on, "AttributeName": "expires_at_s"},
        )

    put(is_on=False)
    return lambda: put(is_on=True)


def recovery(patient: Patient) -> Undo:
    def put(*, is_on: bool) -> None:
        patient["dynamodb"].update_continuous_backups(
            TableName=f"{patient.name}-ledger",
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": is_on},
        )

    put(is_on=False)
    return lambda: put(is_on=True)


def billing(patient: Patient) -> Undo:
    update, table = patient["dynamodb"].update_table, f"{patient.name}-ledger"
    few = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
    update(TableName=table, BillingMode="PROVISIONED", ProvisionedThroughput=few)
    return lambda: update(TableName=table, BillingMode="PAY_PER_REQUEST")


def versions(patient: Patient) -> Undo:
    def put(status: str) -> None:
        patient["s3"].put_bucket_versioning(
            Bucket=patient.bucket, VersioningConfiguration={"Status": status}
        )

    put("Suspended")
    return lambda: put("Enabled")


def public(patient: Patient) -> Undo:
    s3 = patient["s3"]
    before = s3.get_public_access_block(Bucket=patient.bucket)["PublicAccessBlockConfiguration"]
    s3.delete_public_access_block(Bucket=patient.bucket)
    return lambda: s3.put_public_access_block(
        Bucket=patient.bucket, PublicAccessBlockConfiguration=before
    )


def soon_gone(patient: Patient) -> Undo:
    s3 = patient["s3"]
    before = s3.get_bucket_lifecycle_configuration(Bucket=patient.bucket)["Rules"]
    rule = {"ID": "tidy", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 7}}

    def put(rules: list[Any]) -> None:
        s3.put_bucket_lifecycle_configuration(
            Bucket=patient.bucket, LifecycleConfiguration={"Rules": rules}
        )

    put([*before, rule])
    return lambda: put(before)


def parameter(patient: Patient, name: str, value: str) -> Undo:
    ssm = patient["ssm"]
    before = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=True)
    return lambda: ssm.put_parameter(Name=name, Value=before, Type="String", Overwrite=True)


def policy(patient: Patient, document: object) -> Undo:
    text = document if isinstance(document, str) else json.dumps(document)
    return parameter(patient, f"/reprise/{patient.name}/policy", text)


def told_otherwise(patient: Patient) -> Undo:
    name = f"/{patient.name}/callers"
    said = json.loads(patient["ssm"].get_parameter(Name=name)["Parameter"]["Value"])
    return parameter(patient, name, json.dumps(said | {"bucket": "another"}))


def doomed_secret(patient: Patient) -> Undo:
    secrets, name = patient["secretsmanager"], f"{patient.name}/source/invoker"
    secrets.delete_secret(SecretId=name, RecoveryWindowInDays=7)
    return lambda: secrets.restore_secret(SecretId=name)


def lost_key(patient: Patient) -> Undo:
    """Rotate a source by hand, and forget the key before."""
    secrets, name = patient["secretsmanager"], f"{patient.name}/source/{SHOP}"
    before = secrets.get_secret_value(SecretId=name)["SecretString"]
    document = json.loads(before)
    new = {"current": "k2", "k2": "n" * 64, "targets": document["targets"]}
    secrets.put_secret_value(SecretId=name, SecretString=json.dumps(new))
    return lambda: secrets.put_secret_value(SecretId=name, SecretString=before)


def deaf_alarm(patient: Patient) -> Undo:
    cloudwatch, names = patient["cloudwatch"], [f"{patient.name}-dead-letters"]
    cloudwatch.disable_alarm_actions(AlarmNames=names)
    return lambda: cloudwatch.enable_alarm_actions(AlarmNames=names)


_ALARM = (
    *("AlarmName", "AlarmDescription", "AlarmActions", "Namespace", "MetricName", "Dimensions"),
    *("Statistic", "Period", "EvaluationPeriods", "Threshold", "ComparisonOperator"),
    "TreatMissingData",
)


def no_alarm(patient: Patient) -> Undo:
    cloudwatch, name = patient["cloudwatch"], f"{patient.name}-lines-lost"
    (found,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    cloudwatch.delete_alarms(AlarmNames=[name])
    return lambda: cloudwatch.put_metric_alarm(**{key: found[key] for key in _ALARM})


def ringing(patient: Patient) -> Undo:
    patient.set_alarm("waiting", "ALARM")
    return lambda: patient.set_alarm("waiting", "OK")


def unheard(patient: Patient) -> Undo:
    sns, topic = patient["sns"], f"{patient.name}-incidents"
    arn = f"arn:aws:sns:us-east-1:000000000000:{topic}"
    for each in sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]:
        sns.unsubscribe(SubscriptionArn=each["SubscriptionArn"])
    return lambda: patient.world.subscribe(topic)


def rule_off(patient: Patient) -> Undo:
    events, name = patient["events"], f"{patient.name}-incidents"
    events.disable_rule(Name=name)
    return lambda: events.enable_rule(Name=name)


def schedule_off(patient: Patient) -> Undo:
    scheduler, name = patient["scheduler"], f"{patient.name}-observer"
    found = scheduler.get_schedule(Name=name)
    kept = ("Name", "ScheduleExpression", "Target", "FlexibleTimeWindow", "Description")
    before = {key: found[key] for key in kept}
    scheduler.update_schedule(**before, State="DISABLED")
    return lambda: scheduler.update_schedule(**before, State="ENABLED")


def no_door(patient: Patient) -> Undo:
    functions, name = patient["lambda"], f"{patient.name}-invoker"
    (alias,) = functions.list_aliases(FunctionName=name)["Aliases"]
    functions.delete_alias(FunctionName=name, Name=alias["Name"])
    kept = {key: alias[key] for key in ("Name", "FunctionVersion", "Description")}
    return lambda: functions.create_alias(FunctionName=name, **kept)


def small_account(patient: Patient) -> Undo:
    patient.world.admin("POST", "account", {"limit": 10})
    return lambda: patient.world.admin("DELETE", "account")
