from __future__ import annotations

from dataclasses import replace

import pytest

from reprise_cli.exits import CommandError, ExitCode
from reprise_cli.options import Options
from reprise_cli.place import Place, exports, find_place

URL = "http://127.0.0.1:4566"
ENGINE = Place(
    endpoint_url=URL,
    region="us-east-1",
    access_key="LOCAL1",
    secret_key="s",
    is_engine=True,
)


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
    ],
    ids=["--endpoint-url", "--profile", "profile", "key", "endpoint"],
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
        "AWS_REGION": "us-east-1",
    }


def test_a_place_shows_its_secret_to_nobody() -> None:
    assert "secret" not in repr(ENGINE)


def test_a_region_that_is_asked_for_wins_in_a_found_engine() -> None:
    place = find_place(Options(region="eu-west-1"), {}, [], lambda: ENGINE)
    assert (place.region, place.secret_key) == ("eu-west-1", "s")


@pytest.mark.parametrize(
    "environment",
    [{}, {"AWS_PROFILE": "work"}, {"AWS_ENDPOINT_URL": "http://x"}, {"AWS_REGION": "eu-west-1"}],
)
@pytest.mark.parametrize("profiles", [[], ["default"]])
def test_local_means_the_engine_whatever_else_is_set(
    environment: dict[str, str], profiles: list[str]
) -> None:
    place = find_place(Options(is_local=True), environment, profiles, lambda: ENGINE)
    assert place == ENGINE


def test_local_without_an_engine_goes_nowhere_else() -> None:
    with pytest.raises(CommandError, match=r"--local: no engine runs. Start it") as caught:
        find_place(Options(is_local=True), {"AWS_PROFILE": "work"}, ["work"], lambda: None)
    assert caught.value.code is ExitCode.UNREACHABLE


@pytest.mark.parametrize("options", [{"profile": "work"}, {"endpoint_url": "http://x"}])
def test_local_and_another_place_are_refused(options: dict[str, str]) -> None:
    asked = Options(is_local=True, **options)  # type: ignore[arg-type]
    with pytest.raises(CommandError, match="--local: is another place") as caught:
        find_place(asked, {}, [], lambda: ENGINE)
    assert caught.value.code is ExitCode.USAGE


def test_an_engine_and_a_profile_are_never_guessed_between() -> None:
    with pytest.raises(CommandError) as caught:
        find_place(Options(), {}, ["default", "prod"], lambda: ENGINE)
    assert str(caught.value) == (
        f"place: a local engine runs at {URL}, and AWS's files have profiles (default, prod). "
        "Say which is meant: --local or --profile"
    )
    assert find_place(Options(), {}, ["default"], lambda: None) == Place()


@pytest.mark.parametrize(
    ("options", "environment", "region"),
    [
        (Options(), {"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        (Options(), {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-2"}, "eu-west-1"),
        (Options(region="eu-north-1"), {"AWS_REGION": "eu-west-1"}, "eu-north-1"),
        (Options(), {"AWS_DEFAULT_REGION": "us-east-2"}, None),
    ],
)
def test_the_region_is_the_one_that_other_sdks_take(
    options: Options, environment: dict[str, str], region: str | None
) -> None:
    assert find_place(options, environment, [], lambda: None).region == region


@pytest.mark.parametrize(
    ("place", "environment", "words"),
    [
        (ENGINE, {"AWS_PROFILE": "prod"}, f"the local engine at {URL}"),
        (Place(), {}, "AWS"),
        (Place(profile="prod"), {"AWS_PROFILE": "other"}, "AWS, profile prod"),
        (Place(), {"AWS_PROFILE": "other"}, "AWS, profile other"),
        (Place(), {"AWS_ENDPOINT_URL": "http://x"}, "the endpoint http://x"),
    ],
)
def test_a_place_says_itself(place: Place, environment: dict[str, str], words: str) -> None:
    assert place.describe(environment) == words
