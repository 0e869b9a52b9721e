from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reprise.metric import LIMIT, OTHER, labels, make_labeler

PREFIX = "arn:aws:lambda:eu-central-1:123456789012:function:"
NAMES = st.text("abcdefgh-", min_size=1, max_size=6)
ENTRIES = st.lists(
    st.builds(lambda name, star: f"{PREFIX}{name}{star}", NAMES, st.sampled_from(["", "*"])),
    max_size=LIMIT + 20,
).map(tuple)


def test_listed_function_has_its_own_name() -> None:
    label = make_labeler((f"{PREFIX}orders", f"{PREFIX}team-*"))
    assert label(f"{PREFIX}orders") == "orders"


def test_star_is_one_label_for_all_of_its_functions() -> None:
    label = make_labeler((f"{PREFIX}team-*",))
    assert {label(f"{PREFIX}team-{name}") for name in "abc"} == {"team-*"}


def test_function_that_is_also_listed_by_name_keeps_its_name() -> None:
    label = make_labeler((f"{PREFIX}team-*", f"{PREFIX}team-a"))
    assert label(f"{PREFIX}team-a") == "team-a"
    assert label(f"{PREFIX}team-b") == "team-*"


def test_narrowest_star_wins() -> None:
    label = make_labeler((f"{PREFIX}team-*", f"{PREFIX}team-red-*"))
    assert label(f"{PREFIX}team-red-1") == "team-red-*"


def test_targets_beyond_the_limit_share_one_label() -> None:
    targets = tuple(f"{PREFIX}f{number:03d}" for number in range(LIMIT + 5))
    label = make_labeler(targets)
    assert label(targets[LIMIT - 1]) == f"f{LIMIT - 1:03d}"
    assert {label(target) for target in targets[LIMIT:]} == {OTHER}


@given(targets=ENTRIES, name=NAMES)
def test_there_are_never_more_labels_than_the_configuration_names(
    targets: tuple[str, ...], name: str
) -> None:
    known = labels(targets)
    assert len(known) <= LIMIT + 1
    assert make_labeler(targets)(f"{PREFIX}{name}") in known
