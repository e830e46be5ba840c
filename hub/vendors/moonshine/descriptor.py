"""The speech engine on this machine, as the hub knows it. The engine itself is imported when it is first used: it is an extra."""

import asyncio
import logging
from typing import TYPE_CHECKING

from hub.transcribers.session import SessionContext
from hub.transcribers.transcriber import Transcriber
from hub.vendors import languages
from hub.vendors.speech_provider import CallOptions, Capabilities, NoSettings, SpeechProvider

if TYPE_CHECKING:
    from hub.vendors.moonshine.engine import LocalEngine

log = logging.getLogger(__name__)


class EngineFactory:
    """Opens transcribers that share the one engine of this process. Implements `TranscriberFactory`."""

    def __init__(self, settings: NoSettings, context: SessionContext) -> None:  # noqa: ARG002
        self._context = context
        self._engine: LocalEngine | None = None
        """None until the first call, or the first check."""

    def check(self) -> None:
        """See TranscriberFactory: whether the engine is installed, and runs on this machine. Then it begins to load, so that the first call
        need not wait for it: while it loads, audio waits, and there are no interims.
        """
        engine = self._shared()
        engine.check()
        engine.begin()

    def open(self, options: CallOptions) -> Transcriber:
        """See TranscriberFactory. The engine's one model knows English, and no key terms."""
        if (wanted := languages.bare(languages.tags(options.language))) and "en" not in wanted:
            log.warning("the engine on this machine knows English only, and a call asks for the language %r", options.language)
        from hub.vendors.moonshine.transcriber import LocalTranscriber

        return LocalTranscriber(self._shared(), self._context.counters, self._context.clock)

    def close(self) -> None:
        """See TranscriberFactory."""
        if self._engine is not None:
            self._engine.close()

    def _shared(self) -> "LocalEngine":
        from hub.vendors.moonshine.engine import LocalEngine

        if self._engine is None:
            self._engine = LocalEngine()
        return self._engine


async def probe(_: NoSettings) -> str:
    """Return a sentence if the engine is installed and runs on this machine. Raises: ConfigError."""
    from hub.vendors.moonshine.engine import LocalEngine

    await asyncio.to_thread(LocalEngine().check)
    return "the engine runs on this machine"


MOONSHINE = SpeechProvider(
    name="local",
    title="Moonshine",
    settings=NoSettings,
    capabilities=Capabilities(
        languages="English",
        word_times=False,
        confidence=True,
        interims=True,
        channels="no session",
        takes_mulaw=False,
        remarks="the extra `local`; a quarter of a core for each track while it speaks; no audio leaves the machine",
    ),
    start=EngineFactory,
    probe=probe,
)
