"""One track of a call on its way to text: where utterances begin and end, when an interim is due, what is settled.

Knows mu-law bytes, probabilities of voice and positions. Knows no model: detectors and a recognizer are handed in, and the sound of the
other track, because what is its echo is not said here. Knows no calls, no threads and no clock: a method returns when its work is done.

Two rules shape this file.

*What is settled depends on the audio alone.* A call that was recorded and is pushed at once, and the same call at its own pace on a busy
machine, have the same finals. So an interim may save the final its work only if it recognized the very same bytes, and the detector sees
windows that are counted from where it began, whatever the size of the blocks.

*Work is bounded.* A few threads serve all calls, and the model's work grows faster than the audio: 0.08 s of CPU for two seconds of speech,
0.4 s for eight, 2 s for thirty. So no utterance grows beyond `LONGEST_MS`. A speaker who does not pause is cut where they are quietest.
"""

from dataclasses import dataclass

from hub.audio import g711
from hub.audio.g711 import BYTES_PER_MS, Track
from hub.transcribers.utterances import Recognized
from hub.vendors.moonshine.detector import WINDOW_BYTES, DetectorPool, VoiceDetector
from hub.vendors.moonshine.echo import LATEST_MS, RecentSound, is_echo
from hub.vendors.moonshine.loudness import Loudness
from hub.vendors.moonshine.recognizer import SpeechRecognizer

ONSET = 0.3
"""Probability from which a window begins an utterance. Silero's authors suggest 0.5, for sound with less noise and more band: at 0.5
the first words of real calls were missed ("Of course, I'll leave a note" became "I'll leave a note"), and at 0.3 noise 8 dB below the
voice began no utterance in a minute."""

VOICE = 0.2
"""Probability from which a window continues an utterance: lower than `ONSET`, so that a soft syllable is no pause."""

LOUD_VOICE = 0.05
"""The same for a window that is loud (`loudness`). Loud sound right before the first voiced window is not taken for voice: that was tried,
and the model read the beginnings worse."""

PRE_ROLL_MS = 140
"""How much audio before the first voiced window is recognized with it, because the detector notices soft consonants late. More of it is
worse: the model takes what comes before speech for words. Three real calls, each in three alignments to the windows, had 0.228 word
errors with 140 ms, 0.234 with 110 and 0.241 with 180."""

POST_ROLL_MS = 300
"""How much audio after the last voiced window is recognized with it: soft endings count, and 200 ms lose some."""

CLOSING_MS = 550
"""A pause of this length ends an utterance. Shorter ones stand inside sentences: to end at 0.3 s doubles the finals and triples the
errors."""

LONG_MS = 6000
"""From this length on a breath (`BREATH_MS`) ends the utterance."""

BREATH_MS = 250
"""The pause that ends a long utterance: what people leave between two phrases."""

CUT_FROM_MS = 7500
"""An utterance without a breath is cut at its quietest moment after this. The more the model sees at once the better it reads: cut between
6.5 and 8.3 s, a monologue of 20 s had 0.25 word errors instead of 0.23."""

LONGEST_MS = 9500
"""When an utterance is this long it is cut. A compromise: to recognize so much keeps one of the engine's threads for half a second."""

QUIET_MS = 120
"""Over how much audio loudness is compared to find the quietest moment: the closure of a "t" or a "p" is shorter, a gap between two
words is not."""

QUIET_STEP_MS = 20
"""How exactly the quietest moment is found."""

LEAST_VOICE_MS = 90
"""An utterance with less voice than three windows is a click, and not worth the model's time."""

LONE_WORD_MS = 600
"""The model says "You" to a breath, a cough or a bit of noise, as it was trained on captions. A lone "You" with less voice than this is
dropped: spoken alone, the word is longer."""

STRETCH_PAUSE_MS = 200
"""A pause of this length ends a stretch of voice, and each stretch is looked at by itself whether it is an echo: the answer to a question
often follows the question's echo by less than the pause that ends an utterance."""

FORGET_MS = 20_000
"""After so long without an utterance the detector forgets what it has heard. Its memory carries a steady noise along, and after half a
minute of it a voice 8 dB above the noise is no voice any more: whole utterances were lost that the recognizer reads well. To forget
every 5 s would be too often: each time, the first noise afterwards may pass for voice. On a noisy line it also forgets at the end of each
utterance: a "thank you" under a car's noise was lost otherwise. On a clean line that makes more errors than it avoids."""

GUARD_MS = 100
"""How much audio after the last voice the next utterance may not begin with. The rest of a pause may be recognized twice, at the end of
one utterance and at the beginning of the next: it has no words, and a soft consonant in it would otherwise be cut off."""

MUTE_MS = 2000
"""After so much digital silence a track gives its detector back and costs nothing. The first byte of sound takes the next one."""

INTERIM_MS = 800
"""The least new voice that is worth an interim."""

INTERIM_SHARE = 0.45
"""The share by which an utterance must have grown since the last interim. Each interim recognizes the utterance from its beginning, so
with a fixed step the work would grow with the square of the length. With these two numbers interims come after 0.8, 1.6, 2.9 and 5.3 s
of voice, and cost about as much as the final."""

_MUTE_BYTES = b"\xff\x7f"  # both zeros of mu-law
_PRE_ROLL, _POST_ROLL = PRE_ROLL_MS * BYTES_PER_MS, POST_ROLL_MS * BYTES_PER_MS


@dataclass(slots=True)
class OpenUtterance:
    """Speech that is not over. Positions are bytes of the track since its detector was taken."""

    start: int
    """The first byte to recognize: the voice with its pre-roll."""
    voice_start: int
    voice_end: int
    """The end of the last window with voice."""
    voiced: int
    """Bytes in windows with voice."""
    stretch: int
    """Where the voice began which no pause of `STRETCH_PAUSE_MS` has ended."""
    before: tuple[int, int] | None = None
    """`voice_end` and `voiced` before that; None if it is the first stretch."""
    stretch_over: bool = False
    """Whether such a pause has ended it. It was no echo then."""
    until: int | None = None
    """Where an echo begins that followed: nothing from there on is recognized. None if none did."""
    echo_to: int = 0
    """The end of voice that was an echo so far; 0 before such a moment."""
    recognized_to: int = 0
    """The end of the bytes that made `text`; 0 before the first time."""
    thorough: bool = False
    """Whether `text` is as good as the model can make it. Interims take less care."""
    text: str = ""
    confidence: float = 0.0
    """Of `text`."""
    reported: str = ""
    """The text of the last interim."""

    def add_voice(self, end: int) -> None:
        """Count the window that ends there."""
        if self.stretch_over:
            self.until = None
            self.stretch, self.before, self.stretch_over = end - WINDOW_BYTES, (self.voice_end, self.voiced), False
        self.voice_end = end
        self.voiced += WINDOW_BYTES


class TrackRecognizer:
    """One track of one call: audio in, in order; what was recognized out."""

    def __init__(self, track: Track, detectors: DetectorPool, recognizer: SpeechRecognizer, other: RecentSound | None = None) -> None:
        """`other` is the sound of the call's other track, of which echoes are dropped. It is to have what this track is given at least."""
        self.track = track
        self._other = other
        self._detectors = detectors
        self._recognizer = recognizer
        self._next_ms: float | None = None
        """Call time at which the audio so far ends; None before the first."""
        self._mute_ms = 0.0
        """Digital silence at the end of the audio so far."""
        self._detector: VoiceDetector | None = None
        """None while the track is mute. What follows counts from where it was taken."""
        self._origin_ms = 0.0
        """Call time of position 0."""
        self._kept = bytearray()
        """The newest audio: the open utterance, or what the next one may begin with."""
        self._kept_from = 0
        """Position of the first byte of it."""
        self._detected_to = 0
        """Position up to which the detector has answered."""
        self._floor = 0
        """Position up to which utterances are over: the next one begins after it."""
        self._quiet_from = 0
        """Position of the last end of an utterance, or of the last time that the detector forgot."""
        self._loudness = Loudness()
        """Of the windows that the detector has answered."""
        self._utterance: OpenUtterance | None = None
        """None in a pause."""

    def recognize(self, start_ms: float, mulaw: bytes) -> list[Recognized]:
        """Take audio of any length; return the finals of the utterances that ended in it. Audio that does not follow ends what is open."""
        leapt = self._next_ms is not None and abs(start_ms - self._next_ms) > 1
        finals = self.interrupt() if leapt else []
        self._next_ms = start_ms + g711.ms(len(mulaw))
        mute = not mulaw.strip(_MUTE_BYTES)
        self._mute_ms = self._mute_ms + g711.ms(len(mulaw)) if mute else 0.0
        if self._detector is None:
            if mute:
                return finals
            self._begin(start_ms)
        assert self._detector
        self._kept += mulaw
        for probability in self._detector.probabilities(mulaw):
            self._detected_to += WINDOW_BYTES
            loud = self._loudness.take(self._audio(self._detected_to - WINDOW_BYTES, self._detected_to))
            finals += self._follow(probability, voice=probability >= (LOUD_VOICE if loud else VOICE))
        if self._utterance is None:
            if self._mute_ms >= MUTE_MS:
                self.leave()
            else:
                self._keep_from(max(self._floor, self._detected_to - _PRE_ROLL))
        return finals

    @property
    def settled_ms(self) -> float:
        """Call time up to which all finals are out. An utterance that began after it may still be open."""
        if self._utterance:
            return self._ms(self._utterance.start)
        if not self._detector:
            return self._next_ms or 0.0
        return self._ms(max(self._floor, self._detected_to - _PRE_ROLL))

    def interim_due(self) -> float:
        """Return how overdue an interim is: due from 1 on, 0 in a pause."""
        utterance = self._utterance
        if utterance is None or not self._worth(utterance):
            return 0.0
        if self._detected_to - utterance.voice_end >= _POST_ROLL:
            # These may be the last words. If nothing follows, the final is the same bytes, and their text is there already.
            return 0.0 if utterance.recognized_to == self._end(utterance) and utterance.thorough else 2.0
        fresh = utterance.voice_end - max(utterance.recognized_to, utterance.echo_to, utterance.voice_start)
        return fresh / max(INTERIM_MS * BYTES_PER_MS, INTERIM_SHARE * (utterance.voice_end - utterance.voice_start))

    def interim(self) -> list[Recognized]:
        """Recognize the open utterance as far as it goes; return an interim, if its words have changed."""
        utterance = self._utterance
        if utterance is None or not self._worth(utterance):
            return []
        if self._is_echo(utterance):
            utterance.echo_to = utterance.voice_end
            return []
        self._recognize(utterance, self._end(utterance), thorough=self._detected_to - utterance.voice_end >= _POST_ROLL)
        if utterance.text == utterance.reported:
            return []
        utterance.reported = utterance.text
        return [self._report(utterance, final=False)]

    def interrupt(self) -> list[Recognized]:
        """End the open utterance, as what comes next does not follow. Return its final, if there was one."""
        finals = []
        if utterance := self._utterance:
            end = self._kept_from + len(self._kept)
            if utterance.voice_end == self._detected_to:
                utterance.voice_end = end  # the part of a window that the detector has not seen goes on as the windows before
            if self._is_echo(utterance):
                finals = self._take_out(utterance)
            if self._utterance:
                finals = self._close(utterance, min(end, utterance.voice_end + _POST_ROLL, utterance.until or end))
        self.leave()
        return finals

    def leave(self) -> None:
        """Give the detector back and report nothing. Safe to call twice."""
        self._utterance = None
        if self._detector:
            self._detectors.give_back(self._detector)
            self._detector = None

    def _begin(self, start_ms: float) -> None:
        self._detector = self._detectors.take()
        self._origin_ms = start_ms
        self._kept = bytearray()
        self._kept_from = self._detected_to = self._floor = self._quiet_from = 0
        self._loudness = Loudness()

    def _follow(self, probability: float, *, voice: bool) -> list[Recognized]:
        """Take the detector's answer for the next window; return the final of an utterance that ended with it."""
        utterance = self._utterance
        if utterance is None:
            self._wait(probability)
            return []
        if voice:
            utterance.add_voice(self._detected_to)
        length_ms = g711.ms(self._detected_to - utterance.start)
        if self._pause_ms(utterance) >= STRETCH_PAUSE_MS or length_ms >= LONGEST_MS:
            if self._is_echo(utterance):
                taken_back = self._take_out(utterance)
                if self._utterance is None:
                    return taken_back
            utterance.stretch_over = True
        if self._pause_ms(utterance) >= (BREATH_MS if length_ms >= LONG_MS else CLOSING_MS):
            finals = self._close(utterance, self._end(utterance))
            if self._loudness.noisy:
                self._forget()
            return finals
        return self._cut(utterance) if length_ms >= LONGEST_MS else []

    def _wait(self, probability: float) -> None:
        """Begin an utterance if the next window has voice."""
        window = self._detected_to - WINDOW_BYTES
        if probability >= ONSET:
            start = max(self._floor, window - _PRE_ROLL)
            self._utterance = OpenUtterance(start, window, self._detected_to, WINDOW_BYTES, window)
        elif g711.ms(self._detected_to - self._quiet_from) >= FORGET_MS:
            self._forget()

    def _is_echo(self, utterance: OpenUtterance) -> bool:
        """Return whether the newest stretch of voice is an echo of the other track. One that is over was none."""
        if self._other is None or utterance.stretch_over:
            return False
        start_ms, end_ms = self._ms(utterance.stretch), self._ms(utterance.voice_end)
        return is_echo(self._audio(utterance.stretch, utterance.voice_end), self._other.between(start_ms - LATEST_MS, end_ms))

    def _take_out(self, utterance: OpenUtterance) -> list[Recognized]:
        """Make the utterance what it was before its newest stretch of voice. If that was all of it, return what takes its interims back."""
        if utterance.before:
            utterance.voice_end, utterance.voiced = utterance.before
            utterance.until = utterance.stretch
            return []
        utterance.text = ""
        return self._leave_off(utterance, utterance.voice_end)

    def _forget(self) -> None:
        assert self._detector
        self._detector.forget()
        self._quiet_from = self._detected_to

    def _cut(self, utterance: OpenUtterance) -> list[Recognized]:
        """End an utterance at its quietest moment. What follows that moment is the beginning of the next."""
        voice_end, cut = utterance.voice_end, self._quietest(utterance)
        utterance.voice_end = min(voice_end, cut)
        finals = self._close(utterance, cut)
        if voice_end > cut:
            self._utterance = OpenUtterance(cut, cut, voice_end, voice_end - cut, cut)
        return finals

    def _quietest(self, utterance: OpenUtterance) -> int:
        first, size = utterance.start + CUT_FROM_MS * BYTES_PER_MS, QUIET_MS * BYTES_PER_MS
        starts = range(first, self._detected_to - size + 1, QUIET_STEP_MS * BYTES_PER_MS)
        return min(starts, key=lambda start: g711.level(self._audio(start, start + size))) + size // 2

    def _pause_ms(self, utterance: OpenUtterance) -> float:
        return g711.ms(self._detected_to - utterance.voice_end)

    @staticmethod
    def _worth(utterance: OpenUtterance) -> bool:
        """Return whether there is enough voice for the model."""
        return g711.ms(utterance.voiced) >= LEAST_VOICE_MS

    def _end(self, utterance: OpenUtterance) -> int:
        """Return up to where the utterance is to be recognized now."""
        return min(self._detected_to, utterance.voice_end + _POST_ROLL, utterance.until or self._detected_to)

    def _recognize(self, utterance: OpenUtterance, end: int, *, thorough: bool) -> None:
        if utterance.recognized_to != end or thorough > utterance.thorough:
            reading = self._recognizer.recognize(self._audio(utterance.start, end), final=thorough)
            lone = g711.ms(utterance.voice_end - utterance.voice_start) < LONE_WORD_MS and reading.text.strip(" .,!?").lower() == "you"
            utterance.text, utterance.confidence = "" if lone else reading.text, reading.confidence
            utterance.recognized_to, utterance.thorough = end, thorough

    def _close(self, utterance: OpenUtterance, end: int) -> list[Recognized]:
        if self._worth(utterance):
            self._recognize(utterance, end, thorough=True)
        return self._leave_off(utterance, end)

    def _leave_off(self, utterance: OpenUtterance, end: int) -> list[Recognized]:
        """Make room for the next utterance; return the final of this one, if anybody has heard of it or is to."""
        self._utterance = None
        self._quiet_from = end
        self._floor = min(end, utterance.voice_end + GUARD_MS * BYTES_PER_MS)
        self._keep_from(self._floor)
        return [self._report(utterance, final=True)] if utterance.text or utterance.reported else []

    def _report(self, utterance: OpenUtterance, *, final: bool) -> Recognized:
        start, end = self._ms(utterance.voice_start) / 1000, self._ms(utterance.voice_end) / 1000
        confidence = round(utterance.confidence, 4) if utterance.text else None
        return Recognized(self.track, start, end, utterance.text, settled=final, closes=final, confidence=confidence)

    def _audio(self, start: int, end: int) -> bytes:
        return bytes(self._kept[start - self._kept_from : end - self._kept_from])

    def _keep_from(self, position: int) -> None:
        if position > self._kept_from:
            del self._kept[: position - self._kept_from]
            self._kept_from = position

    def _ms(self, position: int) -> float:
        return self._origin_ms + position / BYTES_PER_MS
