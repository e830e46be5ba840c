"""The live audio that one socket at `/client` listens to, on a hub with HUB_LISTEN.

Late audio is worth nothing. So a block is written while the socket has room and skipped while it has none: audio never waits in the outbox,
and never makes a transcript wait there. Knows which calls this socket listens to. `subscriptions.py` knows which calls it may see, and so
may listen to.
"""

import logging

from hub.events import Listening, Unlistened, encode
from hub.topics.live_audio import MAX_LISTENERS, LiveAudio
from hub.topics.outbox import Outbox
from hub.topics.record import Record
from hub.web.doors.subscriptions import NO_SUCH_CALL, Subscriptions
from hub.web.frames import binary_frame
from hub.web.sockets import UnacknowledgedBytes
from hub.web.state import State

log = logging.getLogger(__name__)

LATE_BYTES = 12 * 1024
"""Blocks are skipped for a peer with more unacknowledged bytes than this: at 16 bytes per ms it is 0.75 s behind, and falling further."""


class ListeningIn:
    """One socket's listening: starts and stops it, and answers the subscriber on its outbox."""

    __slots__ = (
        "_access_log", "_cluster", "_counters", "_listeners", "_most_calls", "_outbox", "_registry", "_subscriptions", "_unacknowledged",
    )  # fmt: skip

    def __init__(self, state: State, outbox: Outbox, subscriptions: Subscriptions, unacknowledged: UnacknowledgedBytes) -> None:
        """`subscriptions` are the same socket's; `unacknowledged` counts what its peer has yet to acknowledge."""
        self._registry = state.registry
        self._access_log = state.access_log
        self._cluster = state.cluster
        self._counters = state.counters
        self._most_calls = state.limits.calls_listened
        self._outbox = outbox
        self._subscriptions = subscriptions
        self._unacknowledged = unacknowledged
        self._listeners: dict[str, SocketListener] = {}
        """The live audio that this socket gets now, by callSid."""

    def listen(self, call_sid: str, *, allowed: bool) -> None:
        """Listen to a live call from its next block on. `allowed`: whether this hub lets anyone listen."""
        refuse = self._subscriptions.refuse
        if not allowed:
            refuse("listen-off", "nobody can listen to calls on this hub; HUB_LISTEN=1 allows it", call_sid)
            return
        record = self._registry.find(call_sid)
        if record is None or not self._subscriptions.allows(record):
            refuse("unknown-call", NO_SUCH_CALL, call_sid)
        elif not record.live:
            refuse("call-over", "the call is over, and the hub keeps no audio", call_sid)
        elif call_sid in self._listeners:
            refuse("already-listening", "this socket already listens to that call", call_sid)
        elif len(self._listeners) >= self._most_calls:
            refuse("too-many", f"a socket may listen to {self._most_calls} calls at once", call_sid)
        elif record.live_audio.full:
            refuse("too-many", f"{MAX_LISTENERS} subscribers already listen to this call", call_sid)
        else:
            self._begin(record)

    def _begin(self, record: Record) -> None:
        call_sid, live_audio = record.call_sid, record.live_audio
        self._subscriptions.stay = True  # a socket that listens stays open, also after the end of a call that it follows by a bare callSid
        listener = self._listeners[call_sid] = SocketListener(self, call_sid, live_audio)
        self._answer(Listening(call_sid=call_sid, id=live_audio.number, at=self._registry.now()))
        self._access_log.note(self._subscriptions.grant.subject, "listen", call_sid)
        live_audio.listeners[listener] = None
        if self._cluster is not None:
            self._cluster.audio.listen(record)
        self._counters.listeners += 1
        log.info("call=%s a subscriber listens in, %d now", call_sid, len(live_audio.listeners))

    def unlisten(self, call_sid: str) -> None:
        """Stop listening to a call."""
        if call_sid in self._listeners:
            self._leave(call_sid, "you asked for it")
        else:
            self._subscriptions.refuse("not-listening", "this socket does not listen to that call", call_sid)

    def narrow(self) -> None:
        """Stop listening to calls that the socket's new token does not allow."""
        for call_sid in list(self._listeners):
            record = self._registry.find(call_sid)
            if record is None or not self._subscriptions.allows(record):
                self._leave(call_sid, "the token no longer allows it")

    def close(self) -> None:
        """Stop listening to everything, without an answer: the socket is closed."""
        for listener in self._listeners.values():
            listener.leave()
        self._counters.listeners -= len(self._listeners)
        self._listeners.clear()

    def _leave(self, call_sid: str, reason: str) -> None:
        self._listeners[call_sid].leave()
        self.over(call_sid, reason)

    def over(self, call_sid: str, reason: str) -> None:
        """Answer that nothing more follows of a call, and why."""
        listener = self._listeners.pop(call_sid)
        self._counters.listeners -= 1
        self._answer(Unlistened(call_sid=call_sid, id=listener.number, reason=reason, at=self._registry.now()))
        log.info("call=%s a subscriber stopped listening: %s", call_sid, reason)

    def write(self, payload: bytes) -> None:
        """Write one block of a call to the socket, or skip it."""
        if self._unacknowledged.count() > LATE_BYTES or not self._outbox.offer(binary_frame(payload)):
            self._counters.sound_dropped += 1

    def _answer(self, answer: Listening | Unlistened) -> None:
        self._outbox.answer(encode(answer))


class SocketListener:
    """One socket's part in one call's live audio. Implements `Listener`."""

    __slots__ = ("_call_sid", "_listening_in", "_live_audio")

    def __init__(self, listening_in: ListeningIn, call_sid: str, live_audio: LiveAudio) -> None:
        self._listening_in = listening_in
        self._call_sid = call_sid
        self._live_audio = live_audio

    @property
    def number(self) -> int:
        """What tells this call's audio from every other's."""
        return self._live_audio.number

    def receive(self, payload: bytes) -> None:
        """See Listener."""
        self._listening_in.write(payload)

    def ended(self, reason: str) -> None:
        """See Listener."""
        self._listening_in.over(self._call_sid, reason)

    def leave(self) -> None:
        """Receive nothing more."""
        self._live_audio.listeners.pop(self, None)
