"""Tries AssemblyAI for `transcript-hub check`: opens a session as a call would, and ends it once it began. Billed by the second."""

import asyncio

from hub.errors import ProviderError
from hub.transcribers.connection import PROBE_SECONDS, dial, leave
from hub.vendors.assemblyai import wire
from hub.vendors.assemblyai.settings import AssemblyAISettings


async def probe(settings: AssemblyAISettings) -> str:
    """Return a sentence on what AssemblyAI accepts: its refusals come after the handshake. Raises: ProviderError, ConfigError.

    A model that AssemblyAI would silently replace is an error here.
    """
    url = wire.stream_url(settings.url, model=settings.model, options=settings.options)
    socket = await dial(
        wire.PROVIDER,
        url,
        wire.headers(settings.key),
        PROBE_SECONDS,
        lambda status, body, _: wire.refused(status, body.decode(errors="replace")),
    )
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            async for text in socket:
                match wire.decode(text):
                    case wire.Begin() as begin:
                        if (other := begin.other_model(settings.model)) is None:
                            return f"AssemblyAI takes the key in ASSEMBLYAI_API_KEY and the model {settings.model}"
                        problem = f"does not know the model {settings.model} and would use {other}: check ASSEMBLYAI_MODEL"
                        raise ProviderError(wire.PROVIDER, problem, retryable=False)
                    case wire.AssemblyAIError(error=error, error_code=code):
                        raise wire.refused(code, error)
                    case _:
                        pass
    except TimeoutError as error:
        raise ProviderError(wire.PROVIDER, f"did not begin the session within {PROBE_SECONDS:.0f} s", retryable=True) from error
    finally:
        await leave(socket, wire.TERMINATE)
    raise ProviderError(wire.PROVIDER, "hung up before it began the session", retryable=True)
