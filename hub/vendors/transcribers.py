"""Opens a transcriber for each call, by the settings and by what the call's `<Parameter>`s ask for. Knows no provider by name."""

import time
from collections.abc import Callable

from hub.config import Config
from hub.errors import ConfigError, HubError
from hub.ops.counters import Counters
from hub.transcribers.fallback import Fallback, Refusing
from hub.transcribers.limits import DEFAULT_LIMITS, SessionLimits
from hub.transcribers.session import SessionContext
from hub.transcribers.transcriber import Transcriber
from hub.twilio.media import StartBody
from hub.vendors.providers import Providers
from hub.vendors.speech_provider import CallOptions, TranscriberFactory

NAME_CHARACTERS = 20
"""How much of a provider's name that the hub does not know goes into events: a `<Parameter>` may hold anything."""


class _Unusable(HubError):
    """The hub cannot use the provider that a call asks for. `problem` has the provider as its subject."""

    code = "provider"

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)


class Transcribers:
    """The transcribers of all calls. Close it when no call runs any more."""

    def __init__(self, config: Config, counters: Counters, providers: Providers, limits: SessionLimits = DEFAULT_LIMITS) -> None:
        """Raises: ConfigError if a provider that the settings name cannot work here."""
        self._config = config
        self._counters = counters
        self._providers = providers
        self._limits = limits
        self._factories: dict[str, TranscriberFactory] = {}
        """By provider, once used: a provider that no call asks for is not loaded."""
        self._first, *fallback = (each.name for each in providers.chosen(config))
        self._fallback = fallback[0] if fallback else None
        for name, provider in providers.speech.items():
            if not provider.missing(config):
                counters.providers[name]  # a call may choose it, so `/metrics` shows it before the first call does
        for name in (self._first, *fallback):
            self._factory(name).check()

    def open(self, start: StartBody) -> Transcriber:
        """Open the transcriber of one call. Never waits, never raises: a provider that cannot be used gives way to the hub's own choice."""
        wanted = {name: str(value).strip() for name, value in start.custom_parameters.items()}
        keyterms = tuple(term.strip() for term in wanted.get("keyterms", "").split(",") if term.strip())
        options = CallOptions(wanted.get("language") or None, keyterms)
        asked = wanted.get("transcriber") or self._first
        try:
            first = self._open(asked, options)
        except _Unusable as error:
            return Fallback(Refusing(asked[:NAME_CHARACTERS], error.problem), self._opener(self._first, options))
        second = self._fallback if self._fallback != asked else None
        return Fallback(first, self._opener(second, options) if second else None)

    def close(self) -> None:
        """Free what the calls shared."""
        for factory in self._factories.values():
            factory.close()

    def _opener(self, name: str, options: CallOptions) -> Callable[[], Transcriber]:
        return lambda: self._factory(name).open(options)

    def _open(self, asked: str, options: CallOptions) -> Transcriber:
        """Open the transcriber that a call asks for. Raises: _Unusable if this hub cannot use it."""
        provider = self._providers.speech.get(asked)
        if provider is None:
            raise _Unusable("is no transcriber of this hub")
        if key := provider.missing(self._config):
            raise _Unusable(f"is not set up on this hub: {key} is missing")
        try:
            return self._factory(asked).open(options)
        except ConfigError as error:
            raise _Unusable(f"is not set up on this hub: {error}") from error

    def _factory(self, name: str) -> TranscriberFactory:
        if name not in self._factories:
            provider = self._providers.speech[name]
            context = SessionContext(time.monotonic, self._counters.providers[name], self._limits)
            self._factories[name] = provider.start(self._config.of(provider.settings), context)
        return self._factories[name]
