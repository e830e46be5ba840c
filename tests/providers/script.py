"""What the scripted providers share: audio that carries its own words, an ear that finds them, faults, a record of each visit, a server.

`spoken(words)` writes words into mu-law silence so that they are found again in whatever part of the audio arrives: what a fake "hears" is
what its client sent, no more, and a replay after a reconnect is honestly heard again with times from 0. Knows no vendor's protocol.
"""

import asyncio
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar, NoReturn, Protocol, Self
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK
from websockets.http11 import Request, Response

BYTES_PER_SECOND = 8000  # mu-law, one track


@dataclass(frozen=True, slots=True)
class Word:
    """One word, in seconds of the audio that it is in."""

    text: str
    start: float
    end: float


def said(sentence: str, start: float, word_seconds: float = 0.25, gap_seconds: float = 0.05) -> list[Word]:
    """Return the words of a sentence, one after another from `start`."""
    step = word_seconds + gap_seconds
    return [Word(text, start + index * step, start + index * step + word_seconds) for index, text in enumerate(sentence.split())]


# A word is written as cells of 10 bytes from its start to its end. A cell is a mark and nine digits of base 64: its number, how many cells
# there are, the size of the text, one letter of it, and a check. So every part of a word says which part of which word it is. No byte is
# 0xFF or 0x7F, the two silences: those do not come back from PCM as they were.
_CELL_BYTES = 10
_STEP_BYTES = 160  # audio is heard in steps of 20 ms: a pause is found at the same place in one large frame and in many small ones
_CELL = re.compile(rb"\x81([\x01-\x40]{9})")


def _digits(number: int) -> bytes:
    return bytes((number // 64 + 1, number % 64 + 1))


def _check(number: int, cells: int, size: int, letter: int) -> int:
    return (number * 7 + cells * 13 + size * 31 + letter * 101 + 1234) % 4096


def spoken(words: Iterable[Word], seconds: float | None = None) -> bytes:
    """Return one track of mu-law with the words in it, `seconds` long, or until the last word ends.

    Raises: ValueError when a word is too short to carry its text (10 bytes, 1.25 ms, a letter) or too long (5 s).
    """
    told = list(words)
    length = max((word.end for word in told), default=0.0) if seconds is None else seconds
    track = bytearray(b"\xff" * round(length * BYTES_PER_SECOND))
    for word in told:
        text = word.text.encode()
        first, last = round(word.start * BYTES_PER_SECOND), round(word.end * BYTES_PER_SECOND)
        cells = (last - first) // _CELL_BYTES
        if not len(text) <= cells < 4096 or not 0 < len(text) < 64 or last > len(track):
            raise ValueError(f"{word} cannot be written")
        for number in range(cells):
            letter = text[number % len(text)]
            head = b"\x81" + _digits(number) + _digits(cells) + bytes((len(text) + 1,)) + _digits(letter)
            at = first + number * _CELL_BYTES
            track[at : at + _CELL_BYTES] = head + _digits(_check(number, cells, len(text), letter))
    return bytes(track)


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What was heard of one track between `start` and `end`, seconds of the audio fed. `pause`: the speaker stopped; only if `settled`."""

    start: float
    end: float
    words: tuple[Word, ...]
    settled: bool
    pause: bool = False


class Recogniser(Protocol):
    """Hears one track of one connection, from its first byte. Each method returns what can be said now, in order.

    `settle` says for good what is open, if anything is (Finalize, ForceEndpoint). `end` says the rest. A real engine can stand here.
    """

    def feed(self, mulaw: bytes) -> list[Hypothesis]: ...
    def settle(self) -> list[Hypothesis]: ...
    def end(self) -> list[Hypothesis]: ...


@dataclass(slots=True)
class _Part:
    """The cells of one word that came so far."""

    cells: int
    size: int
    origin: int  # byte at which the word began, or would have begun
    first: int  # byte at which its first cell came
    last: int = 0  # byte after its last cell
    letters: dict[int, int] = field(default_factory=dict)  # by number of the cell, in order


class Ear:
    """Hears what `spoken` wrote. The same bytes give the same hypotheses however they are cut into frames.

    An interim comes with each word, a settled piece after `settle_words` of them, a pause after `pause_seconds` without speech (None:
    never), and an empty settled piece for every 3 s of silence. A word of which less than `share` came is a fragment: not heard.
    """

    def __init__(self, pause_seconds: float | None = 0.3, settle_words: int = 4, share: float = 0.6) -> None:
        self.fragments = 0
        self._pause_seconds = pause_seconds
        self._settle_words = settle_words
        self._share = share
        self._waiting = b""  # bytes that do not fill a step yet
        self._seen = b""  # the end of the last step: a cell may have begun in it
        self._position = 0  # bytes heard
        self._part: _Part | None = None  # the word being spoken
        self._last_sound = 0  # byte after the last cell of anything
        self._window: list[Word] = []  # words that are not settled
        self._window_start = 0.0  # seconds
        self._speaking = False  # whether a word came since the last pause

    def feed(self, mulaw: bytes) -> list[Hypothesis]:
        audio = self._waiting + mulaw
        whole = len(audio) - len(audio) % _STEP_BYTES
        self._waiting = audio[whole:]
        return [heard for at in range(0, whole, _STEP_BYTES) for heard in self._step(audio[at : at + _STEP_BYTES])]

    def settle(self) -> list[Hypothesis]:
        heard = self._step(self._waiting)
        self._waiting = b""
        self._window += self._finished()
        return [*heard, self._settled(self._window[-1].end)] if self._window else heard

    def end(self) -> list[Hypothesis]:
        heard = self.settle()
        return heard if heard and heard[-1].settled else [*heard, self._settled(self._position / BYTES_PER_SECOND)]

    def _step(self, step: bytes) -> list[Hypothesis]:
        came = self._words_in(step)
        now = self._position / BYTES_PER_SECOND
        heard: list[Hypothesis] = []
        if came:
            self._window += came
            self._speaking = True
            full = len(self._window) >= self._settle_words
            piece = Hypothesis(self._window_start, now, tuple(self._window), settled=False)
            heard.append(self._settled(came[-1].end) if full else piece)
        if self._speaking and self._pause_seconds is not None and now - self._last_sound / BYTES_PER_SECOND >= self._pause_seconds:
            heard.append(self._settled(now, pause=True))
        elif not self._window and self._part is None and now - self._window_start >= 3.0:
            heard.append(self._settled(now))
        return heard

    def _settled(self, end: float, *, pause: bool = False) -> Hypothesis:
        piece = Hypothesis(self._window_start, end, tuple(self._window), settled=True, pause=pause)
        self._window, self._window_start = [], end
        self._speaking = self._speaking and not pause
        return piece

    def _words_in(self, step: bytes) -> list[Word]:
        audio_start = self._position - len(self._seen)
        audio = self._seen + step
        done = 0
        words: list[Word] = []
        for cell in _CELL.finditer(audio):
            digits = [byte - 1 for byte in cell[1]]
            number, cells, size = digits[0] * 64 + digits[1], digits[2] * 64 + digits[3], digits[4]
            letter, check = digits[5] * 64 + digits[6], digits[7] * 64 + digits[8]
            if letter > 255 or not size or check != _check(number, cells, size, letter):
                continue
            done = cell.end()
            at = audio_start + cell.start()
            origin = at - number * _CELL_BYTES
            part = self._part
            # One word may have a hole, not a shift: a second "no" whose beginning was lost is not the end of the first.
            if not part or (part.cells, part.size) != (cells, size) or number in part.letters or abs(part.origin - origin) > 320:
                words += self._finished()
                part = self._part = _Part(cells, size, origin, first=at)
            part.letters[number] = letter
            self._last_sound = part.last = at + _CELL_BYTES
            if number == cells - 1:
                words += self._finished()
        self._position += len(step)
        self._seen = audio[max(done, len(audio) - _CELL_BYTES + 1) :]
        if self._part and self._position > self._part.origin + self._part.cells * _CELL_BYTES + 320:
            words += self._finished()
        return words

    def _finished(self) -> list[Word]:
        part, self._part = self._part, None
        if part is None:
            return []
        text = {number % part.size: letter for number, letter in part.letters.items()}
        if len(part.letters) < self._share * part.cells or len(text) < part.size:
            self.fragments += 1
            return []
        heard = bytes(text[index] for index in range(part.size)).decode()
        return [Word(heard, part.first / BYTES_PER_SECOND, part.last / BYTES_PER_SECOND)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What goes wrong. A sequence is taken in turn, one item a handshake; after its end nothing goes wrong. The default: nothing ever."""

    refuse: Sequence[int | tuple[int, str] | None] = ()  # HTTP status (Deepgram) or error code (AssemblyAI), and the vendor's words
    hang_handshake_seconds: Sequence[float] = ()  # before answering the handshake
    drop_after_bytes: Sequence[int | None] = ()  # end the connection once so much audio came, all channels together
    drop_with: tuple[int, str] | None = None  # how it ends: with this close code and text; None: cut, without a close frame
    slow_seconds: float = 0.0  # every message comes so much later
    last_words_delay_seconds: float = 0.0  # between the client's end message and the last results
    throttle: bool = False  # hear at 1.25 times real time at most, as both vendors do: a backlog delays results
    repeat: bool = False  # say each final twice
    unknown: bool = False  # a message of an unknown type before each message, and an unknown field in it
    flood: int = 0  # say each interim so many times more
    never_answer: bool = False  # accept, read, and never say a word


@dataclass(slots=True)
class Visit:
    """One handshake and what followed, as the fake saw it."""

    number: int  # from 0
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    audio: bytearray = field(default_factory=bytearray)
    frame_bytes: list[int] = field(default_factory=list)  # size of each binary frame
    messages: list[str] = field(default_factory=list)  # text frames received
    sent: list[dict[str, Any]] = field(default_factory=list)
    open: bool = False
    closed: tuple[int | None, str | None] | None = None  # code and reason, whoever began; 1006: cut


def in_turn(items: Sequence[Any], number: int) -> Any:
    """Return the item of this handshake; None after the last one."""
    return items[number] if number < len(items) else None


class Line:
    """One open connection: reads and records, and says each thing in order, none before it is due."""

    def __init__(self, socket: ServerConnection, visit: Visit, script: Script, changed: Callable[[], None]) -> None:
        self.visit = visit
        self.socket = socket
        self.script = script
        self._changed = changed
        self._unsaid: asyncio.Queue[tuple[float, dict[str, Any]]] = asyncio.Queue()
        self._due = 0.0  # loop time of the last message
        self._caught_up = 0.0  # loop time at which a throttled ear has heard everything
        self.bytes_left = in_turn(script.drop_after_bytes, visit.number)  # until the drop; None: no drop

    async def receive(self, deadline: float | None = None) -> str | bytes:
        """Return the next frame; of the frame that brings the drop, the part before it. Raises TimeoutError at `deadline` (loop time)."""
        async with asyncio.timeout_at(deadline):
            frame = await self.socket.recv()
        if isinstance(frame, str):
            self.visit.messages.append(frame)
        else:
            self.visit.frame_bytes.append(len(frame))
            if self.bytes_left is not None:
                frame = frame[: self.bytes_left]
                self.bytes_left -= len(frame)
            self.visit.audio += frame
        self._changed()
        return frame

    def heard(self, seconds: float) -> None:
        """Take note that so much audio was heard: what is said next waits for a throttled ear."""
        if self.script.throttle:
            self._caught_up = max(self._caught_up, asyncio.get_running_loop().time()) + seconds / 1.25

    def say(self, message: dict[str, Any], after: float = 0.0) -> None:
        """Send a message, `after` seconds later than it would be, and never before the one before it."""
        if self.script.never_answer:
            return
        now = asyncio.get_running_loop().time()
        self._due = max(self._due, max(now, self._caught_up) + self.script.slow_seconds + after)
        strange = [{"type": "Weather", "sky": ["blue"]}, message | {"weather": {"sky": "blue"}}]
        for each in strange if self.script.unknown else [message]:
            self._unsaid.put_nowait((self._due, each))

    async def close(self, code: int, reason: str = "") -> NoReturn:
        """Say the rest, then close."""
        while self.script.never_answer:
            await self.receive()
        await self._unsaid.join()
        await self.socket.close(code, reason)
        raise ConnectionClosedOK(None, None)

    async def cut(self) -> NoReturn:
        """Break the connection without a close frame. What is due by now has been said, what is put off never will be."""
        if self._due <= asyncio.get_running_loop().time():
            await self._unsaid.join()
        self.socket.transport.abort()
        raise ConnectionClosedOK(None, None)

    async def run(self) -> None:
        """Say each thing when it is due, for ever."""
        while True:
            due, message = await self._unsaid.get()
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            await self.socket.send(json.dumps(message))
            self.visit.sent.append(message)
            self._unsaid.task_done()
            self._changed()


class FakeProvider:
    """A vendor's server on a free port of this machine, in the test's own loop: `async with FakeDeepgram(script) as fake: fake.url`.

    `key`: the only one accepted (None: any). `ear`: makes what hears one track, given the pause in seconds that ends an utterance (None:
    none does). A mistake of the fake itself is raised when it is left.
    """

    path: ClassVar[str]

    def __init__(self, script: Script | None = None, *, key: str | None = None, ear: Callable[[float | None], Recogniser] = Ear) -> None:
        self.script = script or Script()
        self.key = key
        self.ear = ear
        self.visits: list[Visit] = []  # every handshake, in order
        self._mistakes: list[Exception] = []
        self._moved = asyncio.Event()  # replaced at each change
        self._visit_of: dict[object, Visit] = {}

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._attend, "127.0.0.1", 0, process_request=self._admit, process_response=self.dress,
            compression=None, open_timeout=None, close_timeout=1, ping_interval=None, max_size=None, max_queue=None,
        )  # fmt: skip
        self.url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        for socket in self._server.connections:
            socket.transport.abort()
        self._server.close()
        self._changed()
        await self._server.wait_closed()
        if self._mistakes:
            raise ExceptionGroup("the fake made mistakes", self._mistakes)

    @property
    def open_sessions(self) -> int:
        """How many connections are open now."""
        return sum(visit.open for visit in self.visits)

    async def until(self, fact: Callable[[], bool]) -> None:
        """Wait until something that came or went makes the fact true."""
        while not fact():
            await self._moved.wait()

    def _changed(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    def refusal(self, visit: Visit) -> tuple[int, str] | None:
        """Return what the script refuses this visit with; no words: the vendor's usual ones."""
        told = in_turn(self.script.refuse, visit.number)
        return (told, "") if isinstance(told, int) else told

    # What a vendor says: answer the handshake (None opens), add headers to that answer, hold one session until ConnectionClosed.
    def admit(self, visit: Visit, socket: ServerConnection) -> Response | None: ...
    def dress(self, socket: ServerConnection, request: Request, response: Response) -> None: ...
    async def attend(self, line: Line) -> None: ...

    async def _admit(self, socket: ServerConnection, request: Request) -> Response | None:
        address = urlsplit(request.path)
        visit = Visit(len(self.visits), parse_qsl(address.query, keep_blank_values=True), request.headers)
        self.visits.append(visit)
        self._visit_of[socket.id] = visit
        self._changed()
        with suppress(TimeoutError):
            hang_seconds = in_turn(self.script.hang_handshake_seconds, visit.number) or 0.0
            await asyncio.wait_for(self.until(lambda: not self._server.is_serving()), hang_seconds)
        return socket.respond(404, "no such path") if address.path != self.path else self.admit(visit, socket)

    async def _attend(self, socket: ServerConnection) -> None:
        visit = self._visit_of[socket.id]
        visit.open = True
        line = Line(socket, visit, self.script, self._changed)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(line.run())
                await self.attend(line)
        except* ConnectionClosed:
            pass
        except* Exception as mistakes:  # noqa: BLE001  a session is a unit: its mistake is told at the end, the fake lives on
            self._mistakes += mistakes.exceptions
        finally:
            visit.open, visit.closed = False, (socket.close_code, socket.close_reason)
            self._changed()
