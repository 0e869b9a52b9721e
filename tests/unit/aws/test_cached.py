from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from reprise.aws.config import Cached
from reprise.errors import PolicyError, RepriseError, StoreError

AWAY = StoreError("ssm", "GetParameter", "InternalServerError", "away")


class Source:
    """Gives what it is told to, and counts."""

    def __init__(self, *values: int | RepriseError) -> None:
        self.values = list(values)
        self.fetched = 0
        self.now_s = 0.0

    def fetch(self) -> int:
        self.fetched += 1
        value = self.values.pop(0) if len(self.values) > 1 else self.values[0]
        if isinstance(value, RepriseError):
            raise value
        return value

    def monotonic(self) -> float:
        return self.now_s


def _cached(source: Source) -> Cached[int]:
    return Cached(source.fetch, ttl_s=60, monotonic=source.monotonic)


def test_a_value_is_fetched_at_first_use_and_remembered() -> None:
    source = Source(1)
    cached = _cached(source)
    assert source.fetched == 0
    assert [cached.get(), cached.get()] == [1, 1]
    assert source.fetched == 1


def test_a_value_is_fetched_again_when_it_is_old() -> None:
    source = Source(1, 2)
    cached = _cached(source)
    cached.get()
    source.now_s = 59.9
    assert cached.get() == 1
    source.now_s = 60
    assert cached.get() == 2


def test_who_needs_it_fresh_gets_it_fresh() -> None:
    source = Source(1, 2)
    cached = _cached(source)
    cached.get()
    source.now_s = 2.9
    assert cached.get(within_s=3) == 1
    source.now_s = 3
    assert [cached.get(within_s=3), cached.get()] == [2, 2]


@pytest.mark.parametrize("error", [AWAY, PolicyError("bad edit")])
def test_the_last_good_value_stays_while_there_is_no_new_one(
    error: RepriseError, caplog: pytest.LogCaptureFixture
) -> None:
    source = Source(1, error, 2)
    cached = _cached(source)
    cached.get()
    source.now_s = 60
    assert cached.get() == 1
    assert "last good one" in caplog.text
    source.now_s = 119
    assert cached.get() == 1
    assert source.fetched == 2, "a source that is away is not asked at every use"
    source.now_s = 120
    assert cached.get() == 2


def test_without_an_earlier_value_the_error_goes_on_until_there_is_one() -> None:
    source = Source(AWAY, AWAY, 5)
    cached = _cached(source)
    for _ in range(2):
        with pytest.raises(StoreError):
            cached.get()
    assert cached.get() == 5


def test_a_value_that_is_false_is_a_value() -> None:
    source = Source(0)
    cached = _cached(source)
    assert [cached.get(), cached.get(), source.fetched] == [0, 0, 1]


def test_threads_share_one_fetch() -> None:
    source = Source(1)
    cached = _cached(source)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: cached.get(), range(50))) == {1}
    assert source.fetched == 1
