"""The descriptor of a voice model's provider: all that the hub knows of a provider whose models answer calls.

It holds the provider's name, its settings, and how it is probed. Does not know any provider, nor what an agent says.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from hub.agents.roster import Agent, AgentDefaults
from hub.config import Config, Section, missing


class VoiceModelSection(Section, Protocol):
    """The settings of a voice model."""

    def agent_defaults(self) -> AgentDefaults:
        """Return what holds for an agent that does not say otherwise."""


V = TypeVar("V", bound=VoiceModelSection)


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceModelProvider(Generic[V]):
    """Answers calls."""

    name: str
    title: str
    settings: type[V]
    probe: Callable[[V, Agent], Awaitable[str]] = field(repr=False)
    """Opens a session as a call to this agent would, and ends it before anything is said. Returns and raises as that of SpeechProvider."""

    def missing(self, config: Config) -> str:
        """Return the name of the setting that this provider lacks before it can be used; empty if it lacks none."""
        return missing(config.of(self.settings))
