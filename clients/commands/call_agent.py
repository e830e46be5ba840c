"""`transcript-client call --agent`: call an agent, with a file, the microphone or silence as the caller.

Knows options, what is printed and exit codes. Does not know how an agent's call works.
"""

import argparse
import asyncio
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from clients.audio.files import UnreadableFile, read_call
from clients.audio.wav import save_stereo
from clients.commands import call_options
from clients.devices.loudspeaker import Loudspeaker, loudspeaker
from clients.devices.microphone import hang_up_on_ctrl_c, microphone
from clients.devices.portaudio import NoDevice, device
from clients.pretend_twilio.agent_phone import Phone, play_to_agent, speak_to_agent
from clients.pretend_twilio.media_socket import NotAnswered
from clients.pretend_twilio.signature import CannotSign
from hub.text.foreign_text import line

NORMAL = 1000
"""The close code of a call that is over. Any other is a refusal or a failure (RFC 6455 section 7.4.1)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `call` that need `--agent`."""
    group = parser.add_argument_group(
        "to an agent", "The caller is the file's left channel, or the microphone; without either, the caller is silent."
    )
    group.add_argument("--agent", nargs="?", const="", metavar="NAME", help="call an agent, at the hub that --url names")
    group.add_argument("--mic", action="store_true", help="speak into the microphone and hear the agent (the extra `mic`); Ctrl-C hangs up")
    hearing = group.add_mutually_exclusive_group()
    hearing.add_argument(
        "--speaker",
        type=device,
        metavar="NAME",
        help="with --mic: the output device on which the agent is heard, by number or part of its name "
        "(`transcript-client mic --devices`). Use headphones: what a microphone picks up from a loudspeaker interrupts the agent",
    )
    hearing.add_argument("--no-speaker", action="store_true", help="with --mic: do not play the agent's voice")
    group.add_argument("--save", type=Path, metavar="WAV", help="write the call: the caller left, what the caller would have heard right")


def run(options: argparse.Namespace) -> int:
    """Call an agent. Return the exit code: 0 the call went well, 1 the hub did not answer or broke Twilio's rules, 2 wrong options."""
    console = Console(stderr=True, quiet=options.quiet, highlight=False, soft_wrap=True, markup=False)
    errors = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
    if (mistake := _mistake(options)) is not None:
        errors.print(mistake)
        return 2
    try:
        mulaw = read_call(options.file).inbound if options.file is not None else b""
        call = call_options.read(options, "/agent", agent=options.agent or None)
    except (UnreadableFile, CannotSign) as error:
        errors.print(error)
        return 2
    phone = Phone(call.url, call_sid=call.call_sid, parameters=call.parameters, headers=call.headers)
    try:
        asyncio.run(_call(phone, mulaw, options, console, errors))
    except NoDevice as error:
        errors.print(error)
        return 2
    except NotAnswered as error:
        errors.print(call.explain(error))
        return 1
    except KeyboardInterrupt:
        errors.print("You hung up.")
    if options.save is not None:
        try:
            save_stereo(options.save, bytes(phone.said), bytes(phone.playout.heard))
        except OSError as error:
            errors.print(f"{options.save} cannot be written: {error.strerror}.")
            return 1
    return _report(phone, options, console, errors)


def _mistake(options: argparse.Namespace) -> str | None:
    """Return what is wrong with options that do not fit each other."""
    if options.mic and options.file is not None:
        return "The caller is either the file or the microphone: leave out one of them."
    if options.speaker is not None and not options.mic:
        return "--speaker needs --mic: add --mic, or leave out --speaker and listen to the file that --save writes."
    if options.save is not None and (options.save.is_dir() or not options.save.parent.is_dir()):
        return f"{options.save} cannot be written: name a file in a directory that exists."
    return None


def _report(phone: Phone, options: argparse.Namespace, console: Console, errors: Console) -> int:
    """Print how the call went. Return the exit code."""
    if phone.problem is not None:
        errors.print(f"Twilio would have warned: {line(str(phone.problem))}")
        return 1
    closed = phone.over.is_set() and not phone.hung_up
    if closed and phone.close_code != NORMAL:
        errors.print(f"The hub ended the call with close code {phone.close_code}: {line(phone.close_reason or '') or 'it gave no reason'}.")
        return 1
    ended = f"the hub closed with {phone.close_code}: {line(phone.close_reason or '')}" if closed else "you hung up"
    saved = f" The call is in {options.save}." if options.save is not None else ""
    console.print(f"{phone.playout.now_ms / 1000:.1f} s with the agent; {ended}.{saved}")
    return 0


async def _call(phone: Phone, mulaw: bytes, options: argparse.Namespace, console: Console, errors: Console) -> None:
    if not options.mic:
        async with phone:
            await play_to_agent(phone, mulaw, hang_up_after_ms=options.hang_up_after_ms, speed=options.speed or 1.0)
        return
    with ExitStack() as stack:
        mic = stack.enter_context(microphone(None))
        hang_up_on_ctrl_c(mic)
        speaker = None if options.no_speaker else _loudspeaker(stack, options.speaker, errors)
        hear = "" if speaker is None else f" and hear the agent on {speaker.name}, best with headphones"
        console.print(f"Speak into {mic.name}{hear}; Ctrl-C hangs up.")
        async with phone:
            play = None if speaker is None else speaker.play
            await speak_to_agent(phone, mic, hang_up_after_ms=options.hang_up_after_ms, play=play)
        if mic.vanished:
            errors.print(mic.loss)


def _loudspeaker(stack: ExitStack, device: str | int | None, errors: Console) -> Loudspeaker | None:
    """Open the loudspeaker, or return None: the call can go on without it."""
    try:
        return stack.enter_context(loudspeaker(device, errors.print))
    except NoDevice as error:
        errors.print(f"{error} The call goes on without a loudspeaker.")
        return None
