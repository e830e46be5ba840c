"""The providers of a hub together: which there are, which one calls use, and the tables that people choose by.

Knows descriptors. Does not know any provider by name.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from hub import config as settings
from hub.agents.roster import AgentDefaults
from hub.agents.steering_settings import SteeringSettings
from hub.config import Config, settings_of
from hub.errors import ConfigError
from hub.insight.redaction.settings import RedactionSettings
from hub.notes.settings import NotesSettings
from hub.vendors.speech_provider import SpeechProvider
from hub.vendors.voice_model_provider import VoiceModelProvider

AUTO = "auto"
"""The value of HUB_TRANSCRIBER that leaves the choice to the hub."""

Provider: TypeAlias = SpeechProvider[Any] | VoiceModelProvider[Any]


class Providers:
    """Providers by name, in the order in which the hub prefers them."""

    def __init__(self, *providers: Provider) -> None:
        """Raises: ValueError if two providers, or two of their settings, have one name, or if there is no provider of either kind."""
        self._all = providers
        self.speech = {each.name: each for each in providers if isinstance(each, SpeechProvider)}
        """Speech providers by name."""
        self.voice_models = {each.name: each for each in providers if isinstance(each, VoiceModelProvider)}
        """Voice models by name."""
        if not self.speech or not self.voice_models:
            raise ValueError("a hub needs at least one speech provider and one voice model")
        names = [each.name for each in providers]
        names += [each.metadata["name"] for part in (Config, *self._sections()) for each in settings_of(part)]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two providers, or two settings, are called {', '.join(sorted(twice))}")

    def _sections(self) -> list[Any]:
        return [RedactionSettings, NotesSettings, SteeringSettings, *dict.fromkeys(each.settings for each in self._all)]

    def load(self, environment: Mapping[str, str] | None = None, dotenv: Path | None = Path(".env")) -> Config:
        """Read the hub's settings, and those of its parts and of every provider; see `hub.config.load`. Raises: ConfigError."""
        config = settings.load(self._sections(), environment, dotenv)
        self._check(config)
        return config

    def _check(self, config: Config) -> None:
        """Check the settings that name a provider. Raises: ConfigError."""
        for name, chosen, choices in (
            ("HUB_TRANSCRIBER", config.transcriber, (AUTO, *self.speech)),
            ("HUB_FALLBACK", config.fallback or next(iter(self.speech)), tuple(self.speech)),
        ):
            if chosen not in choices:
                raise ConfigError(name, f"must be one of {', '.join(choices)}, not {chosen!r}")
        first = self.resolved(config).transcriber
        for name, chosen in (("HUB_TRANSCRIBER", first), ("HUB_FALLBACK", config.fallback)):
            if chosen and (key := self.speech[chosen].missing(config)):
                raise ConfigError(name, f"is {chosen}, which needs its key in {key}")
        if config.fallback == first:
            raise ConfigError("HUB_FALLBACK", f"is {config.fallback}, as the first one is: name another, or none")

    def resolved(self, config: Config) -> Config:
        """Return the settings with `auto` replaced by the provider that it means: the first one that lacks no setting."""
        if config.transcriber != AUTO:
            return config
        usable = [name for name, each in self.speech.items() if not each.missing(config)]
        if not usable:
            raise ConfigError("HUB_TRANSCRIBER", f"is auto, but no provider has its key: {', '.join(self.speech)}")
        return replace(config, transcriber=usable[0])

    def chosen(self, config: Config) -> list[SpeechProvider[Any]]:
        """Return the speech provider that calls use, and its fallback if there is one."""
        names = (self.resolved(config).transcriber, config.fallback)
        return [self.speech[name] for name in names if name]

    def voice_model(self, config: Config) -> VoiceModelProvider[Any] | None:
        """Return the voice model that agents use: the first one that lacks no setting. None if each lacks one: then no agent answers."""
        return next((each for each in self.voice_models.values() if not each.missing(config)), None)

    def agent_defaults(self, config: Config) -> AgentDefaults:
        """Return what holds for agents by default, with the settings that are missing if no agent can answer."""
        model = self.voice_model(config) or next(iter(self.voice_models.values()))
        defaults: AgentDefaults = config.of(model.settings).agent_defaults()
        if not model.missing(config):
            return defaults
        return replace(defaults, missing_setting=" or ".join(each.missing(config) for each in self.voice_models.values()))

    def setting_rows(self) -> list[str]:
        """Return the table of settings in Markdown, a row each: the hub's own first, then those of its parts and of each provider."""
        rows = ["| setting | default | meaning |", "|---|---|---|"]
        for each in (each for part in (Config, *self._sections()) for each in settings_of(part)):
            default = each.default if isinstance(each.default, str) else "" if each.default is False else f"{each.default:g}"
            meaning = each.metadata["meaning"].replace("{speech}", ", ".join(self.speech))
            rows.append(f"| `{each.metadata['name']}` | {f'`{default}`' if default else ''} | {meaning} |")
        return rows

    def speech_rows(self) -> list[str]:
        """Return the table of speech providers in Markdown, a row each."""
        head = ("", "needs", "languages", "word times", "confidence", "interims", "tracks of a call", "audio sent as", "what to know")
        rows = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
        for each in self.speech.values():
            able = each.capabilities
            keys = [f"`{each.metadata['name']}`" for each in settings_of(each.settings) if each.metadata["required"]]
            cells = (
                f"`{each.name}`", ", ".join(keys) or "no key", able.languages, _yes(able.word_times), _yes(able.confidence),
                _yes(able.interims), able.channels, "mu-law, as Twilio sends it" if able.takes_mulaw else "PCM", able.remarks,
            )  # fmt: skip
            rows.append(f"| {' | '.join(cells)} |")
        return rows


def _yes(able: bool) -> str:
    return "yes" if able else "no"
