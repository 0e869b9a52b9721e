from __future__ import annotations

import pytest

from reprise_cli.options import Options
from reprise_cli.place import Place, exports, find_place

URL = "http://127.0.0.1:4566"


def test_a_running_engine_is_taken_when_nothing_else_is_set() -> None:
    place = find_place(Options(), {"PATH": "/bin"}, [], lambda: URL)
    assert place.is_found_engine
    assert (place.endpoint_url, place.region, place.access_key) == (URL, "us-east-1", "test")


@pytest.mark.parametrize(
    ("options", "environment", "profiles"),
    [
        (Options(endpoint_url="http://x"), {}, []),
        (Options(profile="work"), {}, []),
        (Options(), {"AWS_PROFILE": "work"}, []),
        (Options(), {"AWS_ACCESS_KEY_ID": "AKIA"}, []),
        (Options(), {"AWS_ENDPOINT_URL": "http://x"}, []),
        (Options(), {}, ["default"]),
    ],
    ids=["--endpoint-url", "--profile", "profile", "key", "endpoint", "AWS's own files"],
)
def test_aws_settings_win_over_a_running_engine(
    options: Options, environment: dict[str, str], profiles: list[str]
) -> None:
    place = find_place(options, environment, profiles, lambda: URL)
    assert not place.is_found_engine
    assert place.access_key is None


def test_without_settings_and_engine_the_sdk_decides() -> None:
    assert find_place(Options(region="r"), {}, [], lambda: None) == Place(region="r")


def test_the_exports_point_every_aws_tool_to_the_engine() -> None:
    assert exports(URL) == {
        "AWS_ENDPOINT_URL": URL,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
