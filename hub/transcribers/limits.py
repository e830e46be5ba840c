"""How long a provider session waits for what, and how much audio it keeps. Numbers only."""

from dataclasses import dataclass

from hub.backoff import Backoff

REPLAY_MS = 60_000.0
"""How long a provider may be away without a word being lost: 1 MB per call, and only while the provider settles nothing."""


WARNINGS = 20
"""How many messages of one call's session that cannot be read are warned of; the rest is at DEBUG, so that nobody can fill the log."""

_BACKOFF = Backoff(first_seconds=0.25, longest_seconds=8.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """The limits of one provider session. The defaults are for real providers; tests take shorter ones."""

    replay_ms: float = REPLAY_MS
    """How much audio is kept for a provider that is away."""
    outage_ms: float = 30_000.0
    """So much lost audio is reported while the provider is still away: those who follow the call learn of it, in few events."""
    open_seconds: float = 10.0
    """A handshake that takes longer has failed; 0.5-1.2 s are normal."""
    keep_alive_seconds: float = 4.0
    """How long nothing may be sent before a keep-alive is. Deepgram asks for one every 3-5 s while no audio flows."""
    last_words_seconds: float = 10.0
    """How long a session whose audio is finished waits for a provider that reports nothing, connected or not."""
    last_words_most_seconds: float = 30.0
    """How long it waits altogether, also while words still come: after a late reconnect there may be audio to catch up with."""
    silent_seconds: float = 30.0
    """A provider that sends results even in silence, and sends nothing for so long, is gone."""
    backoff: Backoff = _BACKOFF
    """Between attempts to connect. The buffer holds 60 s, so even the longest wait leaves time for several attempts."""
    hurry_seconds: float = 1.0
    """The longest wait between attempts once the audio is finished: somebody waits for the last words."""
    stable_seconds: float = 10.0
    """A connection that lived for so long, and on which the provider sent something, was no part of the trouble before it."""
    tick_seconds: float = 1.0
    """How often deadlines are looked at."""


DEFAULT_LIMITS = SessionLimits()
