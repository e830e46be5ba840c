"""Live audio between nodes: of this node's calls for listeners elsewhere, and of other nodes' calls for listeners here.

A node that has listeners tells the call's owner so every few seconds. The owner sends blocks on the call's audio topic for as long as it is
told, and stops by itself. Late audio is worth nothing, so what cannot be sent at once is dropped.

Knows records and messages. Does not know who listens, nor what a block is made of.
"""

import asyncio
import logging
import time
from collections import deque

import msgspec

from hub.broker.bodies import audio_topic
from hub.broker.broker import Broker, BrokerError
from hub.cluster.requests import Requests
from hub.topics.live_audio import HEAD_BYTES
from hub.topics.record import Record
from hub.topics.registry import Registry

log = logging.getLogger(__name__)

HEAR = "hear"
"""Tells a call's owner that a node has listeners to the call's audio."""

RENEW_SECONDS = 2.0
"""How often it is told."""

HEARD_SECONDS = 5.0
"""For how long blocks are sent after that. One message may be lost."""

MOST_BLOCKS = 1000
"""Blocks that wait to be sent: 1.6 MB, and a second of a hundred calls."""


class _Relay:
    """Sends one call's blocks to other nodes. Implements `hub.topics.live_audio.Listener`."""

    __slots__ = ("_audio", "_record", "_topic", "until")

    def __init__(self, audio: "RelayedAudio", record: Record) -> None:
        self._audio = audio
        self._record = record
        self._topic = audio_topic(record.call_sid)
        self.until = 0.0
        """Monotonic time until which somebody listens."""

    def receive(self, payload: bytes) -> None:
        """See Listener."""
        if time.monotonic() >= self.until:
            self.leave()
        elif not self._record.owner:  # else these are another node's blocks, for listeners here
            self._audio.send(self._topic, payload[HEAD_BYTES:])

    def ended(self, reason: str) -> None:
        """See Listener."""
        del reason
        self._audio.over(self._record)

    def leave(self) -> None:
        """Send nothing more."""
        self._record.live_audio.listeners.pop(self, None)
        self._audio.over(self._record)


class RelayedAudio:
    """The live audio that this node sends to others, and gets from them."""

    def __init__(self, registry: Registry, broker: Broker, requests: Requests) -> None:
        self._registry = registry
        self._broker = broker
        self._requests = requests
        self._relays: dict[Record, _Relay] = {}
        """This node's calls that other nodes listen to."""
        self._waiting: deque[tuple[str, bytes]] = deque(maxlen=MOST_BLOCKS)
        self._blocks = asyncio.Event()
        self._heard: dict[str, Record] = {}
        """Other nodes' calls that have listeners here, by topic."""
        self._changed = asyncio.Event()
        """Set when owners are to be told at once."""
        requests.on(HEAR, self._on_hear)

    # for listeners here

    def listen(self, record: Record) -> None:
        """Get the audio of a call that somebody has begun to listen to here, if it is another node's. Never waits."""
        topic = audio_topic(record.call_sid)
        if record.owner and self._heard.get(topic) is not record:
            self._heard[topic] = record
            self._broker.listen(topic)
            self._changed.set()

    def moved(self, record: Record) -> None:
        """Take note that a call has another owner. Whoever listens here goes on listening. Never waits."""
        if (relay := self._relays.get(record)) is not None and record.owner:
            relay.leave()
        if self._has_listeners(record):
            self.listen(record)
            self._changed.set()

    def received(self, topic: str, payload: bytes) -> bool:
        """Take a block of another node's call. Returns whether it was one. Never waits."""
        record = self._heard.get(topic)
        if record is None:
            return False
        if record.owner:
            record.live_audio.play_again(payload)
        return True

    def _has_listeners(self, record: Record) -> bool:
        """Return whether somebody listens to a call here."""
        return len(record.live_audio.listeners) > (record in self._relays)

    # for listeners elsewhere

    def send(self, topic: str, payload: bytes) -> None:
        """Send a block soon. Never waits."""
        self._waiting.append((topic, payload))
        self._blocks.set()

    def over(self, record: Record) -> None:
        """Take note that nothing more is sent of a call."""
        self._relays.pop(record, None)

    async def _on_hear(self, _: str, body: msgspec.Raw) -> None:
        record = self._registry.known(msgspec.json.decode(body, type=str))
        if record is None or not record.live:
            return
        # The call may still be the asking node's, which is about to give it away: its listeners miss the less.
        relay = self._relays.get(record)
        if relay is None:
            relay = self._relays[record] = _Relay(self, record)
        relay.until = time.monotonic() + HEARD_SECONDS
        record.live_audio.listeners[relay] = None

    # both

    async def run(self) -> None:
        """Send blocks, and tell owners what is listened to here, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._send_blocks())
            group.create_task(self._renew())

    async def _send_blocks(self) -> None:
        while True:
            await self._blocks.wait()
            self._blocks.clear()
            blocks = list(self._waiting)
            self._waiting.clear()
            try:
                await self._broker.send(blocks)
            except BrokerError as error:
                log.info("live audio does not reach other nodes: %s", error.problem)
                self._waiting.clear()

    async def _renew(self) -> None:
        while True:
            self._changed.clear()
            for topic, record in list(self._heard.items()):
                if not record.owner or not self._has_listeners(record):
                    del self._heard[topic]
                    self._broker.unlisten(topic)
                    continue
                try:
                    await self._requests.tell(record.owner, HEAR, record.call_sid)
                except BrokerError as error:
                    log.info("call=%s its audio cannot be asked for: %s", record.call_sid, error.problem)
            try:
                async with asyncio.timeout(RENEW_SECONDS if self._heard else None):
                    await self._changed.wait()
            except TimeoutError:
                pass
