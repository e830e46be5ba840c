"""A topic and its audience, in a time that tests move: peers that read when they are told to."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from hub.errors import Lagged
from hub.events import Dtmf, Durable, Final, Interim, Position
from hub.topics.audience import Following
from hub.topics.log import LOG_BYTES
from hub.topics.outbox import Outbox, Rounds
from hub.topics.topic import Topic
from hub.web.frames import text_frame


class Clock:
    """Time that tests move, and what is due in it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.due: list[tuple[float, Callable[[], None]]] = []

    def __call__(self) -> float:
        return self.now

    def later(self, delay: float, callback: Callable[[], None]) -> None:
        self.due.append((self.now + delay, callback))

    def soon(self, callback: Callable[[], None]) -> None:
        self.later(0, callback)

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while ready := [each for each in self.due if each[0] <= end]:
            first = min(ready, key=lambda each: each[0])
            self.due.remove(first)
            self.now = max(self.now, first[0])
            first[1]()
        self.now = end


class Socket:
    """A transport whose peer reads when the test says so."""

    def __init__(self) -> None:
        self.buffered = b""
        self.read = b""
        self.stalled = False
        self._messages: list[dict[str, object]] = []
        self._at = 0
        """Up to where `read` was looked at."""

    def write(self, data: bytes) -> None:
        self.buffered += data
        if not self.stalled:
            self.drain()

    def get_write_buffer_size(self) -> int:
        return len(self.buffered)

    def drain(self, size: int | None = None) -> None:
        taken = self.buffered[:size]
        self.read += taken
        self.buffered = self.buffered[len(taken) :]

    def messages(self) -> list[dict[str, object]]:
        """Every whole text frame the peer has read."""
        data = self.read
        while len(data) - self._at > 1:
            size, skip = data[self._at + 1], 2
            if size == 126:
                size, skip = int.from_bytes(data[self._at + 2 : self._at + 4], "big"), 4
            elif size == 127:
                size, skip = int.from_bytes(data[self._at + 2 : self._at + 10], "big"), 10
            end = self._at + skip + size
            if len(data) < end:
                break
            self._messages.append(msgspec.json.decode(data[self._at + skip : end]))
            self._at = end
        return self._messages


class Peer:
    """One subscriber and what it was told."""

    def __init__(self, clock: Clock, rounds: Rounds) -> None:
        self.socket = Socket()
        self.lagged: Lagged | None = None
        self.outbox = Outbox(self.socket, rounds, text_frame, self._cut)
        self.completed = 0

    def _cut(self, reason: Lagged | Exception) -> None:
        assert isinstance(reason, Lagged)
        self.lagged = reason

    def follow(self, topic: Topic, after: Position | None = None, *, interims: bool = True) -> tuple[Following, bool]:
        following, whole = topic.audience.follow(self.outbox, after=after, interims=interims, on_complete=self._complete)
        self.outbox.news(following)
        return following, whole

    def _complete(self, _: Following) -> None:
        self.completed += 1

    def offsets(self) -> list[object]:
        return [message["offset"] for message in self.socket.messages() if "offset" in message]

    def texts(self) -> list[object]:
        return [message.get("text") for message in self.socket.messages()]


class Town:
    """One call's topic, and what it takes to have peers."""

    def __init__(self, log_bytes: int = LOG_BYTES) -> None:
        self.clock = Clock()
        self.rounds = Rounds(self.clock.later, self.clock)
        self.topic = Topic("CA1", "epoch", self.clock, self.clock.soon, log_bytes)

    def peer(self) -> Peer:
        return Peer(self.clock, self.rounds)

    def publish(self, event: Durable, *, closes: str | None = None, last: bool = False) -> None:
        publish(self.topic, event, closes=closes, last=last)

    def key(self, digit: str = "1", *, last: bool = False) -> None:
        self.publish(Dtmf(call_sid="CA1", digit=digit, track="inbound"), last=last)

    def interim(self, text: str, utterance: str = "u1") -> None:
        self.topic.audience.revise(
            Interim(call_sid="CA1", utterance=utterance, revision=1, track="inbound", speaker="caller", text=text, start=0.0, end=1.0)
        )

    def final(self, text: str, utterance: str = "u1") -> None:
        self.publish(
            Final(
                call_sid="CA1", utterance=utterance, revision=2, track="inbound", speaker="caller", text=text, start=0.0, end=1.0, words=[]
            ),
            closes=utterance,
        )


def publish(topic: Topic, event: Durable, *, closes: str | None = None, last: bool = False) -> None:
    """Do what the publisher does with a topic."""
    topic.log.append(event)
    topic.audience.published(closes=closes, last=last)
