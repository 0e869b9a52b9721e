"""Requests to the local engine as they are, signed or not: what the SDKs would never send; for tests."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from local_engine.testing import REGION, archive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local_engine.testing import Aws


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def allows_pages(self) -> bool:
        """Tell whether a browser would let another site's page read it."""
        return any(name.startswith("access-control-") for name in self.headers)

    @property
    def code(self) -> str | None:
        """Return the error's name; None if it is no error."""
        return self.headers.get("x-amzn-errortype")


@dataclass(frozen=True)
class Raw:
    """A request."""

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def send(self, url: str) -> Reply:
        """Send it and return the reply."""
        place = urlsplit(url)
        connection = HTTPConnection(place.hostname or "", place.port, timeout=10)
        try:
            connection.request(self.method, self.path, self.body or None, dict(self.headers))
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, headers, response.read())
        finally:
            connection.close()

    def signed(
        self, url: str, key: Credentials, service: str, *, at: datetime | None = None
    ) -> Raw:
        """Return it with a signature of Version 4, by botocore's own signer."""
        signer = SigV4Auth(key, service, REGION)
        request = AWSRequest(self.method, url + self.path, dict(self.headers), self.body)
        request.context["timestamp"] = (at or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
        request.headers["X-Amz-Date"] = request.context["timestamp"]
        if key.token:
            request.headers["X-Amz-Security-Token"] = key.token
        text = signer.string_to_sign(request, signer.canonical_request(request))
        parts = (
            f"Credential={signer.scope(request)}",
            f"SignedHeaders={signer.signed_headers(signer.headers_to_sign(request))}",
            f"Signature={signer.signature(text, request)}",
        )
        headers = {**request.headers, "Authorization": f"AWS4-HMAC-SHA256 {', '.join(parts)}"}
        return Raw(self.method, self.path, self.body, headers)


def client(url: str, key: Credentials, service: str, region: str = REGION) -> Any:  # noqa: ANN401 - clients have no base
    """Return a boto3 client that uses a key and never retries."""
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=url,
        region_name=region,
        aws_access_key_id=key.access_key,
        aws_secret_access_key=key.secret_key,
        aws_session_token=key.token,
        config=Config(retries={"total_max_attempts": 1}),
    )


def owner_of(aws: Aws) -> Credentials:
    """Return the key of the engine's owner."""
    key = aws.engine.key
    return Credentials(key.access_key_id, key.secret_access_key)


def make_function(name: str, runtime: str, source: str) -> Raw:
    """Return the request that a form or a page can send, which makes a function on stock ministack."""
    document = {
        "FunctionName": name,
        "Runtime": runtime,
        "Handler": "handler.handle",
        "Role": "arn:aws:iam::000000000000:role/r",
        "Code": {"ZipFile": base64.b64encode(archive({"handler.py": source})).decode()},
    }
    body = json.dumps(document).encode()
    return Raw("POST", "/2015-03-31/functions", body, {"Content-Type": "text/plain"})
