"""The table, item by item: what a request makes of items, by the product's own expressions, remembered.

Items, requests, answers and texts are kept once and named by numbers, so that states are tuples of small
integers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from exploration.tape import Answer
from reprise.aws.fault import is_failed_condition
from simulation.dynamodb import DynamoDB, read_statement

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

OWNERS: Final = ("lease_owner", "claimed_by", "probe_owner")
"""Attributes that name processes."""
GONE: Final = "gone"
"""Name of every owner that is no more: nobody can be told from another by it."""
ERROR: Final = Answer(
    "error", {"Error": {"Code": "InternalServerError", "Message": "refused, or its answer lost"}}
)


class Numbers[T]:
    """Gives values numbers, the same to equal ones, from 0."""

    def __init__(self, *first: T) -> None:
        self.values: list[T] = []
        self._numbers: dict[Hashable, int] = {}
        for value in first:
            self.of(value, None)

    def number(self, key: Hashable) -> int | None:
        """Return the number of the value of a key, if it has one."""
        return self._numbers.get(key)

    def of(self, value: T, key: Hashable) -> int:
        """Return the number of a value, which its key tells from others."""
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.values)
            self.values.append(value)
        return number


type Item = dict[str, Any]
type Images = tuple[int, ...]
type Ending = tuple[str, str, Images, int]
"""How a request ended, the bound that it is taken from, the items after it, and its answer's number."""
type Touched = tuple[tuple[int, ...], tuple[Ending, ...]]


@dataclass(slots=True)
class Table:
    """What requests make of items; an item that is not there is 0."""

    keys: tuple[str, ...]
    """Of every item that there may be."""
    items: Numbers[Item | None] = field(default_factory=lambda: Numbers(None))
    answers: Numbers[Answer] = field(default_factory=Numbers)
    _done: dict[tuple[str, str, Images], tuple[Ending, ...]] = field(default_factory=dict)
    _touched: dict[tuple[str, str], tuple[int, ...]] = field(default_factory=dict)
    _forgotten: dict[tuple[Images, frozenset[str]], Images] = field(default_factory=dict)
    _renamed: dict[tuple[int, frozenset[str]], int] = field(default_factory=dict)

    def number(self, item: Item | None) -> int:
        """Return an item's number."""
        return self.items.of(item, None if item is None else json.dumps(item, sort_keys=True))

    def answer(self, answer: Answer) -> int:
        """Return an answer's number."""
        return self.answers.of(answer, (answer.kind, json.dumps(answer.value, sort_keys=True)))

    def endings(self, operation: str, body: str, images: Images) -> Touched:
        """Return how a request may end, and which items it is about."""
        touched = self._touched.get((operation, body))
        if touched is None:
            touched = tuple(self.keys.index(key) for key in keys_of(json.loads(body)))
            self._touched[operation, body] = touched
        seen = tuple([images[at] for at in touched])
        done = self._done.get((operation, body, seen))
        if done is None:
            done = self._done[operation, body, seen] = self._endings(operation, body, touched, seen)
        return touched, done

    def _endings(
        self, operation: str, body: str, touched: tuple[int, ...], seen: Images
    ) -> tuple[Ending, ...]:
        after, answer = self._do(operation, body, touched, seen)
        error = self.answer(ERROR)
        endings: list[Ending] = [("", "", after, answer), ("refused", "faults", seen, error)]
        if after != seen:
            endings.append(("lost answer", "faults", after, error))
            twice, again = self._do(operation, body, touched, after)
            if (twice, again) != (after, answer):
                endings.append(("repeated", "faults", twice, again))
        return tuple(endings)

    def _do(
        self, operation: str, body: str, touched: tuple[int, ...], seen: Images
    ) -> tuple[Images, int]:
        there = {
            self.keys[at]: item
            for at, image in zip(touched, seen, strict=True)
            if (item := self.items.values[image]) is not None
        }
        table = DynamoDB(items=there)
        try:
            answer = Answer("ok", getattr(table, operation)(**json.loads(body)))
        except ClientError as error:
            if not is_failed_condition(error):
                raise
            answer = Answer("condition", error.response)
        after = tuple(self.number(table.items.get(self.keys[at])) for at in touched)
        return after, self.answer(answer)

    def forget(self, images: Images, alive: frozenset[str]) -> Images:
        """Return the items with every owner renamed who is not alive."""
        found = self._forgotten.get((images, alive))
        if found is None:
            found = tuple(self._forget(image, alive) if image else 0 for image in images)
            self._forgotten[images, alive] = found
        return found

    def _forget(self, image: int, alive: frozenset[str]) -> int:
        found = self._renamed.get((image, alive))
        if found is not None:
            return found
        item = dict(self.items.values[image] or {})
        for name in OWNERS:
            owner = item.get(name, {}).get("S", "")
            if owner and process_of(owner) not in alive:
                item[name] = {"S": "live/gone" if owner.startswith("live/") else GONE}
        found = self._renamed[image, alive] = self.number(item)
        return found


def with_items(images: Images, touched: tuple[int, ...], after: Images) -> Images:
    """Return the images with others in some places."""
    changed = list(images)
    for at, image in zip(touched, after, strict=True):
        changed[at] = image
    return tuple(changed)


def process_of(owner: str) -> str:
    """Return the name of the process behind an owner's name."""
    if owner.startswith("live/"):
        # The random bytes of a process begin with its name.
        text = owner.removeprefix("live/")
        return bytes.fromhex(text).strip(b"\0")[:2].decode() if text != GONE else GONE
    return owner.partition("/")[0]


def keys_of(request: dict[str, Any]) -> Sequence[str]:
    """Return the keys of the items that a request is about."""
    if statements := request.get("Statements"):
        return [found.key for each in statements if (found := read_statement(each))]
    if batches := request.get("RequestItems"):
        (wanted,) = batches.values()
        return [key["id"]["S"] for key in wanted["Keys"]]
    return [(request.get("Key") or request["Item"])["id"]["S"]]
