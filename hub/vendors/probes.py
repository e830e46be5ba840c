"""Shakes hands with a provider as a call would, and takes leave at once: whether its address, key and model are good. Costs no audio."""

import asyncio

from websockets.exceptions import ConnectionClosed

from hub.agents.voice_model import SessionSettings
from hub.config import Config
from hub.errors import ProviderError
from hub.transcribers.connection import Wire, dial
from hub.vendors.assemblyai import wire as assemblyai
from hub.vendors.deepgram import wire as deepgram
from hub.vendors.openai import wire as openai

ANSWER_SECONDS = 10.0
"""As long as a call would wait."""


async def with_deepgram(config: Config) -> None:
    """Open a session with the settings that calls use: Deepgram refuses key and model at once. Raises: ProviderError, ConfigError."""
    url = deepgram.listen_url(config.deepgram_url, model=config.deepgram_model, options=config.deepgram_options)
    wire = await dial(deepgram.PROVIDER, url, deepgram.headers(config.deepgram_key), ANSWER_SECONDS, deepgram.refused)
    await _leave(wire, deepgram.CLOSE_STREAM)


async def with_assemblyai(config: Config) -> None:
    """Open a session with the settings that calls use, and hear what AssemblyAI says to it. Raises: ProviderError, ConfigError.

    Here a model that AssemblyAI would only replace is refused, too.
    """
    url = assemblyai.stream_url(config.assemblyai_url, model=config.assemblyai_model, options=config.assemblyai_options)
    wire = await dial(
        assemblyai.PROVIDER,
        url,
        assemblyai.headers(config.assemblyai_key),
        ANSWER_SECONDS,
        lambda status, body, _: assemblyai.refused(status, body.decode(errors="replace")),
    )
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            async for text in wire:  # a refusal comes after the 101
                match assemblyai.decode(text):
                    case assemblyai.Begin() as begin:
                        if (other := begin.other_model(config.assemblyai_model)) is None:
                            return
                        problem = f"does not know the model {config.assemblyai_model} and would use {other}: check ASSEMBLYAI_MODEL"
                        raise ProviderError(assemblyai.PROVIDER, problem, retryable=False)
                    case assemblyai.ErrorMessage(error=error, error_code=code):
                        raise assemblyai.refused(code, error)
                    case _:
                        pass
    except TimeoutError as error:
        problem = f"did not begin the session within {ANSWER_SECONDS:.0f} s"
        raise ProviderError(assemblyai.PROVIDER, problem, retryable=True) from error
    finally:
        await _leave(wire, assemblyai.TERMINATE)
    raise ProviderError(assemblyai.PROVIDER, "hung up before it began the session", retryable=True)


async def with_openai(config: Config, model: str, settings: SessionSettings) -> None:
    """Open a session with a model and these settings, and have OpenAI confirm them. Raises: ProviderError."""
    url = openai.realtime_url(config.openai_url, model)
    wire = await dial(openai.PROVIDER, url, openai.headers(config.openai_key), ANSWER_SECONDS, openai.refused)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await wire.send(openai.session_update(settings).decode(), text=True)
            async for text in wire:
                match openai.decode(text):
                    case openai.SessionUpdated():
                        return
                    case openai.OpenAIError(body):
                        raise openai.fatal(body) or openai.refused_settings(body)
                    case _:
                        pass
    except TimeoutError as error:
        problem = f"did not begin the session within {ANSWER_SECONDS:.0f} s"
        raise ProviderError(openai.PROVIDER, problem, retryable=True) from error
    except ConnectionClosed as error:
        raise openai.closed(error.rcvd.code if error.rcvd else None, error.rcvd.reason if error.rcvd else "") from error
    finally:
        await _leave(wire)
    raise openai.closed(wire.close_code, wire.close_reason or "")


async def _leave(wire: Wire, end: str = "") -> None:
    """End the session in the provider's own words where it has some, so that it is not billed on."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            if end:
                await wire.send(end)
            await wire.close()
    except Exception:  # noqa: BLE001  it hung up first, in whichever way: there is nothing left to say
        wire.transport.abort()
