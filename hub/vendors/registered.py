"""The providers of this hub, one line each, in order of preference."""

from hub.vendors.assemblyai.descriptor import ASSEMBLYAI
from hub.vendors.deepgram.descriptor import DEEPGRAM
from hub.vendors.moonshine.descriptor import MOONSHINE
from hub.vendors.openai.descriptor import OPENAI
from hub.vendors.providers import Providers

REGISTERED = Providers(
    DEEPGRAM,
    ASSEMBLYAI,
    MOONSHINE,
    OPENAI,
)
