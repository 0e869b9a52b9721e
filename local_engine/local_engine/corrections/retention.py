"""Restore what a template says of how long a table and a bucket keep things, and of a secret that drifted.

Stock ministack drops TimeToLiveSpecification and PointInTimeRecoverySpecification of a table, and
LifecycleConfiguration of a bucket. Its detection of drift looks a secret up by name, where the physical id is
the ARN, and finds each deleted.

Source: CloudFormation Template Reference, AWS::DynamoDB::Table, AWS::S3::Bucket; CloudFormation User Guide,
"Detect unmanaged configuration changes to stacks and resources with drift detection".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_engine.seams import Seam

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_engine.options import EngineOptions

    type Properties = dict[str, Any]

_PROVISIONERS = Seam("services.cloudformation.provisioners")
_DRIFT = Seam("services.cloudformation.drift")
_DYNAMODB = Seam("services.dynamodb")
_S3 = Seam("services.s3")
_SECRETS = Seam("services.secretsmanager")
_SECRET = "AWS::SecretsManager::Secret"  # noqa: S105 - a type of resource


def apply(_options: EngineOptions) -> None:
    """Hand tables and buckets what their templates say, at their creation and at an update."""
    handlers: dict[str, Any] = _PROVISIONERS["_RESOURCE_HANDLERS"]
    for kind, settle in (
        ("AWS::DynamoDB::Table", _settle_table),
        ("AWS::S3::Bucket", _settle_bucket),
    ):
        of_kind = handlers[kind]
        of_kind.update(
            create=_then(of_kind["create"], 1, settle), update=_then(of_kind["update"], 2, settle)
        )
    read, compared = _DRIFT["_DRIFT_READERS"][_SECRET]
    _DRIFT.replace_entry("_DRIFT_READERS", _SECRET, (_by_arn(read), compared))


def _then(stock: Callable[..., Any], at: int, settle: Callable[[str, Properties], None]) -> Any:
    """Return a handler that settles what it made; its properties are its argument at that place."""

    def handle(*arguments: Any, **named: Any) -> Any:
        physical_id, attributes = stock(*arguments, **named)
        settle(physical_id, arguments[at])
        return physical_id, attributes

    return handle


def _settle_table(name: str, properties: Properties) -> None:
    life = properties.get("TimeToLiveSpecification") or {}
    _DYNAMODB["_ttl_settings"][name] = {
        "TimeToLiveStatus": "ENABLED" if _is_on(life.get("Enabled")) else "DISABLED",
        **({"AttributeName": life["AttributeName"]} if "AttributeName" in life else {}),
    }
    recovery = properties.get("PointInTimeRecoverySpecification") or {}
    _DYNAMODB["_pitr_settings"][name] = _is_on(recovery.get("PointInTimeRecoveryEnabled"))


def _settle_bucket(name: str, properties: Properties) -> None:
    rules = (properties.get("LifecycleConfiguration") or {}).get("Rules")
    if rules:
        _S3["_bucket_lifecycle"][name] = [_rule(rule) for rule in rules]
    else:
        _S3["_bucket_lifecycle"].pop(name, None)


def _rule(rule: Properties) -> Properties:
    """Return a rule of a template as S3's API has it."""
    expiry: Properties = {}
    if "ExpirationInDays" in rule:
        expiry["Days"] = int(rule["ExpirationInDays"])
    if _is_on(rule.get("ExpiredObjectDeleteMarker")):
        expiry["ExpiredObjectDeleteMarker"] = True
    kept = ("NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload")
    return {
        "ID": rule.get("Id", ""),
        "Status": rule.get("Status", "Enabled"),
        "Filter": {"Prefix": rule.get("Prefix", "")},
        **({"Expiration": expiry} if expiry else {}),
        **{name: rule[name] for name in kept if name in rule},
    }


def _by_arn(read: Callable[[str, Properties], Any]) -> Callable[[str, Properties], Any]:
    def read_secret(physical_id: str, properties: Properties) -> Any:
        secrets: dict[str, Any] = _SECRETS["_secrets"]
        names = [name for name, secret in secrets.items() if secret["ARN"] == physical_id]
        return read(names[0] if names else physical_id, properties)

    return read_secret


def _is_on(value: object) -> bool:
    """Tell whether a template's boolean, which may be text, is true."""
    return str(value).lower() == "true"
