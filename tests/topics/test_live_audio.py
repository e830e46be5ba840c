"""Live audio: each block to everyone who listens, encoded once, and an end that each is told once."""

from hub.audio.timeline import Block
from hub.topics.live_audio import MAX_LISTENERS, LiveAudio


class Listening:
    """A listener, and what it received."""

    def __init__(self) -> None:
        self.payloads: list[bytes] = []
        self.reasons: list[str] = []

    def receive(self, payload: bytes) -> None:
        self.payloads.append(payload)

    def ended(self, reason: str) -> None:
        self.reasons.append(reason)


def test_a_block_is_its_number_its_call_time_and_both_tracks_in_turn() -> None:
    live, listener = LiveAudio(7), Listening()
    live.listeners[listener] = None
    live.play(Block(93_000.0, b"LL", b"RR"))
    assert listener.payloads == [bytes((0, 0, 0, 7, 0, 1, 0x6B, 0x48)) + b"LRLR"]


def test_everyone_receives_the_same_bytes() -> None:
    live, listeners = LiveAudio(1), [Listening(), Listening()]
    for listener in listeners:
        live.listeners[listener] = None
    live.play(Block(0.0, b"L", b"R"))
    assert listeners[0].payloads[0] is listeners[1].payloads[0]


def test_the_end_is_told_once_and_nothing_follows() -> None:
    live, listener = LiveAudio(1), Listening()
    live.listeners[listener] = None
    live.end("the call is over")
    live.end("again")
    live.play(Block(0.0, b"L", b"R"))
    assert (listener.reasons, listener.payloads) == (["the call is over"], [])


def test_a_listener_may_leave_while_a_block_is_handed_out() -> None:
    live, other = LiveAudio(1), Listening()

    class Leaving(Listening):
        def receive(self, payload: bytes) -> None:
            super().receive(payload)
            del live.listeners[self]

    leaving = Leaving()
    live.listeners[leaving] = None
    live.listeners[other] = None
    live.play(Block(0.0, b"L", b"R"))
    live.play(Block(100.0, b"L", b"R"))
    assert (len(leaving.payloads), len(other.payloads)) == (1, 2)


def test_there_is_a_most_of_listeners() -> None:
    live = LiveAudio(1)
    for _ in range(MAX_LISTENERS - 1):
        live.listeners[Listening()] = None
    assert not live.full
    live.listeners[Listening()] = None
    assert live.full
