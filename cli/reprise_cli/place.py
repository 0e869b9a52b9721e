"""Where the stack is: AWS by its usual settings, or the local engine of this repository."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reprise_cli.options import Options

LOCAL_REGION: Final = "us-east-1"
"""As in samconfig.toml's environment `local`."""
LOCAL_KEY: Final = "test"
"""The engine takes any key."""
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
    """Key and secret of the local engine."""
    is_found_engine: bool = False
    """Whether a running local engine was taken because nothing else was set."""


def find_place(
    options: Options,
    environment: Mapping[str, str],
    profiles: Sequence[str],
    engine_url: Callable[[], str | None],
) -> Place:
    """Return where to look: what was asked for, then AWS's settings, then a running local engine.

    Args:
        options: What was asked for.
        environment: The process's variables.
        profiles: Names in AWS's own files.
        engine_url: Tells the address of this repository's engine; None if it does not run. Asked
            only if nothing else says where to go.
    """
    asked = Place(endpoint_url=options.endpoint_url, region=options.region, profile=options.profile)
    if options.endpoint_url or options.profile or profiles:
        return asked
    if any(environment.get(name) for name in _SETTINGS):
        return asked
    url = engine_url()
    if url is None:
        return asked
    return replace(local_place(url, options.region), is_found_engine=True)


def local_place(url: str, region: str | None = None) -> Place:
    """Return where a stack in a local engine is."""
    return Place(endpoint_url=url, region=region or LOCAL_REGION, access_key=LOCAL_KEY)


def exports(url: str) -> dict[str, str]:
    """Return the variables that point AWS's own tools to the local engine."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": LOCAL_KEY,
        "AWS_SECRET_ACCESS_KEY": LOCAL_KEY,
        "AWS_DEFAULT_REGION": LOCAL_REGION,
    }
