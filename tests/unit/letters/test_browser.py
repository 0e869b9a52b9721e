"""A look holds what it sees for as long as it can renew that."""

from __future__ import annotations

from typing import Any

from reprise_letters.browser import HOLD_S, LONGEST_HOLD_S, Browser


class FakeSqs:
    """A queue of so many messages, whose every request takes 20 ms."""

    def __init__(self, count: int) -> None:
        self.left, self.now_s = count, 0.0
        self.holds_s: list[int] = []
        self.renewals = 0

    def monotonic(self) -> float:
        return self.now_s

    def receive_message(self, *, VisibilityTimeout: int, **_: Any) -> dict[str, Any]:
        self.now_s += 0.02
        self.holds_s.append(VisibilityTimeout)
        some = range(self.left, max(self.left - 10, 0), -1)
        self.left = max(self.left - 10, 0)
        return {
            "Messages": [
                {"MessageId": f"m{number}", "Body": "?", "ReceiptHandle": f"h{number}"}
                for number in some
            ]
        }

    def change_message_visibility_batch(self, **_: Any) -> dict[str, Any]:
        self.now_s += 0.02
        self.renewals += 1
        return {}

    def get_queue_attributes(self, AttributeNames: list[str], **_: Any) -> dict[str, Any]:
        return {"Attributes": {AttributeNames[0]: str(self.left)}}


def look_through(count: int) -> FakeSqs:
    client: Any = FakeSqs(count)
    browser = Browser(client, "url", monotonic=client.monotonic)
    assert sum(len(some) for some in browser.letters()) == count
    made: FakeSqs = client
    return made


def test_few_letters_are_held_shortly() -> None:
    client = look_through(90)
    assert (set(client.holds_s), client.renewals) == ({HOLD_S}, 0)


def test_a_look_through_a_hundred_thousand_letters_is_not_lost_in_renewals() -> None:
    client = look_through(100_000)
    assert client.holds_s[-1] == LONGEST_HOLD_S
    # 10,000 requests to see them; renewed every half minute each, they would never be through.
    assert client.renewals < 10_000
