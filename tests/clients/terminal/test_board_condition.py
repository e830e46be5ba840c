"""What is missing in a call's record, on the board: in the hub's own words, and where nobody overlooks it."""

import re

import msgspec
import pytest

from clients.terminal.watch import lines
from hub import events
from hub.events import Completeness
from tests.clients.terminal.test_board import CALL, EPOCH, OTHER, Sight, ended, final, interim, listing, started, summary
from tests.completeness import COMPLETE

REFUSED = msgspec.structs.replace(COMPLETE, state="not-transcribed", summary="not transcribed: deepgram refused the key")
ONE_SIDED = msgspec.structs.replace(COMPLETE, state="incomplete", summary="only one side was heard", unheard="outbound")
ALL = msgspec.structs.replace(
    COMPLETE, state="incomplete", summary="incomplete: 12 s not transcribed; 20 % of the audio was lost; only one side was heard"
)


def condition(found: Completeness, offset: int = 2, call: str = CALL) -> events.ConditionChanged:
    return events.ConditionChanged(call_sid=call, at="2026-11-21T10:00:07.000Z", epoch=EPOCH, offset=offset, completeness=found)


def lost(attempt: int, offset: int = 2) -> events.TranscriberLost:
    return events.TranscriberLost(
        call_sid=CALL, at="2026-11-21T10:00:06.000Z", epoch=EPOCH, offset=offset, provider="deepgram", reason="HTTP 401", attempt=attempt
    )


def shown(sight: Sight) -> str:
    """Return all that the board shows, as one line."""
    return " ".join(" ".join(sight.lines()).split())


def state(sight: Sight, at: int = 0) -> str:
    """Return a row's last column, which may go on in lines below it."""
    rows = sight.lines()
    column, words = rows[2].index("state"), rows[2].index("last words")
    row = [line[column:words].strip() for line in rows[4 + at :]]
    return " ".join(row).strip()


@pytest.mark.parametrize("found", [REFUSED, ONE_SIDED, ALL])
@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_wide_board_says_it_whole_in_its_column_beside_the_words(found: Completeness, width: int) -> None:
    sight = Sight(width)
    sight.receive(listing(summary()), final("hello", 2), condition(found, 3))
    assert sorted(state(sight).split("; ")) == sorted(found.summary.split("; "))
    assert "hello" in shown(sight)
    assert "1 need attention, 1 live" in sight.lines()[0]


@pytest.mark.parametrize("width", [40, 60, 79])
def test_a_narrow_board_says_it_whole_in_place_of_the_words(width: int) -> None:
    sight = Sight(width)
    sight.receive(listing(msgspec.structs.replace(summary(), completeness=REFUSED)))
    words = sight.lines()[2].index("last words")
    told = [line[words:].strip() for line in sight.lines()[4:]]
    assert " ".join(told) == REFUSED.summary


def test_the_list_says_it_too_and_all_is_well_again_when_the_hub_says_so() -> None:
    sight = Sight()
    sight.receive(listing(msgspec.structs.replace(summary(), completeness=ONE_SIDED)))
    assert state(sight) == "only one side was heard"
    sight.receive(condition(COMPLETE))
    assert state(sight) == "deepgram"


def test_a_refusal_is_said_once_and_in_the_records_words() -> None:
    sight = Sight(200)
    sight.receive(listing(summary()), lost(0))
    assert state(sight) == "deepgram lost: HTTP 401", "until the hub has said what it means for the record"
    sight.receive(condition(REFUSED, 3))
    assert state(sight) == REFUSED.summary
    assert [row.urgency for row in sight.board.rows.values()] == [7]


def test_a_provider_that_is_lost_now_stands_beside_what_is_missing() -> None:
    sight = Sight(200)
    sight.receive(listing(summary()), condition(ONE_SIDED), lost(1, 3))
    assert state(sight) == "deepgram lost, trying again; only one side was heard"


@pytest.mark.parametrize("width", [60, 120])
def test_the_end_says_why_and_what_is_missing(width: int) -> None:
    sight = Sight(width)
    sight.receive(listing(summary()), final("hello", 2), msgspec.structs.replace(ended(3), completeness=ALL))
    names = sight.lines()[2]
    column, end = (names.index("state"), names.index("last words")) if width == 120 else (names.index("last words"), None)
    told = " ".join(row[column:end].strip() for row in sight.lines()[4:])
    assert re.fullmatch(r"2026-11-21 \d\d:00 completed; " + re.escape(ALL.summary), told)


def test_what_an_earlier_transcriber_missed_is_not_said_of_the_next_one() -> None:
    sight = Sight(200)
    sight.receive(listing(summary()), msgspec.structs.replace(ended(2), completeness=REFUSED), started(3))
    assert state(sight) == "deepgram"


@pytest.mark.parametrize(("width", "height"), [(40, 14), (60, 24), (80, 10), (120, 12), (200, 30)])
def test_calls_that_need_attention_come_first_however_old_and_however_many_there_are(width: int, height: int) -> None:
    sight = Sight(width, height)
    calls = [f"CA{number:032}" for number in range(50)]
    sight.receive(*(listing(*(msgspec.structs.replace(summary(call), from_=f"+1415555{at:04}") for at, call in enumerate(calls))),))
    sight.receive(*(interim(f"words {at}", call) for at, call in enumerate(calls)))
    sight.receive(condition(ONE_SIDED, call=calls[0]), condition(REFUSED, call=calls[3]))
    rows = sight.lines()
    assert len(rows) < height
    assert rows[4].startswith("+14155550003"), "nobody transcribes it"
    assert next(row for row in rows[5:] if row.startswith("+")).startswith("+14155550000"), "the oldest one, of which something is missing"
    assert rows[0].startswith("2 need attention, 50 live, ")
    for summary_ in (REFUSED.summary, ONE_SIDED.summary):
        assert all(word in shown(sight) for word in summary_.split())


@pytest.mark.parametrize("width", [40, 79, 80, 100, 200])
@pytest.mark.parametrize("height", [6, 10, 24])
def test_a_board_full_of_trouble_still_fits(width: int, height: int) -> None:
    sight = Sight(width, height)
    sight.receive(listing(*(msgspec.structs.replace(summary(f"CA{number:032}"), completeness=ALL) for number in range(50))))
    rows = sight.lines()
    assert all(len(row) <= width for row in rows)
    assert len(rows) < height or sum(row.startswith("+") for row in rows) == 1


def told(sight: Sight, *messages: events.Message) -> list[str]:
    found = []
    for message in messages:
        sight.receive(message)
        found += [text.partition("| ")[2] for text in lines(sight.board, message)]
    return found


def test_a_pipe_is_told_when_it_changes_and_of_what_was_wrong_before_it_came_and_nothing_twice() -> None:
    sight = Sight()
    before = listing(msgspec.structs.replace(summary(), completeness=REFUSED), summary(OTHER))
    assert told(sight, before) == [f"the record so far: {REFUSED.summary}"]
    assert told(sight, condition(REFUSED)) == [], "the replay brings it again"
    assert told(sight, before) == [], "and so does a new connection"
    assert told(sight, condition(ONE_SIDED, call=OTHER), condition(COMPLETE, 3, OTHER)) == [
        "the record so far: only one side was heard",
        "the record so far: complete",
    ]
    assert told(sight, msgspec.structs.replace(ended(4), completeness=REFUSED)) == [f"call ended: completed, 00:59.0; {REFUSED.summary}"]
