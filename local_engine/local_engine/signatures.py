"""Check who signed a request, and that nothing of what was signed is changed.

ministack knows the secrets of what it issued (roles' sessions, users' keys) and how to compute a
signature, but believes whoever names the owner: by a key of twelve digits, by ``test``, or by no
signature at all. Here the owner's key is that of this run of the engine, and every signature is computed
again.

Source: IAM User Guide, "AWS Signature Version 4 for API requests"; for Version 2, which presigned S3
addresses of boto3 still have, S3 Developer Guide, "Signing and authenticating REST requests".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local_engine.browsers import Refusal
from local_engine.seams import Seam

if TYPE_CHECKING:
    from collections.abc import Mapping

_EVALUATOR = Seam("core.iam_evaluator")
_RESPONSES = Seam("core.responses")
_ROUTER = Seam("core.router")
_SIGV4 = Seam("core.sigv4")

_ALGORITHM = "AWS4-HMAC-SHA256"
_DEFAULT_EXPIRES_S = "900"
_NEXT_STEP = "Run `reprise local up` and export what it prints"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What of a request is signed, its body apart."""

    method: str
    raw_path: str
    """As it was sent, still encoded."""
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    """Names in lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A request by a key that this engine issued; the signature is not checked yet."""

    request: Request
    credential: Any
    """ministack's ``ResolvedCredential``."""
    signature: Any
    """ministack's ``HeaderSignature``; None for Version 2."""
    is_presigned: bool


def read_claim(request: Request, owner: str) -> Claim | Refusal:
    """Return who a request says it is by, if it may be.

    Args:
        request: The request.
        owner: Access key id of the account's owner.
    """
    headers, query = request.headers, request.query
    authorization = headers.get("authorization", "")
    access_key = _ROUTER["extract_access_key_id"](headers, query)
    is_presigned = not authorization
    if authorization.startswith(f"{_ALGORITHM} "):
        signature = _SIGV4["parse_header_signature"](headers)
    elif is_presigned and query.get("X-Amz-Algorithm") == [_ALGORITHM]:
        signature = _SIGV4["parse_query_signature"](query)
    elif authorization.startswith("AWS ") or (is_presigned and "Signature" in query):
        signature = None
    else:
        message = f"The local engine takes what is signed with its own key only. {_NEXT_STEP}"
        return Refusal(code="MissingAuthenticationToken", message=message)
    if isinstance(signature, tuple):
        return Refusal(code=signature[0], message=signature[1])
    # ministack goes by the first key that is named, whatever the signature is by.
    if signature is not None and signature.access_key_id != access_key:
        return _mismatch()
    credential = _resolve(request, access_key, owner, is_presigned=is_presigned)
    if not isinstance(credential, _EVALUATOR["ResolvedCredential"]):
        message = f"This local engine issued no such security token. {_NEXT_STEP}"
        return Refusal(code="InvalidClientTokenId", message=message)
    return Claim(
        request=request, credential=credential, signature=signature, is_presigned=is_presigned
    )


def check(claim: Claim, body: bytes) -> Refusal | None:
    """Return what is wrong with a claim's signature; None if nothing is."""
    request, signature = claim.request, claim.signature
    secret = claim.credential.secret_access_key
    if signature is None:
        return _check_version_2(claim)
    if claim.is_presigned:
        expires = (request.query.get("X-Amz-Expires") or [_DEFAULT_EXPIRES_S])[0]
        try:
            is_over = _SIGV4["presigned_request_is_expired"](signature.amz_date, expires)
        except (OverflowError, ValueError):
            is_over = True
        if is_over:
            return Refusal(code="AccessDenied", message="Request has expired. Sign another")
    elif late := _SIGV4["request_time_failure"](signature):
        return Refusal(code=late[0], message=late[1])
    failure = _SIGV4["header_signature_failure"](
        signature,
        secret,
        request.method,
        request.raw_path,
        request.query,
        request.headers,
        body,
        presigned=claim.is_presigned,
    )
    return _mismatch() if failure else None


def _resolve(request: Request, access_key: str, owner: str, *, is_presigned: bool) -> Any:
    """Return ministack's credential of a key, or something else if this engine did not issue it."""
    if access_key != owner and _EVALUATOR["is_root_access_key"](access_key):
        return None
    if is_presigned:
        tokens = [
            request.query.get(name) for name in ("X-Amz-Security-Token", "x-amz-security-token")
        ]
        token = next((values[0] for values in tokens if values), "")
    else:
        token = request.headers.get("x-amz-security-token", "")
    try:
        account = _EVALUATOR["find_iam_access_key_account"](access_key)
    except ValueError:  # Two users' of two accounts.
        return None
    account = account or _RESPONSES["_account_from_sts_session"](access_key)
    return _EVALUATOR["resolve_credential"](access_key, account, token)


def _check_version_2(claim: Claim) -> Refusal | None:
    request = claim.request
    signed = _EVALUATOR["SignedRequest"](
        claim.credential.access_key_id,
        request.method,
        request.raw_path,
        request.query,
        request.headers,
        sigv2=True,
        auth_path=request.raw_path,
    )
    found = _EVALUATOR["_sigv2_check"](signed, claim.credential.account_id)
    return None if isinstance(found, _EVALUATOR["ResolvedCredential"]) else _mismatch()


def _mismatch() -> Refusal:
    message = f"The signature is not that of its key, or something was changed. {_NEXT_STEP}"
    return Refusal(code="SignatureDoesNotMatch", message=message)
