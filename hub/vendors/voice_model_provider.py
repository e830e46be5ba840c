"""The descriptor of a voice model's provider: all that the hub knows of a provider whose models answer calls.

It holds the provider's name, its settings, and how its models are opened and probed. Does not know any provider, nor what an agent says.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from hub.agents.roster import Agent, AgentDefaults
from hub.agents.voice_model import VoiceModel
from hub.config import Config, Section, missing
from hub.ops.counters import ProviderCounters


class VoiceModelSection(Section, Protocol):
    """The settings of a voice model."""

    def agent_defaults(self) -> AgentDefaults:
        """Return what holds for an agent that does not say otherwise."""


@dataclass(frozen=True, slots=True)
class ModelContext:
    """What the sessions of one voice model's provider share."""

    clock: Callable[[], float]
    """Monotonic seconds."""
    counters: ProviderCounters


class VoiceModelFactory(Protocol):
    """Opens the voice models of one provider."""

    def open(self, agent: Agent, call_sid: str) -> VoiceModel:
        """Return the model that speaks for an agent on one call. Nothing is dialled before the model's `run()`."""


V = TypeVar("V", bound=VoiceModelSection)


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceModelProvider(Generic[V]):
    """Answers calls."""

    name: str
    title: str
    settings: type[V]
    start: Callable[[V, ModelContext], VoiceModelFactory] = field(repr=False)
    """Returns the factory. Takes no time."""
    probe: Callable[[V, Agent], Awaitable[str]] = field(repr=False)
    """Opens a session as a call to this agent would, and ends it before anything is said. Returns and raises as that of SpeechProvider."""

    def missing(self, config: Config) -> str:
        """Return the name of the setting that this provider lacks before it can be used; empty if it lacks none."""
        return missing(config.of(self.settings))
