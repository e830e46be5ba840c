"""Turns a stretch of speech into text with the small English model of Moonshine.

Knows samples and the model's two graphs: one turns sound into what was heard, the other that into one token after the other. ONNX Runtime
runs them. Knows no tracks, no pauses, no threads and no clock.

The model travels in the wheel of moonshine-voice, and that is all of the wheel that is used. Its own library runs the model with weights
that are arranged anew for each token and with threads that wait by spinning: 1.05 s of CPU for eight seconds of speech, instead of 0.37 s.
It cannot follow more than one candidate either (`beam_search`).
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from hub.audio import g711
from hub.audio.resample import floats, resampled
from hub.vendors.moonshine.beam_search import BeamSearch, Candidate
from hub.vendors.moonshine.model_files import model_folder, read_vocabulary

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

PROVIDER = "local"
MODEL = "moonshine-tiny-en"
"""The one model that travels inside the wheel."""

SAMPLE_RATE_HZ = 16000
"""The rate that the model was trained on (moonshine core/transcriber.cpp, INTERNAL_SAMPLE_RATE)."""

TAIL_SAMPLES = 4096
"""A quarter second of silence is added after the speech: without it the model loses the last word of audio that breaks off inside it."""

TOKENS_PER_SECOND = 6.5
"""How long a text may get. Nobody speaks faster, and the model sometimes repeats one syllable for ever (moonshine-model.cpp has the same
bound)."""

FINAL_WIDTH, INTERIM_WIDTH = 5, 1
"""How many candidates are followed. An interim is replaced in a second, and is to be cheap."""

SHIFT_SAMPLES, MOST_READINGS, READ_MS = 128, 3, 15_000
"""A final is read up to three times, each time moved by 8 ms, a third of the model's own step, and the most probable reading counts. Which
word the model finds depends on where in its step the sound begins, and how well can be seen only afterwards: three real calls had 0.174
word errors with one reading and 0.156 with three. Together the readings have 15 s of sound at most, so that long utterances, in which every
word helps the next, are read once."""

_START, _END = 1, 2
"""The tokens that stand before and after each text."""

_LAYERS, _HEADS, _HEAD_SIZE = 6, 8, 36
"""Of the tiny model's decoder (moonshine-model.cpp, MOONSHINE_TINY_*)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a stretch of speech says. An empty text: nothing."""

    text: str
    confidence: float
    """From 0 to 1: the probability that the model gave to a token, in the geometric mean."""


class SpeechRecognizer(Protocol):
    """Turns a stretch of speech into text. Waits for nothing but its own work."""

    def recognize(self, mulaw: bytes, *, final: bool) -> Reading:
        """Return the words that were spoken. What is not final may be worse and is cheaper."""


class MoonshineRecognizer:
    """The speech model. Implements `SpeechRecognizer`. `load` comes first. Several threads may be in `recognize` at once."""

    def __init__(self) -> None:
        self._encoder: Any = None
        """The ONNX Runtime sessions; None before `load`."""
        self._decoder: Any = None
        self._vocabulary: list[bytes] = []
        """The text of each token."""

    def load(self) -> None:
        """Load the model: 0.5 s and 90 MB. Raises: ImportError when a part is not installed, and whatever ONNX Runtime raises."""
        import onnxruntime

        folder, options = model_folder(), onnxruntime.SessionOptions()
        # One thread per recognition: two make it a fifth faster and cost a quarter more. Calls go beside each other instead.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._encoder, self._decoder = (
            onnxruntime.InferenceSession(str(folder / name), options, providers=["CPUExecutionProvider"])
            for name in ("encoder_model.ort", "decoder_model_merged.ort")
        )
        self._vocabulary = read_vocabulary(folder / "tokenizer.bin")

    def recognize(self, mulaw: bytes, *, final: bool) -> Reading:
        """Return the words in up to some 10 s of speech.

        Costs 0.11 s of CPU per second of speech, 0.05 s if it is longer than 7.5 s, and 0.035 s if it is not final. Raises: whatever ONNX
        Runtime raises. Its errors have no common class, and the engine ends the call with any error.
        """
        import numpy

        speech = resampled(floats(mulaw), g711.SAMPLE_RATE_HZ, SAMPLE_RATE_HZ)
        readings = int(max(1, min(MOST_READINGS, READ_MS // g711.ms(len(mulaw))))) if final else 1
        found: Candidate | None = None
        for reading in range(readings):
            samples: NDArray[numpy.float32] = numpy.pad(speech, (reading * SHIFT_SAMPLES, TAIL_SAMPLES))
            found = self._read(samples, BeamSearch(FINAL_WIDTH if final else INTERIM_WIDTH, _END, found))
        assert found
        text = b"".join(self._vocabulary[token] for token in found.tokens).decode("utf-8", errors="ignore").replace("\u2581", " ").strip()
        if not any(map(str.isalnum, text)):
            text = ""  # a lone full stop is how the model says that nobody spoke
        return Reading(text, math.exp(found.log_probability / (len(found.tokens) + 1)))

    def _read(self, samples: "NDArray[numpy.float32]", search: BeamSearch) -> Candidate:
        """Return the most probable text of some samples."""
        import numpy

        mask = numpy.ones((1, len(samples)), numpy.int64)
        (heard,) = self._encoder.run(None, {"input_values": samples[None], "attention_mask": mask})
        fixed = {"encoder_hidden_states": heard, "encoder_attention_mask": mask}
        nothing = numpy.zeros((1, _HEADS, 1, _HEAD_SIZE), numpy.float32)
        inputs = {f"past_key_values.{name}": nothing for name in (*_PAST_OF_TEXT, *_PAST_OF_SOUND)}
        names = ["logits", *(f"present.{name}" for name in (*_PAST_OF_TEXT, *_PAST_OF_SOUND))]
        ids = numpy.array([[_START]])
        for step in range(int(len(samples) / SAMPLE_RATE_HZ * TOKENS_PER_SECOND) + 1):
            logits, *present = self._decoder.run(names, {"input_ids": ids, "use_cache_branch": numpy.array([step > 0]), **fixed, **inputs})
            rows = search.advance(logits[:, -1])
            if not rows:
                break
            # What was heard is the same for all candidates and is computed in the first step. ONNX Runtime spreads its one row over theirs.
            inputs |= {name.replace("present", "past_key_values"): each for name, each in zip(names[1:], present, strict=True) if step == 0}
            inputs |= {f"past_key_values.{name}": each[rows] for name, each in zip(_PAST_OF_TEXT, present, strict=False)}
            ids, names = numpy.array([[each.tokens[-1]] for each in search.candidates]), names[: len(_PAST_OF_TEXT) + 1]
        return search.best()


_PAST_OF_TEXT, _PAST_OF_SOUND = (
    [f"{layer}.{part}.{kind}" for layer in range(_LAYERS) for kind in ("key", "value")] for part in ("decoder", "encoder")
)
"""The decoder's memory: of the tokens so far, which grows, and of the sound."""
