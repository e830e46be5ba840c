"""AssemblyAI, as the hub knows it."""

import logging
from dataclasses import dataclass

from hub.transcribers.session import Endpoint, SessionContext
from hub.transcribers.transcriber import Transcriber
from hub.vendors.assemblyai import wire
from hub.vendors.assemblyai.probe import probe
from hub.vendors.assemblyai.settings import AssemblyAISettings
from hub.vendors.assemblyai.tracks import AssemblyAITracks
from hub.vendors.assemblyai.transcriber import AssemblyAI
from hub.vendors.speech_provider import CallOptions, Capabilities, SpeechProvider

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AssemblyAIFactory:
    """Opens AssemblyAI sessions, one or two per call. Implements `TranscriberFactory`."""

    settings: AssemblyAISettings
    context: SessionContext

    def check(self) -> None:
        """See TranscriberFactory."""
        self._endpoint(CallOptions())

    def open(self, options: CallOptions) -> Transcriber:
        """See TranscriberFactory."""
        for sentence in wire.left_out(self.settings.model, options.language, options.keyterms):
            log.warning("%s %s", wire.PROVIDER, sentence)
        endpoint = self._endpoint(options)
        if self.settings.channels == "mixed":
            return AssemblyAI(endpoint, None, self.context)
        return AssemblyAITracks(endpoint, self.context)

    def close(self) -> None:
        """See TranscriberFactory: sessions share nothing."""

    def _endpoint(self, options: CallOptions) -> Endpoint:
        asked = self.settings
        url = wire.stream_url(asked.url, model=asked.model, language=options.language, keyterms=options.keyterms, options=asked.options)
        return Endpoint(url, asked.key, asked.model)


ASSEMBLYAI = SpeechProvider(
    name="assemblyai",
    title=wire.PROVIDER,
    settings=AssemblyAISettings,
    capabilities=Capabilities(
        languages="those of the model",
        word_times=True,
        confidence=True,
        interims=True,
        channels="one session per track",
        takes_mulaw=True,
        remarks="billed by session time; `ASSEMBLYAI_CHANNELS=mixed` needs one session per call and tells speakers apart by loudness, "
        "so where both speak the louder one gets the words",
    ),
    start=AssemblyAIFactory,
    probe=probe,
)
