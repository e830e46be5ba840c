"""The live table of calls: what it makes of what the hub says, and what a screen and a pipe get to see."""

import asyncio
import fcntl
import os
import pty
import re
import struct
import sys
import termios

import pytest
from rich.console import Console

from clients.__main__ import main
from clients.board import KEEP_SECONDS, RECENT_EVENTS, Board, LastWords, Screen
from clients.line import Line
from hub import events
from tests.clients.test_tail import at, client
from tests.house import House, house
from tests.media import CALL
from tests.publishing import ScriptedCall

OTHER = "CA" + "2" * 32
EPOCH = "e1"


def summary(call: str = CALL, *, live: bool = True, offset: int = 1, ended_at: str | None = None) -> events.CallSummary:
    return events.CallSummary(
        call_sid=call, live=live, started_at="2026-11-21T10:00:00.000Z", ended_at=ended_at, from_="+14155550123", to="+14155550100",
        direction=None, speakers={}, transcriber=events.TranscriberName(provider="deepgram", model="nova-3"), utterances=0, reason=None,
        duration=None, transcript=None, epoch=EPOCH, offset=offset,
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
        transcript="complete", audio={},
    )  # fmt: skip


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Sight:
    """A board, a clock to turn, and the screen as text."""

    def __init__(self, width: int = 120, height: int = 20) -> None:
        self.clock = Clock()
        self.board = Board(self.clock)
        self.line = Line("ws://hub/client", None, list)
        self.line.connected = True
        self.console = Console(width=width, height=height, color_system=None)
        self.screen = Screen(self.board, self.line, self.console)

    def take(self, *messages: events.Message) -> list[object]:
        return [request for message in messages for request in self.board.take(message)]

    def lines(self) -> list[str]:
        with self.console.capture() as capture:
            self.console.print(self.screen.page())
        return [line.rstrip() for line in capture.get().splitlines()]


def test_each_live_call_of_the_list_is_followed_from_a_little_before_now() -> None:
    sight = Sight()
    asked = sight.take(listing(summary(offset=3), summary(OTHER, offset=100)))
    assert asked == [
        {"action": "subscribe", "callSid": CALL, "interims": True, "after": {"epoch": EPOCH, "offset": 0}},
        {"action": "subscribe", "callSid": OTHER, "interims": True, "after": {"epoch": EPOCH, "offset": 100 - RECENT_EVENTS}},
    ]


def test_after_a_broken_connection_each_call_goes_on_where_it_was() -> None:
    sight = Sight()
    sight.take(listing(summary()), final("hello", 7))
    assert sight.take(listing(summary(offset=9))) == [
        {"action": "subscribe", "callSid": CALL, "interims": True, "after": {"epoch": EPOCH, "offset": 7}}
    ]


def test_a_call_that_begins_is_followed_once_and_left_when_it_ends() -> None:
    sight = Sight()
    sight.take(listing())
    assert len(sight.take(started())) == 1
    assert sight.take(started(2)) == [], "a second stream"
    assert sight.take(ended(3)) == [{"action": "unsubscribe", "callSid": CALL}]
    assert len(sight.take(started(4))) == 1, "it goes on"


def test_a_row_says_who_how_long_and_the_last_words() -> None:
    sight = Sight()
    sight.take(listing(summary()))
    assert sight.lines()[3].split("  ")[0] == "+14155550123 → +14155550100"
    assert "00:05" in sight.lines()[3]
    sight.clock.now += 3600
    sight.take(interim("and then"))
    assert re.search(r"1:00:05 +agent: and then … +deepgram", sight.lines()[3])
    sight.take(final("And then?", 2))
    assert "caller: And then?" in sight.lines()[3]
    sight.take(final("", 3))
    assert "—" in sight.lines()[3], "taken back"


def test_a_lost_and_a_switched_transcriber_are_seen() -> None:
    sight = Sight(width=160)
    sight.take(listing(summary()))
    stamp = {"call_sid": CALL, "at": "2026-11-21T10:00:06.000Z", "epoch": EPOCH}
    sight.take(events.TranscriberLost(provider="deepgram", reason="HTTP 401", attempt=0, offset=2, **stamp))
    assert "deepgram lost: HTTP 401" in sight.lines()[3]
    sight.take(events.TranscriberSwitched(provider="local", reason="HTTP 401", attempt=0, offset=3, **stamp))
    assert "local took over: HTTP 401" in sight.lines()[3]
    sight.take(events.TranscriberRestored(provider="local", reason="", attempt=1, offset=4, **stamp))
    assert sight.lines()[3].endswith("local")


def test_an_ended_call_stays_for_a_while() -> None:
    sight = Sight()
    sight.take(listing(summary()), final("bye", 2), ended(3))
    sight.clock.now += 55
    assert re.search(r"00:59 +caller: bye +ended: completed", sight.lines()[3])
    assert sight.lines()[0].startswith("0 live")
    sight.clock.now += KEEP_SECONDS
    assert sight.lines()[2] == "No call is live. One that begins appears here."
    sight.take(listing(summary(live=False, ended_at="2026-11-21T10:01:00.000Z"), at="2026-11-21T10:30:00.000Z"))
    assert sight.board.rows == {}


@pytest.mark.parametrize("width", [40, 60, 79, 80, 200])
def test_any_width_shows_one_line_a_call_and_any_height_the_newest(width: int) -> None:
    sight = Sight(width, height=10)
    sight.take(listing(*(summary(f"CA{number:032}") for number in range(50))))
    sight.take(*(interim("the words are many and do not fit " * 9 + f"end {number}", f"CA{number:032}") for number in range(50)))
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
    sight.take(listing(summary()))
    sight.lines()
    sight.line.connected = False
    assert sight.lines()[0].startswith("connection lost, trying again …")


async def test_a_pipe_gets_a_line_for_each_change() -> None:
    async with house() as home:
        early = ScriptedCall(home.state)
        early.final("hello")
        process = await client("board", *at(home))
        assert process.stdout is not None
        lines = [(await process.stdout.readline()).decode().split(" ", 1)[1] for _ in range(2)]
        late = ScriptedCall(home.state, OTHER, from_=None, to=None)
        while not late.record.topic.audience.followings:
            await asyncio.sleep(0.01)
        late.interim("not yet")
        late.final("good-bye")
        early.lost()
        late.end()
        lines += [(await process.stdout.readline()).decode().split(" ", 1)[1] for _ in range(4)]
        process.terminate()
        await process.communicate()
    assert lines == [
        f"{CALL} +14155550123 → +14155550100 | call started, transcribed by scripted\n",
        f"{CALL} +14155550123 → +14155550100 | caller: hello\n",
        f"{OTHER} | call started, transcribed by scripted\n",
        f"{OTHER} | caller: good-bye\n",
        f"{CALL} +14155550123 → +14155550100 | scripted lost: for a test\n",
        f"{OTHER} | call ended: completed, 00:01, transcript complete\n",
    ]


async def test_what_cannot_be_is_one_sentence_and_exit_1(capsys: pytest.CaptureFixture[str]) -> None:
    async with house(secret="s" * 32) as home:
        for arguments, says in (
            (at(home), "this hub wants a token first"),
            ((*at(home), "--token", "a.b.c"), "the token is not one of this hub's"),
            (("--url", "nonsense"), "'nonsense' is no WebSocket address: it would begin with ws:// or wss://"),
        ):
            assert await asyncio.to_thread(main, ["board", *arguments]) == 1
            assert capsys.readouterr() == ("", f"transcript-client: {says}\n")


async def screen_of(home: House, until: str) -> str:
    """Run the board in a real terminal until it shows something; return all it wrote. Ctrl-C must end it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 120, 0, 0))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "clients", "board", *at(home), stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ | {"TERM": "xterm"}
    )
    os.close(theirs)
    os.set_blocking(ours, False)
    written = ""
    try:
        while until not in written:
            try:
                written += os.read(ours, 65536).decode(errors="replace")
            except BlockingIOError:
                await asyncio.sleep(0.02)
        process.send_signal(2)
        assert await process.wait() == 130
    finally:
        os.close(ours)
        if process.returncode is None:
            process.kill()
            await process.wait()
    return written


async def test_a_terminal_gets_a_table_that_ctrl_c_leaves() -> None:
    async with house() as home:
        ScriptedCall(home.state).final("good morning")
        written = await screen_of(home, "good morning")
    assert "+14155550123 → +14155550100" in written
    assert "Traceback" not in written
