"""`transcript-hub check`: goes the way a call goes, from the settings to the provider, and names what stands in it and how to mend it.

Each probe is a line: its name, what was found, and the code under which Twilio's debugger shows that very failure. Where no hub listens
on the configured port yet, one is run for the duration, so that the way through a proxy can be tried before the first start. Says no
secret, and leaves no call behind.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

import aiohttp

from hub import agents, app, config
from hub.agents import Agent
from hub.check.public import ANSWER_SECONDS, Broken, Public, Skipped, session
from hub.config import KEYS, Config
from hub.errors import ConfigError, ProviderError
from hub.ops.logs import without
from hub.transcribers.fallback import Refusing
from hub.twilio import twiml
from hub.vendors import probes as handshake
from hub.vendors.moonshine.transcriber import LocalEngine
from hub.vendors.openai.settings import agent_defaults

NEAR_SECONDS = 2.0
"""A hub on this machine answers in a thousandth of that; another program may take the connection and say nothing."""

Verdict = Literal["ok", "note", "skip", "FAIL"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one probe found."""

    probe: str
    verdict: Verdict
    words: str
    code: str = ""
    """Twilio's, where there is one."""

    def __str__(self) -> str:
        shown = f" [Twilio shows {self.code}]" if self.code else ""
        return f"{self.verdict:<4}  {self.probe:<14}  {self.words}{shown}"


async def check(load: Callable[[], Config] = config.load, tell: Callable[[str], None] = print) -> int:
    """Probe everything, one line each; return the exit code: 1 when anything failed."""
    try:
        settings = load()
    except ConfigError as error:
        tell(str(Finding("settings", "FAIL", str(error))))
        return 1
    failed = False
    async for finding in probe(settings):
        failed = failed or finding.verdict == "FAIL"
        tell(without(str(finding), settings.secrets))
    return int(failed)


async def probe(settings: Config) -> AsyncIterator[Finding]:
    """Yield what each probe finds, in the order in which a call would meet it. What rests on something that failed is skipped."""
    yield _settings(settings)
    async with AsyncExitStack() as stack:
        listening = await _found("port", _port(settings, stack))
        yield listening
        public = Public(settings)
        yield await _found("public address", public.reach())
        yield await _found("websocket", public.upgrade())
        yield await _found("signature", public.signature())
        yield await _found("twiml", public.twiml())
        answering, wrong = _agents(settings)
        if answering:
            yield await _found("agent socket", public.upgrade(twiml.AGENT_DOOR))
    for provider in dict.fromkeys((settings.provider, settings.fallback or settings.provider)):
        yield await _found(provider, _provider(settings, provider))
    if wrong:
        yield Finding("agents", "FAIL", wrong)
    for agent in answering:
        yield await _found(f"agent {agent.name}", _agent(settings, agent))


async def _found(name: str, probing: Awaitable[str]) -> Finding:
    """Return what a probe found; it returns a sentence, or raises."""
    try:
        async with asyncio.timeout(3 * ANSWER_SECONDS):
            words = await probing
    except Skipped as reason:
        return Finding(name, "skip", str(reason))
    except Broken as broken:
        return Finding(name, "FAIL", broken.problem, broken.twilio_code)
    except TimeoutError:
        return Finding(name, "FAIL", f"no answer within {3 * ANSWER_SECONDS:.0f} s")
    return Finding(name, "note" if words.startswith("note: ") else "ok", words.removeprefix("note: "))


def _settings(settings: Config) -> Finding:
    if settings.public_url and urlsplit(settings.public_url).scheme != "https":
        return Finding(
            "settings", "FAIL", "HUB_PUBLIC_URL begins with http://: Twilio streams to wss:// only, so it must be https://", "31922"
        )
    if settings.secret and len(settings.secret) < 32:
        return Finding("settings", "note", "HUB_SECRET is short: whoever guesses it can watch every call; 32 random characters are better")
    if settings.public_url and settings.proof == "none":
        return Finding("settings", "note", "anyone who finds the public address can bring calls: set TWILIO_AUTH_TOKEN or HUB_SECRET")
    return Finding("settings", "ok", "each is known and makes sense")


async def _port(settings: Config, stack: AsyncExitStack) -> str:
    """Find a hub on the configured port, or run one until the stack is left."""
    where = f"{settings.host} port {settings.port}"
    if settings.port and await _is_hub(settings):
        return f"a hub listens on {where}"
    try:
        # Without the journal, or it would take up the calls of the hub that is to be started. Transcribers have probes of their own, and so
        # have agents: a file that is wrong is no reason to look at nothing else.
        quiet = replace(settings, journal="", drain_seconds=0.0)
        if _agents(settings)[1]:
            quiet = replace(quiet, agents="", openai_key="")
        await stack.enter_async_context(app.running(quiet, lambda _: Refusing("check", "is no transcriber")))
    except ConfigError as error:
        raise Broken(str(error)) from error
    return f"free: no hub listens on {where} yet, so one runs for this check"


async def _is_hub(settings: Config) -> bool:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104  it is where others listen
    url = f"{'https' if settings.tls_cert else 'http'}://{f'[{host}]' if ':' in host else host}:{settings.port}/healthz"
    try:
        async with session(NEAR_SECONDS) as client, client.get(url, ssl=False) as answer:
            return answer.status == 200 and await answer.text() == "ok\n"
    except (aiohttp.ClientError, TimeoutError, UnicodeError):
        return False


async def _provider(settings: Config, provider: str) -> str:
    """Shake hands with a provider as a call would, and take leave at once: that is not billed, or by the second."""
    try:
        match provider:
            case "deepgram":
                await handshake.with_deepgram(settings)
                return f"Deepgram takes the key in {KEYS[provider]} and the model {settings.deepgram_model}"
            case "assemblyai":
                await handshake.with_assemblyai(settings)
                return f"AssemblyAI takes the key in {KEYS[provider]} and the model {settings.assemblyai_model}"
            case _:
                await asyncio.to_thread(LocalEngine().check)
                return "the engine runs on this machine"
    except (ConfigError, ProviderError) as error:
        raise Broken(str(error)) from error


def _agents(settings: Config) -> tuple[list[Agent], str]:
    """Return the agents, and what is wrong with them; empty when nothing is."""
    try:
        return list(agents.load(settings, agent_defaults(settings))), ""
    except ConfigError as error:
        return [], str(error)


async def _agent(settings: Config, agent: Agent) -> str:
    """Open a session as a call for this agent would, and take leave before anything is said: that costs nothing."""
    try:
        await handshake.with_openai(settings, agent.model, agent.session(time.time(), "", ""))
    except ProviderError as error:
        raise Broken(str(error)) from error
    return f"OpenAI takes the key in OPENAI_API_KEY, the model {agent.model} and what the agent is to be"
