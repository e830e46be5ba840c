"""Tries Deepgram for `transcript-hub check`: opens a session as a call would, and ends it at once. Sends no audio, so costs nothing."""

from hub.transcribers.connection import PROBE_SECONDS, dial, leave
from hub.vendors.deepgram import address, wire
from hub.vendors.deepgram.settings import DeepgramSettings


async def probe(settings: DeepgramSettings) -> str:
    """Return a sentence on what Deepgram accepts: it answers for key and model in the handshake. Raises: ProviderError, ConfigError."""
    url = address.listen_url(settings.url, model=settings.model, options=settings.options)
    socket = await dial(wire.PROVIDER, url, wire.headers(settings.key), PROBE_SECONDS, wire.refused)
    await leave(socket, wire.CLOSE_STREAM)
    return f"Deepgram takes the key in DEEPGRAM_API_KEY and the model {settings.model}"
