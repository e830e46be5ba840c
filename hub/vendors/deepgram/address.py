"""The address of a Deepgram session: what the hub asks for, and what it leaves out because Deepgram would refuse it.

After developers.deepgram.com/reference/speech-to-text/listen-streaming. Pure. Flux (/v2/listen) takes one channel only, so the hub does
not use it.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import parse_qsl, urlencode

from hub.audio.g711 import SAMPLE_RATE_HZ, TRACKS
from hub.errors import ConfigError
from hub.vendors import languages
from hub.vendors.key_terms import within

_FIXED: Final = {
    "encoding": "mulaw",
    "sample_rate": str(SAMPLE_RATE_HZ),
    "channels": str(len(TRACKS)),
    "multichannel": "true",
}
"""Parameters that describe the audio. Another value would not change the audio that the hub sends, so Deepgram would read noise."""

_DEFAULTS: Final = {
    "interim_results": "true",  # words while they are spoken; utterance_end_ms needs them too
    "endpointing": "300",  # ms of silence that end an utterance; Deepgram's default of 10 cuts sentences at every breath
    "utterance_end_ms": "1000",  # the least allowed: ends an utterance if noise on the line hides the silence from endpointing
    "smart_format": "true",
    "punctuate": "true",
    "vad_events": "false",  # SpeechStarted is not the start of the first word, so the hub has no use for it
}


def listen_url(base: str, *, model: str, language: str | None = None, keyterms: Iterable[str] = (), options: str = "") -> str:
    """Return the address of a stereo mu-law session on `base` (`wss://api.deepgram.com`, or a proxy with a path of its own).

    The model is always named, because Deepgram uses its oldest model for a request that names none. `options` is a query string: its
    parameters replace those given here, repeated ones stay repeated, and an empty value removes a parameter (`utterance_end_ms=`).

    Raises: ConfigError if the model is one that the hub cannot use, or if `options` names the model, a parameter that describes the audio,
    or a callback, to which the words would go.
    """
    if _FLUX.match(model):
        raise ConfigError("DEEPGRAM_MODEL", f"cannot be {model}: Flux hears one track only, at another address; nova-3 hears both")
    wanted = parse_qsl(options.strip().lstrip("?"), keep_blank_values=True)
    for name, _ in wanted:
        if name in _FIXED or name in {"callback", "callback_method"}:
            raise ConfigError("DEEPGRAM_OPTIONS", f"cannot set {name}: the hub decides how audio is sent and where the words go")
        if name == "model":
            raise ConfigError("DEEPGRAM_OPTIONS", "cannot set model: name it in DEEPGRAM_MODEL")
    own = [("model", model), *_FIXED.items(), *_DEFAULTS.items(), *_language(language, model)]
    own += [(_keyterm_name(model), term) for term in _keyterms(keyterms)]
    replaced = {name for name, _ in wanted}
    asked = [pair for name, value in wanted for pair in (_language(value, model) if name == "language" else [(name, value)])]
    query = [pair for pair in own if pair[0] not in replaced] + [pair for pair in asked if pair[1]]
    return f"{base.rstrip('/')}/v1/listen?{urlencode(query)}"


_FLUX: Final = re.compile(r"flux(-|$)", re.IGNORECASE)

_REGIONS: Final = frozenset(
    (
        "da-DK", "de-CH", "en-AU", "en-GB", "en-IN", "en-NZ", "en-US", "es-419", "fr-CA", "hi-Latn", "ko-KR", "nl-BE", "pt-BR", "pt-PT",
        "sv-SE", "th-TH", "zh-CN", "zh-HK", "zh-Hans", "zh-Hant", "zh-TW",
    )
)  # fmt: skip
"""Tags of more than a language that Deepgram knows (developers.deepgram.com/docs/models-languages-overview). It refuses others with 400:
`de-DE` is not here, so `de` is asked for."""


def _language(written: str | None, model: str) -> list[tuple[str, str]]:
    """Return the parameters for languages as people write them. Several are one conversation in several languages."""
    wanted = list(dict.fromkeys(_nearest(tag) for tag in languages.tags(written)))
    if len(languages.bare(wanted)) == 1:
        return [("language", wanted[0])]
    hints = languages.bare(tag for tag in wanted if tag != languages.MULTI) if model.startswith("nova-3") else ()
    return [("language", languages.MULTI), *(("language_hint", code) for code in hints)] if wanted else []


def _nearest(tag: str) -> str:
    """Return the most of a tag that Deepgram knows: `zh-Hans-SG` is `zh-Hans`."""
    while "-" in tag and tag not in _REGIONS:
        tag = tag.rpartition("-")[0]
    return tag


_KEYWORD_MODELS: Final = re.compile(
    r"(nova(-2)?|enhanced|base|whisper)(-[a-z].*)?$|(2-)?(general|meeting|phonecall|voicemail|finance)", re.I
)
"""Names of models that are older than nova-3, with their special forms: `nova-2-phonecall`."""


def _keyterm_name(model: str) -> str:
    """Return the parameter for key terms. Nova-2 and older models know only `keywords`, which nova-3 refuses with 400
    (deepgram-js-sdk issue 470). A model with a name that nobody knows yet is newer."""
    return "keywords" if _KEYWORD_MODELS.match(model) else "keyterm"


_KEYTERM_CHARS: Final = 500
"""Deepgram takes 500 tokens of key terms in all. A token is a character or more, so this much always fits; Twilio lets nobody send more."""


def _keyterms(terms: Iterable[str]) -> list[str]:
    room = _KEYTERM_CHARS
    taken = []
    for term in within(terms, most=_KEYTERM_CHARS, most_chars=_KEYTERM_CHARS):
        room -= len(term)
        if room < 0:
            break
        taken.append(term)
    return taken


def left_out(language: str | None, keyterms: Sequence[str]) -> list[str]:
    """Return a sentence, without its subject, on each wish of a call that Deepgram would refuse the session for, so it is not asked."""
    sentences = []
    if strange := languages.strange(language):
        sentences.append(f"is not asked for {', '.join(map(repr, strange))} in language: that is no code of a language")
    if (terms := _keyterms(keyterms)) != list(keyterms):
        sentences.append(f"is asked for {len(terms)} of {len(keyterms)} key terms: it takes {_KEYTERM_CHARS} characters in all")
    return sentences
