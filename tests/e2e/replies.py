"""A caller that takes late results in: its queue, and its webhook on the loopback."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any, Final, Self

from e2e.world import poll

if TYPE_CHECKING:
    from types import TracebackType

    from e2e.world import World

QUEUE: Final = "late-results"
ACCOUNT: Final = "000000000000"
MACHINE: Final = "late-shop"


@dataclass
class Replies:
    """Where late results of a world's calls come to."""

    world: World
    posted: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    """Headers and body of each webhook."""
    statuses: list[int] = field(default_factory=list)
    """What the next webhooks are answered, before all others are answered 204."""

    @cached_property
    def queue_url(self) -> str:
        """The caller's own queue."""
        return str(self.world.sqs.create_queue(QueueName=QUEUE)["QueueUrl"])

    @cached_property
    def _server(self) -> ThreadingHTTPServer:
        replies = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                replies.posted.append(
                    ({name.lower(): value for name, value in self.headers.items()}, body)
                )
                self.send_response(replies.statuses.pop(0) if replies.statuses else 204)
                self.end_headers()

            def log_message(self, *_args: object) -> None:
                """Say nothing."""

        return ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def webhook(self) -> str:
        """Beginning of the caller's address."""
        return f"http://127.0.0.1:{self._server.server_port}/late/"

    def destinations(self) -> tuple[str, ...]:
        """Return the add-on's parameters that allow these."""
        region = self.world.place.region
        return (
            f"ReplyQueues=arn:aws:sqs:{region}:{ACCOUNT}:{QUEUE}",
            f"ReplyWebhooks={self.webhook}",
            f"ReplyStateMachines=arn:aws:states:{region}:{ACCOUNT}:stateMachine:{MACHINE}*",
        )

    def __enter__(self) -> Self:
        """Listen."""
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Listen no longer."""
        self._server.shutdown()
        self._server.server_close()

    def received(self, call_id: str) -> dict[str, Any]:
        """Return the record that came to the queue for a call."""

        def look() -> dict[str, Any] | None:
            found = self.world.sqs.receive_message(
                QueueUrl=self.queue_url, MaxNumberOfMessages=10, VisibilityTimeout=0
            )
            documents = [json.loads(message["Body"]) for message in found.get("Messages", [])]
            return next((d for d in documents if d["reprise"]["id"] == call_id), None)

        return poll(look, limit_s=60)

    def posts(self, call_id: str, count: int = 1) -> list[tuple[dict[str, str], bytes]]:
        """Return the webhooks of a call, once there are so many."""

        def look() -> list[tuple[dict[str, str], bytes]] | None:
            found = [
                (headers, body)
                for headers, body in list(self.posted)
                if json.loads(body)["reprise"]["id"] == call_id
            ]
            return found if len(found) >= count else None

        return poll(look, limit_s=90)
