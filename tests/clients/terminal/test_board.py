"""The live table of calls: what it makes of the hub's messages, and what it shows at any size."""

import re

import msgspec
import pytest
from rich.console import Console

from clients.follow import HubConnection
from clients.terminal.board import KEEP_SECONDS, MOST_FOLLOWED, RECENT_EVENTS, Board
from clients.terminal.table import BoardView, LastWords
from hub import events
from tests.completeness import COMPLETE
from tests.media import CALL

OTHER = "CA" + "2" * 32
EPOCH = "e1"


def summary(call: str = CALL, *, live: bool = True, offset: int = 1, ended_at: str | None = None) -> events.CallSummary:
    return events.CallSummary(
        call_sid=call, live=live, started_at="2026-11-21T10:00:00.000Z", ended_at=ended_at, from_="+14155550123", to="+14155550100",
        direction=None, speakers={}, transcriber=events.TranscriberName(provider="deepgram", model="nova-3"), utterances=0, reason=None,
        duration=None, completeness=COMPLETE, epoch=EPOCH, offset=offset,
    )  # fmt: skip


def listing(*calls: events.CallSummary, at: str = "2026-11-21T10:00:05.000Z") -> events.CallList:
    return events.CallList(calls=list(calls), at=at)


def final(text: str, offset: int, call: str = CALL, utterance: str = "u1") -> events.Final:
    return events.Final(
        call_sid=call, at="2026-11-21T10:00:06.000Z", epoch=EPOCH, offset=offset, utterance=utterance, revision=2, track="inbound",
        speaker="caller", text=text, start=0.0, end=1.0, words=[],
    )  # fmt: skip


def interim(text: str, call: str = CALL) -> events.Interim:
    return events.Interim(
        call_sid=call, at="2026-11-21T10:00:06.000Z", utterance="u1", revision=1, track="outbound", speaker="agent", text=text,
        start=0.0, end=1.0,
    )  # fmt: skip


def started(offset: int = 1, call: str = CALL) -> events.CallStarted:
    return events.CallStarted(
        call_sid=call, at="2026-11-21T10:00:00.000Z", epoch=EPOCH, offset=offset, tracks=["inbound"], speakers={}, parameters={},
        stream_sid="MZ1", transcriber=events.TranscriberName(provider="deepgram", model="nova-3"),
    )  # fmt: skip


def ended(offset: int, call: str = CALL) -> events.CallEnded:
    return events.CallEnded(
        call_sid=call, at="2026-11-21T10:01:00.000Z", epoch=EPOCH, offset=offset, reason="completed", duration=59.0,
        completeness=COMPLETE, audio={},
    )  # fmt: skip


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Sight:
    """A board, a clock that the test sets, and what the board shows as text."""

    def __init__(self, width: int = 120, height: int = 20) -> None:
        self.clock = Clock()
        self.board = Board(self.clock)
        self.connection = HubConnection("ws://hub/client", None, list)
        self.connection.connected = True
        self.console = Console(width=width, height=height, color_system=None)
        self.view = BoardView(self.board, self.connection, self.console)

    def receive(self, *messages: events.Message) -> list[object]:
        return [request for message in messages for request in self.board.receive(message)]

    def lines(self) -> list[str]:
        with self.console.capture() as capture:
            self.console.print(self.view.page())
        return [line.rstrip() for line in capture.get().splitlines()]


def test_each_live_call_of_the_list_is_followed_from_a_little_before_now() -> None:
    sight = Sight()
    asked = sight.receive(listing(summary(offset=3), summary(OTHER, offset=100)))
    assert asked == [
        {"action": "subscribe", "callSid": CALL, "interims": True, "after": {"epoch": EPOCH, "offset": 0}},
        {"action": "subscribe", "callSid": OTHER, "interims": True, "after": {"epoch": EPOCH, "offset": 100 - RECENT_EVENTS}},
    ]


def test_after_a_broken_connection_each_call_goes_on_where_it_was() -> None:
    sight = Sight()
    sight.receive(listing(summary()), final("hello", 7))
    assert sight.receive(listing(summary(offset=9))) == [
        {"action": "subscribe", "callSid": CALL, "interims": True, "after": {"epoch": EPOCH, "offset": 7}}
    ]


def test_a_call_that_begins_is_followed_once_and_left_when_it_ends() -> None:
    sight = Sight()
    sight.receive(listing())
    assert len(sight.receive(started())) == 1
    assert sight.receive(started(2)) == [], "a second stream"
    assert sight.receive(ended(3)) == [{"action": "unsubscribe", "callSid": CALL}]
    assert len(sight.receive(started(4))) == 1, "it goes on"


def test_a_row_says_who_how_long_and_the_last_words() -> None:
    sight = Sight()
    sight.receive(listing(summary()))
    assert sight.lines()[3].split("  ")[0] == "+14155550123 → +14155550100"
    assert "00:05" in sight.lines()[3]
    sight.clock.now += 3600
    sight.receive(interim("and then"))
    assert re.search(r"1:00:05 +agent: and then … +deepgram", sight.lines()[3])
    sight.receive(final("And then?", 2))
    assert "caller: And then?" in sight.lines()[3]
    sight.receive(final("", 3))
    assert "—" in sight.lines()[3], "taken back"


def test_a_lost_and_a_switched_transcriber_are_seen() -> None:
    sight = Sight(width=160)
    sight.receive(listing(summary()))
    stamp = {"call_sid": CALL, "at": "2026-11-21T10:00:06.000Z", "epoch": EPOCH}
    sight.receive(events.TranscriberLost(provider="deepgram", reason="HTTP 401", attempt=0, offset=2, **stamp))
    assert "deepgram lost: HTTP 401" in sight.lines()[3]
    sight.receive(events.TranscriberSwitched(provider="local", reason="HTTP 401", attempt=0, offset=3, **stamp))
    assert "local took over: HTTP 401" in sight.lines()[3]
    sight.receive(events.TranscriberRestored(provider="local", reason="", attempt=1, offset=4, **stamp))
    assert sight.lines()[3].endswith("local")


def test_an_ended_call_stays_for_a_while() -> None:
    sight = Sight()
    sight.receive(listing(summary()), final("bye", 2), ended(3))
    sight.clock.now += 55
    assert re.search(r"00:59 +caller: bye +ended: completed", sight.lines()[3])
    assert sight.lines()[0].startswith("0 live")
    sight.clock.now += KEEP_SECONDS
    assert sight.lines()[2] == "No call is live. A new call appears here."
    sight.receive(listing(summary(live=False, ended_at="2026-11-21T10:01:00.000Z"), at="2026-11-21T10:30:00.000Z"))
    assert sight.board.rows == {}


@pytest.mark.parametrize("width", [40, 60, 79, 80, 200])
def test_any_width_shows_one_line_a_call_and_any_height_the_newest(width: int) -> None:
    sight = Sight(width, height=10)
    sight.receive(listing(*(summary(f"CA{number:032}") for number in range(50))))
    sight.receive(*(interim("the words are many and do not fit " * 9 + f"end {number}", f"CA{number:032}") for number in range(50)))
    lines = sight.lines()
    assert len(lines) <= 9
    assert all(len(line) <= width for line in lines)
    assert "end 49 …" in lines[-1], "the end of the words is the news"
    assert "50 live, 45 more than fit here" in lines[0]


def test_wide_letters_are_measured() -> None:
    console = Console(width=30, color_system=None)
    with console.capture() as capture:
        console.print(LastWords(interim("你好" * 30)))
    assert capture.get().rstrip().endswith("你好 …")


def test_a_lost_connection_is_seen() -> None:
    sight = Sight()
    sight.receive(listing(summary()))
    sight.lines()
    sight.connection.connected = False
    assert sight.lines()[0].startswith("connection lost, trying again …")


def test_after_a_restart_a_call_is_followed_in_the_new_log_and_not_at_its_old_position() -> None:
    sight = Sight()
    sight.receive(listing(summary()), final("hello", 70))
    restarted = msgspec.structs.replace(summary(offset=40), epoch="e2")
    assert sight.receive(listing(restarted)) == [
        {"action": "subscribe", "callSid": CALL, "interims": True, "after": {"epoch": "e2", "offset": 40 - RECENT_EVENTS}}
    ]


def test_only_the_utterance_that_was_taken_back_leaves_the_row() -> None:
    sight = Sight()
    sight.receive(listing(summary()), final("hello", 2, utterance="u2"), final("", 3, utterance="u1"))
    assert "caller: hello" in sight.lines()[3]


def test_a_call_that_the_hub_does_not_know_leaves_the_board() -> None:
    sight = Sight()
    sight.receive(listing(summary()), events.Refusal(code="unknown-call", message="no such call", call_sid=CALL))
    assert sight.board.rows == {}


def test_a_call_that_goes_on_is_live_again_since_its_first_start() -> None:
    sight = Sight()
    sight.receive(listing(summary()), ended(2), msgspec.structs.replace(started(3), at="2026-11-21T10:00:04.000Z"))
    row = sight.board.rows[CALL]
    assert (row.live, row.ended, row.duration, row.reason) == (True, None, None, "")
    assert "00:05" in sight.lines()[3], "since 10:00:00, not since its second stream"


def test_an_ended_call_is_followed_only_while_its_last_words_are_unknown() -> None:
    sight = Sight()
    over = summary(live=False, ended_at="2026-11-21T10:00:04.000Z")
    assert len(sight.receive(listing(over))) == 1
    sight.receive(final("bye", 2))
    assert sight.receive(listing(over)) == []


def test_no_more_calls_are_followed_than_a_screen_could_ever_show_and_the_newest_are() -> None:
    sight = Sight()
    asked = sight.receive(listing(*(summary(f"CA{number:032}") for number in range(MOST_FOLLOWED + 3))))
    assert [request["callSid"] for request in asked] == [f"CA{number:032}" for number in range(3, MOST_FOLLOWED + 3)]  # type: ignore[index]


def last_words(text: str, width: int) -> str:
    console = Console(width=width, record=True, color_system=None)
    with console.capture() as printed:
        console.print(LastWords(interim(text)))
    return printed.get()


def test_what_is_one_letter_to_its_reader_is_kept_whole_or_left_out() -> None:
    assert last_words("می\u200cروم 10\u00a0km cafe\u0301", 60) == "agent: می\u200cروم 10\u00a0km cafe\u0301 …\n"
    coder = "\U0001f469\u200d\U0001f4bb"
    assert last_words(f"hello {coder} yes", 16) == f"agent: …{coder} yes …\n"
    assert last_words(f"hello {coder} yes", 15) == "agent: … yes …\n"
    assert last_words("cafe\u0301 au lait", 20) == "agent: …fe\u0301 au lait …\n"
