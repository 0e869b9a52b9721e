"""What has changed in AWS's words is named; what has not is not."""

from __future__ import annotations

import json

import botocore.loaders
from hypothesis import given
from hypothesis import strategies as st

from drift import DIGEST, WATCHED, Entry, compare, digest, said

OLD = "The default is 3 seconds, and the maximum allowed value is 900 seconds. Charges apply."
NEW = "The default is 3 seconds, and the maximum allowed value is 1,800 seconds. Charges apply."


def of(documentation: str, **limits: object) -> tuple[dict[str, Entry], dict[str, str]]:
    entry, texts = said(documentation, limits)
    return {"lambda CreateFunction Timeout": entry}, texts


def test_a_changed_number_is_named_with_its_sentence_and_what_it_was() -> None:
    before, _ = of(OLD)
    after, texts = of(NEW)
    (change,) = compare(before, after, texts)
    assert change.startswith("lambda CreateFunction Timeout: says now: The default is 3 seconds")
    assert change.endswith("allowed value is 1,800 seconds. [numbers were 3, 900]")


def test_changed_limits_name_both_and_lists_what_came_and_went() -> None:
    before, _ = of(OLD, max=900, enum=["python3.13"], pattern="a")
    after, texts = of(OLD, max=1800, enum=["python3.13", "python3.15"], pattern="a")
    assert compare(before, after, texts) == [
        "lambda CreateFunction Timeout: enum was without ['python3.15']",
        "lambda CreateFunction Timeout: max was 900, is 1800",
    ]


def test_a_sentence_that_is_gone_is_missed() -> None:
    before, _ = of(OLD)
    after, texts = of("Charges apply.")
    assert compare(before, after, texts) == ["lambda CreateFunction Timeout: 1 sentences are gone"]


def test_what_is_watched_anew_or_no_more_is_named() -> None:
    before, texts = of(OLD)
    assert compare(before, {}, {}) == ["lambda CreateFunction Timeout: is not watched any more"]
    assert compare({}, before, texts) == ["lambda CreateFunction Timeout: is new here"]


@given(st.text(), st.dictionaries(st.sampled_from(["min", "max"]), st.integers()))
def test_the_same_words_and_limits_are_no_change_whatever_their_markup(
    text: str, limits: dict[str, int]
) -> None:
    before, _ = of(text, **limits)
    after, texts = of(f"<p>{text}</p>", **limits)
    if "<" not in text and ">" not in text:
        assert compare(before, after, texts) == []


def test_errors_and_entries_of_lists_are_looked_into() -> None:
    entries, texts = digest(botocore.loaders.Loader())
    reasons = entries["lambda Invoke TooManyRequestsException.Reason"]["limits"]["enum"]
    assert "ConcurrentInvocationLimitExceeded" in reasons
    delay = entries["sqs SendMessageBatch Entries.DelaySeconds"]["sentences"]
    assert "Valid values: 0 to 900." in [texts[key] for key, _ in delay]


def test_the_digest_covers_what_is_watched_and_knows_todays_timeout() -> None:
    document = json.loads(DIGEST.read_text())
    entries, _ = digest(botocore.loaders.Loader())
    assert set(document["said"]) == set(entries)
    assert set(WATCHED) == {name.partition(" ")[0] for name in entries}
    numbers = [
        number
        for _, found in document["said"]["lambda CreateFunction Timeout"]["sentences"]
        for number in found
    ]
    assert "1,800" in numbers
