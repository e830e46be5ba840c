"""A call as the terminal prints it, and as one line per event on the board."""

from io import StringIO

import msgspec
from rich.console import Console

from clients.terminal.board import Row
from clients.terminal.transcript import CallView
from clients.terminal.watch import line
from hub import events
from hub.transcript.wording import figured
from tests.completeness import COMPLETE
from tests.insight.scripts import SCRIPTS
from tests.media import CALL


def test_a_call_with_an_agent_reads_as_it_was_in_the_terminal_and_on_the_board() -> None:
    happened = [
        events.CallStarted(
            call_sid=CALL, tracks=["inbound", "outbound"], speakers={}, parameters={}, stream_sid="MZ", agent="desk",
            transcriber=events.TranscriberName(provider="openai", model="m"),
        ),
        events.Final(
            call_sid=CALL, utterance="u", revision=1, track="outbound", speaker="desk", text="It is on", start=0.0, end=1.0, words=[],
            interrupted=True,
        ),
        events.Final(
            call_sid=CALL, utterance="v", revision=1, track="outbound", speaker="desk", text="It is", start=2.0, end=3.0, words=[],
            cut=True,
        ),
        events.AgentInterrupted(call_sid=CALL, time=1.0, heard=1.24, generated=3.5),
        events.ToolCalled(call_sid=CALL, invocation="i", tool="book", arguments={"day": "Fr\u00fchling"}, time=2.0),
        events.ToolReturned(call_sid=CALL, invocation="i", tool="book", outcome="refused", detail="full", time=2.0, seconds=0.4),
    ]  # fmt: skip
    console = Console(file=StringIO(), width=120)
    view, row = CallView(console), Row(CALL)
    for event in happened:
        view.receive(event)
    assert console.file.getvalue().splitlines() == [  # type: ignore[attr-defined]
        f"\u2014 call {CALL}: answered by the agent desk, openai (m)",
        "00:00.0  desk: It is on \u2014",
        "00:02.0  desk: It is \u2026 (the model stopped here)",
        "\u2014 the agent was interrupted after 1.2 of 3.5 s",
        '\u2014 the agent uses book: {"day": "Fr\u00fchling"}',
        "\u2014 book refused: full",
    ]
    lines = [text for event in happened if (text := line(row, event))]
    assert [each.partition("| ")[2] for each in lines[3:]] == [
        "the agent was interrupted after 1.2 of 3.5 s", "the agent uses book", "book refused",
    ]  # fmt: skip


def unsettled(view: CallView) -> list[str]:
    with view.console.capture() as capture:
        view.console.print(view.unsettled())
    return capture.get().splitlines()


def interim(utterance: str, text: str, start: float) -> events.Interim:
    return events.Interim(
        call_sid=CALL, utterance=utterance, revision=1, track="inbound", speaker="caller", text=text, start=start, end=9.0
    )


def test_open_utterances_are_shown_in_the_order_they_began_until_they_are_final_or_the_call_ends() -> None:
    view = CallView(Console(file=StringIO(), width=80))
    for event in (interim("b", "second", 2.0), interim("a", "first", 1.0), interim("b", "second one", 2.0), interim("c", "third", 3.0)):
        view.receive(event)
    assert unsettled(view) == ["00:01.0  caller: first …", "00:02.0  caller: second one …", "00:03.0  caller: third …"]
    view.receive(
        events.Final(
            call_sid=CALL, utterance="a", revision=2, track="inbound", speaker="caller", text="First.", start=1.0, end=2.0, words=[]
        )
    )
    assert unsettled(view) == ["00:02.0  caller: second one …", "00:03.0  caller: third …"]
    view.receive(events.CallEnded(call_sid=CALL, reason="completed", duration=9.0, completeness=COMPLETE, audio={}))
    assert unsettled(view) == []


def test_the_figures_so_far_stand_below_the_open_words_and_those_of_the_whole_call_stay() -> None:
    said = SCRIPTS["overlap"]
    figures = said.conversation.counted(round(said.until * 1000))
    view = CallView(Console(file=StringIO(), width=400))
    view.receive(interim("a", "first", 1.0))
    view.receive(events.Statistics(call_sid=CALL, figures=figures))
    words, so_far = unsettled(view)
    assert (words, so_far) == ("00:01.0  caller: first …", f"— {figured(figures)}")
    assert view.console.file.getvalue() == "", "they are not printed each time"  # type: ignore[attr-defined]
    view.receive(events.Statistics(call_sid=CALL, epoch="e", offset=2, figures=figures))
    view.receive(events.CallEnded(call_sid=CALL, epoch="e", offset=3, reason="completed", duration=9.0, completeness=COMPLETE, audio={}))
    assert unsettled(view) == []
    assert view.console.file.getvalue().splitlines() == [  # type: ignore[attr-defined]
        f"— {figured(figures)}", "— call ended: completed, 00:09.0; complete",
    ]  # fmt: skip


def subscribed(epoch: str) -> events.Subscribed:
    return events.Subscribed(call_sid=CALL, epoch=epoch, offset=0, whole=False)


def test_words_that_were_not_final_when_the_hub_lost_its_log_stay_and_are_marked() -> None:
    console = Console(file=StringIO(), width=120)
    view = CallView(console)
    first = events.Final(
        call_sid=CALL, epoch="one", offset=1, utterance="a", revision=2, track="inbound", speaker="caller", text="Hi.", start=0.0, end=1.0,
        words=[],
    )  # fmt: skip
    for event in (first, interim("c", "are you there", 3.0), interim("b", "can you", 2.0), subscribed("two"), interim("c", "hello", 9.0)):
        view.receive(event)
    assert console.file.getvalue().splitlines() == [  # type: ignore[attr-defined]
        "00:00.0  caller: Hi.",
        "00:02.0  caller: can you … (not finished when the hub was restarted)",
        "00:03.0  caller: are you there … (not finished when the hub was restarted)",
        "— the hub no longer has the earlier parts of this call",
    ]
    assert unsettled(view) == ["00:09.0  caller: hello …"], "of the new log, whose names may be the same"


def test_words_that_a_hub_had_open_when_it_was_killed_stay_and_are_marked_once_its_gap_comes() -> None:
    console = Console(file=StringIO(), width=120)
    view = CallView(console)
    for event in (
        interim("b", "can you", 2.0), subscribed("one"),
        events.Gap(call_sid=CALL, epoch="one", track="outbound", start=0.0, end=9.0, reason="no stream"),
        events.Gap(call_sid=CALL, epoch="one", track="inbound", start=2.5, end=9.0, reason="no stream"),
    ):  # fmt: skip
        view.receive(event)
    assert unsettled(view) == ["00:02.0  caller: can you …"], "it may still become final: what was said after it is missing"
    view.receive(events.Gap(call_sid=CALL, epoch="one", track="inbound", start=1.9, end=9.0, reason="no stream"))
    assert unsettled(view) == []
    assert "00:02.0  caller: can you … (not finished when the hub was restarted)" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_hole_in_the_same_log_leaves_open_words_open() -> None:
    view = CallView(Console(file=StringIO(), width=80))
    for event in (subscribed("one"), interim("b", "can you", 2.0), subscribed("one")):
        view.receive(event)
    assert unsettled(view) == ["00:02.0  caller: can you …"]


def test_what_is_wrong_with_a_record_stands_out() -> None:
    found = msgspec.structs.replace(COMPLETE, state="not-transcribed", summary="not transcribed: deepgram refused the key")
    console = Console(file=StringIO(), width=120, force_terminal=True, color_system="standard")
    CallView(console).receive(events.ConditionChanged(call_sid=CALL, completeness=found))
    assert console.file.getvalue() == f"\x1b[1;31m— the record so far: {found.summary}\x1b[0m\n"  # type: ignore[attr-defined]
