"""A transcript as a table: for the csv module, and for a spreadsheet."""

import csv
import io
import re

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from hub.events import CallStatistics, Dtmf, Durable, SideStatistics, encode
from hub.transcript import files, sheet
from hub.transcript.lines import Lines
from tests.transcript.test_files import ENDED, FORGED, HEAD, STARTED, final, summary


def made(*events: Durable) -> str:
    numbered = [replace(event, offset=offset) for offset, event in enumerate(events, 1)]
    payloads = [encode(event) for event in numbered]
    lines = Lines()
    lines.read(payloads)
    facts = summary(*numbered)
    return "".join(sheet.csv(facts, files.head(facts), lines.ordered(payloads)))


def rows(*events: Durable) -> list[dict[str, str]]:
    """Return the rows as a strict reader of RFC 4180 has them."""
    text = made(*events).encode().decode("utf-8-sig")
    assert text.count("\n") == text.count("\r\n"), "each record ends with CRLF"
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_each_line_is_a_row_with_its_times_and_the_heading_stands_before_them() -> None:
    key = Dtmf(call_sid="CA1", digit="4", track="inbound")
    found = rows(STARTED, final('Hello, "you".', 63.25, 64.0), key, ENDED)
    about, (started, said, pressed, ended) = found[:4], [row for row in found[4:] if row["kind"] != "figure"]
    assert [(row["kind"], row["text"], row["offset"]) for row in about] == [("about", each, "") for each in HEAD]
    assert list(started) == list(sheet.COLUMNS)
    assert said == {
        "callSid": "CA1", "offset": "2", "kind": "final", "utc": "2026-11-26 10:01:03.373", "start": "63.250", "end": "64.000",
        "track": "inbound", "speaker": "caller", "text": 'Hello, "you".', "value": "",
    }  # fmt: skip
    assert (pressed["kind"], pressed["text"], pressed["start"], pressed["track"]) == ("dtmf", "key 4", "64.000", "")
    assert (ended["kind"], ended["utc"]) == ("call-ended", "2026-11-26 10:01:05.123")


def test_each_figure_is_a_row_with_its_name_and_its_number() -> None:
    named = replace(STARTED, speakers={"inbound": "caller", "outbound": "callee"})
    found = [row for row in rows(named, final("Hello.", 63.25, 64.0), ENDED) if row["kind"] == "figure"]
    numbers = {(row["track"], row["text"]): row["value"] for row in found}
    assert (numbers["", "seconds"], numbers["", "deadAirs"], numbers["inbound", "talkSeconds"]) == ("65.0", "1", "0.75")
    assert (numbers["inbound", "talkShare"], numbers["outbound", "talkShare"], numbers["inbound", "wordsPerMinute"]) == ("1.0", "0.0", "")
    assert [row["speaker"] for row in found if row["text"] == "words"] == ["caller", "callee"]
    all_names = {field.encode_name for kind in (CallStatistics, SideStatistics) for field in msgspec.structs.fields(kind)}
    assert {name for _, name in numbers} == all_names - {"sides"}


def test_a_call_of_which_nothing_is_known_has_a_table_too() -> None:
    assert [row["utc"] for row in rows(final("Hello.", 1.0, 2.0))][-1] == ""


def test_excel_finds_out_the_encoding() -> None:
    assert made(STARTED).encode().startswith(b"\xef\xbb\xbfcallSid,offset,")


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "  =1", "\u2068=1", "=cmd|' /C calc'!A0"]  # noqa: RUF001


def executes(cell: str) -> bool:
    """Return whether a spreadsheet takes a cell for more than text: a formula, in any of the ways in which one begins."""
    return cell[:1] in set("=+-@\t\r＝＋－＠")  # noqa: RUF001


def split_at_semicolons(text: str) -> list[str]:
    """Return the cells that Excel finds where the list separator of the machine is a semicolon: it does not look for commas then."""
    return [cell for row in csv.reader(io.StringIO(text, newline=""), delimiter=";") for cell in row]


@pytest.mark.parametrize("words", [*FORMULAS, *(f'yes;"{each}' for each in FORMULAS), *(f"yes;{each}" for each in FORMULAS)])
def test_no_words_are_a_formula_whatever_separates_the_cells(words: str) -> None:
    told = made(STARTED, final(words, 1.0, 2.0, speaker=words)).removeprefix(sheet.BYTE_ORDER_MARK)
    cells = list(csv.reader(io.StringIO(told, newline=""), strict=True))[-1]
    assert not [cell for cell in (*cells, *split_at_semicolons(told)) if executes(cell)]
    assert re.sub(r"[^\w]", "", words) in re.sub(r"[^\w]", "", cells[sheet.COLUMNS.index("text")]), "no word is lost"


@given(st.text(max_size=40), st.text(max_size=10))
@example(FORGED, 'a",b')
@example('";"";=1', ";=")
def test_any_words_are_one_cell_and_no_formula(words: str, speaker: str) -> None:
    found = rows(STARTED, final(words, 1.0, 2.0, speaker=speaker)) if words else []
    assert len([row for row in found if row["kind"] != "figure"]) in {0, 5 + 1}
    for row in found:
        assert None not in row
        assert not any(executes(cell) for cell in row.values())
    text = made(STARTED, final(words, 1.0, 2.0, speaker=speaker))
    assert not any(executes(cell) for cell in split_at_semicolons(text))
