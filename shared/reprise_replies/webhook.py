"""Sign and post a webhook, to nobody but who is meant.

Source: Standard Webhooks, specification 1.0 (headers, signed content, `v1,` signatures, `whsec_` secrets).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import http.client
import ipaddress
import json
import socket
import ssl
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from reprise.errors import SettingsError
from reprise_replies.errors import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TIMEOUT_S: Final = 10
_MIN_KEY_BYTES: Final = 24
"""Standard Webhooks, "Signature scheme": from 24 to 64 bytes."""
_GONE: Final = 410
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
"""RFC 6052: an IPv4 address, which may be private, in an IPv6 one that counts as public."""


def read_keys(secret: str) -> list[bytes]:
    """Return the keys of a document `{"current": "k1", "k1": "<base64>"}`, the current one first.

    Raises:
        SettingsError: If it is no such document, or a key is too short.
    """
    try:
        document = json.loads(secret)
        current = document.pop("current")
        names = sorted(document, key=lambda name: name != current)
        keys = [base64.b64decode(document[name], validate=True) for name in names]
    except (ValueError, KeyError, AttributeError, TypeError, binascii.Error) as error:
        msg = 'the webhooks\' secret must be JSON like {"current": "k1", "k1": "<base64>"}'
        raise SettingsError(msg) from error
    if current not in names or min(map(len, keys)) < _MIN_KEY_BYTES:
        msg = f"the webhooks' secret needs its current key, and keys of {_MIN_KEY_BYTES} bytes"
        raise SettingsError(msg)
    return keys


def sign(message_id: str, at_s: int, body: str, keys: list[bytes]) -> dict[str, str]:
    """Return the headers of a webhook, signed by every key, so that a rotation is noticed by nobody."""
    content = f"{message_id}.{at_s}.{body}".encode()
    signatures = [
        base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode() for key in keys
    ]
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def is_public(address: str) -> bool:
    """Tell whether an address is nobody's own network, whatever it is written in."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is not None:
            return is_public(str(inner))
        if ip in _NAT64 or ip.teredo is not None:
            return False
    return ip.is_global and not ip.is_multicast


def find_address(host: str, port: int) -> list[str]:
    """Return the addresses of a host.

    Raises:
        OSError: If it has none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class _Pinned(http.client.HTTPConnection):
    """A connection to the very address that was looked at: a name may mean another one a moment later."""

    def __init__(self, host: str, port: int, address: str, context: ssl.SSLContext | None) -> None:
        super().__init__(host, port, timeout=TIMEOUT_S)
        self._address = address
        self._context = context

    def connect(self) -> None:
        """Connect."""
        sock = socket.create_connection((self._address, self.port), TIMEOUT_S)
        context = self._context
        self.sock = (
            sock if context is None else context.wrap_socket(sock, server_hostname=self.host)
        )


def post(
    url: str,
    body: str,
    headers: Mapping[str, str],
    *,
    may_be_private: Callable[[str], bool],
    find: Callable[[str, int], list[str]] = find_address,
) -> None:
    """Post once, and follow no redirect.

    Args:
        url: An address that is allowed.
        body: What is posted.
        headers: Beside those that HTTP needs.
        may_be_private: Tells whether a host's own address is listed.
        find: Returns a host's addresses.

    Raises:
        DeliveryError: If it was not taken with a 2xx; quoting nothing that was posted or answered.
    """
    parts = urlsplit(url)
    host, is_plain = parts.hostname or "", parts.scheme == "http"
    port = parts.port or (80 if is_plain else 443)
    is_listed = may_be_private(host)
    if is_plain and not (is_listed and _is_loopback(host)):
        raise DeliveryError("plain_http", "is for a listed 127.0.0.1 alone", is_final=True)
    try:
        addresses = find(host, port)
        if not is_listed and not all(is_public(address) for address in addresses):
            raise DeliveryError("private", "the name means an address that is nobody else's to see")
        context = None if is_plain else ssl.create_default_context()
        connection = _Pinned(host, port, addresses[0], context)
        try:
            target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
            connection.request("POST", target, body.encode(), dict(headers))
            status = connection.getresponse().status
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        raise DeliveryError("no_answer", type(error).__name__) from error
    if not 200 <= status < 300:  # noqa: PLR2004 - HTTP's own class of success
        raise DeliveryError("refused", f"answered {status}", is_final=status == _GONE)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
