"""Webhooks are signed as Standard Webhooks says, and reach nobody but who is meant."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, cast

import pytest

from reprise.call.destinations import Destinations
from reprise.errors import SettingsError
from reprise_replies.errors import DeliveryError
from reprise_replies.webhook import Pinned, is_public, post, read_keys, sign
from scripted_server import Answer, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable

OLD, NEW = base64.b64encode(b"o" * 24).decode(), base64.b64encode(b"n" * 24).decode()


def test_a_webhook_is_signed_over_id_time_and_body_by_every_key() -> None:
    keys = read_keys(json.dumps({"current": "k2", "k1": OLD, "k2": NEW}))
    headers = sign("msg_1", 1_795_000_000, '{"a":1}', keys)
    content = b'msg_1.1795000000.{"a":1}'
    expected = [
        base64.b64encode(hmac.new(key * 24, content, hashlib.sha256).digest()).decode()
        for key in (b"n", b"o")
    ]
    assert headers["webhook-signature"] == f"v1,{expected[0]} v1,{expected[1]}"
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("msg_1", "1795000000")


def test_a_signature_is_that_of_the_specifications_own_example() -> None:
    """Standard Webhooks, reference libraries: the vector that all of them are tested with."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, '{"test": 2432232314}', [key])
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "secret",
    ["", "[]", "{}", '{"current": "k1"}', '{"current": "k1", "k1": "c2hvcnQ="}', '{"current": 1}'],
)
def test_a_secret_that_is_none_is_the_deployers_error(secret: str) -> None:
    with pytest.raises(SettingsError, match="webhooks' secret"):
        read_keys(secret)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - no server of ours
        ("224.0.0.1", False),
        ("::1", False),
        ("fd00:ec2::254", False),
        ("fe80::1%eth0", False),
        ("::ffff:169.254.169.254", False),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::a9fe:a9fe", False),
        ("2002:a9fe:a9fe::1", False),
        ("::127.0.0.1", False),
        ("::ffff:0:169.254.169.254", False),
        ("64:ff9b:1::a9fe:a9fe", False),
        ("fec0::1", False),
    ],
)
def test_a_private_address_is_known_in_every_spelling(address: str, public: bool) -> None:
    assert is_public(address) == public


def _never(_host: str) -> bool:
    return False


def _always(_host: str) -> bool:
    return True


def _means(*addresses: str) -> Callable[[str, int], list[str]]:
    return lambda _host, _port: list(addresses)


def test_a_name_that_means_a_private_address_is_not_asked() -> None:
    with pytest.raises(DeliveryError, match="private") as caught:
        post(
            "https://hooks.example.com/",
            "{}",
            {},
            may_be_private=_never,
            find=_means("93.184.216.34", "169.254.169.254"),
        )
    assert not caught.value.is_final


def test_a_name_that_is_listed_may_mean_no_private_address_either() -> None:
    listed = Destinations(webhooks="https://hooks.example.com/")
    with pytest.raises(DeliveryError, match="private"):
        post(
            "https://hooks.example.com/",
            "{}",
            {},
            may_be_private=listed.allows_address,
            find=_means("169.254.169.254"),
        )


def test_the_very_address_that_was_looked_at_is_asked() -> None:
    asked: list[str] = []

    def find(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    with ScriptedServer(Answer()) as server:
        port = server.url.rpartition(":")[2].rstrip("/")
        post(f"http://127.0.0.1:{port}/a?b=c", "{}", {"x": "y"}, may_be_private=_always, find=find)
    (request,) = server.requests
    assert (request.method, request.path, request.body) == ("POST", "/a?b=c", b"{}")
    assert asked == ["127.0.0.1"]


def test_http_is_for_a_loopback_address_alone() -> None:
    for url in ("http://127.0.0.1/", "http://hooks.example.com/", "http://10.0.0.5/"):
        with pytest.raises(DeliveryError, match="plain_http") as caught:
            post(url, "{}", {}, may_be_private=lambda host: host != "127.0.0.1")
        assert caught.value.is_final


@pytest.mark.parametrize(
    ("answer", "said", "is_final"),
    [
        (Answer(status=500), "answered 500", False),
        (Answer(status=404), "answered 404", False),
        (Answer(status=410), "answered 410", True),
        (Answer(status=302, headers={"Location": "http://127.0.0.1:1/"}), "answered 302", False),
        (Answer(hang_up=True), "no_answer: ", False),
    ],
)
def test_what_is_not_taken_with_a_2xx_is_not_delivered(
    answer: Answer, said: str, is_final: bool
) -> None:
    with ScriptedServer(answer) as server:
        with pytest.raises(DeliveryError, match=said) as caught:
            post(f"{server.url}/", "{}", {}, may_be_private=_always)
        assert caught.value.is_final == is_final
        assert len(server.requests) == 1


def test_nobody_at_the_address_is_an_answer_that_did_not_come() -> None:
    with pytest.raises(DeliveryError, match="no_answer"):
        post("http://127.0.0.1:1/", "{}", {}, may_be_private=_always)


@pytest.mark.parametrize("host", ["a..example", f"{'x' * 64}.example", ".example"])
def test_a_name_that_can_be_none_is_an_answer_that_did_not_come(host: str) -> None:
    with pytest.raises(DeliveryError, match="no_answer"):
        post(f"https://{host}/", "{}", {}, may_be_private=_never)


def test_an_answer_that_comes_byte_by_byte_is_not_waited_for() -> None:
    """Each byte is in time: only a limit for all of them ends it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        over = Event()

        def drip() -> None:
            caller, _ = listening.accept()
            with caller, suppress(OSError):
                for byte in b"HTTP/1.1 200 OK\r\n\r\n":
                    over.wait(0.05)
                    caller.sendall(bytes([byte]))

        thread = Thread(target=drip)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        try:
            with pytest.raises(DeliveryError, match="no_answer"):
                post(url, "{}", {}, may_be_private=_always, timeout_s=0.2)
        finally:
            over.set()
            thread.join()


@pytest.mark.parametrize(
    ("port", "named"), [(443, b"hooks.example.com"), (8443, b"hooks.example.com:8443")]
)
def test_a_host_is_named_with_a_port_that_is_not_the_usual_one(port: int, named: bytes) -> None:
    connection = Pinned("hooks.example.com", port, "", ssl.create_default_context())
    kept = Kept()
    connection.sock = cast("Any", kept)
    connection.request("POST", "/", b"{}")
    assert b"\r\nHost: " + named + b"\r\n" in kept.sent


@dataclass
class Kept:
    """A socket that keeps what is sent."""

    sent: bytes = b""

    def sendall(self, data: bytes) -> None:
        """Keep it."""
        self.sent += data
