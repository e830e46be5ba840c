"""How whole a record is, as tests ask for it."""

from typing import Any

from hub.events import Completeness

COMPLETE = Completeness(
    state="complete", summary="complete", untranscribed_seconds=0.0, lost_percent=0.0, unheard=None, words_missing=False, reason=None
)


def completeness(ended: dict[str, Any]) -> str:
    """Return what a `call-ended` says of the transcriber's work, whichever sides spoke: "complete", "words missing" or the summary."""
    found = ended["completeness"]
    if found["reason"] is None and not found["untranscribedSeconds"] and not found["lostPercent"]:
        return "words missing" if found["wordsMissing"] else "complete"
    return str(found["summary"])
