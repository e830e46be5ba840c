"""Tries OpenAI for `transcript-hub check`: opens a session as a call to an agent would, and ends it before anything is said.

Costs nothing.
"""

import asyncio
import time

from websockets.exceptions import ConnectionClosed

from hub.agents.roster import Agent
from hub.errors import ProviderError
from hub.transcribers.connection import PROBE_SECONDS, dial, leave
from hub.vendors.openai import requests, wire
from hub.vendors.openai.refusals import closed, fatal, refused, refused_settings
from hub.vendors.openai.settings import OpenAISettings


async def probe(settings: OpenAISettings, agent: Agent) -> str:
    """Return a sentence on what OpenAI accepts: the key, the agent's model, and the agent's settings. Raises: ProviderError."""
    url = requests.realtime_url(settings.url, agent.model)
    socket = await dial(wire.PROVIDER, url, requests.headers(settings.key, settings.spoken), PROBE_SECONDS, refused)
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            await socket.send(requests.session_update(agent.session(time.time(), "", ""), settings.spoken).decode(), text=True)
            async for text in socket:
                match wire.decode(text):
                    case wire.SessionUpdated():
                        return f"OpenAI takes the key in OPENAI_API_KEY, the model {agent.model} and the agent's settings"
                    case wire.OpenAIError() as error:
                        raise fatal(error.body) or refused_settings(error.body)
                    case _:
                        pass
    except TimeoutError as error:
        raise ProviderError(wire.PROVIDER, f"did not begin the session within {PROBE_SECONDS:.0f} s", retryable=True) from error
    except ConnectionClosed as error:
        raise closed(error.rcvd.code if error.rcvd else None, error.rcvd.reason if error.rcvd else "") from error
    finally:
        await leave(socket)
    raise closed(socket.close_code, socket.close_reason or "")
