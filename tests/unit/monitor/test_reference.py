from __future__ import annotations

from reprise_dashboard.reference import documents


def test_docs_are_in_step_with_the_code() -> None:
    for path, text in documents().items():
        assert path.read_text() == text, f"{path.name}: run `make dashboard`"
