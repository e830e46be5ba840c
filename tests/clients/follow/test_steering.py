"""An order that a program gives: it is followed until it is known what became of it, over connections that break."""

import argparse
import asyncio
from pathlib import Path
from typing import get_args

import pytest

from clients.commands.steer import add_arguments
from clients.follow import Refused
from clients.follow.steering import give
from hub import events
from tests.providers.openai_script import overheard
from tests.web.steered_desk import TEXT, SteeredDesk, steered_desk, token


async def given(at: SteeredDesk, rights: str = "steer", **order: str) -> list[events.Steered]:
    url = f"ws://127.0.0.1:{at.line.home.port}/client"
    return [event async for event in give(url, {"callSid": at.call.sid} | order, token(rights))]


async def test_an_order_is_told_of_until_it_is_done_over_a_connection_that_breaks(tmp_path: Path) -> None:
    async with steered_desk(tmp_path) as at, asyncio.TaskGroup() as group:
        sockets = at.line.home.state.sockets
        others = set(sockets)
        order = group.create_task(given(at, action="say", text=TEXT))
        while not any(each.endswith(TEXT) for each in at.line.talk.instructions):
            await at.line.together(at.phone)
        (first,) = sockets - others
        first.interrupt(4409, "for a test")
        while first in sockets or not sockets - others:
            await asyncio.sleep(0.002)
        await at.listen(lambda: TEXT in overheard(bytes(at.phone.playout.heard)))
        await at.listen(order.done)
        assert [event.state for event in order.result()] == ["asked", "done"]
        assert sum(each.endswith(TEXT) for each in at.line.talk.instructions) == 1


async def test_an_order_that_is_refused_says_why_and_one_that_is_not_taken_raises(tmp_path: Path) -> None:
    async with steered_desk(tmp_path) as at:
        (refused,) = await given(at, action="transfer", to="+14155550199")
        assert refused.state == "refused"
        assert "HUB_STEER_NUMBERS" in (refused.reason or "")
        for rights, order, code in (("audio", {"action": "hang-up"}, "not-allowed"), ("steer", {"action": "say", "text": ""}, "bad-order")):
            with pytest.raises(Refused) as caught:
                await given(at, rights, **order)
            assert caught.value.refusal_code == code


def test_the_command_has_an_action_for_each_of_the_hubs() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    for action in get_args(events.SteeringAction):
        more = {"say": ["Hello."], "transfer": ["sales"], "take-over": ["+14155550188"], "hang-up": []}[action]
        options = parser.parse_args([action, "CA1", *more, "--turn", "--order", "o1"])
        assert (options.action, options.call_sid, options.when, options.order) == (action, "CA1", "turn", "o1")
