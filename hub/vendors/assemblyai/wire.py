"""AssemblyAI's /v3/ws: the address and headers of the handshake, the messages of both sides, and what refusals mean.

Knows the text of the protocol (assemblyai 1.8.2 `streaming/v3`; assemblyai.com/docs/streaming) and how each family of models ends a turn.
Knows no socket, no retry and no call: times are milliseconds of the audio sent in one session, from 0. One session takes one channel.
An open socket is not an accepted session: every refusal comes after the 101, as an Error message and a close. Wait for Begin.
"""

from collections.abc import Iterable
from typing import Final, TypeAlias
from urllib.parse import parse_qsl, urlencode

import msgspec

from hub.audio import g711
from hub.errors import ConfigError, ProviderError, WireError

PROVIDER: Final = "AssemblyAI"

TERMINATE: Final = '{"type":"Terminate"}'
"""Says that no audio follows: the last Turn comes, then Termination, then close 1000. Read until Termination, or the last turn is lost."""

FORCE_ENDPOINT: Final = '{"type":"ForceEndpoint"}'
"""Ends the turn now. Turns end by audio time, so no turn ends while no audio comes."""

KEEP_ALIVE: Final = '{"type":"KeepAlive"}'
"""Postpones the inactivity time-out while no audio flows. Not answered."""

FRAME_MS: Final = (50, 1000)
"""Least and most audio of one binary frame. Anything else ends the session with 3007, so a shorter remainder is padded with silence."""

INACTIVITY_SECONDS: Final = 120
"""After so long without a message AssemblyAI ends a session. Sessions are billed by wall time, for up to 3 hours: without this, also the
session of a hub that lost its power. Twice the time that ends a call whose Twilio stream went quiet, so it never ends a session in use."""

_FIXED: Final = {"sample_rate": str(g711.SAMPLE_RATE_HZ), "encoding": "pcm_mulaw"}
"""Parameters that describe the audio. Another value would not change the audio that the hub sends, so AssemblyAI would read noise."""


def always_formats(model: str) -> bool:
    """Return whether this model punctuates every turn unasked: all models do but the universal-streaming family."""
    return not model.startswith("universal-streaming-")


def stream_url(base: str, *, model: str, keyterms: Iterable[str] = (), language: str | None = None, options: str = "") -> str:
    """Return the address of a session for one mu-law track on `base` (`wss://streaming.assemblyai.com`, or a proxy with a path of its own).

    `options` is a query string: its parameters replace those given here, and an empty value removes a parameter
    (`inactivity_timeout=`). AssemblyAI silently ignores names that it does not know.

    Raises: ConfigError if `options` names a parameter that describes the audio, the model, or a token, which would replace the key.
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
    """Return a list as AssemblyAI takes it: a JSON array in one parameter, not a repeated parameter."""
    return msgspec.json.encode(items).decode()


def headers(key: str) -> dict[str, str]:
    """Return the headers of the handshake. The key stands alone: with `Bearer` the socket opens, and closes with 1008 `Invalid API key`."""
    return {"Authorization": key, "AssemblyAI-Version": "2025-05-12"}


class Configuration(msgspec.Struct, frozen=True):
    """The configuration that the session got, which may differ from the one that the hub asked for."""

    model: str | None = None


class Begin(msgspec.Struct, frozen=True, tag_field="type", tag="Begin"):
    """AssemblyAI accepted the session; only now may audio be sent. `expires_at` is Unix time in seconds."""

    id: str
    expires_at: float | None = None
    configuration: Configuration | None = None

    def other_model(self, asked: str) -> str | None:
        """Return the model of this session if it is not the one asked for: AssemblyAI silently replaces a misspelled name."""
        given = self.configuration.model if self.configuration else None
        return given if given and given != asked else None


class AssemblyAIWord(msgspec.Struct, frozen=True):
    """One word, in milliseconds of this session's audio."""

    text: str
    start_ms: float = msgspec.field(name="start")
    end_ms: float = msgspec.field(name="end")
    confidence: float | None = None
    word_is_final: bool = True


class AssemblyAITurn(msgspec.Struct, frozen=True, tag_field="type", tag="Turn"):
    """One turn up to now. It replaces every earlier message with the same `turn_order`, which starts at 0 in each session."""

    turn_order: int
    transcript: str
    end_of_turn: bool
    turn_is_formatted: bool = False
    words: tuple[AssemblyAIWord, ...] = ()
    language_code: str | None = None

    @property
    def so_far(self) -> str:
        """The text to show while the turn is open. Universal-streaming leaves the word that is being spoken out of `transcript`."""
        if self.end_of_turn or not self.words or self.words[-1].word_is_final:
            return self.transcript
        spoken = " ".join(word.text for word in self.words)
        return spoken if len(spoken) > len(self.transcript) else self.transcript


class AssemblyAISpeechStarted(msgspec.Struct, frozen=True, tag_field="type", tag="SpeechStarted"):
    """Someone began to speak at `timestamp_ms`; only sent by the u3 family."""

    timestamp_ms: float = msgspec.field(name="timestamp")


class Termination(msgspec.Struct, frozen=True, tag_field="type", tag="Termination"):
    """The last message, after Terminate. `session_duration_seconds` is what is billed."""

    audio_duration_seconds: float | None = None
    session_duration_seconds: float | None = None


class AssemblyAIError(msgspec.Struct, frozen=True, tag_field="type", tag="Error"):
    """Why AssemblyAI ends the session; the close that follows says only "See Error message for details". `refused()` translates it."""

    error: str
    error_code: int | None = None


class AssemblyAIWarning(msgspec.Struct, frozen=True, tag_field="type", tag="Warning"):
    """A remark for the log; the session goes on."""

    warning: str = ""
    warning_code: int | None = None


Message: TypeAlias = Begin | AssemblyAITurn | AssemblyAISpeechStarted | Termination | AssemblyAIError | AssemblyAIWarning


class _AssemblyAIType(msgspec.Struct, frozen=True):
    type: str | None = None
    error: object = None
    error_code: object = None


_decoder = msgspec.json.Decoder(Message)
_kind = msgspec.json.Decoder(_AssemblyAIType)
_KNOWN: Final = frozenset({"Begin", "Turn", "SpeechStarted", "Termination", "Error", "Warning"})


def decode(text: str | bytes) -> Message | None:
    """Read one text frame; None for a type that the hub does not use. Unknown fields are skipped.

    Raises: WireError if it is not a JSON object with a `type` (an `error` will do), or if a known type lacks a field.
    """
    try:
        message: Message = _decoder.decode(text)
    except (ValueError, RecursionError) as exc:
        try:
            kind = _kind.decode(text)
        except (ValueError, RecursionError):
            kind = _AssemblyAIType()
        if kind.type is None and isinstance(kind.error, str):  # the SDK takes this for an Error, too
            return AssemblyAIError(kind.error, kind.error_code if isinstance(kind.error_code, int) else None)
        if kind.type is not None and kind.type not in _KNOWN:
            return None
        raise WireError(PROVIDER, f"sent a message that cannot be read: {exc}") from exc
    return message


def is_last(turn: AssemblyAITurn, model: str, formatted: bool) -> bool:
    """Return whether this is the last message of its turn.

    `formatted`: the hub asked for format_turns. Then universal-streaming ends a turn twice, first unformatted and then formatted, and the
    second end counts; if Termination comes between them, the first end was the last. In other families `turn_is_formatted` means nothing:
    universal-3-5 and -3-6 set it in every partial.
    """
    if formatted and not always_formats(model):
        return turn.end_of_turn and turn.turn_is_formatted
    return turn.end_of_turn


SESSION_EXPIRED: Final = 3008
"""The close code of a session that reached its 3 hours or its token's limit. Another session may be opened at once."""

_QUOTED_CHARS: Final = 200
"""How many characters of AssemblyAI's own text go into an error: enough for a sentence, not for a proxy's web page."""


def refused(error_code: int | None, text: str = "") -> ProviderError:
    """Return the meaning of an Error message, or of an HTTP status instead of 101, as an error that says what to do.

    An unknown code counts as a passing trouble of the network or the server, as 3005, 1011, 1013 and 5xx are.
    """
    said = text.lower()
    because = f": {' '.join(text.split())[:_QUOTED_CHARS]}" if text else ""
    code = "" if error_code is None else f" ({error_code})"
    retryable = True
    match error_code:
        case 1008 | 429 | 3009 if error_code != 1008 or "too many" in said:
            # The limit is on new sessions per minute (free accounts: 5), so it passes. The docs name 1008 for it, the SDK 3009.
            problem = f"has too many sessions open for this account{code}{because}"
        case 1008 | 402 | 4002 | 4003 if error_code != 1008 or any(word in said for word in ("fund", "balance", "credit")):
            problem, retryable = f"has no credit left for this account{code}{because}", False
        case 1008 | 401 | 403 | 4001:
            problem, retryable = f"refused the key{code}{because}; check ASSEMBLYAI_API_KEY", False
        case 3006 if "inactivity" in said:
            problem = f"received nothing for too long and hung up{code}"
        case 3006 | 400 | 4101:  # the same request would be refused again
            problem, retryable = f"refused the request{code}{because}; check ASSEMBLYAI_MODEL and ASSEMBLYAI_OPTIONS", False
        case 3007 if "rate exceeded" in said:
            # More than about five minutes of audio waited there; a new session starts without them.
            problem = f"fell too far behind the audio and hung up{code}{because}"
        case 3007:  # the same frames would be refused again
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
    """Return the meaning of a close without an Error message before it; `code` is None if the connection broke without a close.

    Also for 1000 before Termination: then AssemblyAI ended a session that the hub had not ended.
    """
    if code in {None, 1005, 1006}:
        return ProviderError(PROVIDER, "lost the connection", retryable=True)
    if code == 1000:
        return ProviderError(PROVIDER, "hung up before the end (1000)", retryable=True)
    return refused(code, "" if reason.lower().startswith(_SAYS_NOTHING) else reason)
