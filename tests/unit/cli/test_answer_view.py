from __future__ import annotations

import io

from reprise_cli.calling import InvokerAnswer
from reprise_cli.commands.invoke import show_answer
from reprise_cli.output import Output


def test_a_reply_can_be_copied_from_a_terminal_of_any_width() -> None:
    reply = '{"items": "' + "x y " * 100 + '"}'
    stdout = io.StringIO()
    out = Output(is_json=False, stdout=stdout, stderr=io.StringIO())
    out.people.width = 60
    answer = {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": reply}
    show_answer(out, InvokerAnswer(document=answer))
    told = stdout.getvalue()
    assert "Unhandled" in told
    assert reply in told.splitlines()


def test_a_refusal_is_told_in_words_and_not_as_json() -> None:
    stdout = io.StringIO()
    out = Output(is_json=False, stdout=stdout, stderr=io.StringIO())
    out.people.width = 80
    error = {"field": "FunctionName", "message": "is no target", "next_step": "Add it"}
    show_answer(out, InvokerAnswer(document={"StatusCode": 403, "error": error}))
    told = stdout.getvalue()
    assert "{" not in told
    for words in ("status 403", "error field", "FunctionName", "error next step", "Add it"):
        assert words in told
