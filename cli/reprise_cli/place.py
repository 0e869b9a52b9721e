"""Where the stack is: AWS by its usual settings, or the local engine of this repository."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

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
    is_found_engine: bool = False
    """Whether a running local engine was taken because nothing else was set."""


def find_place(
    options: Options,
    environment: Mapping[str, str],
    profiles: Sequence[str],
    find_engine: Callable[[], Place | None],
) -> Place:
    """Return where to look: what was asked for, then AWS's settings, then a running local engine.

    Args:
        options: What was asked for.
        environment: The process's variables.
        profiles: Names in AWS's own files.
        find_engine: Tells where this repository's engine is; None if it does not run. Asked
            only if nothing else says where to go.
    """
    asked = Place(endpoint_url=options.endpoint_url, region=options.region, profile=options.profile)
    if options.endpoint_url or options.profile or profiles:
        return asked
    if any(environment.get(name) for name in _SETTINGS):
        return asked
    engine = find_engine()
    if engine is None:
        return asked
    return replace(engine, region=options.region or engine.region, is_found_engine=True)


def local_place(engine: Engine) -> Place:
    """Return where a stack in a running local engine is, with the key that opens it."""
    key = engine.key
    return Place(
        endpoint_url=engine.url,
        region=LOCAL_REGION,
        access_key=key.access_key_id,
        secret_key=key.secret_access_key,
    )


def exports(place: Place) -> dict[str, str]:
    """Return the variables that point AWS's own tools to a place."""
    stated = {
        "AWS_ENDPOINT_URL": place.endpoint_url,
        "AWS_ACCESS_KEY_ID": place.access_key,
        "AWS_SECRET_ACCESS_KEY": place.secret_key,
        # Another key's, which may stand in the shell, would make this key one that nobody issued.
        "AWS_SESSION_TOKEN": "",
        "AWS_DEFAULT_REGION": place.region,
    }
    return {name: value for name, value in stated.items() if value is not None}
