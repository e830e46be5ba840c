"""A pretend Twilio for agent lines: speaks to `/agent` as a caller would, and hears what the caller would hear.

Knows the bidirectional wire of twilio.com/docs/voice/media-streams/websocket-messages from Twilio's side: audio is buffered and played in
real time, a mark comes back when what was before it has been played, `clear` empties the buffer and sends every mark back. Knows nothing
of what the hub makes of the call. `Handset` is the pure part, `Phone` the call, `run()` the command line.
"""

import argparse
import asyncio
import wave
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from websockets.exceptions import ConnectionClosed

from clients import dialling
from clients.leg import Leg, NotAnswered
from clients.loudspeaker import Loudspeaker, loudspeaker
from clients.microphone import Microphone, hang_up_on_ctrl_c, microphone
from clients.portaudio import NoDevice, device
from clients.signature import Unsigned
from clients.sound import UnreadableSound, read_call
from clients.stream import FIRST_TIMESTAMP_MS, FRAME_BYTES, FRAME_MS, Frame, Stream, new_sid
from hub.audio.g711 import BYTES_PER_MS, SAMPLE_RATE_HZ, interleaved, silence, to_pcm

DEFAULT_URL = "ws://127.0.0.1:5000/agent"

QUIET_SECONDS = 8.0
"""Once the caller has said all and the agent has been silent for so long, the caller hangs up."""


NORMAL = 1000
"""The close code of a call that is over; any other is a refusal, or trouble (RFC 6455 section 7.4.1)."""


class BadMessage(ValueError):
    """What Twilio would warn about (31951): the hub sent something that no bidirectional stream takes."""


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    payload: bytes


class _Name(msgspec.Struct, forbid_unknown_fields=True):
    name: str


class _Media(msgspec.Struct, tag_field="event", tag="media", rename="camel", forbid_unknown_fields=True):
    stream_sid: str
    media: _Body


class _Mark(msgspec.Struct, tag_field="event", tag="mark", rename="camel", forbid_unknown_fields=True):
    stream_sid: str
    mark: _Name


class _Clear(msgspec.Struct, tag_field="event", tag="clear", rename="camel", forbid_unknown_fields=True):
    stream_sid: str


_decoder = msgspec.json.Decoder(_Media | _Mark | _Clear)


class Handset:
    """What Twilio plays to the caller, by its own clock: `play()` is 20 ms of it. Pure."""

    def __init__(self, stream_sid: str) -> None:
        self.stream_sid = stream_sid
        self.heard = bytearray()
        """All that was played, silence included, from the stream's start."""
        self.clears: list[int] = []
        """Where in `heard` the buffer was cleared, in bytes."""
        self.came_ms: list[float] = []
        """When media came, in ms of this clock."""
        self.echoes: deque[str] = deque()
        """Names of marks to send back."""
        self._buffer: deque[bytes | str] = deque()
        """Audio and marks, in the order they came."""
        self._waiting_bytes = 0

    @property
    def now_ms(self) -> float:
        """How much was played: the clock."""
        return len(self.heard) / BYTES_PER_MS

    @property
    def waiting_ms(self) -> float:
        """How much is buffered."""
        return self._waiting_bytes / BYTES_PER_MS

    def receive(self, text: str | bytes) -> None:
        """Take one message of the hub. Raises: BadMessage."""
        try:
            message = _decoder.decode(text)
        except msgspec.DecodeError as error:
            raise BadMessage(f"31951: {error}") from error
        if message.stream_sid != self.stream_sid:
            raise BadMessage(f"31951: streamSid is {message.stream_sid}")
        match message:
            case _Media():
                self._buffer.append(message.media.payload)
                self._waiting_bytes += len(message.media.payload)
                self.came_ms.append(self.now_ms)
            case _Mark():
                self._buffer.append(message.mark.name)
                self._echo()
            case _Clear():
                self.clears.append(len(self.heard))
                self.echoes.extend(each for each in self._buffer if isinstance(each, str))
                self._buffer.clear()
                self._waiting_bytes = 0

    def play(self) -> bytes:
        """Play 20 ms; return what is heard in them."""
        frame = bytearray()
        while self._buffer and len(frame) < FRAME_BYTES:
            piece = self._buffer.popleft()
            if isinstance(piece, str):
                self.echoes.append(piece)
                continue
            room = FRAME_BYTES - len(frame)
            frame += piece[:room]
            self._waiting_bytes -= len(piece[:room])
            if piece[room:]:
                self._buffer.appendleft(piece[room:])
        self._echo()
        frame += silence(FRAME_BYTES - len(frame))
        self.heard += frame
        return bytes(frame)

    def _echo(self) -> None:
        while self._buffer and isinstance(self._buffer[0], str):
            self.echoes.append(str(self._buffer.popleft()))


class Phone:
    """One call to an agent. `async with Phone(url) as phone`, then `step()` for each 20 ms."""

    def __init__(
        self,
        url: str,
        *,
        call_sid: str | None = None,
        parameters: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.stream = Stream(call_sid or new_sid("CA"), new_sid("MZ"))
        self.handset = Handset(self.stream.stream_sid)
        self.said = bytearray()
        """All that the caller said, silence included, from the stream's start."""
        self.problem: BadMessage | None = None
        """The first message that Twilio would not have taken."""
        self.hung_up = False
        """Whether the caller ended the call."""
        self._chunk = 0
        self._leg = Leg(url, self.stream, ["inbound"], parameters, headers=headers, hear=self._hear)
        self.over = self._leg.over
        """Set when the hub has closed."""

    @property
    def close_code(self) -> int | None:
        """The hub's close code, once it has closed."""
        return self._leg.close_code

    @property
    def close_reason(self) -> str | None:
        """And what it said about it."""
        return self._leg.close_reason

    async def __aenter__(self) -> "Phone":
        """Call. Raises: NotAnswered."""
        await self._leg.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> bool | None:
        """Let go of the socket, if `hang_up()` or the hub has not."""
        return await self._leg.__aexit__(*error)

    async def step(self, mulaw: bytes = b"") -> bytes:
        """Say 20 ms (silence where nothing is given), hear 20 ms; return what is heard."""
        payload = mulaw.ljust(FRAME_BYTES, b"\xff")
        self._chunk += 1
        timestamp_ms = FIRST_TIMESTAMP_MS + len(self.said) // BYTES_PER_MS
        self.said += payload
        await self._send(self.stream.media(Frame("inbound", self._chunk, timestamp_ms, payload)))
        heard = self.handset.play()
        await self.echo()
        return heard

    async def echo(self) -> None:
        """Send the marks back that are due."""
        while self.handset.echoes:
            await self._send(self.stream.numbered("mark", {"name": self.handset.echoes.popleft()}))

    async def press(self, digit: str) -> None:
        """Press a key."""
        await self._send(self.stream.numbered("dtmf", {"track": "inbound_track", "digit": digit}))

    async def hang_up(self, *, politely: bool = True) -> None:
        """End the call: with a `stop`, or with the socket only."""
        self.hung_up = True
        if politely:
            await self._send(self.stream.stop())
            await self._leg.close()
        else:
            self._leg.break_off()

    async def _send(self, message: bytes) -> None:
        with suppress(ConnectionClosed):
            await self._leg.say(message)

    async def _hear(self, message: str | bytes) -> None:
        try:
            self.handset.receive(message)
        except BadMessage as error:
            self.problem = self.problem or error
        await self.echo()


async def speak(phone: Phone, mic: Microphone, *, hang_up_after_ms: int | None = None, play: Callable[[bytes], None] | None = None) -> None:
    """Speak to the agent as fast as the microphone gives it, until somebody hangs up, the time is over, or the device ends.

    `play` is given each 20 ms that the caller hears.
    """
    at_ms = 0
    while not phone.over.is_set() and (hang_up_after_ms is None or at_ms < hang_up_after_ms) and (spoken := await mic.frame()) is not None:
        number, mulaw = spoken
        lost = number - at_ms // FRAME_MS  # time goes on for the agent, too
        for said in *(b"" for _ in range(lost)), mulaw:
            heard = await phone.step(said)
            if play is not None:
                play(heard)
        at_ms = (number + 1) * FRAME_MS
    if not phone.over.is_set():
        await phone.hang_up()


async def converse(phone: Phone, mulaw: bytes, *, hang_up_after_ms: int | None = None, speed: float = 1.0) -> None:
    """Speak to the agent in real time, until the hub closes, the time is up, or all is said and the agent is silent."""
    clock = asyncio.get_running_loop().time
    began, quiet_ms, frames = clock(), 0.0, 0
    while not phone.over.is_set():
        at_ms = frames * FRAME_MS
        if hang_up_after_ms is not None and at_ms >= hang_up_after_ms:
            break
        heard = await phone.step(mulaw[at_ms * BYTES_PER_MS : (at_ms + FRAME_MS) * BYTES_PER_MS])
        frames += 1
        talks = at_ms * BYTES_PER_MS < len(mulaw) or heard.strip(b"\xff")
        quiet_ms = 0.0 if talks else quiet_ms + FRAME_MS
        if hang_up_after_ms is None and quiet_ms >= QUIET_SECONDS * 1000:
            break
        await asyncio.sleep(max(0.0, began + frames * FRAME_MS / 1000 / speed - clock()))
    if not phone.over.is_set():
        await phone.hang_up()


def save(path: Path, left: bytes, right: bytes) -> None:
    """Write two mu-law tracks as a stereo WAV of 16 bits, the shorter one filled up with silence."""
    length = max(len(left), len(right))
    stereo = interleaved(left.ljust(length, b"\xff"), right.ljust(length, b"\xff"))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(to_pcm(stereo))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `transcript-client call --agent` understands besides what `call` does."""
    group = parser.add_argument_group(
        "to an agent", "The file's left channel speaks, or the microphone; without either, the caller is silent."
    )
    group.add_argument("--agent", nargs="?", const="", metavar="NAME", help=f"call an agent, at {DEFAULT_URL} unless --url says otherwise")
    group.add_argument("--mic", action="store_true", help="speak into the microphone and hear the agent (the extra `mic`); Ctrl-C hangs up")
    hearing = group.add_mutually_exclusive_group()
    hearing.add_argument(
        "--speaker",
        type=device,
        metavar="NAME",
        help="with --mic: the output device to hear the agent on, by number or part of its name (`transcript-client mic --devices`). "
        "Use headphones: what the microphone hears of a loudspeaker interrupts the agent",
    )
    hearing.add_argument("--no-speaker", action="store_true", help="with --mic: hear nothing")
    group.add_argument("--save", type=Path, metavar="WAV", help="write the call: the caller left, what the caller would have heard right")


def run(options: argparse.Namespace) -> int:
    """Call an agent; return the exit code: 0 talked, 1 the hub did not answer or did what Twilio would not take, 2 wrong options."""
    console = Console(stderr=True, quiet=options.quiet, highlight=False, soft_wrap=True, markup=False)
    errors = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
    if options.mic and options.file is not None:
        errors.print("Either a file speaks or the microphone: leave one of them out.")
        return 2
    if options.speaker is not None and not options.mic:
        errors.print("--speaker is for who speaks: add --mic, or leave it out and listen to what --save writes.")
        return 2
    if options.save is not None and (options.save.is_dir() or not options.save.parent.is_dir()):
        errors.print(f"{options.save} cannot be written: name a file in a directory that there is.")
        return 2
    try:
        sound = read_call(options.file).inbound if options.file is not None else b""
        dialled = dialling.read(options, DEFAULT_URL if options.url == dialling.DEFAULT_URL else options.url, agent=options.agent or None)
    except (UnreadableSound, Unsigned) as problem:
        errors.print(problem)
        return 2
    phone = Phone(dialled.url, call_sid=dialled.call_sid, parameters=dialled.parameters, headers=dialled.headers)
    try:
        asyncio.run(_call(phone, sound, options, console, errors))
    except NoDevice as problem:
        errors.print(problem)
        return 2
    except NotAnswered as problem:
        errors.print(dialled.explain(problem))
        return 1
    except KeyboardInterrupt:
        errors.print("You hung up.")
    if options.save is not None:
        try:
            save(options.save, bytes(phone.said), bytes(phone.handset.heard))
        except OSError as problem:
            errors.print(f"{options.save} cannot be written: {problem.strerror}.")
            return 1
    if phone.problem is not None:
        errors.print(f"Twilio would have warned: {phone.problem}")
        return 1
    closed = phone.over.is_set() and not phone.hung_up
    if closed and phone.close_code != NORMAL:
        errors.print(f"The hub ended the call with close code {phone.close_code}: {phone.close_reason or 'it gave no reason'}.")
        return 1
    ended = f"the hub closed with {phone.close_code}: {phone.close_reason}" if closed else "you hung up"
    where = f" {options.save} has what was heard." if options.save is not None else ""
    console.print(f"{phone.handset.now_ms / 1000:.1f} s with the agent; {ended}.{where}")
    return 0


async def _call(phone: Phone, sound: bytes, options: argparse.Namespace, console: Console, errors: Console) -> None:
    if not options.mic:
        async with phone:
            await converse(phone, sound, hang_up_after_ms=options.hang_up_after_ms, speed=options.speed or 1.0)
        return
    with ExitStack() as stack:
        mic = stack.enter_context(microphone(None))
        hang_up_on_ctrl_c(mic)
        speaker = None if options.no_speaker else _loudspeaker(stack, options.speaker, errors)
        hear = "" if speaker is None else f" and hear the agent on {speaker.name}, best by headphones"
        console.print(f"Speak into {mic.name}{hear}; Ctrl-C hangs up.")
        async with phone:
            play = None if speaker is None else speaker.play
            await speak(phone, mic, hang_up_after_ms=options.hang_up_after_ms, play=play)
        if mic.vanished:
            errors.print(mic.loss)


def _loudspeaker(stack: ExitStack, device: str | int | None, errors: Console) -> Loudspeaker | None:
    """Open the loudspeaker; a call without one is a call all the same."""
    try:
        return stack.enter_context(loudspeaker(device, errors.print))
    except NoDevice as problem:
        errors.print(f"{problem} The call goes on without it.")
        return None
