"""`transcript-hub check`: tests every step of a call, from the settings to the provider, and prints one line per step.

A line says OK, or what is wrong and how to fix it, with the code under which Twilio's debugger shows that failure. If no hub listens on
the configured port yet, one runs for the duration, so that the way through a proxy can be tested before the first start. Prints no
secret, and leaves no call behind.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

import aiohttp

from hub import agents, app
from hub.agents import Agent
from hub.calls.watching import read_watchwords
from hub.check import notes
from hub.check.peers import Peers
from hub.check.public import ANSWER_SECONDS, Broken, Public, Skipped, session
from hub.config import Config
from hub.delivery.receiver import WebhookReceiver
from hub.delivery.webhook import Webhook
from hub.delivery.webhook_file import load as load_webhooks
from hub.errors import AccountError, ConfigError, ProviderError
from hub.notes.settings import NotesSettings
from hub.ops.logs import without
from hub.recordings import recordings
from hub.recordings.store import StoreError
from hub.text.foreign_text import line
from hub.transcribers.fallback import Refusing
from hub.twilio import twiml
from hub.twilio.rest import TwilioAccount
from hub.vendors.providers import Providers
from hub.vendors.registered import REGISTERED

NO_CALL = "CA" + "0" * 32
"""A callSid that no call has."""

NEAR_SECONDS = 2.0
"""A hub on this machine answers in a thousandth of this; another program may accept the connection and never answer."""

Verdict = Literal["ok", "note", "skip", "FAIL"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one probe."""

    probe: str
    verdict: Verdict
    words: str
    code: str = ""
    """Twilio's code for this failure; empty if there is none."""

    def __str__(self) -> str:
        shown = f" [Twilio shows {self.code}]" if self.code else ""
        return f"{self.verdict:<4}  {self.probe:<14}  {line(self.words)}{shown}"


async def check(
    load: Callable[[], Config] = REGISTERED.load, write: Callable[[str], None] = print, providers: Providers = REGISTERED
) -> int:
    """Run every probe and write its line; return the exit code: 1 if anything failed."""
    try:
        settings = load()
    except ConfigError as error:
        write(str(Finding("settings", "FAIL", str(error))))
        return 1
    failed = False
    async for finding in probe(settings, providers):
        failed = failed or finding.verdict == "FAIL"
        write(without(str(finding), settings.secrets))
    return int(failed)


async def probe(settings: Config, providers: Providers) -> AsyncIterator[Finding]:
    """Yield the result of each probe, in the order of a call. A probe that depends on one that failed is skipped."""
    yield _settings(settings)
    yield _readers(settings)
    async with AsyncExitStack() as stack:
        listening = await _found("port", _port(settings, stack, providers))
        yield listening
        public = Public(settings)
        yield await _found("public address", public.reach())
        yield await _found("websocket", public.upgrade())
        yield await _found("signature", public.signature())
        yield await _found("twiml", public.twiml())
        answering, wrong = _agents(settings, providers)
        if answering:
            yield await _found("agent socket", public.upgrade(twiml.AGENT_DOOR))
    if settings.watchwords:
        yield _watchwords(settings)
    if settings.broker:
        peers = Peers(settings)
        yield await _found("broker", peers.broker())
        yield await _found("nodes", peers.nodes())
    if settings.twilio_account:
        yield await _found("twilio account", _account(settings))
    if settings.recordings:
        yield await _found("recordings", _recordings(settings))
    if settings.webhooks:
        for name, words in _webhooks(settings):
            yield await _found(name, words)
    if settings.of(NotesSettings).url:
        yield await _found("notes", notes.tried(settings))
    for provider in providers.chosen(settings):
        yield await _found(provider.name, _of_provider(provider.probe(settings.of(provider.settings))))
    if wrong:
        yield Finding("agents", "FAIL", wrong)
    if (model := providers.voice_model(settings)) is not None:
        for agent in answering:
            yield await _found(f"agent {agent.name}", _of_provider(model.probe(settings.of(model.settings), agent)))


async def _found(name: str, probing: Awaitable[str]) -> Finding:
    """Return the result of a probe, which returns a sentence or raises."""
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
    return Finding("settings", "ok", "every setting is known and valid")


def _readers(settings: Config) -> Finding:
    if settings.exposed:
        more = "and hear " if settings.listen else ""
        return Finding("readers", "note", f"anyone who finds {settings.exposed} can read {more}every call, live and ended: set HUB_SECRET")
    return Finding("readers", "ok", "they need a token" if settings.secret else "only this machine can read calls")


async def _port(settings: Config, stack: AsyncExitStack, providers: Providers) -> str:
    """Find a hub on the configured port, or run one until the stack is left."""
    where = f"{settings.host} port {settings.port}"
    if settings.port and await _is_hub(settings):
        return f"a hub listens on {where}"
    try:
        # Without archive and broker: this hub must not go on with the calls of the hub that is to be started. Transcribers and agents have
        # probes of their own, and so have the files of rules, webhooks and agents: if one is wrong, all else can be tested without it.
        quiet = replace(settings, archive="", recordings="", broker="", watchwords="", webhooks="", drain_seconds=0.0)
        if _agents(settings, providers)[1]:
            models = tuple(each.settings for each in providers.voice_models.values())
            quiet = replace(quiet, agents="", sections=tuple(each for each in settings.sections if not isinstance(each, models)))
        await stack.enter_async_context(app.running(quiet, lambda _: Refusing("check", "is no transcriber"), providers=providers))
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


async def _of_provider(probing: Awaitable[str]) -> str:
    """Return what a provider's own probe returns. Raises: Broken in place of the errors of settings and providers."""
    try:
        return await probing
    except (ConfigError, ProviderError) as error:
        raise Broken(str(error)) from error


async def _account(settings: Config) -> str:
    """Ask Twilio's REST API about a call that does not exist: that it says so shows that it accepts the key or the token."""
    account = TwilioAccount(settings)
    shown = "TWILIO_API_KEY and TWILIO_API_SECRET" if settings.twilio_key else "TWILIO_AUTH_TOKEN"
    try:
        await account.find(settings.twilio_account, NO_CALL)
    except AccountError as error:
        wrong = f": check TWILIO_ACCOUNT_SID, {shown}" if error.status in {401, 403} else ""
        raise Broken(f"{error}{wrong}") from error
    finally:
        await account.close()
    return f"Twilio's REST API accepts {shown}"


def _watchwords(settings: Config) -> Finding:
    try:
        count = len(read_watchwords(settings.watchwords).rules)
    except ConfigError as error:
        return Finding("watchwords", "FAIL", str(error))
    return Finding("watchwords", "ok", f"{settings.watchwords} has {count} rule{'' if count == 1 else 's'}")


async def _recordings(settings: Config) -> str:
    try:
        return await recordings.tried(settings)
    except (ConfigError, StoreError) as error:
        raise Broken(str(error)) from error


def _webhooks(settings: Config) -> list[tuple[str, Awaitable[str]]]:
    """Return the name and the probe of each webhook, or of their file where that is wrong."""
    try:
        return [(f"webhook {each.name}", _receiver(each)) for each in load_webhooks(settings)]
    except ConfigError as error:
        return [("webhooks", _broken(str(error)))]


async def _broken(problem: str) -> str:
    raise Broken(problem)


async def _receiver(to: Webhook) -> str:
    """Connect to a receiver as messages will be sent to it, but send none: `transcript-hub webhooks test` does."""
    async with WebhookReceiver(to) as receiver:
        if problem := await receiver.reach():
            raise Broken(f"its receiver {problem}")
    return f"its receiver answers; `transcript-hub webhooks test {to.name}` sends it a message"


def _agents(settings: Config, providers: Providers) -> tuple[list[Agent], str]:
    """Return the agents, and what is wrong with their file; empty if nothing is."""
    try:
        return list(agents.load(settings, providers.agent_defaults(settings))), ""
    except ConfigError as error:
        return [], str(error)
