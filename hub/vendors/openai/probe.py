"""Tries OpenAI for `transcript-hub check`: opens a session as a call to an agent would, and ends it before anything is said.

Costs nothing.
"""

import asyncio
import time

from websockets.exceptions import ConnectionClosed

from hub.agents.roster import Agent
from hub.errors import ProviderError
from hub.transcribers.connection import PROBE_SECONDS, dial, leave
from hub.vendors.openai import wire
from hub.vendors.openai.settings import OpenAISettings


async def probe(settings: OpenAISettings, agent: Agent) -> str:
    """Return a sentence on what OpenAI accepts: the key, the agent's model, and the agent's settings. Raises: ProviderError."""
    url = wire.realtime_url(settings.url, agent.model)
    socket = await dial(wire.PROVIDER, url, wire.headers(settings.key), PROBE_SECONDS, wire.refused)
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            await socket.send(wire.session_update(agent.session(time.time(), "", "")).decode(), text=True)
            async for text in socket:
                match wire.decode(text):
                    case wire.SessionUpdated():
                        return f"OpenAI takes the key in OPENAI_API_KEY, the model {agent.model} and the agent's settings"
                    case wire.OpenAIError(body):
                        raise wire.fatal(body) or wire.refused_settings(body)
                    case _:
                        pass
    except TimeoutError as error:
        raise ProviderError(wire.PROVIDER, f"did not begin the session within {PROBE_SECONDS:.0f} s", retryable=True) from error
    except ConnectionClosed as error:
        raise wire.closed(error.rcvd.code if error.rcvd else None, error.rcvd.reason if error.rcvd else "") from error
    finally:
        await leave(socket)
    raise wire.closed(socket.close_code, socket.close_reason or "")
