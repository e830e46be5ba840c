"""The live table of calls: what it makes of the hub's messages, and what it shows at any size."""

import re

import msgspec
import pytest
from rich.console import Console

from clients.follow import HubConnection, Position
from clients.terminal.board import KEEP_SECONDS, MOST_FOLLOWED, RECENT_EVENTS, Board
from clients.terminal.browsing import Browsing
from clients.terminal.keyboard import keys
from clients.terminal.table import BoardView, last_words
from hub import events
from tests.completeness import COMPLETE
from tests.insight.scripts import SCRIPTS
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

    def __init__(self, width: int = 120, height: int = 20, *, keys: bool = False) -> None:
        self.clock = Clock()
        self.board = Board(self.clock)
        self.connection = HubConnection("ws://hub/client", None, list)
        self.connection.connected = True
        self.console = Console(width=width, height=height, color_system=None)
        self.browsing = Browsing()
        self.view = BoardView(self.board, self.connection, self.console, self.browsing if keys else None)

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
    assert sight.lines()[4].split("  ")[0] == "+14155550123"
    assert "00:05" in sight.lines()[4]
    sight.clock.now += 3600
    sight.receive(interim("and then"))
    assert re.search(r"1:00:05 +deepgram +agent: and then …", sight.lines()[4])
    sight.receive(final("And then?", 2))
    assert "caller: And then?" in sight.lines()[4]
    sight.receive(final("", 3))
    assert "—" in sight.lines()[4], "taken back"


def figures(script: str) -> events.CallStatistics:
    said = SCRIPTS[script]
    return said.conversation.counted(round(said.until * 1000))


def test_a_row_says_how_much_of_the_talk_each_side_has_as_soon_as_any_call_has_figures() -> None:
    sight = Sight()
    sight.receive(listing(summary(), msgspec.structs.replace(summary(OTHER), statistics=figures("one side alone"))), final("hello", 2))
    assert [row.talk for row in sight.board.rows.values()] == ["", "100:0"]
    sight.receive(events.Statistics(call_sid=CALL, figures=figures("dead air")))
    assert " talk " in sight.lines()[2]
    assert re.search(r" 00:05 +76:24 ", "".join(sight.lines()))
    assert sight.board.rows[CALL].position == Position(EPOCH, 2), "figures of a live call have no place in its log"
    sight.receive(events.Statistics(call_sid=CALL, epoch=EPOCH, offset=3, figures=figures("monologue")))
    assert (sight.board.rows[CALL].talk, sight.board.rows[CALL].position) == ("5:95", Position(EPOCH, 3))
    narrow = Sight(width=90)
    narrow.receive(listing(msgspec.structs.replace(summary(), statistics=figures("monologue"))))
    assert "5:95" not in "".join(narrow.lines())


def test_a_lost_and_a_switched_transcriber_are_seen() -> None:
    sight = Sight(width=160)
    sight.receive(listing(summary()))
    stamp = {"call_sid": CALL, "at": "2026-11-21T10:00:06.000Z", "epoch": EPOCH}
    sight.receive(events.TranscriberLost(provider="deepgram", reason="HTTP 401", attempt=0, offset=2, **stamp))
    assert "deepgram lost: HTTP 401" in sight.lines()[4]
    sight.receive(events.TranscriberSwitched(provider="local", reason="HTTP 401", attempt=0, offset=3, **stamp))
    assert "local took over: HTTP 401" in sight.lines()[4]
    sight.receive(events.TranscriberRestored(provider="local", reason="", attempt=1, offset=4, **stamp))
    assert re.search(r" local +—$", sight.lines()[4])


def test_an_ended_call_stays_for_a_while() -> None:
    sight = Sight()
    sight.receive(listing(summary()), final("bye", 2), ended(3))
    sight.clock.now += 55
    assert re.search(r"00:59 +2026-11-21 \d\d:00 completed +caller: bye", sight.lines()[4])
    assert sight.lines()[0].startswith("0 live")
    sight.clock.now += KEEP_SECONDS
    assert sight.lines()[3] == "No call is live. A new call appears here."
    sight.receive(listing(summary(live=False, ended_at="2026-11-21T10:01:00.000Z"), at="2026-11-21T11:30:00.000Z"))
    assert sight.board.rows == {}


@pytest.mark.parametrize("width", [40, 60, 79, 80, 200])
def test_any_width_shows_one_line_a_call_and_any_height_the_newest(width: int) -> None:
    sight = Sight(width, height=10)
    sight.receive(listing(*(summary(f"CA{number:032}") for number in range(50))))
    sight.receive(*(interim("the words are many and do not fit " * 9 + f"end {number}", f"CA{number:032}") for number in range(50)))
    lines = sight.lines()
    assert len(lines) <= 9
    assert all(len(line) <= width for line in lines)
    assert sum("end" in line for line in lines) == 4
    assert any("end 0 …" in line for line in lines), "the end of the words is the news"
    assert "50 live, 46 more lines below" in lines[0]


def test_wide_letters_are_measured() -> None:
    assert last_words(interim("你好" * 30), 30).plain.endswith("你好 …")
    assert last_words(interim("你好" * 30), 30).cell_len <= 30


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
    assert "caller: hello" in sight.lines()[4]


def test_a_call_that_the_hub_does_not_know_leaves_the_board() -> None:
    sight = Sight()
    sight.receive(listing(summary()), events.Refusal(code="unknown-call", message="no such call", call_sid=CALL))
    assert sight.board.rows == {}


def test_a_call_that_goes_on_is_live_again_since_its_first_start() -> None:
    sight = Sight()
    sight.receive(listing(summary()), ended(2), msgspec.structs.replace(started(3), at="2026-11-21T10:00:04.000Z"))
    row = sight.board.rows[CALL]
    assert (row.live, row.ended, row.duration, row.reason) == (True, None, None, "")
    assert "00:05" in sight.lines()[4], "since 10:00:00, not since its second stream"


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


def shortened(text: str, width: int) -> str:
    return last_words(interim(text), width).plain


def test_what_is_one_letter_to_its_reader_is_kept_whole_or_left_out() -> None:
    assert shortened("می\u200cروم 10\u00a0km cafe\u0301", 60) == "agent: می\u200cروم 10\u00a0km cafe\u0301 …"
    coder = "\U0001f469\u200d\U0001f4bb"
    assert shortened(f"hello {coder} yes", 16) == f"agent: …{coder} yes …"
    assert shortened(f"hello {coder} yes", 15) == "agent: … yes …"
    assert shortened("cafe\u0301 au lait", 20) == "agent: …fe\u0301 au lait …"


def desk() -> Sight:
    """A board with a call that needs attention, two live ones and one that is over."""
    sight = Sight(160, 24, keys=True)
    calls = [
        msgspec.structs.replace(
            summary(f"CA{at:032}"), from_=f"+1415555000{at}", person=agent, queue=queue, started_at=f"2026-11-21T{began}:00.000Z",
            direction="inbound" if at else "outbound-api",
        )
        for at, (agent, queue, began) in enumerate((("Maya", "billing", "09:00"), ("Ada", "orders", "09:30"), ("Tom", None, "09:58")))
    ]  # fmt: skip
    over = msgspec.structs.replace(
        summary("CA9", live=False, ended_at="2026-11-21T09:59:00.000Z"), from_="+14155550009", reason="completed"
    )  # fmt: skip
    failed = msgspec.structs.replace(calls[1], attention=(events.AttentionReason(kind="tool-failed", about="book", since=""),))
    sight.receive(listing(calls[0], failed, calls[2], over))
    return sight


def shown(sight: Sight) -> list[str]:
    """Return the last two digits of the calls on the board, and the headings of its parts."""
    rows = [line.split("  ")[0] for line in sight.lines()[3:]]
    return [row[-2:] if row.startswith("+") else row for row in rows if " · " in row[:30] or row.startswith("+")]


def test_what_needs_attention_comes_first_then_what_is_live_then_what_is_over_with_date_and_time() -> None:
    sight = desk()
    assert shown(sight)[:7] == ["Needs attention · 1", "01", "Live · 2", "02", "00", "Past · 1", "09"]
    lines = sight.lines()
    assert lines[0].startswith("1 need attention, 3 live")
    assert re.search(r"\+14155550001 +30:05 +Ada +orders +in +tool book failed", lines[4])
    assert re.search(r"Maya +billing +out", lines[7])
    assert re.search(r"\+14155550009 .*2026-11-21 \d\d:00 completed", lines[9])
    assert lines[-1].startswith("↑↓ scroll · s order: newest")


def test_a_call_that_is_over_keeps_what_its_watchwords_found() -> None:
    sight = Sight(width=160)
    alert = events.Alert(
        call_sid=CALL, at="2026-11-21T10:00:07.000Z", epoch=EPOCH, offset=2, rule="refund", kind="phrase", summary="“money back”",
        start=1.0, end=2.0,
    )  # fmt: skip
    sight.receive(listing(summary()), alert)
    (row,) = sight.board.rows.values()
    assert row.why == "watchword: refund"
    sight.receive(alert, ended(3))
    assert row.why == "watchword: refund (“money back”)"
    sight.receive(listing(msgspec.structs.replace(summary(live=False, offset=3), alerts=row.alerts.summary)))
    assert [each.why for each in sight.board.rows.values()] == ["watchword: refund (“money back”)"]


def test_keys_sort_and_choose_what_is_shown() -> None:
    sight = desk()
    for order, expected in (("number", "00"), ("agent", "00"), ("queue", "00"), ("direction", "02"), ("duration", "00"), ("state", "02")):
        sight.browsing.press("s")
        live = shown(sight).index("Live · 2")
        assert (sight.browsing.order, shown(sight)[live + 1]) == (order, expected)
    for expected_rows in (["01"], ["02", "00"], ["09"]):
        sight.browsing.press("f")
        assert [row for row in shown(sight) if row.isdigit()] == expected_rows
    sight.browsing.press("escape")
    assert shown(sight)[0] == "Needs attention · 1"
    sight.browsing.press("q")
    assert sight.browsing.left


def test_what_is_typed_filters_by_agent_queue_direction_number_state_and_duration() -> None:
    sight = desk()
    for query, expected in (
        ("maya", ["00"]), ("ORDERS", ["01"]), ("outbound", ["00"]), ("50002", ["02"]), ("book failed", ["01"]), (">20m", ["01", "00"]),
        (">20 billing", ["00"]), ("nobody", []),
    ):  # fmt: skip
        for key in ("/", *query, "enter"):
            sight.browsing.press(key)
        assert [row for row in shown(sight) if row.isdigit()] == expected, query
        sight.browsing.press("escape")
    for key in ("/", "s", "q", "backspace"):
        sight.browsing.press(key)
    assert (sight.browsing.query, sight.browsing.left, sight.browsing.order) == ("s", False, "newest"), "letters are no commands now"


def test_the_board_scrolls_to_its_last_call_and_back() -> None:
    sight = Sight(80, height=12, keys=True)
    began = [f"2026-11-21T09:{at:02}:00.000Z" for at in range(60)]
    calls = [msgspec.structs.replace(summary(f"CA{at:032}"), from_=f"+1415555{at:04}", started_at=began[at]) for at in range(60)]
    sight.receive(listing(*calls))
    assert "+14155550000" not in "\n".join(sight.lines())
    sight.browsing.press("end")
    assert "+14155550000" in "\n".join(sight.lines())
    last = sight.browsing.top
    sight.browsing.press("down")
    sight.lines()
    assert sight.browsing.top == last, "there is nothing below it"
    sight.browsing.press("page up")
    sight.lines()
    assert sight.browsing.top == last - sight.browsing.page
    sight.browsing.press("home")
    assert sight.lines()[3] == "Live · 60"


def test_a_terminal_writes_keys_in_several_ways() -> None:
    assert keys("a\x1b[A\x1bOB\x1b[5~\x1b[6~\x1b[H\x1b[4~\x7f\r/ü") == [
        "a", "up", "down", "page up", "page down", "home", "end", "backspace", "enter", "/", "ü",
    ]  # fmt: skip
    assert keys("\x1b") == ["escape"]
    assert keys("\x1b[24~\x00\x01") == [], "F12, and what no key writes"
