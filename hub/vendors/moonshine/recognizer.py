"""Turns a stretch of speech into text with moonshine-voice and the small English model that its wheel brings.

Knows samples and the wheel's C interface. Knows no tracks, no pauses, no threads and no clock.
"""

import ctypes
from array import array
from typing import Any, Protocol

from hub.audio import g711
from hub.audio.resample import floats, resampled
from hub.errors import ProviderError

PROVIDER = "local"
MODEL = "moonshine-tiny-en"
"""The one model that travels inside the wheel."""

SAMPLE_RATE_HZ = 16000
"""The rate that the model was trained on (moonshine core/transcriber.cpp, INTERNAL_SAMPLE_RATE)."""

TAIL_SAMPLES = 4096
"""A quarter second of silence is added after the speech: without it the model loses the last word of audio that breaks off inside it."""

OPTIONS = {
    "return_audio_data": "false",  # otherwise every result carries its audio as a Python list
    "vad_threshold": "0",  # the wheel's own detector lets everything pass: ours has decided
    "vad_max_segment_duration": "60",
}


class SpeechRecognizer(Protocol):
    """Turns a stretch of speech into text. Waits for nothing but its own work."""

    def recognize(self, mulaw: bytes) -> str:
        """Return the words that were spoken; an empty text when there are none."""


class MoonshineRecognizer:
    """The speech model. Implements `SpeechRecognizer`. `load` comes first, `close` last.

    No two threads may be in it at once: the library keeps its last result where the next one overwrites it.
    """

    def __init__(self) -> None:
        self._model: Any = None
        """The wheel's Transcriber; None before `load`."""
        self._result: Any = None
        """The C type of a result; None before `load`."""

    def load(self) -> None:
        """Load the model: 0.2 s and 75 MB. Raises: ProviderError when the library refuses, ImportError when it is not installed."""
        from moonshine_voice import MoonshineError, get_model_path
        from moonshine_voice.moonshine_api import ModelArch, TranscriptC
        from moonshine_voice.transcriber import Transcriber

        try:
            self._model = Transcriber(str(get_model_path("tiny-en")), ModelArch.TINY, options=OPTIONS)
        except MoonshineError as exc:
            raise ProviderError(PROVIDER, f"did not load: {exc}", retryable=False) from exc
        self._result = ctypes.POINTER(TranscriptC)

    def close(self) -> None:
        """Free the model. Safe before `load`."""
        if self._model:
            self._model.close()

    def recognize(self, mulaw: bytes) -> str:
        """Return the words in up to some 10 s of speech; an empty text when there are none.

        Costs about 0.2 s of CPU for two seconds of speech, 0.4 s for four, 1.0 s for eight.
        Raises: ProviderError when the library refuses.
        """
        speech = resampled(floats(mulaw), g711.SAMPLE_RATE_HZ, SAMPLE_RATE_HZ)
        samples = array("f", speech.tobytes() + bytes(4 * TAIL_SAMPLES))
        # The wheel's own method turns the samples into a list and the list into a C array, element by element with the GIL held (6 ms for
        # ten seconds). The C function takes a pointer, and the version of the wheel is pinned.
        lent, found, library = (ctypes.c_float * len(samples)).from_buffer(samples), self._result(), self._model._lib
        code = library.moonshine_transcribe_without_streaming(
            self._model._handle, lent, len(samples), SAMPLE_RATE_HZ, 0, ctypes.byref(found)
        )
        if code < 0:
            problem = library.moonshine_error_to_string(code)
            raise ProviderError(PROVIDER, f"failed: {problem.decode() if problem else code}", retryable=False)
        lines = (found.contents.lines[index] for index in range(found.contents.line_count))  # they stay the library's
        text = " ".join(ctypes.string_at(line.text).decode("utf-8", errors="ignore").strip() for line in lines if line.text)
        return text if any(map(str.isalnum, text)) else ""  # a lone full stop is how the model says that nobody spoke
