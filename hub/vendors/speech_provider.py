"""The descriptor of a speech provider: all that the hub knows of a provider that transcribes calls.

It holds the provider's name, its settings, its capabilities, and how it is opened and probed. A new provider is one folder with a
descriptor, and one line in `hub/vendors/registered.py`. Does not know any provider, nor which one a call uses.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, Literal, Protocol, TypeVar

from hub.config import Config, Section, missing
from hub.transcribers.session import SessionContext
from hub.transcribers.transcriber import Transcriber


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a speech provider can do, for people who choose one."""

    languages: str
    """Which languages it recognizes, in words."""
    word_times: bool
    """Whether finals hold the time of each word."""
    confidence: bool
    """Whether finals hold how certain the words are."""
    interims: bool
    """Whether words come while they are still spoken."""
    channels: Literal["both in one session", "one session per track", "no session"]
    """How the two tracks of a call reach it: each session has its bill."""
    takes_mulaw: bool
    """Whether it takes telephone audio as it is, G.711 mu-law at 8000 Hz, or the hub has to convert it."""
    remarks: str = ""
    """What else to know before choosing it, in a few words."""


@dataclass(frozen=True, slots=True)
class CallOptions:
    """What one call asks of its transcriber."""

    language: str | None = None
    """What is spoken, as `de`; None: as the provider's settings say."""
    keyterms: tuple[str, ...] = ()
    """Names and terms to listen for."""


class TranscriberFactory(Protocol):
    """Opens the transcribers of one provider, and holds what they share."""

    def check(self) -> None:
        """Check what can be checked without the network: the address, the options, what is installed. May take a second.

        Raises: ConfigError, in a sentence that says what to do.
        """

    def open(self, options: CallOptions) -> Transcriber:
        """Open the transcriber of one call. Never waits. Raises: ConfigError if the provider's settings are wrong."""

    def close(self) -> None:
        """Free what the transcribers share. No call runs any more."""


@dataclass(frozen=True, slots=True)
class NoSettings:
    """The section of a provider that has no settings."""

    def check(self) -> None:
        """See Section."""


S = TypeVar("S", bound=Section)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechProvider(Generic[S]):
    """Transcribes calls."""

    name: str
    """As settings, `<Parameter>`s, events and metrics have it: lower case, one word."""
    title: str
    """As people write it."""
    settings: type[S]
    capabilities: Capabilities
    start: Callable[[S, SessionContext], TranscriberFactory] = field(repr=False)
    """Returns the factory. Takes no time: what the transcribers share is loaded by `check()`, or for the first call."""
    probe: Callable[[S], Awaitable[str]] = field(repr=False)
    """Opens a session as a call would, and ends it at once; returns a sentence on what works. Raises: ConfigError, ProviderError."""

    def missing(self, config: Config) -> str:
        """Return the name of the setting that this provider lacks before it can be used; empty if it lacks none."""
        return missing(config.of(self.settings))
