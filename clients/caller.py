"""A pretend Twilio: plays a recorded call into the hub's /twilio door, message for message as Media Streams would.

Knows the wire of twilio.com/docs/voice/media-streams/websocket-messages from Twilio's side, and what goes wrong on it. Knows nothing of
what the hub makes of the call. `call()` is the library, `run()` the command line.
"""

import argparse
import asyncio
import base64
import heapq
import math
import os
import random
import re
import secrets
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from clients.sound import Sound, UnreadableSound, read_call
from hub.audio import BYTES_PER_MS, SILENCE_BYTE, Track

SAMPLE = Path(__file__).parent / "sample" / "support-call.flac"
"""The call that is played when no file is named."""

DEFAULT_URL = "ws://127.0.0.1:5000/twilio"

FRAME_MS = 20
"""What Twilio sends in practice: 160 bytes a message (not documented; a reader must take any size)."""

FIRST_TIMESTAMP_MS = 5
"""A stream's first timestamp is not 0: Twilio's own example shows 5, and a reader that counts on 0 should meet it here first."""

GOODBYE_SECONDS = 5.0
"""How long the hub may take to answer our close frame: it says its last words to others, not to us."""


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong on the way. The same faults with the same `seed` send the same frames in the same order.

    A frame that is lost, late or repeated keeps its true timestamp and chunk number; `sequenceNumber` counts what is really sent.
    """

    late_outbound_ms: int = 0  # the outbound track begins this late, as while it rings: what it held before is never sent
    lose: float = 0.0  # this share of the frames, 0-1, is never sent
    jitter_ms: int = 0  # each frame leaves up to this much too late, and so out of order
    duplicate: int = 0  # every nth frame of a track is sent twice, as the very same message; 0: none
    one_sided: bool = False  # inbound only, although start names both tracks
    no_stop: bool = False  # no stop and no close frame: the socket is cut off
    hang_up_after_ms: int | None = None  # the call ends here, with a stop (unless no_stop); None: it is played to its end
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Frame:
    """One media message. Leaves `at_ms` after the stream began, `copies` times: 0 is a lost frame, 2 a duplicate."""

    at_ms: float
    track: Track
    chunk: int
    timestamp_ms: int
    payload: bytes
    copies: int


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a call. `frames_sent` counts messages per track, duplicates included; `seconds` is the audio's time, not the wall's.

    `close_code` and `close_reason` are the hub's, 1006 when it vanished without a close frame; None when we were the first to close.
    `cut_short`: the hub closed before the call was over.
    """

    call_sid: str
    stream_sid: str
    frames_sent: dict[Track, int]
    frames_lost: int
    seconds: float
    close_code: int | None
    close_reason: str | None
    cut_short: bool


class NotAnswered(ConnectionError):
    """The hub did not take the call: it is not there, or it refused. Its text is one sentence."""


NO_FAULTS = Faults()


def frames(sound: Sound, faults: Faults = NO_FAULTS) -> Iterator[Frame]:
    """Yield the call's frames in the order in which they leave, each 160 bytes, the last one filled up with silence."""
    waiting: list[tuple[float, int, Frame]] = []  # delayed by jitter; the number keeps frames of one moment in order
    for number, frame in enumerate(_recorded(sound, faults)):
        heapq.heappush(waiting, (frame.at_ms, number, frame))
        while waiting and waiting[0][0] <= frame.timestamp_ms - FIRST_TIMESTAMP_MS:
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]


def _recorded(sound: Sound, faults: Faults) -> Iterator[Frame]:
    chance = random.Random(faults.seed)
    tracks: dict[Track, bytes] = {"inbound": sound.inbound}
    if sound.outbound is not None and not faults.one_sided:
        tracks["outbound"] = sound.outbound
    chunks = dict.fromkeys(tracks, 0)
    for position_ms in range(0, math.ceil(_length_ms(sound, faults)), FRAME_MS):
        for track, mulaw in tracks.items():
            if track == "outbound" and position_ms < faults.late_outbound_ms:
                continue
            chunks[track] += 1
            piece = mulaw[position_ms * BYTES_PER_MS : (position_ms + FRAME_MS) * BYTES_PER_MS]
            copies = 2 if faults.duplicate and chunks[track] % faults.duplicate == 0 else 1
            yield Frame(
                at_ms=position_ms + chance.uniform(0, faults.jitter_ms),
                track=track,
                chunk=chunks[track],
                timestamp_ms=FIRST_TIMESTAMP_MS + position_ms,
                payload=piece.ljust(FRAME_MS * BYTES_PER_MS, bytes([SILENCE_BYTE])),
                copies=0 if chance.random() < faults.lose else copies,
            )


def _length_ms(sound: Sound, faults: Faults) -> float:
    whole = sound.seconds * 1000
    return whole if faults.hang_up_after_ms is None else min(whole, faults.hang_up_after_ms)


class Stream:
    """Composes one stream's messages and counts them. Sans-I/O: returns JSON as bytes, to be sent as text."""

    def __init__(self, call_sid: str, stream_sid: str) -> None:
        self.call_sid = call_sid
        self.stream_sid = stream_sid
        self.account_sid = new_sid("AC")
        self._sequence = 0  # of the last message; one count for both tracks

    def connected(self) -> bytes:
        """Compose the first message: the only one without numbers and names."""
        return msgspec.json.encode({"event": "connected", "protocol": "Call", "version": "1.0.0"})

    def start(self, tracks: list[Track], parameters: Mapping[str, str]) -> bytes:
        """Compose the message that says what follows."""
        start = {
            "accountSid": self.account_sid,
            "streamSid": self.stream_sid,
            "callSid": self.call_sid,
            "tracks": tracks,
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": dict(parameters),
        }
        return self.numbered("start", start)

    def media(self, frame: Frame) -> bytes:
        """Compose one frame's message. Its numbers are strings, as on Twilio's wire."""
        media = {
            "track": frame.track,
            "chunk": str(frame.chunk),
            "timestamp": str(frame.timestamp_ms),
            "payload": base64.b64encode(frame.payload).decode("ascii"),
        }
        return self.numbered("media", media)

    def stop(self) -> bytes:
        """Compose the last message."""
        return self.numbered("stop", {"accountSid": self.account_sid, "callSid": self.call_sid})

    def numbered(self, event: str, body: dict[str, Any]) -> bytes:  # any message but the first
        self._sequence += 1
        message = {"event": event, "sequenceNumber": str(self._sequence), event: body, "streamSid": self.stream_sid}
        return msgspec.json.encode(message)


async def call(
    url: str,
    sound: Sound,
    *,
    call_sid: str | None = None,
    stream_sid: str | None = None,
    parameters: Mapping[str, str] | None = None,
    speed: float = 1.0,
    faults: Faults = NO_FAULTS,
    progress: Callable[[float], None] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Played:
    """Play a call into `url` and hang up. `speed` 2 is twice as fast, 0 as fast as the socket takes it.

    `progress` is told the seconds of audio that were sent; `headers` go onto the upgrade (`X-Twilio-Signature`, say). Safe to cancel:
    stop is sent then too. Raises: NotAnswered.
    """
    stream = Stream(call_sid or new_sid("CA"), stream_sid or new_sid("MZ"))
    sent: dict[Track, int] = {"inbound": 0} if sound.outbound is None else {"inbound": 0, "outbound": 0}
    lost, seconds, cut_short = 0, 0.0, False
    clock = asyncio.get_running_loop().time
    connection = await dial(url, headers)
    async with asyncio.TaskGroup() as group:
        group.create_task(overhear(connection))
        try:
            await connection.send(stream.connected(), text=True)
            await connection.send(stream.start(list(sent), parameters or {}), text=True)
            began = clock()
            for frame in frames(sound, faults):
                await _until(began + frame.at_ms / 1000 / speed if speed else 0.0, clock)
                message = stream.media(frame) if frame.copies else b""
                for _copy in range(frame.copies):
                    await connection.send(message, text=True)
                sent[frame.track] += frame.copies
                lost += frame.copies == 0
                seconds = max(seconds, (frame.timestamp_ms - FIRST_TIMESTAMP_MS + FRAME_MS) / 1000)
                if progress is not None:
                    progress(seconds)
            await _until(began + _length_ms(sound, faults) / 1000 / speed if speed else 0.0, clock)
            if not faults.no_stop:
                await connection.send(stream.stop(), text=True)
        except ConnectionClosed:
            cut_short = True
        except asyncio.CancelledError:
            with suppress(ConnectionClosed):
                await in_time(connection, connection.send(stream.stop(), text=True))
            raise
        finally:
            if faults.no_stop:
                connection.transport.abort()
            await in_time(connection, connection.close())
    hub_closed = cut_short or connection.protocol.close_rcvd_then_sent
    code, reason = (connection.close_code, connection.close_reason) if hub_closed else (None, None)
    return Played(stream.call_sid, stream.stream_sid, sent, lost, seconds, code, reason, cut_short)


def new_sid(prefix: str) -> str:
    """Return a random identifier in Twilio's form: two letters and 32 hexadecimal digits."""
    return prefix + secrets.token_hex(16)


async def dial(url: str, headers: Mapping[str, str] | None = None) -> ClientConnection:
    """Connect to the hub's door for Twilio, as Twilio does. Raises: NotAnswered."""
    try:
        # No pings: Twilio is not known to send any. No proxy: a pretend Twilio calls a hub that is near.
        return await connect(
            url, additional_headers=headers, compression=None, proxy=None, ping_interval=None, close_timeout=GOODBYE_SECONDS
        )
    except InvalidURI as exc:
        raise NotAnswered(f"{url} is not the address of a hub; it should look like {DEFAULT_URL}.") from exc
    except InvalidStatus as exc:
        raise NotAnswered(f"The hub at {url} refused the call: HTTP {exc.response.status_code} {exc.response.reason_phrase}.") from exc
    except (InvalidHandshake, EOFError) as exc:
        raise NotAnswered(f"What answers at {url} is not a hub: it does not speak WebSocket.") from exc
    except TimeoutError as exc:
        raise NotAnswered(f"No hub answers at {url}: it took too long.") from exc
    except OSError as exc:
        # asyncio's own words would be "Connect call failed ('127.0.0.1', 5000)", and a list of those when a name has two addresses.
        known = exc.errno is not None and exc.errno > 0
        problem = os.strerror(exc.errno or 0) if known else exc.strerror or "no address of it takes a connection"
        raise NotAnswered(f"No hub answers at {url}: {problem}.") from exc


async def _until(deadline: float, clock: Callable[[], float]) -> None:
    """Wait for a moment of the loop's clock. Deadlines are absolute, so that a late frame does not make the next one late."""
    await asyncio.sleep(max(0.0, deadline - clock()))


async def in_time(connection: ClientConnection, goodbye: Coroutine[Any, Any, None]) -> None:
    """Say goodbye, or cut the socket off: to a hub that reads nothing, even `close()` of websockets 17.4 waits for ever."""
    try:
        async with asyncio.timeout(GOODBYE_SECONDS):
            await goodbye
    except TimeoutError:
        connection.transport.abort()


async def overhear(connection: ClientConnection) -> None:
    """Read what the hub says and forget it: unread messages would hide its close frame."""
    with suppress(ConnectionClosed):
        async for _message in connection:
            pass


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands."""
    parser.description = (
        "Play a recorded call into the hub, as Twilio would: the file's left channel is the caller, the right one the callee."
    )
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="WAV, FLAC, Ogg, MP3, …; without one, a sample call")
    parser.add_argument("--url", default=DEFAULT_URL, help="the hub's door for Twilio (default: %(default)s)")
    parser.add_argument("--call-sid", type=call_sid, metavar="CA…", help="the call's name (default: a random one)")
    parser.add_argument("--from", dest="from_", metavar="+1…", help="sent as the parameter `from`")
    parser.add_argument("--to", metavar="+1…", help="sent as the parameter `to`")
    parser.add_argument("--parameter", action="append", default=[], type=parameter, metavar="NAME=VALUE", help="may be repeated")
    parser.add_argument("--speed", default=1.0, type=_speed, metavar="N", help="2 is twice as fast, `max` as fast as it goes")
    parser.add_argument("--quiet", action="store_true", help="say nothing unless something goes wrong")
    faults = parser.add_argument_group("what may go wrong", "Durations: 3s, 150ms or 1.5 (seconds). Timestamps stay true.")
    faults.add_argument(
        "--late-outbound", dest="late_outbound_ms", default=0, type=duration_ms, metavar="3s", help="the callee's track begins this late"
    )
    faults.add_argument("--lose", default=0.0, type=_share, metavar="2%", help="this share of the frames never arrives")
    faults.add_argument(
        "--jitter", dest="jitter_ms", default=0, type=duration_ms, metavar="150ms", help="frames come up to this late, out of order"
    )
    faults.add_argument("--duplicate", action="store_const", default=0, const=20, help="every 20th frame of a track comes twice")
    faults.add_argument("--one-sided", action="store_true", help="only the caller is heard, though both tracks are announced")
    faults.add_argument("--no-stop", action="store_true", help="the socket is cut off at the end, without a stop")
    faults.add_argument("--hang-up-after", dest="hang_up_after_ms", type=duration_ms, metavar="10s", help="the call ends here")
    faults.add_argument("--seed", default=0, type=int, metavar="N", help="another number, other accidents")


def run(options: argparse.Namespace) -> int:
    """Play the call that the options describe; return the exit code: 0 played, 1 the hub did not take all of it, 2 wrong options."""
    console = Console(stderr=True, quiet=options.quiet, highlight=False)
    errors = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
    try:
        sound = read_call(options.file or SAMPLE)
    except UnreadableSound as exc:
        errors.print(exc)
        return 2
    call_sid = options.call_sid or new_sid("CA")
    parameters = {"from": options.from_, "to": options.to} | dict(options.parameter)
    faults = Faults(**{field.name: getattr(options, field.name) for field in fields(Faults)})
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn()
    try:
        with Progress(*columns, console=console, disable=options.quiet, transient=True) as bar:
            task = bar.add_task(call_sid, total=_length_ms(sound, faults) / 1000)
            playing = call(
                options.url,
                sound,
                call_sid=call_sid,
                parameters={name: value for name, value in parameters.items() if value is not None},
                speed=options.speed,
                faults=faults,
                progress=lambda seconds: bar.update(task, completed=seconds),
            )
            played = asyncio.run(playing)
    except NotAnswered as exc:
        errors.print(exc)
        return 1
    except KeyboardInterrupt:
        errors.print("You hung up.")
        return 130  # what a shell gives a program that Ctrl-C ended
    if played.cut_short:
        reason = f": {played.close_reason}" if played.close_reason else ""
        errors.print(f"The hub ended the call after {played.seconds:.1f} s with close code {played.close_code}{reason}")
        return 1
    count = " + ".join(f"{number} {track}" for track, number in played.frames_sent.items())
    lost = f", {played.frames_lost} lost" if played.frames_lost else ""
    console.print(f"Played {played.seconds:.1f} s of {call_sid}: {count} frames{lost}.", soft_wrap=True)
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run `transcript-client call`."""
    parser = argparse.ArgumentParser(prog="transcript-client call")
    add_arguments(parser)
    return run(parser.parse_args(argv))


def duration_ms(text: str) -> int:
    """Read a duration as people write it. Raises: ArgumentTypeError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s)?", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration: write 3s, 150ms or 1.5")
    return round(float(match[1]) * (1 if match[2] == "ms" else 1000))


def _share(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(%)?", text)
    share = float(match[1]) / (100 if match[2] else 1) if match else math.nan
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share: write 2% or 0.02")
    return share


def _speed(text: str) -> float:
    if text == "max":
        return 0.0
    if re.fullmatch(r"\d+(?:\.\d+)?", text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a speed: write 1, 2.5 or max")
    return float(text)


def call_sid(text: str) -> str:
    """Read a callSid. Raises: ArgumentTypeError."""
    if re.fullmatch(r"CA[0-9a-fA-F]{32}", text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a callSid: CA and 32 hexadecimal digits")
    return text


def parameter(text: str) -> tuple[str, str]:
    """Read NAME=VALUE. Raises: ArgumentTypeError."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not a parameter: write NAME=VALUE")
    if len(name) + len(value) >= 500:  # twilio.com/docs/voice/twiml/stream
        raise argparse.ArgumentTypeError(f"{name!r} is too long: Twilio takes less than 500 characters, name and value together")
    return name, value
