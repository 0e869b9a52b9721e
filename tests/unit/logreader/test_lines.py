"""Lines of text come out as they were logged, whatever stands before them: JSON, half of it, or an envelope.

Seen in the field: plain lines from CloudWatch Logs by Firehose (gist shufo/bf77bef1813e572f6a436e3f99960da3),
reprs taken for JSON (PowerDNS/pdns-protobuf-receiver#3), unescaped quotes in JSON lines
(PaperMtn/slack-watchman#28, elastic/curator#142), stack traces unreadable once trimmed
(mcollina/docker-loghose#7, moby/moby#18568), functions that print an envelope
(tmakota/amazon-kinesis-firehose-cloudwatch-logs-processor#1).
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reader_check import check, read_all
from reader_work import measure
from reprise.capturing.line import write_line
from reprise.logreader import Damage, LogEvent, UnknownLine
from strategies import KEYS, envelope, make_record, zipped

AFTER = ["next", "\tat com.example.App(App.java:7)", "last"]
TRACE = [
    "  first, within a trace",
    "Traceback:",
    '    raise ValueError("x")',
    "\t... 12 more",
    "end  ",
]
BRACES = [
    "{'order': 17, 'ok': True}",
    "{Order 17 [a b]}",
    "{order=17, ok=true}",
    "{orders} started",
    "{{ template }}",
    "{[1]}",
    "{42}",
    "{",
    "{}{",
]
BROKEN = [
    '{"level": "INFO", "message": "no match: ".dmg""}',
    '{"name":"c", function":"f"}',
    '{"a": 1} and more',
    '{"a": undefined}',
    '{"a": tru',
    '{"a": "\\x41"}',
]
CUT = ['{"a": "cut', '{"a": 1,', '{"a": [', '{"a"', '{ "a":']
MULTI_LINE = ["{ order: 17,", "  ok: true }"]


def lines_of(data: bytes) -> list[str]:
    return [item.text for item in read_all(data)[0] if isinstance(item, UnknownLine)]


def text_of(lines: list[str], end: str = "\n") -> bytes:
    return end.join([*lines, ""]).encode()


@pytest.mark.parametrize("before", [[], ["first"], ['{"a": 1}'], ["first", '{"a": 1}']])
@pytest.mark.parametrize("brace", BRACES)
def test_line_that_begins_with_a_brace_and_is_no_object_is_a_line(
    brace: str, before: list[str]
) -> None:
    data = text_of([*before, brace, *AFTER])
    if brace == "{}{":
        assert lines_of(data)[-3:] == AFTER
    else:
        assert lines_of(data) == [*before, brace, *AFTER]
        assert read_all(data)[1].damages == 0
    check(data)


@pytest.mark.parametrize("before", [[], ["first"], ['{"a": 1}']])
@pytest.mark.parametrize("broken", BROKEN + CUT)
def test_broken_object_costs_its_own_line(broken: str, before: list[str]) -> None:
    data = text_of([*before, broken, *AFTER])
    found = lines_of(data)
    assert found[: len(before)] == before
    assert found[-3:] == AFTER
    check(data)
    check(zipped(data))


@pytest.mark.parametrize("line", ['{"a": 1} took 5 ms', '{"a": 1}\tok', "{} is empty"])
@pytest.mark.parametrize("end", ["\n", ""])
def test_object_and_words_behind_it_are_one_line(line: str, end: str) -> None:
    data = f"first\n{line}\nnext\n{line}{end}"
    assert lines_of(data.encode()) == ["first", line, "next", line]
    check(data.encode())


@pytest.mark.parametrize(
    "glued", ['{"a": 1}{"b": 2}', '{"a": 1} {"b": 2}', '{"a": 1}words{"b": 2}']
)
def test_objects_that_are_glued_are_not_one_line(glued: str) -> None:
    found = lines_of(text_of(["first", glued, "next"]))
    assert found[0] == "first"
    assert found[-1] == "next"
    assert '{"a": 1}' in found
    assert '{"b": 2}' in found


def test_brackets_among_lines_are_lines_and_around_envelopes_are_not() -> None:
    env = envelope(["inner"]).decode()
    among = ["first", env, "{", "  a: 1", "}", "last"]
    assert lines_of(text_of(among)) == ["first", "  a: 1", "}", "last"]
    items, account = read_all(text_of(["[", env, "]"]))
    assert [item.message for item in items if isinstance(item, LogEvent)] == ["inner"]
    assert account.damages == 1


def test_object_printed_in_another_languages_way_is_lines() -> None:
    assert lines_of(text_of(["first", *MULTI_LINE, *AFTER])) == ["first", *MULTI_LINE, *AFTER]


def test_broken_object_of_many_lines_ends_where_a_line_cannot_be_its_own() -> None:
    printed = json.dumps({"a": [1, 2], "b": {"c": 3}}, indent=2).replace("3", "#").split("\n")
    items, account = read_all(text_of(["first", *printed, "next", "last"]))
    (damage,) = (item for item in items if isinstance(item, Damage))
    assert damage.data == "\n".join(printed).encode() + b"\n"
    assert [item.text for item in items if isinstance(item, UnknownLine)] == [
        "first",
        "next",
        "last",
    ]
    assert account.is_complete


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("packed", [False, True])
def test_indentation_and_trailing_blanks_are_part_of_a_line(end: str, *, packed: bool) -> None:
    data = text_of(TRACE, end)
    assert lines_of(zipped(data) if packed else data) == TRACE
    check(data)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_indentation_does_not_depend_on_how_the_text_comes(size: int) -> None:
    data = text_of(["   first", "", "  {", "    second", *TRACE])
    members = b"".join(zipped(data[at : at + size]) for at in range(0, len(data), size))
    whole = lines_of(zipped(data))
    assert whole == ["   first", "  {", "    second", *TRACE]
    # Members are read as what they hold, one after the other; a member's end is none of a line.
    joined = "".join("".join(lines_of(members)).split())
    assert joined == "".join("".join(whole).split())
    check(members)


def test_line_that_begins_a_member_keeps_its_indentation() -> None:
    lines = ["  first", "next", "\tthird", "  "]
    members = b"".join(zipped(f"{line}\n".encode()) for line in lines)
    assert lines_of(members) == lines[:3]
    check(members)


def test_more_blanks_than_any_indentation_are_a_gap() -> None:
    data = b"first\n" + b" " * 100_000 + b"next\n"
    assert lines_of(data) == ["first", "next"]
    check(data)


def test_indentation_before_a_document_is_a_gap() -> None:
    data = b'  {"a": 1}\n\t{"b": 2}\n'
    items, account = read_all(data)
    assert items == [UnknownLine('{"a": 1}'), UnknownLine('{"b": 2}')]
    assert account.layers[0].blank_bytes == 5


@pytest.mark.parametrize("quote", ["", "got ", "  debug: "])
def test_lines_after_an_envelope_in_text_are_lines(quote: str) -> None:
    data = text_of(["first", quote + envelope(["inner"]).decode(), "next", "  indented", "last"])
    items, account = read_all(data)
    assert "inner" in [item.message for item in items if isinstance(item, LogEvent)]
    assert lines_of(data) == ["first", "next", "  indented", "last"]
    assert account.damages == (1 if quote else 0)
    check(data)


@pytest.mark.parametrize("cut", [40, 90, 160, -30])
def test_envelope_that_a_line_quotes_in_part_costs_no_other_line(cut: int) -> None:
    quoted = envelope(["inner", "more"]).decode()[:cut]
    data = text_of(["first", f"got {quoted}...", "next", "last"])
    assert lines_of(data)[0] == "first"
    assert lines_of(data)[-2:] == ["next", "last"]
    check(data)


def test_what_is_left_of_an_envelope_is_no_line() -> None:
    good = envelope(["one"]).decode()
    headless = envelope(["two"]).decode()[1:]
    items, account = read_all(text_of([good, headless, "]", good]))
    assert [item.message for item in items if isinstance(item, LogEvent)] == ["one", "two", "one"]
    assert lines_of(text_of([good, headless, "]", good])) == []
    assert account.damages == 2


def test_headless_envelope_at_the_beginning_gives_its_events_and_is_damage() -> None:
    items, account = read_all(envelope(["one"])[1:])
    assert [item.message for item in items if isinstance(item, LogEvent)] == ["one"]
    assert account.damages == 1


@pytest.mark.parametrize(
    "text",
    [
        '{"owner": "123456789012", "plan": "x"}',
        '{"logEvents": "on", "level": 1}',
        '{"logEvents": [], "service": "x"}',
        '{"logEvents": [{"message": "x"}], "service": "x"}',
        '{"messageType": "CONTROL_MESSAGE", "valve": 7}',
        '{"message": "x", "id": 1, "timestamp": 2}',
        '{"Records": [{"kinesis": 1}], "x": "H4sI"}',
        '{"Records": 1, "x": "H4sI"}',
        '{"data": "H4sIAAAAAAAAAA=="}',
        '{"awslogs": "H4sIAAAAAAAAAA=="}',
        '{"rawData": "x", "unit": "mm"}',
        '{"rawData": "", "errorCode": "x"}',
        '{"rawData": 5, "errorCode": "x"}',
    ],
)
def test_applications_own_field_named_like_a_wrappers_is_its_own(text: str) -> None:
    assert read_all(text.encode())[0] == [UnknownLine(text)]
    quoted = f"  updated {text} ok"
    assert lines_of(text_of(["first", quoted, "last"])) == ["first", quoted, "last"]


@pytest.mark.parametrize(
    "word",
    ["PARTIAL", "PAR1TY check", "ORC scan", "BZhang logged in", "BZh91 is", "PK", "H4sI am", "Obj"],
)
def test_word_at_the_start_of_text_that_looks_like_a_format_is_a_word(word: str) -> None:
    assert lines_of(text_of([word, "next"])) == [word, "next"]


lines = st.text(
    st.characters(
        codec="utf-8", exclude_categories=["Cs", "Cc", "Zl", "Zp"], exclude_characters="\ufeff"
    ),
    min_size=1,
    max_size=12,
).filter(lambda line: line.strip() != "" and not line.startswith('{"') and "\x85" not in line)


@given(
    before=st.lists(st.sampled_from([*BROKEN, *BRACES[:5], '{"a": 1}', "  "])),
    after=st.lists(lines),
)
def test_whatever_stands_before_them_lines_come_out_as_they_are(
    before: list[str], after: list[str]
) -> None:
    after = [line for line in after if not line.lstrip().startswith("{")]
    data = text_of([*before, *after])
    found = lines_of(data)
    assert found[len(found) - len(after) :] == after
    check(data)


@pytest.mark.parametrize(
    "unit", ["{'a'\n", '{"a" b}\n', "  x\n", " " * 40, "{ \n", '{\n"a"\n', '{"a":1,\n']
)
def test_lines_cost_a_multiple_of_their_bytes(unit: str) -> None:
    data = unit.encode() * (60_000 // len(unit))
    for packed in (data, zipped(zipped(unit.encode()) * 1500)):
        work, account = measure(packed)
        assert account.is_complete
        assert work <= 40 * sum(layer.bytes_in for layer in account.layers) + 64 * 1024


def test_cut_record_of_ours_after_lines_is_still_told() -> None:
    line = write_line(make_record(), KEYS)
    items, account = read_all(text_of(["first", line[:-20], "next"]))
    assert account.damages == 1
    assert [item.text for item in items if isinstance(item, UnknownLine)] == ["first", "next"]
