"""Which calls are still to get a note: listed with their end, taken away with their note, gone with the call."""

from typing import Any

import pytest

from hub.archive.archive import Archive, Change, StoredEvent
from hub.events import CallEnded, Note, NoteSentence, encode
from tests.archive.made import WHOLE, change, facts, seal_all


@pytest.fixture
def unnoted(archive: Archive) -> Archive:
    archive.unnoted.wanted = True
    return archive


def end(call_sid: str, offset: int, **more: Any) -> Change:
    event = CallEnded(call_sid=call_sid, at="", epoch="e", offset=offset, reason="completed", duration=1.0, completeness=WHOLE, audio={})
    at = float(call_sid.removeprefix("CA"))
    return Change(
        call_sid=call_sid, epoch="e", events=(StoredEvent(offset, encode(event)),), facts=facts(call_sid, at, ended_at=9.0, **more)
    )


def note(call_sid: str, offset: int) -> Change:
    said = [NoteSentence(text="Yes.", offsets=[1])]
    event = Note(
        call_sid=call_sid, at="", epoch="e", offset=offset, model="m", ended=offset - 1, summary=said, next_steps=[], open_questions=[]
    )
    at = float(call_sid.removeprefix("CA"))
    return Change(call_sid=call_sid, epoch="e", events=(StoredEvent(offset, encode(event)),), facts=facts(call_sid, at, ended_at=9.0))


def due(archive: Archive, *beside: str) -> list[str]:
    return [call.call_sid for call in archive.unnoted.due(9, beside)[0]]


def begun(archive: Archive, *call_sids: str) -> None:
    archive.write([change(each, "hello", at=float(each.removeprefix("CA"))) for each in call_sids])


def test_a_call_is_listed_from_its_end_to_its_note(unnoted: Archive) -> None:
    begun(unnoted, "CA2", "CA1", "CA3")
    assert due(unnoted) == []
    unnoted.write([end("CA2", 2), end("CA1", 2)])
    assert due(unnoted) == ["CA1", "CA2"]
    assert due(unnoted, "CA1") == ["CA2"]
    assert unnoted.unnoted.due(1) == ([("CA1", 9.0)], 2)
    seal_all(unnoted)
    unnoted.write([note("CA1", 3)])
    assert due(unnoted) == ["CA2"]
    unnoted.unnoted.drop("CA2")
    unnoted.unnoted.drop("CA3")
    assert unnoted.unnoted.due(9) == ([], 0)


def test_a_call_that_goes_on_waits_for_its_next_end(unnoted: Archive) -> None:
    begun(unnoted, "CA1")
    unnoted.write([end("CA1", 2)])
    unnoted.write([change("CA1", "again", after=2, at=1.0)])
    assert unnoted.unnoted.due(9) == ([], 1)
    unnoted.write([end("CA1", 4)])
    assert due(unnoted) == ["CA1"]


def test_what_is_written_twice_lists_a_call_once_and_what_is_written_at_once_counts_in_its_order(unnoted: Archive) -> None:
    begun(unnoted, "CA1", "CA2")
    unnoted.write([end("CA1", 2), end("CA1", 2)])
    both = Change(call_sid="CA2", epoch="e", events=(*end("CA2", 2).events, *note("CA2", 3).events), facts=end("CA2", 2).facts)
    unnoted.write([both])
    assert due(unnoted) == ["CA1"]


def test_a_call_that_is_erased_is_listed_no_longer(unnoted: Archive) -> None:
    begun(unnoted, "CA1")
    unnoted.write([end("CA1", 2)])
    unnoted.erase(["CA1"], "erased", 10.0)
    assert unnoted.unnoted.due(9) == ([], 0)
    unnoted.write([end("CA1", 2), note("CA1", 3)])
    assert unnoted.unnoted.due(9) == ([], 0)


def test_nothing_is_listed_where_nobody_wants_notes(archive: Archive) -> None:
    begun(archive, "CA1")
    archive.write([end("CA1", 2)])
    assert archive.unnoted.due(9) == ([], 0)
