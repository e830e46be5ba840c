"""AssemblyAI's /v3/ws as a server on this machine, for one mu-law track: hears what `spoken()` wrote, speaks the vendor's wire.

After assemblyai 1.8.2 `streaming/v3`, assemblyai.com/docs/streaming and live notes of autumn 2026. Stricter than AssemblyAI where that
finds mistakes: the first frame outside 50-1000 ms ends the session (live: about a second of them). Looser in two things: u3-rt-pro sends
a partial with every word, not only at pauses, and inactivity_timeout may be under 5 s, so that tests need not wait. Turns end by silence
alone: 400 ms, or min_turn_silence when it is asked for.
"""

import asyncio
import json
from typing import Any, ClassVar, NoReturn

from tests.providers.script import BYTES_PER_SECOND, FakeProvider, Hypothesis, Line, Script, Word

MODELS = {
    "universal-streaming-english", "universal-streaming-multilingual", "whisper-rt",
    "u3-rt-pro", "u3-rt-pro-beta-1", "universal-3-5-pro", "universal-3-6", "universal-3-6-pro",
}  # fmt: skip
DEFAULT_MODEL = "universal-3-5-pro"
"""What answers when the model is left out."""

LANGUAGES = {
    "en", "es", "de", "fr", "it", "pt", "tr", "nl", "sv", "no", "da", "fi", "hi", "vi", "ar", "he", "ja", "ur", "zh", "ru", "ko", "ca",
    "gl", "ro", "et", "fa", "yue", "af", "mr", "zu", "xh", "nn",
}  # fmt: skip

REFUSALS = {
    1008: "Unauthorized Connection: Invalid API key",
    1011: "Internal server error",
    1013: "Temporary server condition",
    3005: "Server error",
    3006: "Invalid connection parameters",
    3007: "Audio Transmission Rate Exceeded",
    3008: "Session Expired: Maximum session duration exceeded",
    3009: "Too many concurrent sessions",
}


class FakeAssemblyAI(FakeProvider):
    """`session_seconds`: a session that lasts so long is ended with 3008 (AssemblyAI: 3 hours)."""

    path: ClassVar[str] = "/v3/ws"

    def __init__(self, script: Script | None = None, *, session_seconds: float = 10_800.0, **others: Any) -> None:
        super().__init__(script, **others)
        self.session_seconds = session_seconds

    async def attend(self, line: Line) -> None:
        """Hold one session. Everything is refused only now, with an Error message and a close whose reason says nothing."""
        if objection := self.refusal(line.visit) or self._objection(line):
            await self._end(line, *objection)
        now = asyncio.get_running_loop().time
        session = _Session(self, line)
        session.begin()
        last = began = now()
        while True:
            quiet = last + session.inactivity_seconds if session.inactivity_seconds else began + self.session_seconds
            try:
                frame = await line.receive(min(quiet, began + self.session_seconds))
            except TimeoutError:
                if now() >= began + self.session_seconds:
                    await self._end(line, 3008)
                told = f"Session terminated due to inactivity: No messages received for {session.inactivity_seconds:g} seconds"
                await self._end(line, 3006, told)
            last = now()
            if isinstance(frame, str):
                if not await session.obey(frame):
                    await self._end(line, 3006, "Invalid Message Type")
            else:
                size_ms = line.visit.frame_bytes[-1] * 1000 / BYTES_PER_SECOND
                if not 50 <= size_ms <= 1000:
                    violation = f"Input Duration Violation: {size_ms} ms. Expected between 50 and 1000 ms"
                    await self._end(line, 3007, f"Input Duration Error: {violation}")
                session.hear(frame)
            if line.bytes_left == 0:
                if line.script.drop_with is None:
                    await line.cut()
                await self._end(line, *(line.script.drop_with or (1011, "")))

    def _objection(self, line: Line) -> tuple[int, str] | None:
        asked, key = dict(line.visit.query), line.visit.headers.get("Authorization", "")
        if not key:
            return 1008, "Unauthorized Connection: Missing Authorization header"
        if " " in key or self.key not in {None, key}:  # the key stands alone, without Bearer or Token
            return 1008, ""
        if asked.get("encoding") != "pcm_mulaw" or asked.get("sample_rate") != "8000":
            return 3006, "Invalid connection parameters: this fake hears pcm_mulaw at 8000 Hz"
        if asked.get("speech_model", DEFAULT_MODEL) not in MODELS:  # a value is refused (recorded in September 2026), a strange name is not
            return 3006, f"Invalid speech_model: '{asked['speech_model']}'. Valid values: {', '.join(sorted(MODELS))}"
        terms, codes = (_listed(asked.get(name, "[]")) for name in ("keyterms_prompt", "language_codes"))
        if terms is None or len(terms) > 100 or any(len(term) > 50 for term in terms):
            return 3006, "Invalid connection parameters: keyterms_prompt"
        if codes is None or len(codes) > 10 or (codes != ["multi"] and set(codes) - LANGUAGES):
            return 3006, "Invalid connection parameters: language_codes"
        return None

    async def _end(self, line: Line, code: int, text: str = "") -> NoReturn:
        line.say({"type": "Error", "error_code": code, "error": text or REFUSALS.get(code, "Server error")})
        await line.close(code, "See Error message for details")


def _listed(text: str) -> list[str] | None:
    try:
        listed = json.loads(text)
    except ValueError:
        return None
    return listed if isinstance(listed, list) and all(isinstance(each, str) for each in listed) else None


class _Session:
    """Turns the audio of one connection into AssemblyAI's messages."""

    def __init__(self, fake: FakeAssemblyAI, line: Line) -> None:
        asked = dict(line.visit.query)
        self.line = line
        self.model = asked.get("speech_model", DEFAULT_MODEL)
        self.classic = self.model.startswith(
            "universal-streaming-"
        )  # the family that formats a turn when asked to, in a message of its own
        self.formats = asked.get("format_turns", "false").lower() == "true"
        self.inactivity_seconds = float(asked.get("inactivity_timeout", 0))  # 0: none
        self.detects_language = asked.get("language_detection", "false").lower() == "true"
        self.recogniser = fake.ear(int(asked.get("min_turn_silence", 400)) / 1000)
        self.began = asyncio.get_running_loop().time()
        self.turn = 0  # number of the open turn
        self.words: list[Word] = []  # of the open turn, settled
        self.heard_speech = False  # whether SpeechStarted was said for the open turn

    def begin(self) -> None:
        """Say that the session stands, and with which model."""
        number = self.line.visit.number
        configuration = {"model": self.model, "mode": "balanced", "api_version": "2025-05-12"}
        self.line.say(
            {
                "type": "Begin",
                "id": f"00000000-0000-4000-8000-{number:012d}",
                "expires_at": 1_790_221_526,
                "configuration": configuration,
            }
        )

    def hear(self, frame: bytes) -> None:
        """Hear a frame and say what follows from it."""
        self.line.heard(len(frame) / BYTES_PER_SECOND)
        for heard in self.recogniser.feed(frame):
            self._say(heard)

    async def obey(self, text: str) -> bool:
        """Do what a text message says; False when it is none of AssemblyAI's."""
        try:
            kind = json.loads(text)["type"]
        except (ValueError, TypeError, KeyError):
            return False
        match kind:
            case "KeepAlive" | "UpdateConfiguration":
                pass
            case "ForceEndpoint":
                for heard in self.recogniser.settle():
                    self._say(heard)
                self._end_turn()
            case "Terminate":
                await self._terminate(self.line.script.last_words_delay_seconds)
            case _:
                return False
        return True

    async def _terminate(self, after: float) -> None:
        for heard in self.recogniser.end():
            self._say(heard, after)
        if self.words:
            self._end_turn(after)
        elif self.classic:  # an end without words, which means nothing
            self._say_turn([], end=True, formatted=False)
        audio_seconds = len(self.line.visit.audio) / BYTES_PER_SECOND
        session_seconds = asyncio.get_running_loop().time() - self.began
        self.line.say(
            {"type": "Termination", "audio_duration_seconds": int(audio_seconds), "session_duration_seconds": int(session_seconds)}, after
        )
        await self.line.close(1000, "Session Ended")

    def _say(self, heard: Hypothesis, after: float = 0.0) -> None:
        if heard.words and not self.heard_speech:
            self.heard_speech = True
            if not self.classic:
                self.line.say({"type": "SpeechStarted", "timestamp": round(heard.words[0].start * 1000), "confidence": 0.95}, after)
        if heard.words:
            fresh = 0 if heard.settled or not self.classic else 1  # the newest word is not final yet
            for _ in range(1 + self.line.script.flood):
                self._say_turn([*self.words, *heard.words], end=False, formatted=not self.classic and self._partials_formatted, fresh=fresh)
        if heard.settled:
            self.words += heard.words
        if heard.pause:
            self._end_turn(after)

    @property
    def _partials_formatted(self) -> bool:
        """u3-rt-pro marks its ends as formatted, the universal-3 models everything (live, September 2026)."""
        return self.model.startswith("universal-3-")

    def _end_turn(self, after: float = 0.0) -> None:
        if not self.words:
            return
        for _ in range(1 + self.line.script.repeat):
            if self.classic:
                self._say_turn(self.words, end=True, formatted=False, after=after)
                if self.formats:
                    self._say_turn(self.words, end=True, formatted=True, after=after)
            else:
                self._say_turn(self.words, end=True, formatted=True, after=after)
        self.turn += 1
        self.words = []
        self.heard_speech = False

    def _say_turn(self, words: list[Word], *, end: bool, formatted: bool, fresh: int = 0, after: float = 0.0) -> None:
        """Say the whole turn. The last `fresh` words are being spoken: they are not in the transcript yet."""
        texts = [word.text for word in words]
        if formatted and texts and self.classic:
            texts = [texts[0].capitalize(), *texts[1:-1], texts[-1] + "."] if len(texts) > 1 else [texts[0].capitalize() + "."]
        final = len(words) - fresh
        transcript = " ".join(texts[:final])
        told = [
            {
                "start": round(word.start * 1000), "end": round(word.end * 1000), "text": text, "confidence": 0.97,
                "word_is_final": index < final,
            }
            for index, (word, text) in enumerate(zip(words, texts, strict=True))
        ]  # fmt: skip
        sure = 0.8 if self.classic else 1.0
        turn: dict[str, Any] = {
            "type": "Turn", "turn_order": self.turn, "turn_is_formatted": formatted, "end_of_turn": end, "transcript": transcript,
            "end_of_turn_confidence": sure if end else 0.0, "utterance": transcript if end else "", "words": told,
        }  # fmt: skip
        if end and self.detects_language:
            turn |= {"language_code": "en", "language_confidence": 0.99}
        self.line.say(turn, after)
