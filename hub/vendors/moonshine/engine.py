"""The speech engine on this machine, moonshine-voice, and how one track of a call is heard with it.

Knows samples, voice, utterances and the engine's C interface. Knows no calls, no threads and no clock: whoever calls it waits for it, and
what it says is settled depends on the audio alone.

The engine offers a stream that finds voice and transcribes it, but every update of that transcribes the open line again, three quarters of
all its work, and a pause of a quarter second ends a line. So it is loaded twice: without its model as a detector, a stream per track,
0.011 core each; and without its detector as a recogniser of whole stretches. An `Ear` decides what is worth recognising.
"""

import audioop
import ctypes
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from hub.audio import g711
from hub.audio.g711 import Track
from hub.errors import ProviderError
from hub.transcribers.utterances import Recognized

PROVIDER = "local"
MODEL = "moonshine-tiny-en"
"""The one model that travels inside the wheel."""

SAMPLE_RATE_HZ = 16000
"""What the model hears (moonshine core/transcriber.cpp, INTERNAL_SAMPLE_RATE); other rates it would resample with a seam at every call."""

TAIL_SAMPLES = 4096
"""A quarter second of silence after what is recognised: without it the last word is lost of audio that breaks off in it."""

WINDOW_SECONDS = 0.3
"""Voice is what averages over the threshold in this window. With the engine's own 0.5 s a `yes` of a quarter second is not voice at all."""

LOOK_BEHIND_SAMPLES = 8192
"""A span starts this long (0.512 s) before it is noticed, as the engine has it; with half of that first words suffer."""

LONGEST_SPAN_SECONDS = 12.0
"""From two thirds of this on the detector looks for the weakest moment to end a span. Twice the audio costs three times the work."""

DETECTOR = {
    "skip_transcription": "true",
    "return_audio_data": "false",
    "transcription_interval": "0.01",  # every update looks at the new audio, however little
    "vad_window_duration": str(WINDOW_SECONDS),
    "vad_look_behind_sample_count": str(LOOK_BEHIND_SAMPLES),
    "vad_max_segment_duration": str(LONGEST_SPAN_SECONDS),
}

RECOGNISER = {
    "return_audio_data": "false",
    "vad_threshold": "0",  # everything is voice: the detector has decided
    "vad_max_segment_duration": "60",
}

CLOSING_MS = 400
"""No voice for so long after a span ends an utterance. The detector notices an end after 0.3 s and a beginning after 0.2 s, so this is a
pause of half a second, and the final is there 0.6 s after the last word. To end at every span doubles the finals and triples the errors."""

BREATH_MS = 6000
"""From this length on any end of a span ends the utterance."""

INTERIM_MS = 500
"""The least new audio that is worth an interim."""

INTERIM_SHARE = 0.25
"""Of an utterance's length: a long one must have grown by this much, for each interim transcribes it from its beginning."""

ONSET_MS = 310
"""How much earlier than the voice a span begins: the look-behind less the 0.2 s that noticing takes."""

OFFSET_MS = 250
"""How much later than the voice a span ends. With both, times on the sample call are true to 0.05 s in the median."""

MUTE_MS = 2000
"""After so much digital silence a track's stream is closed, and costs nothing; the first other byte opens the next."""

SPANS = 50
"""After so many a fresh stream takes over, in a pause: each costs every later update a little, and every hour of a call must cost alike."""

RECENT_SAMPLES = SAMPLE_RATE_HZ
"""The last second is kept: for the look-behind, and for a fresh stream to hear again, so that it knows a voice that has just begun."""

_MUTE_BYTES = b"\xff\x7f"  # both zeros of mu-law
_SAMPLES_PER_MS = SAMPLE_RATE_HZ // 1000
_CELLS_BYTES, _CONTEXT_BYTES, _MODEL_WORDS = 2 * 128 * 4, 64 * 4, 35
"""What Silero carries from hop to hop: its LSTM cells and 64 samples; and how much of its C++ object to look through (it has 39 words)."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of voice, in samples of its stream. While it is open its end still moves."""

    start: int
    end: int
    open: bool


class Engine:
    """The loaded model. Takes 0.4 s and 150 MB to make.

    No two threads may be in it at once: the recogniser keeps its last result where the next one overwrites it.
    Raises: ProviderError from every method when the engine refuses; ImportError at first when it is not installed.
    """

    def __init__(self) -> None:
        from moonshine_voice import MoonshineError, get_model_path
        from moonshine_voice.moonshine_api import ModelArch, TranscriptC
        from moonshine_voice.transcriber import Transcriber

        self.streams = 0
        """Voice streams that are open."""
        self.memory: Memory | None = None
        """None until the first stream is open: the detector's model comes with it."""
        path = str(get_model_path("tiny-en"))
        try:
            self._recogniser = Transcriber(path, ModelArch.TINY, options=RECOGNISER)
            self._detector = Transcriber(path, ModelArch.TINY, options=DETECTOR)
        except MoonshineError as exc:
            raise ProviderError(PROVIDER, f"did not load: {exc}", retryable=False) from exc
        # The wheel's own methods turn samples into a list and that list into a C array, element by element with the GIL held (6 ms for ten
        # seconds), and copy every line there was at every update. The C functions take a pointer, and the version is pinned.
        self.lib: Any = self._recogniser._lib
        self.detector: int = self._detector._handle
        self.transcript: Any = ctypes.POINTER(TranscriptC)  # what it points to stays the engine's
        probe = VoiceStream(self)
        self.memory = Memory(self.lib)
        probe.close()

    def close(self) -> None:
        """Free the model."""
        self._detector.close()
        self._recogniser.close()

    def words(self, samples: "array[float]") -> str:
        """Return what is said in `samples` (-1 to 1, 16 kHz, lengthened here by TAIL_SAMPLES); empty when that is nothing.

        On two idle cores 0.08 s for two seconds of speech, 0.14 for four, 0.47 for eight.
        """
        samples.extend([0.0] * TAIL_SAMPLES)
        size, found = len(samples), self.transcript()
        lent = (ctypes.c_float * size).from_buffer(samples)
        recognise = self.lib.moonshine_transcribe_without_streaming
        self.must(recognise(self._recogniser._handle, lent, size, SAMPLE_RATE_HZ, 0, ctypes.byref(found)))
        lines = (found.contents.lines[index] for index in range(found.contents.line_count))
        text = " ".join(ctypes.string_at(line.text).decode("utf-8", errors="ignore").strip() for line in lines if line.text)
        return text if any(map(str.isalnum, text)) else ""  # a lone full stop is how the model says that nobody spoke

    def must(self, code: int) -> int:
        """Return what a C function returned, unless it is an error."""
        if code < 0:
            problem = self.lib.moonshine_error_to_string(code)
            raise ProviderError(PROVIDER, f"failed: {problem.decode() if problem else code}", retryable=False)
        return code


class Memory:
    """What the detector remembers of the audio before, which is what makes a voice a voice.

    The wheel keeps one memory for all its streams, so that each hears the others' past: on the sample call, half of the pauses moved and
    silence was transcribed as "You" (moonshine issue 229; mended in wheels that no longer bring a model). So every stream has a copy of its
    own, put there before it hears and taken afterwards. The two vectors are found by their lengths, in an object that the library exports.
    """

    def __init__(self, lib: Any) -> None:
        try:
            model = ctypes.c_void_p.in_dll(lib, "_ZN21VoiceActivityDetector10silero_vadE").value
        except ValueError:
            model = None
        words = list((ctypes.c_size_t * _MODEL_WORDS).from_address(model)) if model else []
        vectors = ((start, end - start) for start, end in pairwise(words) if start)
        self._places = sorted((size, start) for start, size in vectors if size in (_CELLS_BYTES, _CONTEXT_BYTES))
        if [size for size, _ in self._places] != [_CONTEXT_BYTES, _CELLS_BYTES]:
            raise ProviderError(PROVIDER, "has an engine here that cannot keep the tracks apart", retryable=False)
        self.blank = [bytes(size) for size, _ in self._places]
        """What a stream remembers that has heard nothing."""

    def put(self, memory: list[bytes]) -> None:
        """Let the detector remember this."""
        for (size, start), content in zip(self._places, memory, strict=True):
            ctypes.memmove(start, content, size)

    def taken(self) -> list[bytes]:
        """Return what the detector remembers now."""
        return [ctypes.string_at(start, size) for size, start in self._places]


class VoiceStream:
    """Where there is voice in one track's audio since this was opened. Whoever opens it must close it.

    Costs 1 ms for 100 ms of audio, and a hundredth more for every span there ever was: open a new one now and then.
    """

    def __init__(self, engine: Engine) -> None:
        self.samples = 0
        """How many were heard."""
        self.ended = 0
        """How many spans are over."""
        self._engine = engine
        self._memory: list[bytes] = []
        self._found = engine.transcript()
        self._handle = engine.must(engine.lib.moonshine_create_stream(engine.detector, 0))
        engine.streams += 1
        engine.must(engine.lib.moonshine_start_stream(engine.detector, self._handle))

    def hear(self, samples: "array[float]") -> list[Span]:
        """Take audio that follows what was taken before; return the spans that are open, or ended in it."""
        lib, detector, must, memory = self._engine.lib, self._engine.detector, self._engine.must, self._engine.memory
        assert memory
        memory.put(self._memory or memory.blank)
        lent = (ctypes.c_float * (size := len(samples))).from_buffer(samples)
        must(lib.moonshine_transcribe_add_audio_to_stream(detector, self._handle, lent, size, SAMPLE_RATE_HZ, 0))
        must(lib.moonshine_transcribe_stream(detector, self._handle, 0, ctypes.byref(self._found)))
        self._memory = memory.taken()
        self.samples += size
        spans = []
        for index in range(self.ended, self._found.contents.line_count):
            line = self._found.contents.lines[index]
            start = round(line.start_time * SAMPLE_RATE_HZ)
            spans.append(Span(start, start + round(line.duration * SAMPLE_RATE_HZ), open=not line.is_complete))
            self.ended += bool(line.is_complete)
        return spans

    def close(self) -> None:
        """Free the stream. Safe to call twice."""
        if self._handle >= 0:
            self._engine.lib.moonshine_free_stream(self._engine.detector, self._handle)
            self._engine.streams -= 1
            self._handle = -1


@dataclass(slots=True)
class Utterance:
    """Speech that is not over, in samples of the track's stream."""

    start: int
    end: int
    speaking: bool
    """Whether a span is open: the end still moves."""
    begins_ms: float
    """Call time at which the voice begins."""
    covered: int = 0
    """Up to here it was transcribed; 0 before the first time."""
    text: str = ""
    told: str = ""  # by the last interim

    def due(self) -> float:
        """How overdue the next interim is; it is due from 1 on."""
        if not self.speaking:
            return 2.0 if self.covered < self.end else 0.0  # maybe its last words: if nothing follows, the final is ready
        fresh = self.end - (self.covered or self.start + LOOK_BEHIND_SAMPLES)
        return fresh / max(INTERIM_MS * _SAMPLES_PER_MS, INTERIM_SHARE * (self.end - self.start))


class Ear:
    """One track of one call: audio in, in order; what was said out, by calling `tell`."""

    def __init__(self, track: Track, tell: Callable[[Recognized], None]) -> None:
        self.track = track
        self.utterance: Utterance | None = None
        """What is being said; None in a pause."""
        self._tell = tell
        self._next_ms: float | None = None
        """Call time at which the audio so far ends; None before the first."""
        self._mute_ms = 0.0
        """Digital silence at the end of the audio so far."""
        self._stream: VoiceStream | None = None
        """None while the track is mute. The following are its."""
        self._origin_ms = 0.0
        """Call time of its first sample."""
        self._rate: Any = None
        """Where audioop stands between 8 and 16 kHz, so that blocks join without a seam."""
        self._kept: array[float] = array("f")
        """The newest samples: those of the utterance, or the last second or two."""
        self._kept_from = 0
        """Position of the first of them."""
        self._floor = 0
        """Position up to which utterances are over."""

    def hear(self, engine: Engine, start_ms: float, mulaw: bytes) -> bool:
        """Take one piece of audio, of any length; return whether an utterance ended in it, which is when the work was done."""
        ended = self._next_ms is not None and abs(start_ms - self._next_ms) > 1 and self.interrupt(engine)
        self._next_ms = start_ms + g711.ms(len(mulaw))
        mute = not mulaw.strip(_MUTE_BYTES)
        self._mute_ms = self._mute_ms + g711.ms(len(mulaw)) if mute else 0.0
        if self._stream is None:
            if mute:
                return ended
            self._begin(VoiceStream(engine), start_ms)
        stream = self._stream
        assert stream
        pcm, self._rate = audioop.ratecv(g711.to_pcm(mulaw), 2, 1, g711.SAMPLE_RATE_HZ, SAMPLE_RATE_HZ, self._rate)
        samples = array("f", [sample / 32768 for sample in array("h", pcm)])
        self._kept.extend(samples)
        self._follow(stream.hear(samples))
        utterance = self.utterance
        if utterance and not utterance.speaking:
            paused, length = stream.samples - utterance.end, utterance.end - utterance.start
            if paused >= CLOSING_MS * _SAMPLES_PER_MS or length >= BREATH_MS * _SAMPLES_PER_MS:
                self._close(engine, utterance)
                ended = True
        if self.utterance is None:
            if self._mute_ms >= MUTE_MS:
                self.leave()
            elif stream.ended >= SPANS:
                self._renew(engine, stream)
            elif len(self._kept) > 2 * RECENT_SAMPLES:
                del self._kept[:-RECENT_SAMPLES]
                self._kept_from = stream.samples - RECENT_SAMPLES
        return ended

    @property
    def settled_ms(self) -> float:
        """Call time up to which all that was said has been told for good; a voice may have begun after it."""
        if self.utterance:
            return self._ms(self.utterance.start)
        if not self._stream:
            return self._next_ms or 0.0
        return self._ms(max(self._floor, self._stream.samples - LOOK_BEHIND_SAMPLES))

    def longing(self) -> float:
        """Return how overdue an interim is; it is due from 1 on."""
        return self.utterance.due() if self.utterance else 0.0

    def interim(self, engine: Engine) -> None:
        """Tell what the open utterance sounds like so far, if that is news."""
        if utterance := self.utterance:
            self._transcribe(engine, utterance)
            if utterance.text != utterance.told:
                utterance.told = utterance.text
                self._tell(self._heard(utterance, over=False))

    def interrupt(self, engine: Engine) -> bool:
        """End the utterance and the stream: what comes next, if anything, does not follow. Return whether there was an utterance."""
        utterance = self.utterance
        if utterance and self._stream:
            utterance.end = self._stream.samples if utterance.speaking else utterance.end
            self._close(engine, utterance)
        self.leave()
        return utterance is not None

    def leave(self) -> None:
        """Free the stream, saying nothing. Safe to call twice."""
        self.utterance = None
        if self._stream:
            self._stream.close()
            self._stream = None

    def _begin(self, stream: VoiceStream, start_ms: float) -> None:
        self._stream, self._origin_ms = stream, start_ms
        self._rate, self._kept = None, array("f")
        self._kept_from = self._floor = 0

    def _follow(self, spans: list[Span]) -> None:
        """Fold spans of voice into the utterance: one that begins before it is over continues it."""
        for span in spans:
            if self.utterance is None:
                # A stream that starts in the middle of speech has nothing to look back at: the voice begins where the span does.
                begins = min(span.start + ONSET_MS * _SAMPLES_PER_MS, span.end) if span.start else 0
                self.utterance = Utterance(max(span.start, self._floor), span.end, span.open, self._ms(max(begins, self._floor)))
            self.utterance.end, self.utterance.speaking = span.end, span.open

    def _renew(self, engine: Engine, stream: VoiceStream) -> None:
        """Let a fresh stream take over. It hears again what belongs to no utterance, so that nothing falls between the two."""
        from_ = max(self._floor, stream.samples - RECENT_SAMPLES)
        again, start_ms, rate = self._kept[from_ - self._kept_from :], self._ms(from_), self._rate
        self.leave()
        self._begin(VoiceStream(engine), start_ms)
        self._rate, self._kept = rate, again
        if again and self._stream:
            self._follow(self._stream.hear(array("f", again)))

    def _transcribe(self, engine: Engine, utterance: Utterance) -> None:
        if utterance.covered < utterance.end:
            utterance.text = engine.words(self._kept[utterance.start - self._kept_from : utterance.end - self._kept_from])
            utterance.covered = utterance.end

    def _close(self, engine: Engine, utterance: Utterance) -> None:
        self._transcribe(engine, utterance)
        if utterance.text or utterance.told:
            self._tell(self._heard(utterance, over=True))
        self._floor = utterance.end
        self.utterance = None

    def _heard(self, utterance: Utterance, *, over: bool) -> Recognized:
        end_ms = self._ms(utterance.end) - (0 if utterance.speaking else OFFSET_MS)
        begins_ms = utterance.begins_ms
        return Recognized(self.track, begins_ms / 1000, max(begins_ms, end_ms) / 1000, utterance.text, settled=over, closes=over)

    def _ms(self, sample: int) -> float:
        return self._origin_ms + sample / _SAMPLES_PER_MS
