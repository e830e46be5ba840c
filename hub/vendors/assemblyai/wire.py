"""AssemblyAI's /v3/ws: the address and headers of the handshake, the messages of both sides, and what refusals mean.

Knows the text of the protocol (assemblyai 1.8.2 `streaming/v3`; assemblyai.com/docs/streaming) and how each family of models ends a turn.
Knows no socket, no retry and no call: times are milliseconds of the audio sent in one session, from 0. One session takes one channel.
An open socket is not an accepted session: every refusal comes after the 101, as an Error message and a close. Wait for Begin.
"""

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias
from urllib.parse import parse_qsl, urlencode

import msgspec

from hub.audio import g711
from hub.errors import ConfigError, ProviderError, WireError
from hub.transcribers.blanks import joined
from hub.vendors import languages
from hub.vendors.key_terms import within

PROVIDER: Final = "AssemblyAI"

MODEL: Final = "universal-3-6-pro"
"""The model that AssemblyAI recommends (November 2026)."""

MODELS: Final = (
    MODEL, "universal-3-6", "universal-3-5-pro", "u3-rt-pro",
    "universal-streaming-english", "universal-streaming-multilingual", "whisper-rt",
)  # fmt: skip
"""The models of November 2026, for people who misspelled one. There may be others by now, so no name is refused for not being here."""

LANGUAGES: Final = frozenset((
    "en", "es", "de", "fr", "it", "pt", "tr", "nl", "sv", "no", "da", "fi", "hi", "vi", "ar", "he", "ja", "ur", "zh", "ru", "ko", "ca",
    "gl", "ro", "et", "fa", "yue", "af", "mr", "zu", "xh", "nn",
))  # fmt: skip
"""Codes that `language_codes` takes. Another one, or a region (`en-US`), ends the session with 3006 before it began."""

MOST_LANGUAGES: Final = 10

MOST_KEY_TERMS: Final = 100
"""One more ends the session with 3006 before it began."""

KEY_TERM_CHARS: Final = 50

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


_MODE: Final = "min_latency"
"""How universal-3 models weigh speed. Others measured on telephone audio that the first words come after 0.58 s instead of 1.17 s, that the
words are the same, and that a pause between sentences ends a turn, which otherwise it does not at 8000 Hz."""


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
    if model.startswith("universal-3-"):
        own.append(("mode", _MODE))
    own.append(("language_codes", _language_codes(language, model)))
    own.append(("keyterms_prompt", _json(_keyterms(keyterms))))
    wanted = [(name, _language_codes(value, model) if name == "language_codes" else value) for name, value in wanted]
    replaced = {name for name, _ in wanted}
    query = [pair for pair in own if pair[0] not in replaced] + wanted
    return f"{base.rstrip('/')}/v3/ws?{urlencode([pair for pair in query if pair[1]])}"


def _json(items: Iterable[str]) -> str:
    """Return a list as AssemblyAI takes it: a JSON array in one parameter, not a repeated parameter. Empty if the list is."""
    found = list(items)
    return msgspec.json.encode(found).decode() if found else ""


def _language_codes(written: str | None, model: str) -> str:
    """Return the value of `language_codes` for languages as people write them; empty if there are none that this model takes."""
    wanted = languages.bare(languages.tags(written))
    if not always_formats(model):  # this family has a model per set of languages, and no parameter for them
        return ""
    if languages.MULTI in wanted:
        return _json([languages.MULTI])
    return _json([code for code in wanted if code in LANGUAGES][:MOST_LANGUAGES])


def left_out(model: str, language: str | None, keyterms: Sequence[str]) -> list[str]:
    """Return a sentence, without its subject, on each wish of a call that AssemblyAI would refuse the session for, so it is not asked."""
    taken, wanted = _language_codes(language, model), [*languages.bare(languages.tags(language)), *languages.strange(language)]
    no_codes = [code for code in wanted if f'"{code}"' not in taken]
    sentences = []
    if no_codes and languages.MULTI not in taken and not (model.endswith("-english") and wanted == ["en"]):
        sentences.append(f"is not asked for {', '.join(map(repr, no_codes))} in language: {model} does not take it")
    if (terms := _keyterms(keyterms)) != list(keyterms):
        limits = f"{MOST_KEY_TERMS} of {KEY_TERM_CHARS} characters each"
        sentences.append(f"is asked for {len(terms)} of {len(keyterms)} key terms: it takes {limits}")
    return sentences


def _keyterms(terms: Iterable[str]) -> list[str]:
    return within(terms, most=MOST_KEY_TERMS, most_chars=KEY_TERM_CHARS)


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
    transcript: str | None
    end_of_turn: bool
    turn_is_formatted: bool = False
    words: tuple[AssemblyAIWord, ...] | None = ()
    language_code: str | None = None
    utterance: str | None = None

    @property
    def text(self) -> str:
        """The text of the turn up to now.

        Universal-streaming leaves the word that is being spoken out of `transcript`. Where `transcript` is empty, `utterance` or the words
        stand for it: what is in one of them was recognized.
        """
        words, text = self.words or (), (self.transcript or "").strip() or (self.utterance or "").strip()
        if not words or (text and (self.end_of_turn or words[-1].word_is_final)):
            return text
        spoken = joined(word.text for word in words)
        return spoken if len(spoken) > len(text) else text

    @property
    def is_empty(self) -> bool:
        """Whether nothing was recognized. Universal-streaming ends such a turn at Terminate."""
        return not self.text

    @property
    def settled(self) -> "AssemblyAITurn | None":
        """The turn with its final words only, which stay whatever follows. None if there are none."""
        final = tuple(word for word in self.words or () if word.word_is_final)
        if not final:
            return None
        return self if final == self.words else msgspec.structs.replace(self, transcript=joined(word.text for word in final), words=final)


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


class _TextOnly(msgspec.Struct, frozen=True, tag_field="type", tag="Turn"):
    turn_order: int
    transcript: str
    end_of_turn: bool
    turn_is_formatted: bool = False


_decoder = msgspec.json.Decoder(Message)
_text_only = msgspec.json.Decoder(_TextOnly)
_kind = msgspec.json.Decoder(_AssemblyAIType)
_KNOWN: Final = frozenset({"Begin", "Turn", "SpeechStarted", "Termination", "Error", "Warning"})


def decode(text: str | bytes) -> Message | None:
    """Read one text frame; None for a type that the hub does not use. Unknown fields are skipped.

    Raises: WireError if it is not a JSON object with a `type` (an `error` will do), or if a known type lacks a field.
    """
    try:
        message: Message = _decoder.decode(text)
    except (ValueError, RecursionError) as exc:
        if (turn := _without_words(text)) is not None:
            return turn
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


def _without_words(text: str | bytes) -> AssemblyAITurn | None:
    """Return a turn whose words cannot be read, for lack of a time for example, with its text alone. None if that does not help."""
    try:
        told = _text_only.decode(text)
    except (ValueError, RecursionError):
        return None
    return AssemblyAITurn(told.turn_order, told.transcript, told.end_of_turn, told.turn_is_formatted)


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

_QUOTED_CHARS: Final = 400
"""How many characters of AssemblyAI's own text go into an error: enough for its list of models, not for a proxy's web page."""


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
        case 3006 | 400 | 4101 if "model" in said and "language" not in said:
            exist = "" if MODEL in said else f"; its models are {', '.join(MODELS)}"
            problem, retryable = f"refused the model{code}{because}{exist}; check ASSEMBLYAI_MODEL", False
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
