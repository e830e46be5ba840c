"""The made-up provider, as the hub knows it."""

from dataclasses import dataclass
from urllib.parse import urlencode

from hub.transcribers.connection import PROBE_SECONDS, dial, leave
from hub.transcribers.session import Endpoint, SessionContext
from hub.transcribers.transcriber import Transcriber
from hub.vendors.speech_provider import CallOptions, Capabilities, SpeechProvider
from tests.providers.made_up.settings import MadeUpSettings
from tests.providers.made_up.transcriber import TITLE, MadeUp, refused


@dataclass(frozen=True, slots=True)
class MadeUpFactory:
    """Opens made-up sessions. Implements `TranscriberFactory`."""

    settings: MadeUpSettings
    context: SessionContext

    def check(self) -> None:
        """See TranscriberFactory."""

    def open(self, options: CallOptions) -> Transcriber:
        """See TranscriberFactory."""
        query = urlencode({"tone": self.settings.tone, "language": options.language or "", "terms": "|".join(options.keyterms)})
        endpoint = Endpoint(f"{self.settings.url}/?{query}", self.settings.key, f"made-up-{self.settings.pieces}")
        return MadeUp(endpoint, "inbound", self.context)

    def close(self) -> None:
        """See TranscriberFactory."""


async def probe(settings: MadeUpSettings) -> str:
    """Open a session and leave it."""
    await leave(await dial(TITLE, settings.url, {"X-Key": settings.key}, PROBE_SECONDS, refused), MadeUp.END)
    return "Made-Up takes the key in MADEUP_API_KEY"


MADE_UP = SpeechProvider(
    name="madeup",
    title=TITLE,
    settings=MadeUpSettings,
    capabilities=Capabilities(
        languages="none that anybody speaks",
        word_times=False,
        confidence=False,
        interims=False,
        channels="one session per track",
        takes_mulaw=True,
        remarks="does not exist",
    ),
    start=MadeUpFactory,
    probe=probe,
)
