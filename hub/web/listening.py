"""What one socket at `/client` hears: live calls' sound, where the hub lets people listen in.

Sound that is late is worth nothing. So it is written while the socket has room and dropped while it has none: it never waits in the
outbox, and never makes a transcript wait there. Knows what is allowed by asking who knows; no call.
"""

import logging

from hub.events import Listening, Unlistened, encode
from hub.ops.counters import Counters
from hub.topics.live_audio import MAX_LISTENERS, LiveAudio
from hub.topics.outbox import Outbox
from hub.topics.registry import Record, Registry
from hub.web.frames import binary_frame
from hub.web.sockets import Backlog
from hub.web.subscriptions import NO_SUCH_CALL, Subscriptions

log = logging.getLogger(__name__)

MOST_CALLS = 16
"""Calls one socket may hear at once: nobody follows two voices, but a program may record a small team."""

LATE_BYTES = 12 * 1024
"""A peer that has so much yet to acknowledge is three quarters of a second behind (16 bytes a ms), and would only fall further."""


class Ears:
    """Listens, and says on the outbox what came of it."""

    __slots__ = ("_backlog", "_counters", "_listeners", "_outbox", "_registry", "_subscriptions")

    def __init__(self, registry: Registry, counters: Counters, outbox: Outbox, subscriptions: Subscriptions, backlog: Backlog) -> None:
        """`subscriptions` knows what may be seen, and so what may be heard."""
        self._registry = registry
        self._counters = counters
        self._outbox = outbox
        self._subscriptions = subscriptions
        self._backlog = backlog
        self._listeners: dict[str, _Listener] = {}
        """What is heard now, by callSid."""

    def listen(self, call_sid: str, *, allowed: bool) -> None:
        """Hear a live call from its next block on. `allowed`: whether this hub lets anybody listen."""
        refuse = self._subscriptions.refuse
        if not allowed:
            refuse("listen-off", "nobody can listen to calls on this hub; HUB_LISTEN=1 allows it", call_sid)
            return
        record = self._registry.find(call_sid)
        if record is None or not self._subscriptions.allows(record):
            refuse("unknown-call", NO_SUCH_CALL, call_sid)
        elif not record.live:
            refuse("call-over", "the call is over, and the hub keeps no sound", call_sid)
        elif call_sid in self._listeners:
            refuse("already-listening", "this socket hears that call already", call_sid)
        elif len(self._listeners) >= MOST_CALLS:
            refuse("too-many", f"a socket may hear {MOST_CALLS} calls at once", call_sid)
        elif record.live_audio.full:
            refuse("too-many", f"{MAX_LISTENERS} listen to this call already", call_sid)
        else:
            self._begin(record)

    def _begin(self, record: Record) -> None:
        self._subscriptions.stay = True  # who came to listen stays, also when a transcript is over that was asked for by hand
        listener = self._listeners[record.call_sid] = _Listener(self, record.call_sid, record.live_audio)
        self._answer(Listening(call_sid=record.call_sid, id=record.live_audio.number, at=self._registry.now()))
        record.live_audio.listeners[listener] = None
        self._counters.listeners += 1
        log.info("call=%s somebody listens in, %d now", record.call_sid, len(record.live_audio.listeners))

    def unlisten(self, call_sid: str) -> None:
        """Hear it no longer."""
        if call_sid in self._listeners:
            self._leave(call_sid, "you asked for it")
        else:
            self._subscriptions.refuse("not-listening", "this socket does not hear that call", call_sid)

    def narrow(self) -> None:
        """After another token: hear no longer what it does not allow."""
        for call_sid in list(self._listeners):
            record = self._registry.find(call_sid)
            if record is None or not self._subscriptions.allows(record):
                self._leave(call_sid, "the token no longer allows it")

    def close(self) -> None:
        """Listen to nothing any more; nobody is told."""
        for listener in self._listeners.values():
            listener.leave()
        self._counters.listeners -= len(self._listeners)
        self._listeners.clear()

    def _leave(self, call_sid: str, reason: str) -> None:
        self._listeners[call_sid].leave()
        self.over(call_sid, reason)

    def over(self, call_sid: str, reason: str) -> None:
        """Say that nothing follows of a call, and why."""
        listener = self._listeners.pop(call_sid)
        self._counters.listeners -= 1
        self._answer(Unlistened(call_sid=call_sid, id=listener.number, reason=reason, at=self._registry.now()))
        log.info("call=%s somebody stopped listening: %s", call_sid, reason)

    def receive(self, payload: bytes) -> None:
        """Take one block of any call that is listened to, or let it go."""
        if self._backlog.bytes() > LATE_BYTES or not self._outbox.offer(binary_frame(payload)):
            self._counters.sound_dropped += 1

    def _answer(self, answer: Listening | Unlistened) -> None:
        self._outbox.answer(encode(answer))


class _Listener:
    """One socket's ear on one call. Implements `Listener`."""

    __slots__ = ("_audio", "_call_sid", "_ears")

    def __init__(self, ears: Ears, call_sid: str, audio: LiveAudio) -> None:
        self._ears = ears
        self._call_sid = call_sid
        self._audio = audio

    @property
    def number(self) -> int:
        """What tells this call's audio from every other's."""
        return self._audio.number

    def receive(self, payload: bytes) -> None:
        """See Listener."""
        self._ears.receive(payload)

    def ended(self, reason: str) -> None:
        """See Listener."""
        self._ears.over(self._call_sid, reason)

    def leave(self) -> None:
        """Receive nothing more."""
        self._audio.listeners.pop(self, None)
