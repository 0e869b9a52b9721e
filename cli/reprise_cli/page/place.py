"""Where the page works, and as whom: said before anything is changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reprise_cli.app import App

_THIS_MACHINE: Final = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePlace:
    """A stack and its surroundings, in words."""

    stack: str
    words: str
    is_local: bool
    """Whether it is on this machine."""
    account: str = ""
    """Empty if AWS does not tell it."""
    operator: str = ""
    """Who changes something; empty if nobody may."""

    def show(self, _asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "stack": self.stack,
            "place": self.words,
            "is_local": self.is_local,
            "account": self.account,
            "operator": self.operator,
        }


def find_page_place(reprise: App, *, operates: bool) -> PagePlace:
    """Return where the page works; who works there is asked only if something may be changed."""
    url = reprise.aws.cloudwatch.meta.endpoint_url
    is_local = urlsplit(url).hostname in _THIS_MACHINE
    account = ""
    if operates and not is_local:
        try:
            account = reprise.aws.account
        except (BotoCoreError, ClientError):
            # Whoever may not ask may still change: the place is said without it.
            account = "unknown (STS does not tell)"
    return PagePlace(
        stack=reprise.stack.name,
        words=url if is_local else f"AWS, {reprise.aws.region}",
        is_local=is_local,
        account=account,
        operator=reprise.operator if operates else "",
    )
