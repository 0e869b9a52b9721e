"""The engine answers its owner only: every door, tried without what opens it."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_engine.browsers import refuse_page
from local_engine.raw_requests import Raw, make_function, owner_of

if TYPE_CHECKING:
    from local_engine.testing import Aws

PORT = 4566
#: Paths that answer, or do something, on stock ministack without any credential.
DOORS = [
    ("GET", "/_reprise/health"),
    ("POST", "/_reprise/faults"),
    ("POST", "/_reprise/kill"),
    ("GET", "/_reprise/environments"),
    ("POST", "/_reprise/schedules"),
    ("GET", "/_ministack/health"),
    ("POST", "/_ministack/reset"),
    ("POST", "/_ministack/config"),
    ("GET", "/_ministack/lambda-code/000000000000/eu-west-1/f"),
    ("PUT", "/_ministack/cfn-response/x"),
    ("GET", "/_localstack/health"),
    ("GET", "/health"),
    ("GET", "/_aws/sqs/messages"),
    ("GET", "/_aws/lambda-url/x/"),
    ("GET", "/"),
    ("GET", "/bucket/key"),
    ("GET", "/?Action=ListQueues"),
    ("GET", "/2015-03-31/functions/"),
    ("POST", "/2015-03-31/functions"),
]
FOREIGN_HOSTS = [
    "",
    "evil.example",
    f"evil.example:{PORT}",
    f"127.0.0.1.evil.example:{PORT}",
    f"localhost.evil.example:{PORT}",
    f"bucket.localhost:{PORT}",
    f"0.0.0.0:{PORT}",
    f"[::1]:{PORT}",
    "127.0.0.1",
    "localhost",
    "localhost:80",
    f"localhost:{PORT}0",
    f"127.0.0.1:{PORT},evil.example",
]


def test_function_is_not_made_without_the_key(aws: Aws) -> None:
    source = "def handle(event, context): return 1"
    reply = make_function("stranger", aws.runtime, source).send(aws.url)
    assert (reply.status, reply.code) == (HTTPStatus.FORBIDDEN, "MissingAuthenticationToken")
    assert "reprise local up" in json.loads(reply.body)["message"]
    made = aws.client("lambda").list_functions()["Functions"]
    assert "stranger" not in {found["FunctionName"] for found in made}


@pytest.mark.parametrize(("method", "path"), DOORS, ids=[" ".join(door) for door in DOORS])
def test_every_door_is_closed_to_who_has_no_key(aws: Aws, method: str, path: str) -> None:
    reply = Raw(method, path, b"{}" if method == "POST" else b"").send(aws.url)
    assert reply.status == HTTPStatus.FORBIDDEN
    assert not reply.allows_pages


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer ", "Bearer x", "Basic x", "Bearer é"])
def test_control_takes_no_other_token(aws: Aws, given: str) -> None:
    reply = Raw("GET", "/_reprise/health", headers={"Authorization": given}).send(aws.url)
    assert reply.status == HTTPStatus.FORBIDDEN
    assert "engine.json" in json.loads(reply.body)["message"]


def test_a_key_does_not_control_the_engine(aws: Aws) -> None:
    # A role that may do little has one, too.
    url, _ = aws.make_queue()
    request = Raw("POST", "/_ministack/reset").signed(aws.url, owner_of(aws), "s3")
    assert request.send(aws.url).status == HTTPStatus.FORBIDDEN
    assert url in aws.client("sqs").list_queues()["QueueUrls"]


def health(aws: Aws, **headers: str) -> Raw:
    """Return the request for the engine's health, with its token."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    token = {"Authorization": f"Bearer {aws.engine.key.token}"}
    return Raw("GET", "/_reprise/health", headers={**token, **named})


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "new-word"},
    ],
    ids=str,
)
def test_a_web_page_is_refused_even_with_the_token(aws: Aws, headers: dict[str, str]) -> None:
    assert health(aws).send(aws.url).status == HTTPStatus.OK
    reply = health(aws, **headers).send(aws.url)
    assert reply.status == HTTPStatus.FORBIDDEN
    assert not reply.allows_pages
    assert aws.url in json.loads(reply.body)["message"]


def test_nothing_is_granted_to_a_preflight(aws: Aws) -> None:
    asked = health(aws, Access_Control_Request_Method="POST")
    reply = Raw("OPTIONS", asked.path, headers=asked.headers).send(aws.url)
    assert reply.status == HTTPStatus.FORBIDDEN
    assert not reply.allows_pages


@pytest.mark.parametrize("path", ["/", "/_aws/execute-api/x/stage"])
def test_no_websocket_is_opened(aws: Aws, path: str) -> None:
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    assert Raw("GET", path, headers=headers).send(aws.url).status == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize(
    ("service", "action"),
    [("sqs", "list_queues"), ("lambda", "list_functions"), ("s3", "list_buckets")],
)
def test_no_answer_lets_a_page_read_it(aws: Aws, service: str, action: str) -> None:
    answer = getattr(aws.client(service), action)()
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert not [name for name in headers if name.startswith("access-control-")]


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_another_host_name_is_refused(host: str) -> None:
    assert refuse_page("GET", {"host": host}, PORT)


def test_who_calls_an_api_by_its_own_host_is_told_its_path() -> None:
    refused = refuse_page("POST", {"host": f"d68bac4a.execute-api.127.0.0.1:{PORT}"}, PORT)
    assert refused is not None
    assert f"http://127.0.0.1:{PORT}/_aws/execute-api/ID/STAGE/" in refused.message


@pytest.mark.parametrize("host", [f"127.0.0.1:{PORT}", f"localhost:{PORT}", f"LocalHost:{PORT}"])
@pytest.mark.parametrize(
    "site", [{}, {"sec-fetch-site": "none"}, {"sec-fetch-site": "same-origin"}]
)
def test_what_is_no_page_is_let_in(host: str, site: dict[str, str]) -> None:
    assert refuse_page("POST", {"host": host, **site}, PORT) is None


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD"]),
    headers=st.dictionaries(
        st.sampled_from(
            ["host", "origin", "sec-fetch-site", "sec-fetch-mode", "referer", "cookie"]
        ),
        st.one_of(st.sampled_from([f"127.0.0.1:{PORT}", "none", "same-origin", "null"]), st.text()),
    ),
)
def test_only_own_names_without_a_page_behind_them_are_let_in(
    method: str, headers: dict[str, str]
) -> None:
    is_own = headers.get("host", "").lower() in {f"127.0.0.1:{PORT}", f"localhost:{PORT}"}
    is_page = "origin" in headers or headers.get("sec-fetch-site", "none").lower() not in {
        "none",
        "same-origin",
    }
    assert (refuse_page(method, headers, PORT) is None) == (is_own and not is_page)
    assert refuse_page("OPTIONS", headers, PORT)
