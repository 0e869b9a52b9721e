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
from contextlib import suppress
from threading import Timer
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from reprise.errors import SettingsError
from reprise_replies.errors import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TIMEOUT_S: Final = 10
"""For an answer, however slowly it comes: one that outlasts its function would never be given up."""
_MIN_KEY_BYTES: Final = 24
"""Standard Webhooks, "Signature scheme": from 24 to 64 bytes."""
_GONE: Final = 410
_GLOBAL_UNICAST: Final = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is given to anybody (IANA, "IPv6 Global Unicast Address Assignments"). What lies outside,
such as forms that hold an IPv4 address, Python may take for public."""


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
        if ip not in _GLOBAL_UNICAST or ip.teredo is not None:
            return False
    return ip.is_global and not ip.is_multicast


def find_address(host: str, port: int) -> list[str]:
    """Return the addresses of a host.

    Raises:
        OSError: If it has none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Pinned(http.client.HTTPConnection):
    """A connection to the very address that was looked at: a name may mean another one a moment later."""

    def __init__(
        self,
        host: str,
        port: int,
        address: str,
        context: ssl.SSLContext | None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Prepare a connection; without a context it is not encrypted."""
        super().__init__(host, port, timeout=timeout_s)
        if context is not None:
            # So that the header Host is the bare name: some servers know themselves by that alone.
            self.default_port = http.client.HTTPS_PORT
        self._address = address
        self._context = context
        self._timeout_s = timeout_s
        self._is_over = False

    def connect(self) -> None:
        """Connect."""
        sock = socket.create_connection((self._address, self.port), self._timeout_s)
        context = self._context
        self.sock = (
            sock if context is None else context.wrap_socket(sock, server_hostname=self.host)
        )
        if self._is_over:
            raise TimeoutError

    def end(self) -> None:
        """Let whoever waits for the other side wait no longer; may be called from another thread."""
        self._is_over = True
        if self.sock is not None:
            with suppress(OSError):
                # The plain socket's own: that of an encrypted one is for the thread that reads from it.
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


def post(
    url: str,
    body: str,
    headers: Mapping[str, str],
    *,
    may_be_private: Callable[[str], bool],
    find: Callable[[str, int], list[str]] = find_address,
    timeout_s: float = TIMEOUT_S,
) -> None:
    """Post once, and follow no redirect.

    Args:
        url: An address that is allowed.
        body: What is posted.
        headers: Beside those that HTTP needs.
        may_be_private: Tells whether a host's own address is listed.
        find: Returns a host's addresses.
        timeout_s: For connection and answer, each.

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
        connection = Pinned(host, port, addresses[0], context, timeout_s)
        target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        status = _ask(connection, target, body.encode(), headers, timeout_s)
    except (OSError, http.client.HTTPException, ValueError) as error:
        # ValueError: a name that no resolver takes.
        raise DeliveryError("no_answer", type(error).__name__) from error
    if not 200 <= status < 300:  # noqa: PLR2004 - HTTP's own class of success
        raise DeliveryError("refused", f"answered {status}", is_final=status == _GONE)


def _ask(
    connection: Pinned, target: str, body: bytes, headers: Mapping[str, str], timeout_s: float
) -> int:
    """Return the status that a post is answered with."""
    # A socket's own timeout begins anew with each byte.
    limit = Timer(timeout_s, connection.end)
    limit.start()
    try:
        connection.request("POST", target, body, dict(headers))
        return connection.getresponse().status
    finally:
        limit.cancel()
        connection.close()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
