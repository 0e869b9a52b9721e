"""The rest of the table, and the whole: of deployment, operators and callers."""

from __future__ import annotations

from functools import partial
from typing import Final

from e2e import ailments as of_path
from e2e import ailments_kept as kept
from e2e.ailment_table import PATH, PUT_BACK
from e2e.patient import SHOP, TARGET, Ailment

AILMENTS: Final = {
    **PATH,
    # --- deployment ---
    "role lost an action": Ailment(
        "role-actions",
        "dynamodb:PartiQLUpdate",
        PUT_BACK,
        partial(of_path.role, change=of_path.without("KeepLedger")),
    ),
    "role is denied an action": Ailment(
        "role-actions",
        "is denied ssm:Get*",
        PUT_BACK,
        partial(of_path.role, change=of_path.denying("ssm:Get*")),
    ),
    "lines kept for ever": Ailment(
        "log-retention",
        "/reprise/doctor/observer keeps its lines for ever",
        "aws logs put-retention-policy",
        kept.retention,
    ),
    "rows kept for ever": Ailment(
        "ledger-expiry", "do not expire", "aws dynamodb update-time-to-live", kept.ttl
    ),
    "no recovery": Ailment(
        "ledger-recovery", "no point-in-time recovery", "update-continuous-backups", kept.recovery
    ),
    "provisioned ledger": Ailment(
        "ledger-capacity", "provisioned capacity", "--billing-mode PAY_PER_REQUEST", kept.billing
    ),
    "versions off": Ailment(
        "bucket-versions", "keeps no versions", "put-bucket-versioning", kept.versions
    ),
    "public bucket": Ailment(
        "bucket-private", "does not block public access", "put-public-access-block", kept.public
    ),
    "objects gone too soon": Ailment(
        "bucket-expiry", "after 7 days", "Delete that rule", kept.soon_gone
    ),
    "secret to be deleted": Ailment(
        "source-keys",
        "doctor/source/invoker is gone, or about to be deleted",
        "aws secretsmanager restore-secret",
        kept.doomed_secret,
    ),
    "key before forgotten": Ailment(
        "source-keys", "holds no key before it", "sources rotate", kept.lost_key
    ),
    "small account": Ailment(
        "account-room", "runs 10 functions at once", "Service Quotas", kept.small_account
    ),
    # --- operator ---
    "letters wait": Ailment(
        "dead-letters",
        "1 in queue doctor-capture-dlq",
        "dlq list --queue capture",
        of_path.letter,
    ),
    "alarm does not act": Ailment(
        "alarm-acts", "actions are disabled", "enable-alarm-actions", kept.deaf_alarm
    ),
    "alarm gone": Ailment("alarm-there", "doctor-lines-lost is gone", PUT_BACK, kept.no_alarm),
    "alarm rings": Ailment(
        "alarm-quiet", "alarm doctor-waiting is in ALARM", "Follow its runbook", kept.ringing
    ),
    "nobody told": Ailment(
        "incident-heard", "nobody has subscribed", "IncidentEmail=", kept.unheard
    ),
    "rule off": Ailment(
        "incident-rule",
        "rule doctor-incidents is DISABLED",
        "aws events enable-rule",
        kept.rule_off,
    ),
    "observer off": Ailment(
        "schedule-on", "schedule doctor-observer is DISABLED", PUT_BACK, kept.schedule_off
    ),
    # --- callers ---
    "callers told otherwise": Ailment(
        "callers-told", "another bucket", PUT_BACK, kept.told_otherwise
    ),
    "door without alias": Ailment(
        "front-doors", f"front door {TARGET} has no alias", "doors apply", kept.no_door
    ),
    "nothing listens": Ailment(
        "caller-endpoint",
        "no layer that listens there",
        "layer of addons/endpoint",
        partial(of_path.function, function=SHOP, Layers=[]),
        touches="layers of the shop",
    ),
    "layer of another architecture": Ailment(
        "caller-layer",
        "is for arm64",
        "layer of its architecture",
        of_path.other_layer,
        touches="layers of the shop",
    ),
    "signs as nobody": Ailment(
        "caller-source",
        "signs as source nobody",
        "sources add nobody",
        partial(of_path.function, function=SHOP, variables={"REPRISE_SOURCE": "nobody"}),
    ),
    "caller may not": Ailment(
        "caller-role",
        "may not secretsmanager:GetSecretValue",
        "sources add",
        of_path.shop_role,
    ),
}
