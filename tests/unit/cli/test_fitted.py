from __future__ import annotations

import io
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from reprise_cli.fitted import Column, Fitted, share
from reprise_cli.output import PlainConsole

WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=50)


def shown(table: Fitted, width: int) -> list[str]:
    """The lines that a console of this width shows."""
    file = io.StringIO()
    console = PlainConsole(file)
    console.width = width
    console.print(table)
    return file.getvalue().splitlines()


def columns(*ids: str) -> list[Column]:
    return [
        Column(name="id", cells=ids, rank=0),
        Column(name="reason", cells=["exhausted"] * len(ids), rank=1),
        Column(name="age", cells=["2d3h"] * len(ids), rank=2, is_number=True),
        Column(
            name="message", cells=["it broke " * 9] * len(ids), rank=3, least=12, is_shortened=True
        ),
    ]


def test_where_all_fits_nothing_is_cut_and_nothing_left_out() -> None:
    lines = shown(Fitted(columns=columns("a", "b"), title="letters"), 200)
    assert lines[0].rstrip() == "letters"
    assert lines[1].split() == ["id", "reason", "age", "message"]
    assert lines[3].rstrip() == f"a   exhausted  2d3h  {'it broke ' * 9}".rstrip()


def test_a_message_ends_in_an_ellipsis_where_it_is_shortened() -> None:
    lines = shown(Fitted(columns=columns("a"), title="letters"), 40)
    assert lines[3].rstrip() == "a   exhausted  2d3h  it broke it broke …"


def test_what_shows_all_is_said_where_something_is_not_shown_and_nowhere_else() -> None:
    table = Fitted(columns=columns("a"), title="letters", hint="--wide shows all")
    said = " ".join("".join(shown(table, 40)[4:]).split())
    assert said == "cut, or left out: message; --wide shows all"
    assert "--wide" not in "".join(shown(table, 200))


def test_the_least_important_column_goes_first() -> None:
    assert [list(share(columns("a" * 36), width)[0]) for width in (64, 63, 50, 45, 20)] == [
        ["id", "reason", "age", "message"],
        ["id", "reason", "age"],
        ["id", "reason"],
        ["id"],
        ["id"],
    ]


def test_columns_move_together_before_one_goes() -> None:
    assert [share(columns("a" * 36), width)[1] for width in (67, 66, 64, 63)] == [2, 1, 1, 2]


def test_a_note_stands_below_its_column_and_goes_with_it() -> None:
    noted = Column(name="age", cells=["2d3h"], rank=1, note="in days")
    table = Fitted(columns=[Column(name="id", cells=["a" * 30], rank=0), noted], title="t")
    assert shown(table, 40)[-1].rstrip() == "age: in days"
    assert "age" not in "".join(shown(table, 30))


def test_a_long_id_makes_room_for_what_is_wanted_and_only_for_that() -> None:
    first, *others = columns("a" * 60)
    folding = [replace(first, folded=36), *others]
    found = [share(folding, width, wanted=2) for width in (90, 85, 70, 45)]
    assert [(list(widths), widths["id"]) for widths, _ in found] == [
        (["id", "reason", "age", "message"], 60),
        (["id", "reason", "age"], 60),
        (["id", "reason", "age"], 53),
        (["id"], 45),
    ]


def test_a_style_stays_and_a_number_is_at_the_right() -> None:
    cells = [Text("holding", "red"), Text("-")]
    gate = Column(name="gate", cells=cells, rank=0)
    backlog = Column(name="backlog", cells=["1", "1,000"], rank=1, is_number=True)
    lines = shown(Fitted(columns=[gate, backlog], title="targets"), 80)
    assert [line.rstrip() for line in lines[3:]] == ["holding        1", "-          1,000"]


@given(ids=st.lists(WORDS, max_size=4), width=st.integers(4, 120))
def test_no_line_is_wider_than_the_console_and_no_id_is_cut(ids: list[str], width: int) -> None:
    lines = shown(Fitted(columns=columns(*ids), title="t"), width)
    assert all(len(line) <= width for line in lines)
    wide = share(columns(*ids), width)[0]["id"]
    rows = "".join(line[:wide].rstrip() for line in lines[3:])
    assert rows == "".join(ids)
