"""Settings for tests: a Config without an environment, providers included."""

from dataclasses import replace
from typing import Any

from hub.agents.steering_settings import SteeringSettings
from hub.config import Config
from hub.insight.redaction.settings import RedactionSettings
from hub.notes.settings import NotesSettings
from hub.vendors.providers import Providers
from hub.vendors.registered import REGISTERED


def configured(providers: Providers = REGISTERED, **named: Any) -> Config:
    """Return a Config. The hub's own settings are named by field; others by part and field: `deepgram_key="k"`, `redact_kinds="digits"`."""
    sections = []
    parts = [
        ("redact", RedactionSettings),
        ("steer", SteeringSettings),
        ("notes", NotesSettings),
        *((each.name, each.settings) for each in (*providers.speech.values(), *providers.voice_models.values())),
    ]
    for part, settings in parts:
        prefix = f"{part}_"
        if own := {name.removeprefix(prefix): named.pop(name) for name in list(named) if name.startswith(prefix)}:
            sections.append(settings(**own))
    return replace(Config(**named), sections=tuple(sections))
