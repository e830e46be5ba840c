"""Every guarantee of delivery at once: any interleaving of what can happen to a call and to those who follow it, against a model.

The model knows, for each topic, the durable events that were ever published, and for each subscription where it began. What a peer has
read must at any moment be a gapless piece of that list, from exactly there on; once everybody could read, it must be all of it.
"""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from hub.calls.publisher import Publisher
from hub.events import Dtmf, Final, Interim, Position, TranscriberName
from hub.topics.audience import Following
from hub.topics.log import LOG_BYTES
from hub.topics.outbox import FREE_BYTES, Rounds
from hub.topics.record import Record
from hub.topics.registry import Registry
from hub.topics.topic import Topic
from tests.topics.audience import Clock, Peer, Socket

KEEP_SECONDS = 60.0
CALL = "CA1"


@dataclass
class Story:
    """All that one topic ever published, as the model has it: one word for each durable event, in order."""

    topic: Topic
    said: list[str] = field(default_factory=list)
    settled: set[str] = field(default_factory=set)
    open: dict[str, str] = field(default_factory=dict)
    """The newest interim of each utterance that is not settled."""


@dataclass(eq=False)
class Subscription:
    """One peer that follows one topic on one connection."""

    peer: Peer
    story: Story
    following: Following
    start: int
    """The offset behind which it began."""
    interims: bool
    left_after: int | None = None
    """How many events had been written to it when it unsubscribed; None while it did not."""

    def written(self) -> int:
        """How many events were handed to its socket; answers to itself do not count."""
        socket = Socket()
        socket.read = self.peer.socket.read + self.peer.socket.buffered
        return sum(message["type"] != "pong" for message in socket.messages())

    def durable(self) -> list[tuple[int, str]]:
        """What it has read, each with its offset."""
        return [
            (int(str(message["offset"])), str(message.get("digit") or message.get("text") or message["type"]))
            for message in self.peer.socket.messages()
            if "offset" in message
        ]

    def position(self) -> int:
        durable = self.durable()
        return durable[-1][0] if durable else self.start


class Delivery(RuleBasedStateMachine):
    """One call that may end, expire and begin anew, and any number of subscribers that come, stall, break and come back."""

    log_bytes = LOG_BYTES
    subscriptions: Bundle[Subscription] = Bundle("subscriptions")

    @initialize()
    def begin(self) -> None:
        self.clock = Clock()
        self.rounds = Rounds(self.clock.later, self.clock)
        self.registry = Registry(
            keep_seconds=KEEP_SECONDS, clock=self.clock, wall=self.clock, soon=self.clock.soon, log_bytes=self.log_bytes
        )
        self.record: Record = self.registry.open(CALL)
        self.stories = [Story(self.record.topic)]
        self._start()
        self.alive: list[Subscription] = []
        self.words = 0

    @property
    def story(self) -> Story:
        return self.stories[-1]

    def _reopen(self) -> None:
        """A stream of the call comes after its end: it goes on in its topic, or begins in a new one when that is forgotten."""
        self.record = self.registry.open(CALL)
        if self.record.topic is not self.story.topic:
            assert all(self.record.topic.log.epoch != story.topic.log.epoch for story in self.stories)
            self.stories.append(Story(self.record.topic))
            self._start()
        elif not self.record.live:
            self._start()

    def _start(self) -> None:
        self.publisher = Publisher(self.record, self.registry)
        self.publisher.began("MZ1", {}, ["inbound"], TranscriberName(provider="scripted", model="test"))
        self.story.said.append("call-started")

    def _word(self, length: int = 1) -> str:
        self.words += 1
        return f"w{self.words}".ljust(length, ".")

    def _utterance(self, number: int) -> str:
        """One of three that are open at a time; a settled one is followed by another."""
        return f"u{number}-{sum(name.startswith(f'u{number}-') for name in self.story.settled)}"

    # What happens to the call.

    @rule(count=st.integers(1, 5), length=st.sampled_from([1, 1, 300, 5000]))
    def publish(self, count: int, length: int) -> None:
        self._reopen()
        for _ in range(count):
            word = self._word(length)
            self.story.said.append(word)
            self.publisher.publish(Dtmf(call_sid=CALL, digit=word, track="inbound"))

    @rule(utterance=st.integers(0, 2))
    def interim(self, utterance: int) -> None:
        self._reopen()
        name, word = self._utterance(utterance), self._word()
        self.story.open[name] = word
        self.publisher.revise(
            Interim(call_sid=CALL, utterance=name, revision=1, track="inbound", speaker="c", text=word, start=0.0, end=1.0)
        )

    @rule(utterance=st.integers(0, 2))
    def final(self, utterance: int) -> None:
        self._reopen()
        name, word = self._utterance(utterance), self._word()
        self.story.settled.add(name)
        self.story.open.pop(name, None)
        self.story.said.append(word)
        self.publisher.publish(
            Final(call_sid=CALL, utterance=name, revision=2, track="inbound", speaker="c", text=word, start=0.0, end=1.0, words=[])
        )

    @rule()
    def end(self) -> None:
        if self.record.live:
            self.story.said += ["statistics", "call-ended"]
            self.publisher.ended("completed", 1000.0, {}, complete=True)

    @rule(seconds=st.floats(0, 3))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def expire(self) -> None:
        self.clock.advance(KEEP_SECONDS + 1)
        ended = self.registry.find(CALL) is not None and not self.record.live
        assert self.registry.expire() == int(ended)
        assert (self.registry.find(CALL) is None) is (ended or not self.record.live)

    # What happens to subscribers.

    @rule(target=subscriptions, interims=st.booleans())
    def subscribe(self, interims: bool) -> Subscription:
        return self._subscribe(None, interims)

    @rule(target=subscriptions, offset=st.integers(-1, 60), epoch=st.integers(-1, 3), interims=st.booleans())
    def subscribe_after(self, offset: int, epoch: int, interims: bool) -> Subscription:
        """At any position: of this topic, of one that is gone, of none, beyond the end."""
        name = self.stories[epoch].topic.log.epoch if -1 <= epoch < len(self.stories) else "of another hub"
        return self._subscribe(Position(name, offset), interims)

    @rule(target=subscriptions, broken=consumes(subscriptions))
    def drop_and_resume(self, broken: Subscription) -> Subscription:
        """The connection breaks: what was not read is gone; the position is the last event read."""
        self._break(broken)
        after = Position(broken.story.topic.log.epoch, broken.position())
        return self._subscribe(after, broken.interims)

    @rule(broken=consumes(subscriptions))
    def drop(self, broken: Subscription) -> None:
        self._break(broken)

    @rule(one=subscriptions)
    def unsubscribe(self, one: Subscription) -> None:
        one.story.topic.audience.leave(one.following)
        if one.left_after is None:
            one.left_after = one.written()

    @rule(one=subscriptions, full=st.booleans())
    def stall(self, one: Subscription, full: bool) -> None:
        """It takes nothing for a while; `full`: what is on the way to it already leaves no room for more."""
        one.peer.socket.stalled = True
        if full:
            one.peer.outbox.answer(b'{"type":"pong"}'.ljust(FREE_BYTES + 1))

    @rule(one=subscriptions, size=st.integers(1, 2000))
    def drain(self, one: Subscription, size: int) -> None:
        one.peer.socket.drain(size)

    @rule(one=subscriptions)
    def recover(self, one: Subscription) -> None:
        one.peer.socket.stalled = False
        one.peer.socket.drain()

    @rule(one=subscriptions)
    def lag(self, one: Subscription) -> None:
        """It takes nothing while more is said than is kept for anybody: it is cut off, and holds nothing from then on."""
        one.peer.socket.stalled = True
        self.publish(count=60, length=5000)
        self.clock.advance(0.1)
        if one.left_after is None and one.story is self.story and not one.following.left:
            assert one.peer.lagged is not None
            assert one.peer.outbox.closed

    def _subscribe(self, after: Position | None, interims: bool) -> Subscription:
        if self.registry.find(CALL) is None:
            self._reopen()
        topic, story = self.record.topic, self.story
        peer = Peer(self.clock, self.rounds)
        kept_from, newest = topic.log.first - 1, len(story.said)
        following, whole = peer.follow(topic, after, interims=interims)
        if after is not None and after.epoch == topic.log.epoch and kept_from <= after.offset <= newest:
            assert whole
            start = after.offset
        else:
            assert whole is (after is None and kept_from == 0)
            start = kept_from
        made = Subscription(peer, story, following, start, interims)
        self.alive.append(made)
        return made

    def _break(self, one: Subscription) -> None:
        one.story.topic.audience.leave(one.following)
        one.peer.outbox.close()
        one.peer.socket.buffered = b""
        self.alive.remove(one)

    # What holds at any moment.

    @invariant()
    def everybody_has_read_a_gapless_piece_from_where_it_began(self) -> None:
        for one in getattr(self, "alive", ()):
            durable = one.durable()
            expected = list(enumerate(one.story.said, 1))[one.start : one.start + len(durable)]
            assert durable == expected

    @invariant()
    def no_interim_comes_twice_or_after_its_final_or_unasked(self) -> None:
        for one in getattr(self, "alive", ()):
            closed: set[object] = set()
            texts = [message["text"] for message in one.peer.socket.messages() if message["type"] == "interim"]
            assert len(texts) == len(set(texts))
            for message in one.peer.socket.messages():
                if message["type"] == "final":
                    closed.add(message["utterance"])
                elif message["type"] == "interim":
                    assert one.interims
                    assert message["utterance"] not in closed

    @invariant()
    def who_left_gets_nothing_more(self) -> None:
        for one in getattr(self, "alive", ()):
            assert one.left_after is None or one.written() == one.left_after

    def teardown(self) -> None:
        if not hasattr(self, "alive"):
            return
        for one in self.alive:
            one.peer.socket.stalled = False
            one.peer.socket.drain()
        self.clock.advance(1)
        self.everybody_has_read_a_gapless_piece_from_where_it_began()
        for one in self.alive:
            if one.peer.lagged is None and one.left_after is None and not one.following.left:
                assert one.position() == len(one.story.said), "whoever could read has read all"
                newest = {
                    str(message["utterance"]): message["text"]
                    for message in one.peer.socket.messages()
                    if message["type"] == "interim" and message["utterance"] in one.story.open
                }
                assert newest == (one.story.open if one.interims else {}), "and the newest of what is not settled"
        assert len(self.rounds) == 0


class ShortMemory(Delivery):
    """The same where the history holds only 20 KB, so that positions fall off its end."""

    log_bytes = 20_000


TestDelivery = Delivery.TestCase
TestDeliveryWithAShortMemory = ShortMemory.TestCase
TestDelivery.settings = TestDeliveryWithAShortMemory.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
