"""Where the stack is: AWS by its usual settings, or the local engine.

What is said on the command line wins, then what this shell says (AWS's variables). Beyond that a running
engine is taken only if nothing leads to AWS: with profiles in the files of AWS both may be meant. A command
that guesses would one day redrive, or hold, what a rehearsal meant.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from reprise_cli.exits import CommandError, ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from local_engine.control import Engine
    from reprise_cli.options import Options

LOCAL_REGION: Final = "us-east-1"
"""As in samconfig.toml's environment `local`."""
_SETTINGS: Final = (
    "AWS_ACCESS_KEY_ID",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_ENDPOINT_URL",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How to reach a stack; None leaves it to the SDK's own settings."""

    endpoint_url: str | None = None
    region: str | None = None
    profile: str | None = None
    access_key: str | None = None
    """Access key id of the local engine."""
    secret_key: str | None = field(default=None, repr=False)
    """Its secret."""
    is_engine: bool = False
    """Whether it is the local engine."""
    is_found_engine: bool = False
    """Whether a running local engine was taken because nothing else was set."""

    def describe(self, environment: Mapping[str, str]) -> str:
        """Return the place in words, without its account."""
        url = self.endpoint_url or environment.get("AWS_ENDPOINT_URL")
        profile = self.profile or environment.get("AWS_PROFILE")
        if self.is_engine:
            return f"the local engine at {url}"
        words = [f"the endpoint {url}" if url else "AWS"]
        words += [f"profile {profile}"] if profile else []
        return ", ".join(words)


def find_place(
    options: Options,
    environment: Mapping[str, str],
    profiles: Sequence[str],
    find_engine: Callable[[], Place | None],
) -> Place:
    """Return where to look.

    Args:
        options: What was asked for.
        environment: The process's variables.
        profiles: Names in AWS's own files.
        find_engine: Tells where this repository's engine is; None if it does not run. Asked
            only if nothing else says where to go.

    Raises:
        CommandError: If two things are asked for at once, or an engine and AWS may both be meant.
    """
    # boto3 itself reads AWS_DEFAULT_REGION only; the other SDKs, Lambda and our library read this one first.
    region = options.region or environment.get("AWS_REGION") or None
    asked = Place(endpoint_url=options.endpoint_url, region=region, profile=options.profile)
    is_elsewhere = bool(options.endpoint_url or options.profile)
    if options.is_local:
        return _asked_engine(options, find_engine, is_elsewhere=is_elsewhere)
    if is_elsewhere or any(environment.get(name) for name in _SETTINGS):
        return asked
    engine = find_engine()
    if engine is None:
        return asked
    if profiles:
        raise UsageError(
            "place",
            f"a local engine runs at {engine.endpoint_url}, and AWS's files have profiles "
            f"({', '.join(profiles)})",
            "Say which is meant: --local or --profile",
        )
    return replace(engine, region=options.region or engine.region, is_found_engine=True)


def _asked_engine(
    options: Options, find_engine: Callable[[], Place | None], *, is_elsewhere: bool
) -> Place:
    if is_elsewhere:
        raise UsageError(
            "--local", "is another place than --endpoint-url or --profile", "Leave one out"
        )
    engine = find_engine()
    if engine is None:
        raise CommandError(
            "--local", "no engine runs", "Start it: reprise local up", ExitCode.UNREACHABLE
        )
    return replace(engine, region=options.region or engine.region)


def local_place(engine: Engine) -> Place:
    """Return where a stack in a running local engine is, with the key that opens it."""
    key = engine.key
    return Place(
        endpoint_url=engine.url,
        region=LOCAL_REGION,
        access_key=key.access_key_id,
        secret_key=key.secret_access_key,
        is_engine=True,
    )


def exports(place: Place) -> dict[str, str]:
    """Return the variables that point AWS's own tools to a place."""
    stated = {
        "AWS_ENDPOINT_URL": place.endpoint_url,
        "AWS_ACCESS_KEY_ID": place.access_key,
        "AWS_SECRET_ACCESS_KEY": place.secret_key,
        # Another key's, which may stand in the shell, would make this key one that nobody issued.
        "AWS_SESSION_TOKEN": "",
        # Both: some tools read the one first, some know the other only.
        "AWS_DEFAULT_REGION": place.region,
        "AWS_REGION": place.region,
    }
    return {name: value for name, value in stated.items() if value is not None}
