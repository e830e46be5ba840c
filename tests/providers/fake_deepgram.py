"""Deepgram's /v1/listen as a server on this machine, for mono or stereo mu-law: hears what `spoken()` wrote, speaks the vendor's wire.

After developers.deepgram.com (live audio, errors, audio-keep-alive), deepgram-sdk 7.17.0 and a wire capture of 2026-08-25. Stricter than
Deepgram where that finds mistakes: a request without model, encoding or sample_rate is refused. It does not say `speech_final` for what
Finalize or CloseStream settles, so a client has to end utterances by itself there.
"""

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any, ClassVar

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from tests.providers.script import BYTES_PER_SECOND, FakeProvider, Hypothesis, Line, Recogniser, Script, Visit, Word

MODELS = re.compile(r"(nova-3|nova-2|nova|enhanced|base)(-[a-z]+)?$")

REFUSALS = {
    400: ("Bad Request", "Bad Request: failed to process query parameters."),
    401: ("INVALID_AUTH", "Invalid credentials."),
    402: ("ASR_PAYMENT_REQUIRED", "Project does not have enough credits for an ASR request and does not have an overage agreement."),
    403: ("INSUFFICIENT_PERMISSIONS", "Project does not have access to the requested model."),
    429: ("TOO_MANY_REQUESTS", "Too many requests. Please try again later"),
}

NET_0001 = "Deepgram did not receive audio data or a text message within the timeout window. See https://dpgr.am/net0001"
DATA_0000 = "Deepgram could not decode the payload as audio. See https://dpgr.am/data0000"


class FakeDeepgram(FakeProvider):
    """`idle_seconds`: without audio or a text message for so long, the connection is ended with 1011 (Deepgram: 10)."""

    path: ClassVar[str] = "/v1/listen"

    def __init__(self, script: Script | None = None, *, idle_seconds: float = 10.0, **others: Any) -> None:
        super().__init__(script, **others)
        self.idle_seconds = idle_seconds

    def admit(self, visit: Visit, socket: ServerConnection) -> Response | None:
        """Answer a handshake as Deepgram does: failures are plain HTTP with a JSON body."""
        status, text = self.refusal(visit) or self._objection(visit) or (0, "")
        if not status:
            return None
        code, message = REFUSALS.get(status, ("INTERNAL_SERVER_ERROR", "Something went wrong."))
        body = {"err_code": code, "err_msg": text or message, "request_id": _request_id(visit)}
        response = socket.respond(status, json.dumps(body))
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "application/json"
        response.headers["dg-error"] = text or message
        return response

    def dress(self, socket: ServerConnection, request: Request, response: Response) -> None:
        """Every answer names the request."""
        response.headers["dg-request-id"] = _request_id(self._visit_of[socket.id])

    def _objection(self, visit: Visit) -> tuple[int, str] | None:
        scheme, _, key = visit.headers.get("Authorization", "").partition(" ")
        # A key needs `Token`; `Bearer` is for temporary tokens, which are JWTs and so hold dots.
        if not key or (scheme != "Token" and not (scheme.lower() == "bearer" and key.count(".") == 2)) or self.key not in {None, key}:
            return 401, ""
        asked = dict(visit.query)
        for name in ("model", "encoding", "sample_rate"):
            if not asked.get(name):
                return 400, f"Bad Request: missing query parameter {name}."
        if not MODELS.match(asked["model"]):
            return 403, ""
        wrong = [
            asked["encoding"] != "mulaw" or asked["sample_rate"] != "8000",
            not asked.get("channels", "1").isdigit(),
            int(asked.get("channels", "1")) > 1 and asked.get("multichannel") != "true",  # real: mixed; nobody here means that
            "utterance_end_ms" in asked and asked.get("interim_results") != "true",
            "utterance_end_ms" in asked and not 1000 <= int(asked["utterance_end_ms"]) <= 5000,
            "keyterm" in asked and not asked["model"].startswith("nova-3"),
            "keywords" in asked and asked["model"].startswith("nova-3"),
        ]
        return (400, "") if any(wrong) else None

    async def attend(self, line: Line) -> None:
        """Hold one session, from the first frame to the close."""
        loop = asyncio.get_running_loop()
        session = _Session(self, line)
        alive = loop.time()
        while True:
            try:
                frame = await line.receive(alive + self.idle_seconds)
            except TimeoutError:
                line.say(session.metadata())
                await line.close(1011, NET_0001)
            if isinstance(frame, bytes):
                if frame.startswith(b'{"type"'):
                    await line.close(1008, DATA_0000)
                if not line.visit.frame_bytes[-1]:
                    session.end(0.0)
                    await line.close(1000)
                session.hear(frame)
                alive = loop.time()
            elif await session.obey(frame) and line.visit.audio:  # without any audio no text message keeps the session
                alive = loop.time()
            if line.bytes_left == 0:
                if line.script.drop_with is None:
                    await line.cut()
                else:
                    await line.close(*line.script.drop_with)


def _request_id(visit: Visit) -> str:
    return f"00000000-0000-4000-8000-{visit.number:012d}"


class _Channel:
    """What is known of one channel of one session."""

    def __init__(self, recogniser: Recogniser) -> None:
        self.recogniser = recogniser
        self.last_word_end: float | None = None  # seconds; None once UtteranceEnd was said for it
        self.silent = True  # no word since the last pause


class _Session:
    """Turns the audio of one connection into Deepgram's messages."""

    def __init__(self, fake: FakeDeepgram, line: Line) -> None:
        asked = dict(line.visit.query)
        self.line = line
        self.multi = asked.get("language") == "multi"
        self.model = asked["model"]
        self.interims = asked.get("interim_results") == "true"
        self.vad_events = asked.get("vad_events") == "true"
        self.utterance_end_seconds = int(asked["utterance_end_ms"]) / 1000 if "utterance_end_ms" in asked else None
        endpointing = asked.get("endpointing", "10")
        pause_seconds = None if endpointing == "false" else max(int(endpointing), 10) / 1000
        self.channels = [_Channel(fake.ear(pause_seconds)) for _ in range(int(asked.get("channels", "1")))]
        self.unsettled = b""  # bytes that do not fill a step yet
        self.seconds = 0.0  # of audio heard

    def hear(self, frame: bytes) -> None:
        """Hear a frame of interleaved audio and say what follows from it."""
        audio = self.unsettled + frame
        step = 160 * len(self.channels)  # 20 ms, so that large frames and small ones are answered alike
        whole = len(audio) - len(audio) % step
        self.unsettled = audio[whole:]
        self.line.heard(len(frame) / len(self.channels) / BYTES_PER_SECOND)
        for at in range(0, whole, step):
            self.seconds += step / len(self.channels) / BYTES_PER_SECOND
            for number, channel in enumerate(self.channels):
                for heard in channel.recogniser.feed(audio[at + number : at + step : len(self.channels)]):
                    self._say(number, heard)
                self._watch(number)

    async def obey(self, text: str) -> bool:
        """Do what a text message says; False when it is none of Deepgram's."""
        try:
            told = json.loads(text)
            kind = told["type"]
        except (ValueError, TypeError, KeyError):
            kind = None
        match kind:
            case "KeepAlive":
                pass
            case "Finalize":
                wanted = told.get("channel")
                self._hear_the_rest()
                for number, channel in enumerate(self.channels):
                    for heard in channel.recogniser.settle() if wanted in {None, number} else []:
                        self._say(number, heard, from_finalize=heard.settled)
            case "CloseStream":
                self.end(self.line.script.last_words_delay_seconds)
                await self.line.close(1000)
            case "Configure":
                self.line.say(
                    {"type": "ConfigureSuccess", "request_id": _request_id(self.line.visit), "keyterms": told.get("keyterms", [])}
                )
            case _:
                described = "Could not parse the message as a known type."
                self.line.say({"type": "Error", "variant": "SchemaError", "description": described, "message": text})
                return False
        return True

    def end(self, after: float) -> None:
        """Say the last results, `after` seconds from now, and then Metadata."""
        self._hear_the_rest()
        for number, channel in enumerate(self.channels):
            for heard in channel.recogniser.end():
                self._say(number, heard, after=after)
        self.line.say(self.metadata())

    def _hear_the_rest(self) -> None:
        """Hear the samples that do not fill a step."""
        audio, whole = self.unsettled, len(self.unsettled) - len(self.unsettled) % len(self.channels)
        self.unsettled = audio[whole:]
        for number, channel in enumerate(self.channels):
            for heard in channel.recogniser.feed(audio[number : whole : len(self.channels)]):
                self._say(number, heard)

    def metadata(self) -> dict[str, Any]:
        """The last message of every session."""
        seconds = len(self.line.visit.audio) / len(self.channels) / BYTES_PER_SECOND
        told = {"request_id": _request_id(self.line.visit), "sha256": "incomplete", "created": "2026-11-21T10:00:00.000Z"}
        return {"type": "Metadata", "transaction_key": "deprecated", **told, "duration": seconds, "channels": len(self.channels)}

    def _say(self, number: int, heard: Hypothesis, *, from_finalize: bool = False, after: float = 0.0) -> None:
        channel = self.channels[number]
        if heard.words:
            if channel.silent and self.vad_events:
                self.line.say({"type": "SpeechStarted", "channel": self._index(number), "timestamp": heard.words[0].start})
            channel.silent = False
            channel.last_word_end = heard.words[-1].end
        channel.silent = channel.silent or heard.pause
        if heard.settled or self.interims:
            result = self._results(number, heard, from_finalize=from_finalize)
            times = 1 + (self.line.script.repeat if heard.settled else self.line.script.flood)
            for _ in range(times):
                self.line.say(result, after)

    def _watch(self, number: int) -> None:
        """Say UtteranceEnd once no word has come for long enough, even if a pause said so already: Deepgram does, too."""
        channel = self.channels[number]
        last = channel.last_word_end
        if self.utterance_end_seconds is not None and last is not None and self.seconds - last >= self.utterance_end_seconds:
            channel.last_word_end = None
            self.line.say({"type": "UtteranceEnd", "channel": self._index(number), "last_word_end": round(last, 3)})

    def _index(self, number: int) -> list[int]:
        return [number, len(self.channels)]

    def _results(self, number: int, heard: Hypothesis, *, from_finalize: bool) -> dict[str, Any]:
        confidence = 0.98 if heard.words else 0.0
        alternative = {
            "transcript": " ".join(word.text for word in heard.words),
            "confidence": confidence,
            "words": list(self._words(heard.words)),
        }
        if self.multi:
            alternative["languages"] = ["en"]
        uuid = "00000000-0000-4000-8000-00000000cafe"
        return {
            "type": "Results", "channel_index": self._index(number),
            "duration": round(heard.end - heard.start, 4), "start": round(heard.start, 4),
            "is_final": heard.settled, "speech_final": heard.pause, "from_finalize": from_finalize,
            "channel": {"alternatives": [alternative]},
            "metadata": {
                "request_id": _request_id(self.line.visit), "model_uuid": uuid,
                "model_info": {"name": f"general-{self.model}", "version": "2026-01-01.0", "arch": self.model},
            },
        }  # fmt: skip

    def _words(self, words: tuple[Word, ...]) -> Iterator[dict[str, Any]]:
        for word in words:
            bare = "".join(letter for letter in word.text.lower() if letter.isalnum() or letter in "'-") or word.text
            told = {
                "word": bare,
                "start": round(word.start, 4),
                "end": round(word.end, 4),
                "confidence": 0.98,
                "punctuated_word": word.text,
            }
            yield told | {"language": "en"} if self.multi else told
