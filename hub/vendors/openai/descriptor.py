"""OpenAI's voice models, as the hub knows them."""

from hub.vendors.openai import wire
from hub.vendors.openai.probe import probe
from hub.vendors.openai.settings import OpenAISettings
from hub.vendors.openai.voice_model import OpenAIModels
from hub.vendors.voice_model_provider import VoiceModelProvider

OPENAI = VoiceModelProvider(name="openai", title=wire.PROVIDER, settings=OpenAISettings, start=OpenAIModels, probe=probe)
