"""Deepgram, as the hub knows it."""

import logging
from dataclasses import dataclass

from hub.transcribers.session import Endpoint, SessionContext
from hub.transcribers.transcriber import Transcriber
from hub.vendors.deepgram import address, wire
from hub.vendors.deepgram.probe import probe
from hub.vendors.deepgram.settings import DeepgramSettings
from hub.vendors.deepgram.transcriber import Deepgram
from hub.vendors.speech_provider import CallOptions, Capabilities, SpeechProvider

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DeepgramFactory:
    """Opens Deepgram sessions. Implements `TranscriberFactory`."""

    settings: DeepgramSettings
    context: SessionContext

    def check(self) -> None:
        """See TranscriberFactory."""
        self._url(CallOptions())

    def open(self, options: CallOptions) -> Transcriber:
        """See TranscriberFactory."""
        for sentence in address.left_out(options.language, options.keyterms):
            log.warning("%s %s", wire.PROVIDER, sentence)
        return Deepgram(Endpoint(self._url(options), self.settings.key, self.settings.model), self.context)

    def close(self) -> None:
        """See TranscriberFactory: sessions share nothing."""

    def _url(self, options: CallOptions) -> str:
        asked = self.settings
        return address.listen_url(asked.url, model=asked.model, language=options.language, keyterms=options.keyterms, options=asked.options)


DEEPGRAM = SpeechProvider(
    name="deepgram",
    title=wire.PROVIDER,
    settings=DeepgramSettings,
    capabilities=Capabilities(
        languages="any language of the model",
        word_times=True,
        confidence=True,
        interims=True,
        channels="both in one session",
        takes_mulaw=True,
    ),
    start=DeepgramFactory,
    probe=probe,
)
