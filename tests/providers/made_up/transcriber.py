"""Transcribes calls with the made-up provider: one session per track, JSON messages, mu-law."""

from collections.abc import Mapping

import msgspec

from hub.audio.g711 import Track
from hub.audio.timeline import Block
from hub.errors import ProviderError
from hub.transcribers.session import Endpoint, Session, SessionContext
from hub.transcribers.utterances import Recognized
from hub.vendors.messages import read

TITLE = "Made-Up"


class Said(msgspec.Struct, frozen=True, tag_field="type", tag="said"):
    """What was said up to `until_ms` of the session's audio."""

    text: str
    until_ms: float


class Bye(msgspec.Struct, frozen=True, tag_field="type", tag="bye"):
    """The last message."""


_decoder: msgspec.json.Decoder[Said | Bye] = msgspec.json.Decoder(Said | Bye)


def refused(status: int, _: bytes, __: Mapping[str, str]) -> ProviderError:
    """Translate a handshake that was not answered by 101."""
    return ProviderError(TITLE, f"refused the key ({status}): check MADEUP_API_KEY", retryable=status >= 500)


class MadeUp(Session):
    """One track's session. Implements `Transcriber`."""

    provider = "madeup"
    TITLE = TITLE
    END = '{"type":"end"}'
    KEEP_ALIVE = '{"type":"alive"}'
    SPEAKS_IN_SILENCE = False

    def __init__(self, endpoint: Endpoint, track: Track, context: SessionContext) -> None:
        super().__init__(endpoint, (track,), context)
        self._start_ms = 0.0

    def headers(self) -> Mapping[str, str]:
        """See Session."""
        return {"X-Key": self.endpoint.key}

    def payload(self, block: Block) -> bytes:
        """See Session."""
        return block.track(self.tracks[0])

    def opened(self) -> None:
        """See Session."""
        self.accepted()

    def refused(self, status: int, body: bytes, headers: Mapping[str, str]) -> ProviderError:
        """See Session."""
        return refused(status, body, headers)

    def closed(self, code: int | None, reason: str) -> ProviderError:
        """See Session."""
        return ProviderError(TITLE, f"hung up ({code}) {reason}", retryable=True)

    def receive(self, text: bytes) -> None:
        """See Session."""
        match read(_decoder, text, {"said", "bye"}, TITLE):
            case Said(words, until_ms):
                start_ms, end_ms = self._start_ms, self.call_ms(until_ms, end=True)
                self.recognized(Recognized(self.tracks[0], start_ms / 1000, end_ms / 1000, words, settled=True, closes=True))
                self.replay.settle(self.tracks[0], end_ms)
                self._start_ms = end_ms
            case Bye():
                self.summed_up(None, 0.0)
            case None:
                pass
