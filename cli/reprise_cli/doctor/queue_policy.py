"""Whether a queue's policy lets S3 send: pure rules."""

from __future__ import annotations

import json
from typing import Any


def lets_s3_send(policy: str, bucket: str) -> bool:
    """Tell whether a queue's policy lets S3 send messages of a bucket.

    Conditions on others than aws:SourceArn are not weighed.
    """
    try:
        document = json.loads(policy or "{}")
    except (ValueError, RecursionError):
        return False
    statements = document.get("Statement", []) if isinstance(document, dict) else []
    listed = statements if isinstance(statements, list) else [statements]
    return any(isinstance(each, dict) and _lets_in(each, bucket) for each in listed)


def _lets_in(statement: dict[str, Any], bucket: str) -> bool:
    # Whatever is not as a template or a console writes it lets nobody in.
    text = json.dumps(statement, default=str)
    is_meant = statement.get("Effect") == "Allow" and any(
        f'"{action}"' in text.lower() for action in ("sqs:sendmessage", "sqs:*", "*")
    )
    principal = json.dumps(statement.get("Principal"), default=str)
    if not is_meant or ("s3.amazonaws.com" not in principal and '"*"' not in principal):
        return False
    conditions = json.dumps(statement.get("Condition", {}), default=str)
    return (
        "sourcearn" not in conditions.lower()
        or f":::{bucket}" in conditions
        or ":::*" in conditions
    )
