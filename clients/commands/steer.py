"""`transcript-client steer`: have the agent of a call say something, hang up, or pass the caller on.

Knows options. Does not know how an order is given (`clients/follow/steering.py`).
"""

import argparse
import asyncio

from clients.commands import hub_options
from clients.follow.steering import give
from hub.text.foreign_text import line, name
from hub.transcript.wording import sentence

ACTIONS = {
    "say": ("have the agent say a text", "text", "what it is to say, in quotes"),
    "transfer": ("connect the caller with somebody else", "to", "a place of the agents file, a number, or agent:NAME"),
    "take-over": ("have a person take the agent's place", "to", "their number, or a place of the agents file"),
    "hang-up": ("end the call", "", ""),
}
"""What can be done: its purpose, and its argument and what that is."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that `run` understands."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for action, (purpose, argument, meaning) in ACTIONS.items():
        command = actions.add_parser(action, help=purpose, description=purpose.capitalize() + ".")
        command.add_argument("call_sid", metavar="CALLSID", help="the call; an agent must be on it")
        if argument:
            command.add_argument(argument, help=meaning)
        when = command.add_mutually_exclusive_group()
        when.add_argument("--now", dest="when", action="store_const", const="now", help="break off what the agent is saying")
        when.add_argument("--turn", dest="when", action="store_const", const="turn", help="let the agent finish first")
        command.add_argument("--order", default="", help="the id of the order; the same id again is not done again")
        hub_options.add_arguments(command)


def run(options: argparse.Namespace) -> int:
    """Give the order, and tell what becomes of it; return 0 once it is done. Raises: Refused."""
    try:
        return asyncio.run(_steer(options))
    except KeyboardInterrupt:
        print("what becomes of the order is in the call's transcript")
        return 130


async def _steer(options: argparse.Namespace) -> int:
    _, argument, _ = ACTIONS[options.action]
    order = {"action": options.action, "callSid": name(options.call_sid)}
    if argument:
        order[argument] = getattr(options, argument)
    if options.when:
        order["when"] = options.when
    if options.order:
        order["order"] = options.order
    state = "asked"
    async for event in give(options.url, order, options.token):
        state = event.state
        print(line(sentence(event) or state), flush=True)
    return 0 if state == "done" else 1
