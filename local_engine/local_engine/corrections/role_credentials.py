"""Restore that a role's credentials cannot be told from its name.

Stock ministack derives them from the ARNs of function and role, and without IAM gives functions the
account's number and ``test``: whoever knows a name has the key.

Source: IAM User Guide, "Temporary security credentials in IAM"; Lambda Developer Guide, "Defined
runtime environment variables".
"""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING, Any

from local_engine.seams import Seam

if TYPE_CHECKING:
    from local_engine.options import EngineOptions

_LAMBDA_RUNTIME = Seam("core.lambda_runtime")
_LAMBDA_SVC = Seam("services.lambda_svc")
_STS = Seam("services.sts")
_SEED_BYTES, _ID_CHARS, _SESSION_CHARS = 32, 16, 64


def apply(options: EngineOptions) -> None:
    """Derive what a function is given from a secret of this run; without IAM give it the owner's key."""
    seed = secrets.token_bytes(_SEED_BYTES)

    def credentials_of(config: dict[str, Any]) -> dict[str, str]:
        if not options.auth:
            return _variables(options.key.access_key_id, options.key.secret_access_key, "")
        function_arn, role_arn = str(config.get("FunctionArn", "")), str(config.get("Role", ""))

        def derive(what: str) -> str:
            return hmac.digest(seed, f"{what} {function_arn} {role_arn}".encode(), "sha256").hex()

        access_key = f"ASIA{derive('id')[:_ID_CHARS].upper()}"
        secret, token = derive("secret"), derive("token")
        account, _ = _LAMBDA_RUNTIME["_account_region_from_function_config"](config)
        role = role_arn.rsplit("/", 1)[-1]
        name = str(config.get("FunctionName", "function"))[:_SESSION_CHARS]
        session = {
            "Arn": f"arn:aws:sts::{account}:assumed-role/{role}/{name}",
            "UserId": f"{role}:{name}",
            "SecretAccessKey": secret,
            "SessionToken": token,
        }
        _STS["register_session"](access_key, session)
        return _variables(access_key, secret, token)

    _LAMBDA_RUNTIME.replace("execution_credentials", credentials_of)
    _LAMBDA_SVC.replace("execution_credentials", credentials_of)


def _variables(access_key: str, secret: str, token: str) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_SESSION_TOKEN": token,
    }
