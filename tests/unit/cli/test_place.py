from __future__ import annotations

from dataclasses import replace

import pytest

from reprise_cli.options import Options
from reprise_cli.place import Place, exports, find_place

URL = "http://127.0.0.1:4566"
ENGINE = Place(endpoint_url=URL, region="us-east-1", access_key="LOCAL1", secret_key="s")  # noqa: S106


def test_a_running_engine_is_taken_when_nothing_else_is_set() -> None:
    place = find_place(Options(), {"PATH": "/bin"}, [], lambda: ENGINE)
    assert place == replace(ENGINE, is_found_engine=True)


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
    place = find_place(options, environment, profiles, lambda: ENGINE)
    assert not place.is_found_engine
    assert place.access_key is None


def test_without_settings_and_engine_the_sdk_decides() -> None:
    assert find_place(Options(region="r"), {}, [], lambda: None) == Place(region="r")


def test_the_exports_point_every_aws_tool_to_the_engine() -> None:
    assert exports(ENGINE) == {
        "AWS_ENDPOINT_URL": URL,
        "AWS_ACCESS_KEY_ID": "LOCAL1",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_SESSION_TOKEN": "",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def test_a_place_shows_its_secret_to_nobody() -> None:
    assert "secret" not in repr(ENGINE)


def test_a_region_that_is_asked_for_wins_in_a_found_engine() -> None:
    place = find_place(Options(region="eu-west-1"), {}, [], lambda: ENGINE)
    assert (place.region, place.secret_key) == ("eu-west-1", "s")
