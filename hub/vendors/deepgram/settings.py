"""Deepgram's settings."""

from dataclasses import dataclass

from hub.config import check_url, setting
from hub.vendors.deepgram import address


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepgramSettings:
    """See hub.config.Section."""

    key: str = setting("DEEPGRAM_API_KEY", "", "Deepgram's API key", secret=True, required=True)
    url: str = setting("DEEPGRAM_URL", "wss://api.deepgram.com", "address of Deepgram; a regional one keeps audio in its region")
    model: str = setting("DEEPGRAM_MODEL", "nova-3", "Deepgram's model")
    options: str = setting("DEEPGRAM_OPTIONS", "", "more query parameters, such as `language=de&keyterm=Acme`")

    def check(self) -> None:
        """See Section."""
        check_url("DEEPGRAM_URL", self.url, ("wss", "ws"))
        address.listen_url(self.url, model=self.model, options=self.options)
