"""AssemblyAI's settings."""

from dataclasses import dataclass
from typing import Literal

from hub.config import check_url, setting
from hub.vendors.assemblyai import wire


@dataclass(frozen=True, slots=True, kw_only=True)
class AssemblyAISettings:
    """See hub.config.Section."""

    key: str = setting("ASSEMBLYAI_API_KEY", "", "AssemblyAI's API key", secret=True, required=True)
    url: str = setting(
        "ASSEMBLYAI_URL", "wss://streaming.assemblyai.com", "address of AssemblyAI; a regional one keeps audio in its region"
    )
    model: str = setting("ASSEMBLYAI_MODEL", wire.MODEL, "AssemblyAI's model")
    options: str = setting("ASSEMBLYAI_OPTIONS", "", "more query parameters, such as `max_turn_silence=800`")
    channels: Literal["separate", "mixed"] = setting(
        "ASSEMBLYAI_CHANNELS",
        "separate",
        "`separate`: one session, and one bill, per track, from its first sound on; `mixed`: one session, speakers told apart by loudness",
    )

    def check(self) -> None:
        """See Section."""
        check_url("ASSEMBLYAI_URL", self.url, ("wss", "ws"))
        wire.stream_url(self.url, model=self.model, options=self.options)
