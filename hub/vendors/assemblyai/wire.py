"""AssemblyAI's /v3/ws: the address and headers to dial, what to say, what it answers, what its refusals mean.

Knows the text of the protocol (assemblyai 1.8.2 `streaming/v3`; assemblyai.com/docs/streaming) and which model family ends a turn how.
Knows no socket, no retry and no call: times are milliseconds of the audio sent in one session, from 0, and one session hears one track.
An open socket means nothing yet: every refusal comes after the 101, as an Error message and a close. Wait for Begin.
"""

from collections.abc import Iterable
from typing import Final, TypeAlias
from urllib.parse import parse_qsl, urlencode

import msgspec

from hub.audio import g711
from hub.errors import ConfigError, ProviderError, WireError

PROVIDER: Final = "AssemblyAI"

TERMINATE: Final = '{"type":"Terminate"}'
"""No audio follows: the last Turn comes, then Termination, then close 1000. Read until Termination, or the last turn is lost."""

FORCE_ENDPOINT: Final = '{"type":"ForceEndpoint"}'
"""End the turn now: turns end by audio time, so without audio a turn never ends of itself."""

KEEP_ALIVE: Final = '{"type":"KeepAlive"}'
"""Puts off the inactivity time-out while no audio flows. Not answered."""

FRAME_MS: Final = (50, 1000)
"""Least and most audio of one binary frame; anything else ends the session with 3007. Pad a shorter remainder with silence."""

INACTIVITY_SECONDS: Final = 120
"""Sessions are billed by wall time for up to 3 hours, and one whose hub lost its power would be: 120 s without a message end it.
Twice what ends a call whose Twilio stream went quiet, so it never ends a session in use."""

_FIXED: Final = {"sample_rate": str(g711.SAMPLE_RATE_HZ), "encoding": "pcm_mulaw"}
"""These describe the audio that the hub sends. Another value would not change the audio, only turn it into noise."""


def always_formats(model: str) -> bool:
    """Return whether this model punctuates every turn by itself: all but the universal-streaming family, which does it when asked."""
    return not model.startswith("universal-streaming-")


def stream_url(base: str, *, model: str, keyterms: Iterable[str] = (), language: str | None = None, options: str = "") -> str:
    """Return the address of a session for one mu-law track on `base` (`wss://streaming.assemblyai.com`, or a proxy with a path of its own).

    `options` is a query string: its parameters replace those given here, and an empty value takes a parameter out
    (`inactivity_timeout=`). AssemblyAI ignores names it does not know without a word.

    Raises: ConfigError when `options` names a parameter that describes the audio, the model, or a token that would replace the key.
    """
    wanted = parse_qsl(options.strip().lstrip("?"), keep_blank_values=True)
    for name, _ in wanted:
        if name in _FIXED:
            raise ConfigError("ASSEMBLYAI_OPTIONS", f"cannot set {name}: the hub decides how audio is sent")
        if name == "speech_model":
            raise ConfigError("ASSEMBLYAI_OPTIONS", "cannot set speech_model: name it in ASSEMBLYAI_MODEL")
        if name == "token":
            raise ConfigError("ASSEMBLYAI_OPTIONS", "cannot set token: a key belongs in ASSEMBLYAI_API_KEY")
    own = [*_FIXED.items(), ("speech_model", model), ("inactivity_timeout", str(INACTIVITY_SECONDS))]
    if not always_formats(model):
        own.append(("format_turns", "true"))
    if language:
        own.append(("language_codes", _json([language])))
    if terms := list(keyterms):
        own.append(("keyterms_prompt", _json(terms)))
    replaced = {name for name, _ in wanted}
    query = [pair for pair in own if pair[0] not in replaced] + [pair for pair in wanted if pair[1]]
    return f"{base.rstrip('/')}/v3/ws?{urlencode(query)}"


def _json(items: list[str]) -> str:
    """A list travels as a JSON array in one parameter, not as a repeated one."""
    return msgspec.json.encode(items).decode()


def headers(key: str) -> dict[str, str]:
    """Return the headers of the handshake. The key stands alone: with `Bearer` the socket opens, then 1008 `Invalid API key`."""
    return {"Authorization": key, "AssemblyAI-Version": "2025-05-12"}


class Configuration(msgspec.Struct, frozen=True):
    """What the session was given, which need not be what was asked for."""

    model: str | None = None


class Begin(msgspec.Struct, frozen=True, tag_field="type", tag="Begin"):
    """The session stands; only now is anything accepted. `expires_at` is Unix time in seconds."""

    id: str
    expires_at: float | None = None
    configuration: Configuration | None = None

    def other_model(self, asked: str) -> str | None:
        """Return the model that answers, if it is not the one asked for: a misspelled name is replaced without a word."""
        given = self.configuration.model if self.configuration else None
        return given if given and given != asked else None


class Word(msgspec.Struct, frozen=True):
    """One word, in milliseconds of this session's audio."""

    text: str
    start_ms: float = msgspec.field(name="start")
    end_ms: float = msgspec.field(name="end")
    confidence: float | None = None
    word_is_final: bool = True


class Turn(msgspec.Struct, frozen=True, tag_field="type", tag="Turn"):
    """All of one turn so far: it replaces every earlier message with the same `turn_order`, which restarts at 0 in each session."""

    turn_order: int
    transcript: str
    end_of_turn: bool
    turn_is_formatted: bool = False
    words: tuple[Word, ...] = ()
    language_code: str | None = None

    @property
    def so_far(self) -> str:
        """The text to show while the turn is open: universal-streaming keeps the word being spoken out of `transcript`."""
        if self.end_of_turn or not self.words or self.words[-1].word_is_final:
            return self.transcript
        spoken = " ".join(word.text for word in self.words)
        return spoken if len(spoken) > len(self.transcript) else self.transcript


class SpeechStarted(msgspec.Struct, frozen=True, tag_field="type", tag="SpeechStarted"):
    """Somebody began to speak at `timestamp_ms`; only from the u3 family."""

    timestamp_ms: float = msgspec.field(name="timestamp")


class Termination(msgspec.Struct, frozen=True, tag_field="type", tag="Termination"):
    """The last message, after Terminate. `session_duration_seconds` is what is billed."""

    audio_duration_seconds: float | None = None
    session_duration_seconds: float | None = None


class ErrorMessage(msgspec.Struct, frozen=True, tag_field="type", tag="Error"):
    """Why the session ends; the close that follows says only "See Error message for details". `refused()` translates it."""

    error: str
    error_code: int | None = None


class WarningMessage(msgspec.Struct, frozen=True, tag_field="type", tag="Warning"):
    """Something worth a line in the log; the session goes on."""

    warning: str = ""
    warning_code: int | None = None


Message: TypeAlias = Begin | Turn | SpeechStarted | Termination | ErrorMessage | WarningMessage


class _Kind(msgspec.Struct, frozen=True):
    type: str | None = None
    error: object = None
    error_code: object = None


_decoder = msgspec.json.Decoder(Message)
_kind = msgspec.json.Decoder(_Kind)
_KNOWN: Final = frozenset({"Begin", "Turn", "SpeechStarted", "Termination", "Error", "Warning"})


def decode(text: str | bytes) -> Message | None:
    """Read one text frame; None for a type that this hub does not use. Fields it does not know are skipped.

    Raises: WireError when it is no JSON object with a `type` (an `error` will do), or a known type lacks a field.
    """
    try:
        message: Message = _decoder.decode(text)
    except (ValueError, RecursionError) as exc:
        try:
            kind = _kind.decode(text)
        except (ValueError, RecursionError):
            kind = _Kind()
        if kind.type is None and isinstance(kind.error, str):  # the SDK takes this for an Error as well
            return ErrorMessage(kind.error, kind.error_code if isinstance(kind.error_code, int) else None)
        if kind.type is not None and kind.type not in _KNOWN:
            return None
        raise WireError(PROVIDER, f"sent a message that cannot be read: {exc}") from exc
    return message


def is_last(turn: Turn, model: str, formatted: bool) -> bool:
    """Return whether nothing more comes of this turn.

    `formatted`: format_turns was asked for. Then universal-streaming ends a turn twice, unformatted and formatted, and the second one
    counts; should Termination come between them, the first one was the last word. Elsewhere `turn_is_formatted` means nothing:
    universal-3-5 and -3-6 set it in every partial.
    """
    if formatted and not always_formats(model):
        return turn.end_of_turn and turn.turn_is_formatted
    return turn.end_of_turn


SESSION_EXPIRED: Final = 3008
"""The session reached its 3 hours or its token's cap. Open the next one at once: back-off would only cost live words."""

_QUOTED_CHARS: Final = 200
"""Characters of a vendor's own words that go into an error: enough for a sentence, not for a proxy's web page."""


def refused(error_code: int | None, text: str = "") -> ProviderError:
    """Return what an Error message, or a handshake answered with an HTTP status instead of 101, means, in words a person can act on.

    What is not known here is taken for a passing trouble of the network or the server: 3005, 1011, 1013, 5xx are.
    """
    said = text.lower()
    because = f": {' '.join(text.split())[:_QUOTED_CHARS]}" if text else ""
    code = "" if error_code is None else f" ({error_code})"
    retryable = True
    match error_code:
        case 1008 | 429 | 3009 if error_code != 1008 or "too many" in said:
            # The limit is on new sessions a minute (free accounts: 5), so it passes; docs name 1008 for it, the SDK 3009. Back off.
            problem = f"has too many sessions open for this account{code}{because}"
        case 1008 | 402 | 4002 | 4003 if error_code != 1008 or any(word in said for word in ("fund", "balance", "credit")):
            problem, retryable = f"has no credit left for this account{code}{because}", False
        case 1008 | 401 | 403 | 4001:
            problem, retryable = f"refused the key{code}{because}; check ASSEMBLYAI_API_KEY", False
        case 3006 if "inactivity" in said:
            problem = f"received nothing for too long and hung up{code}"
        case 3006 | 400 | 4101:  # the same words would be as wrong the second time
            problem, retryable = f"refused the request{code}{because}; check ASSEMBLYAI_MODEL and ASSEMBLYAI_OPTIONS", False
        case 3007 if "rate exceeded" in said:
            # More than about five minutes of audio were waiting there; a new session starts without them.
            problem = f"fell too far behind the audio and hung up{code}{because}"
        case 3007:  # the same frames would be as wrong the second time
            problem, retryable = f"refused the length of an audio frame{code}{because}", False
        case 3008:
            problem = f"ended the session at its longest{code}{because}"
        case 404 | 410:
            problem, retryable = f"has no such address{code}{because}; check ASSEMBLYAI_URL", False
        case _:
            problem = f"had trouble of its own and hung up{code}{because}"
    return ProviderError(PROVIDER, problem, retryable=retryable)


_SAYS_NOTHING: Final = "see error message for details"


def closed(code: int | None, reason: str = "") -> ProviderError:
    """Return what a close without an Error message before it means; `code` is None when the connection broke without one.

    Also for 1000 before Termination: AssemblyAI ended a session that the hub had not.
    """
    if code in {None, 1005, 1006}:
        return ProviderError(PROVIDER, "lost the connection", retryable=True)
    if code == 1000:
        return ProviderError(PROVIDER, "hung up before the end (1000)", retryable=True)
    return refused(code, "" if reason.lower().startswith(_SAYS_NOTHING) else reason)
