from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reprise.aws.ledger_rows import from_item, to_item
from reprise.ledger import MAX_HISTORY, PastAttempt, Row, State, extend
from strategies import make_row, outcomes, texts

attempts = st.builds(PastAttempt, at=texts, began_at=st.none() | texts, outcome=outcomes)
rows = st.builds(
    make_row,
    id=texts.filter(bool),
    state=st.sampled_from(State),
    target=texts,
    attempts=st.integers(0, 10**6),
    refusals=st.integers(0, 10**6),
    first_refused_at=st.none() | texts,
    last_refused_at=st.none() | texts,
    unpacked_at=st.none() | texts,
    history=st.lists(attempts, max_size=3).map(tuple),
    lease_owner=st.none() | texts,
    lease_until_ms=st.integers(0, 2**50),
    lease_from=st.sampled_from([state.value for state in State]),
    reason=st.none() | texts,
    message=st.none() | texts,
    letter_sent=st.booleans(),
    result=st.none() | texts,
    result_key=st.none() | texts,
    capture_object=st.none() | texts,
    expires_at_s=st.integers(0, 2**40),
)


@given(entries=st.lists(attempts, max_size=30))
def test_a_history_keeps_the_newest_attempts_in_order(entries: list[PastAttempt]) -> None:
    history: tuple[PastAttempt, ...] = ()
    for entry in entries:
        history = extend(history, entry)
    assert history == tuple(entries[-MAX_HISTORY:])


@given(row=rows)
def test_a_row_survives_its_item(row: Row) -> None:
    assert from_item(to_item(row)) == row


def test_attributes_of_a_later_version_are_left_alone() -> None:
    row = make_row()
    assert from_item({**to_item(row), "region": {"S": "eu"}, "tags": {"M": {}}}) == row


def test_what_is_not_set_is_not_stored() -> None:
    item = to_item(make_row())
    assert not {"reason", "message", "result", "lease_owner", "history"} & set(item)
    assert item["letter_sent"] == {"BOOL": False}
    assert item["attempts"] == {"N": "0"}
    assert item["state"] == {"S": "captured"}
