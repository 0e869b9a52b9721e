"""An editor is shown what is wrong until it is right, nothing changes, or nobody mends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from reprise_cli.exits import CommandError
from reprise_cli.policy.editor import edit, editor_of

TEXT = '{\n  "default": {}\n}'
BAD = '{"default": {"enbaled": false}}'


class Editor:
    """Writes what it is told to, one after the other; None saves the file as it is."""

    def __init__(self, *texts: str | None) -> None:
        self.texts = list(texts)
        self.shown: list[str] = []
        self.path = Path()

    def __call__(self, path: Path) -> None:
        self.path = path
        self.shown.append(path.read_text())
        text = self.texts.pop(0)
        if text is not None:
            path.write_text(text)


@pytest.mark.parametrize("text", [None, "", "# only a comment\n", TEXT + "\n"])
def test_what_is_as_it_was_or_empty_changes_nothing(text: str | None) -> None:
    editor = Editor(text)
    assert edit(TEXT, editor) is None
    assert not editor.path.exists()


def test_what_is_wrong_is_shown_above_it_and_can_be_mended() -> None:
    editor = Editor(BAD, '# error: ...\n{"default": {"enabled": false}}')
    checked = edit(TEXT, editor)
    assert checked is not None
    assert checked.document == {"default": {"enabled": False}}
    assert (
        "# error: default.enbaled: is no field of a policy. Did you mean enabled?"
        in editor.shown[1]
    )
    assert BAD in editor.shown[1]
    assert not editor.path.exists()


def test_what_nobody_mends_is_refused_and_kept_in_its_file() -> None:
    editor = Editor(BAD, None)
    with pytest.raises(CommandError, match=r"default.enbaled: .* What you wrote is in /"):
        edit(TEXT, editor)
    assert BAD in editor.path.read_text()
    editor.path.unlink()


def test_the_operators_own_editor_is_used() -> None:
    assert editor_of({"VISUAL": "code --wait", "EDITOR": "vi"}) == ["code", "--wait"]
    assert editor_of({"EDITOR": "nano"}) == ["nano"]
    assert editor_of({}) == ["vi"]
    with pytest.raises(CommandError, match="EDITOR: cannot be understood"):
        editor_of({"EDITOR": "'"})
