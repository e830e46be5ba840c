"""The made-up provider's settings."""

from dataclasses import dataclass
from typing import Literal

from hub.config import check_url, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeUpSettings:
    """See hub.config.Section."""

    key: str = setting("MADEUP_API_KEY", "", "the made-up key", secret=True, required=True)
    url: str = setting("MADEUP_URL", "wss://made-up.example", "the made-up address")
    tone: Literal["kind", "dry"] = setting("MADEUP_TONE", "kind", "kind or dry: how it writes")
    pieces: int = setting("MADEUP_PIECES", 2, "how many words a final has")

    def check(self) -> None:
        """See Section."""
        check_url("MADEUP_URL", self.url, ("wss", "ws"))
