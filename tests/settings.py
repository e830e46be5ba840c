"""Settings for tests: a Config without an environment, providers included."""

from dataclasses import replace
from typing import Any

from hub.config import Config
from hub.vendors.providers import Providers
from hub.vendors.registered import REGISTERED


def configured(providers: Providers = REGISTERED, **named: Any) -> Config:
    """Return a Config. The hub's own settings are named by field; a provider's by its name and field: `deepgram_key="k"`."""
    sections = []
    for each in (*providers.speech.values(), *providers.voice_models.values()):
        prefix = f"{each.name}_"
        if own := {name.removeprefix(prefix): named.pop(name) for name in list(named) if name.startswith(prefix)}:
            sections.append(each.settings(**own))
    return replace(Config(**named), sections=tuple(sections))
