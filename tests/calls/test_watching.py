"""Live calls are watched: alerts stand behind what caused them, come to those who read, and outlive the process that made them."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hub.broker.broker import HoldTimes
from hub.broker.memory import MemoryBroker, MemoryCluster
from hub.calls.bookmark import Entry
from hub.calls.takeover import LeftCall
from hub.calls.watching import WatchedCalls, read_watchwords
from hub.errors import ConfigError
from hub.events import Alert, AlertWithdrawn, CallEnded
from hub.topics.registry import Registry
from tests.calls.call_desk import CALL, CallDesk, FakePeer, call_desk, kinds, published, start, turns
from tests.calls.left_calls import COMPLETE, final, left_call
from tests.docs.pages import the_block
from tests.house import House, house
from tests.media import media
from tests.publishing import ScriptedCall

RULES = """
[rules.cancel]
phrases = ["cancel my account"]
[rules.silent]
silence_seconds = 20
[rules.long]
call_seconds = 300
"""


def rules(folder: Path, text: str = RULES) -> str:
    path = folder / "watchwords.toml"
    path.write_text(text)
    return str(path)


async def until(fact: Callable[[], Any]) -> Any:
    """Return a fact as soon as it is one."""
    async with asyncio.timeout(20):
        while not (found := fact()):
            await asyncio.sleep(0.01)
    return found


@asynccontextmanager
async def watched_desk(folder: Path, **desk: Any) -> AsyncIterator[CallDesk]:
    async with call_desk(**desk) as made:
        watching = WatchedCalls(read_watchwords(rules(folder)), made.registry)
        made.registry.annotator = watching
        looking = made.group.create_task(watching.run(made.calls))
        yield made
        looking.cancel()


def alerts(desk: CallDesk) -> list[Alert]:
    return [event for event in published(desk.record()) if isinstance(event, Alert)]


async def test_alerts_stand_behind_what_caused_them(tmp_path: Path) -> None:
    async with watched_desk(tmp_path) as desk:
        stream = desk.calls.join(start(), FakePeer())
        await turns()
        desk.transcribers[0].final("please cancel my account")
        assert kinds(desk.record())[-2:] == ["final", "alert"]
        desk.transcribers[0].interim("cancel my account", "outbound", 2.0, 3.0)
        desk.clock.now += 1.0
        await until(lambda: len(alerts(desk)) == 2)
        desk.transcribers[0].final("counsel my account", "outbound", 2.0, 3.0)
        assert kinds(desk.record())[-3:] == ["alert", "final", "alert-withdrawn"]
        withdrawn = published(desk.record())[-1]
        assert isinstance(withdrawn, AlertWithdrawn)
        assert withdrawn.alert == alerts(desk)[1].offset
        stream.stop()
        await desk.idle()
        assert kinds(desk.record())[-1] == "call-ended"


async def test_what_only_time_brings_is_told_by_the_calls_own_clock(tmp_path: Path) -> None:
    async with watched_desk(tmp_path) as desk:
        stream = desk.calls.join(start(), FakePeer())
        desk.talk(stream, 0, 1000)
        desk.clock.now += 25.0
        await until(lambda: alerts(desk))
        desk.clock.now += 280.0
        await until(lambda: len(alerts(desk)) == 2)
        assert [alert.rule for alert in alerts(desk)] == ["silent", "long"]
        stream.stop()
        await desk.idle()


@pytest.mark.parametrize(
    ("log", "owed"),
    [
        ([final("inbound-1", "cancel my account", 1.0, 2.0)], ["alert"]),
        ([final("inbound-1", "cancel my account", 1.0, 2.0), final("inbound-2", "bye", 3.0, 4.0)], []),
        (
            [
                final("inbound-1", "cancel my account", 1.0, 2.0),
                Alert(call_sid="", rule="cancel", kind="phrase", summary="s", utterance="inbound-1", start=1.0, end=2.0),
            ],
            [],
        ),
        (
            [
                Alert(call_sid="", rule="cancel", kind="phrase", summary="s", utterance="inbound-1", start=1.0, end=2.0, interim=True),
                final("inbound-1", "good morning", 1.0, 2.0),
            ],
            ["alert-withdrawn"],
        ),
        (
            [
                final("inbound-1", "hello", 1.0, 2.0),
                CallEnded(call_sid="", reason="hub-stopping", duration=61.0, completeness=COMPLETE, audio={}),
            ],
            ["call-started"],
        ),
    ],
)
async def test_the_next_process_tells_what_the_one_before_had_no_time_for(tmp_path: Path, log: list[Any], owed: list[str]) -> None:
    entry = Entry(at=1000.0, call_ms=61_000.0, tracks=["inbound"], parameters={})

    def left(registry: Registry) -> list[LeftCall]:
        return [left_call(registry, CALL, entry, *log)]

    async with watched_desk(tmp_path, account=True, left=left) as desk:
        before = kinds(desk.record())
        desk.take_over.begin(desk.clock(), desk.clock())
        assert kinds(desk.record()) == [*before, *owed]


async def test_what_is_said_while_another_node_hands_a_call_over_is_looked_at_when_it_is_this_nodes(tmp_path: Path) -> None:
    async with watched_desk(tmp_path) as desk:
        call = desk.registry.learn(CALL, "other", "epoch", 1)
        call.held_back, call.loaded = [], True
        desk.registry.publish(call, final("inbound-1", "cancel my account", 1.0, 2.0))
        assert kinds(call) == []
        desk.registry.own(call, 2)
        assert kinds(call) == ["final", "alert"]


async def test_everybody_who_reads_is_told_and_the_list_says_that_the_call_needs_attention(tmp_path: Path) -> None:
    async with house(watchwords=rules(tmp_path)) as home:
        call = ScriptedCall(home.state)
        following, listing = await home.open("/client"), await home.open("/client")
        await listing.send_json({"action": "subscribe", "calls": "all"})
        await _next(listing, "calls")
        await following.send_str(call.call)
        call.interim("I will cancel my account", "u1")
        for socket in (following, listing):
            told = await _next(socket, "alert")
            assert (told["rule"], told["summary"], told["interim"]) == ("cancel", "“cancel my account”", True)
        summary = await _summary(home)
        assert summary["alerts"] == {"count": 1, "rule": "cancel", "summary": "“cancel my account”", "time": 0.0}
        assert [(reason["kind"], reason["about"]) for reason in summary["attention"]] == [("watchword", "cancel")]
        call.final("I will counsel my account", "u1")
        for socket in (following, listing):
            assert (await _next(socket, "alert-withdrawn"))["alert"] == told["offset"]
        summary = await _summary(home)
        assert (summary["alerts"], summary["attention"]) == (None, [])
        call.final("cancel my account", "u2")
        call.end()
        summary = await _summary(home)
        assert (summary["alerts"]["count"], summary["attention"]) == (1, []), "what is over needs nobody"


async def _next(socket: Any, kind: str) -> dict[str, Any]:
    while True:
        message = await socket.receive_json()
        if isinstance(message, dict) and message["type"] == kind:
            return message


async def _summary(home: House) -> dict[str, Any]:
    (summary,) = (await home.json("/calls"))["calls"]
    return dict(summary)


async def test_a_restarted_hub_goes_on_and_tells_nothing_twice(tmp_path: Path) -> None:
    settings = {"watchwords": rules(tmp_path), "archive": str(tmp_path / "calls.db")}

    def told(home: House) -> list[tuple[str, Any]]:
        record = home.state.registry.known(CALL)
        assert record is not None
        log = [json.loads(payload) for payload in record.topic.log.after(0)]
        return [(event["rule"], event.get("utterance")) for event in log if event["type"] == "alert"]

    async with house(**settings) as home:
        stream = await home.call(call=CALL)
        await stream.send_str(media("inbound", 0))
        await until(lambda: home.transcribers)
        await home.transcribers[0].started.wait()
        home.transcribers[0].final("cancel my account")
        await until(lambda: told(home))
        await stream.close()
    async with house(**settings) as home:
        await home.call(call=CALL)
        await until(lambda: home.transcribers)
        await home.transcribers[0].started.wait()
        home.transcribers[0].final("cancel my account again", "inbound", 5.0, 6.0)
        await until(lambda: len(told(home)) == 2)
        assert told(home) == [("cancel", "inbound-1"), ("cancel", "inbound-3")]


async def test_a_node_that_takes_a_call_over_has_its_alerts_and_goes_on(tmp_path: Path) -> None:
    times, cluster = HoldTimes(lease_seconds=2.0, steady_seconds=0.5), MemoryCluster()
    first, second = MemoryBroker(cluster, times), MemoryBroker(cluster, times)
    settings = {"watchwords": rules(tmp_path)}
    async with house(joins=first, node="a", **settings) as home, house(joins=second, node="b", **settings) as other:
        stream = await home.call(call=CALL)
        await stream.send_str(media("inbound", 0))
        await until(lambda: home.transcribers)
        await home.transcribers[0].started.wait()
        home.transcribers[0].interim("cancel my account")
        record = await until(lambda: home.state.registry.known(CALL))
        await until(lambda: record.outline.alerts.summary)
        home.transcribers[0].final("cancel my account")
        watcher = await other.open("/client")
        await watcher.send_str(CALL)
        assert (await _next(watcher, "alert"))["rule"] == "cancel"
        first.cut()
        taken = await until(lambda: (found := other.state.registry.known(CALL)) is not None and not found.owner and found)
        assert taken.outline.alerts.summary.count == 1
        again = await other.call(call=CALL, stream="MZ" + "2" * 32)
        await again.send_str(media("inbound", 0))
        await until(lambda: other.transcribers)
        await other.transcribers[0].started.wait()
        other.transcribers[0].final("cancel my account now", "inbound", 9.0, 10.0)
        await until(lambda: taken.outline.alerts.summary.count == 2)
        first.mend()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[rules.x]\nphrases = ["(a"]', "line 2: the rule 'x' has the phrase '(a', which has a ( that is not closed"),
        ("[rules.x", "line 1: this is not TOML: Expected ']' at the end of a table declaration"),
    ],
)
async def test_a_file_that_is_wrong_stops_the_start_with_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    path = rules(tmp_path, text)
    with pytest.raises(ConfigError, match=re.escape(f"HUB_WATCHWORDS {path} {sentence}")):
        async with house(watchwords=path):
            pass


async def test_a_file_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"HUB_WATCHWORDS .*none\.toml cannot be read: No such file"):
        async with house(watchwords=str(tmp_path / "none.toml")):
            pass


def test_the_file_on_the_page_is_one(tmp_path: Path) -> None:
    watchwords = read_watchwords(rules(tmp_path, the_block("toml", "hub/insight/README.md")))
    assert [rule.kind for rule in watchwords.rules] == ["phrase", "phrase", "silence", "talk-share", "duration"]
    for text in ("I'd like to talk to your manager.", "My manager will hear my complaint", "Cancel all of my contract"):
        assert watchwords.find(text), text
