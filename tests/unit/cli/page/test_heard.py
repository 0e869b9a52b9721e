from __future__ import annotations

from threading import Thread

from reprise_cli.page.heard import HeardOutput


def test_what_would_be_told_to_a_terminal_is_kept_until_it_is_taken() -> None:
    out = HeardOutput()
    out.note("looked at 1,000 letters: there may be more")
    out.warn("they may run again")
    with out.progress("looking through the dead-letter queue"):
        out.result({"count": 1})
    assert out.take() == ["looked at 1,000 letters: there may be more", "they may run again"]
    assert out.take() == []


def test_nobody_hears_what_was_told_to_somebody_else() -> None:
    out = HeardOutput()
    other = Thread(target=out.note, args=("for another request",))
    other.start()
    other.join()
    assert out.take() == []
