"""The Twilio stream of a call that an agent answers: brings the caller's side, and carries what the caller is to hear.

Knows Twilio's messages and the socket, not what the agent says.
"""

from typing import Protocol

from hub.audio.g711 import Track
from hub.calls.call import EndReason, Peer
from hub.twilio.media import Speech, StartBody


class CallerSide(Protocol):
    """Who takes what a stream brings. No method waits."""

    def take(self, at_ms: int, mulaw: bytes) -> None:
        """Take one chunk of the caller, at `at_ms` of the stream's own time."""

    def take_mark(self, name: str) -> None:
        """Take a mark that Twilio sent back."""

    def press(self, digit: str, track: Track) -> None:
        """Take a key press."""

    def leave(self, reason: EndReason) -> None:
        """The stream is over."""


class AgentStream:
    """The one Twilio stream of an agent's call. Implements `hub.calls.call.Stream`."""

    __slots__ = ("_call", "_peer", "_speech", "account_sid", "sid")

    def __init__(self, call: CallerSide, start: StartBody, peer: Peer) -> None:
        self._call = call
        self._peer = peer
        self._speech = Speech(start.stream_sid)
        self.sid = start.stream_sid
        self.account_sid = start.account_sid

    def chunk(self, track: Track, at_ms: int, payload: bytes) -> bool:
        """Take one chunk of the caller's mu-law. Returns False always: an agent that gets words late answers late, so no socket rests."""
        if track == "inbound":
            self._call.take(at_ms, payload)
        return False

    def mark(self, name: str) -> None:
        """Take a mark that Twilio sent back."""
        self._call.take_mark(name)

    def dtmf(self, digit: str, track: Track) -> None:
        """Take a key press."""
        self._call.press(digit, track)

    def stop(self) -> None:
        """Twilio said that the stream is over."""
        self._call.leave("completed")

    def lost(self) -> None:
        """The socket is gone without a `stop` message."""
        self._call.leave("stream-lost")

    def say(self, mulaw: bytes, mark: str) -> None:
        """Have Twilio play audio, and send the mark back once it was played."""
        self._peer.write(self._speech.media(mulaw), self._speech.mark(mark))

    def clear(self) -> None:
        """Have Twilio drop what it has not played."""
        self._peer.write(self._speech.clear())

    def close(self, reason: str) -> None:
        """Close the stream from here, with a sentence."""
        self._peer.close(reason)
