"""A call that is transcribed, without sockets: its stream's peer, its transcriber, a clock and a Twilio that the test sets."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

from hub import events
from hub.audio.g711 import Track
from hub.calls.bookmark import Entry
from hub.calls.call_context import CallContext, Deadlines
from hub.calls.calls import Calls
from hub.calls.takeover import LeftCall, TakeOver
from hub.calls.transcribed import TranscribedCall
from hub.events import DurableEvent
from hub.ops.counters import Counters
from hub.topics.record import Record
from hub.topics.registry import Registry
from hub.twilio.media import MediaFormat, StartBody
from hub.twilio.rest import CallFacts, Over, TwilioAccount
from tests.scripted import ScriptedTranscriber

CALL = "CA" + "1" * 32
FOREVER = Deadlines(quiet_seconds=3600.0, grace_seconds=3600.0)

_decoder = msgspec.json.Decoder(DurableEvent)


class Clock:
    """Seconds that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class FakePeer:
    """The socket that brought a stream."""

    written: list[bytes] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    def write(self, *messages: bytes) -> None:
        self.written += messages

    def close(self, reason: str) -> None:
        self.closed.append(reason)


class FakeAccount:
    """Twilio's account: what it was asked for, and what it answers."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[Track, ...], dict[str, str]]] = []
        self.over: Over | None = Over()
        """What `bring_back` returns once `answer` is set, unless the stream came first."""
        self.answer = asyncio.Event()
        self.facts: CallFacts | None = None

    async def bring_back(
        self, account_sid: str, call_sid: str, tracks: Sequence[Track], parameters: Mapping[str, str], came: asyncio.Event
    ) -> Over | None:
        self.asked.append((call_sid, tuple(tracks), dict(parameters)))
        async with asyncio.TaskGroup() as group:
            waits = [group.create_task(came.wait()), group.create_task(self.answer.wait())]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
        return None if came.is_set() else self.over

    async def find(self, account_sid: str, call_sid: str) -> CallFacts | None:
        return self.facts


def start(stream: str = "MZ1", *tracks: Track, call: str = CALL, **parameters: str) -> StartBody:
    return StartBody(
        stream_sid=stream,
        call_sid=call,
        tracks=list(tracks or ("inbound", "outbound")),
        media_format=MediaFormat("audio/x-mulaw", 8000, 1),
        account_sid="AC" + "0" * 32,
        custom_parameters=parameters,
    )


def published(record: Record) -> list[DurableEvent]:
    """Every durable event of a call, as it was sent."""
    log = record.topic.log
    return [_decoder.decode(payload) for payload in log.after(log.first - 1)]


def kinds(record: Record) -> list[str]:
    return [str(event.__struct_config__.tag) for event in published(record)]


def gaps(record: Record) -> list[tuple[Track, float, float, str]]:
    return [(event.track, event.start, event.end, event.reason) for event in published(record) if isinstance(event, events.Gap)]


class Noted:
    """The notes of live calls, as they come. Implements `Notes`."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        """The newest of each call."""

    def note(self, record: Record, note: bytes) -> None:
        self.entries[record.call_sid] = msgspec.json.decode(note, type=Entry)


@dataclass
class CallDesk:
    """Calls of one hub, without its doors."""

    calls: Calls
    registry: Registry
    clock: Clock
    counters: Counters
    account: FakeAccount
    take_over: TakeOver
    noted: Noted
    transcribers: list[ScriptedTranscriber]
    group: asyncio.TaskGroup

    def call(self, call_sid: str = CALL) -> TranscribedCall:
        call = self.calls._calls[call_sid]
        assert isinstance(call, TranscribedCall)
        return call

    def record(self, call_sid: str = CALL) -> Record:
        record = self.registry.find(call_sid)
        assert record is not None
        return record

    async def idle(self) -> None:
        """Wait until no call runs."""
        await self.calls._idle.wait()

    @staticmethod
    def talk(stream: Any, from_ms: int, to_ms: int, *tracks: Track) -> None:
        """Bring 20 ms frames of each track."""
        for at_ms in range(from_ms, to_ms, 20):
            for track in tracks or ("inbound", "outbound"):
                stream.chunk(track, at_ms, b"\x01" * 160)


async def turns(count: int = 5) -> None:
    """Let the event loop run what is due."""
    for _ in range(count):
        await asyncio.sleep(0)


@asynccontextmanager
async def call_desk(
    *,
    account: bool = False,
    left: Callable[[Registry], list[LeftCall]] = lambda _: [],
    deadlines: Deadlines = FOREVER,
    keep_seconds: float = 60.0,
) -> AsyncIterator[CallDesk]:
    """Run calls as the hub does; cancel those that are left over. `left`: makes the calls that an earlier process left behind."""
    clock, counters, fake = Clock(), Counters(), FakeAccount()
    registry = Registry(keep_seconds=keep_seconds, clock=clock, wall=clock, soon=asyncio.get_running_loop().call_soon)
    twilio = cast("TwilioAccount", fake) if account else None
    noted = Noted()
    context = CallContext(registry, clock, twilio, noted, deadlines)
    transcribers: list[ScriptedTranscriber] = []

    def transcribed(record: Record, start: StartBody) -> TranscribedCall:
        def opened() -> ScriptedTranscriber:
            transcribers.append(ScriptedTranscriber())
            return transcribers[-1]

        return TranscribedCall(record, opened, context)

    take_over = TakeOver(registry, twilio, left(registry), deadlines.grace_seconds)
    async with asyncio.TaskGroup() as group:
        calls = Calls(registry, group, counters, transcribed, take_over)
        yield CallDesk(calls, registry, clock, counters, fake, take_over, noted, transcribers, group)
        await calls.drain(0.0)
