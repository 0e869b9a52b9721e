"""Views that say what they were asked, and requests as the page makes them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reprise_cli.exits import CommandError, NotFoundError, UsageError
from reprise_cli.page.access import HOST, OPERATE_HEADER, PageAccess, PageRequest
from reprise_cli.page.routes import ROUTES
from reprise_cli.page.server import PageAnswer, answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reprise_cli.page.routes import Views

PORT = 8080
OWN = f"{HOST}:{PORT}"
DOOR = PageAccess(port=PORT, token="of-this-start", operate="of-the-operator")
OPEN = {"Host": OWN, "Authorization": f"Bearer {DOOR.token}"}
ACT = OPEN | {
    "Origin": f"http://{OWN}",
    "Sec-Fetch-Site": "same-origin",
    "Content-Type": "application/json",
    OPERATE_HEADER: "of-the-operator",
}


@dataclass
class FakeViews:
    """Every view that a route names."""

    asked: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def views(self) -> Views:
        return {route.view: self._view(route.view) for route in ROUTES.values()}

    def _view(self, name: str) -> Any:
        def view(asked: Mapping[str, Any]) -> dict[str, Any]:
            self.asked.append((name, asked))
            if asked.get("range") == "broken":
                raise ZeroDivisionError
            if asked.get("range") == "soon":
                raise CommandError("range", "'soon' cannot be had", "Choose another")
            if asked.get("id") == "nobody":
                raise NotFoundError("ID", "no call 'nobody' is known", "Try again")
            if name == "call" and not asked["id"]:
                raise UsageError("ID", "is empty", "Name a call")
            return {"view": name, "asked": dict(asked)}

        return view


def get(
    target: str, views: FakeViews | None = None, headers: Mapping[str, str] | None = None
) -> PageAnswer:
    request = PageRequest(method="GET", target=target, headers={**OPEN, **(headers or {})})
    return answer((views or FakeViews()).views(), request, DOOR)


def post(
    target: str,
    body: object = None,
    *,
    views: FakeViews | None = None,
    headers: Mapping[str, str] = ACT,
    door: PageAccess = DOOR,
    method: str = "POST",
) -> PageAnswer:
    data = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    request = PageRequest(method=method, target=target, headers=headers, body=data)
    return answer((views or FakeViews()).views(), request, door)
