"""Runs scripts on the servers of a broker, in a bounded time, and knows whether they can be used.

Knows what the servers answer. Does not know what a script is for.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from hub.broker.broker import BrokerError
from hub.broker.valkey.address import BrokerAddress
from hub.broker.valkey.failures import FAILURES, is_foreign, problem_of
from hub.broker.valkey.keys import Keys
from hub.broker.valkey.link import ANSWER_SECONDS, Command, open_link, run_script
from hub.broker.valkey.scripts import LuaScript, Scripts

log = logging.getLogger(__name__)

AT_ONCE = 12
"""So many commands are under way at once. Further ones wait, and not for long."""

Call = tuple[Sequence[str], Sequence[Any]]
"""Keys and arguments of a script."""


class BrokerServer:
    """The servers of one address."""

    def __init__(self, address: BrokerAddress) -> None:
        self.name = f"the broker at {address}"
        self.link = open_link(address)
        self.keys = Keys(address.prefix)
        self.scripts = Scripts(sharded=self.link.sharded)
        self.refused = 0
        """How much was not believed; see Broker.refused."""
        self.mute = ""
        """Why commands fail, in words. Empty while they work."""
        self.deaf = ""
        """Why nothing is heard, in words. Empty while messages come."""
        self._at_once = asyncio.Semaphore(AT_ONCE)

    @property
    def trouble(self) -> str:
        """Why the broker cannot be used now. Empty while it can."""
        return self.mute or self.deaf

    async def run(self, script: LuaScript, calls: Sequence[Call], *, writes: bool = True) -> list[Any]:
        """Run a script for each call of it. An answer that shows that somebody else wrote to our keys is returned as an error in its place.

        `writes`: whether it writes, so that its success says that the broker can be used. Raises: BrokerError for everything else.
        """
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self._at_once:
                answers = await run_script(self.link, script, calls)
        except FAILURES as error:
            raise self.failed(error) from error
        return self._checked(answers, writes=writes)

    async def commands(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands that do not write. Raises: BrokerError."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self._at_once:
                answers = await self.link.run(commands)
        except FAILURES as error:
            raise self.failed(error) from error
        return self._checked(answers, writes=False)

    def failed(self, error: BaseException) -> BrokerError:
        """Take note that a command failed, and return what to raise."""
        problem = f"{self.name} {problem_of(error)}"
        self._say(problem)
        self.mute = problem
        return BrokerError(problem)

    def silent(self, problem: str) -> None:
        """Take note that nothing is heard, or, with an empty problem, that messages come again."""
        said = problem and f"{self.name} {problem}"
        if said:
            self._say(said)
        elif self.deaf and not self.mute:
            log.warning("%s works again", self.name)
        self.deaf = said

    def refuse(self, what: str) -> None:
        """Count what no node of this cluster wrote."""
        self.refused += 1
        if self.refused == 1 or self.refused % 1000 == 0:
            log.warning("%s had %s that no node of this cluster wrote: refused, %d in all", self.name, what, self.refused)

    def _checked(self, answers: list[Any], *, writes: bool) -> list[Any]:
        for answer in answers:
            if isinstance(answer, Exception) and not is_foreign(answer):
                raise self.failed(answer) from answer
        if writes and self.mute:
            self.mute = ""
            if not self.deaf:
                log.warning("%s works again", self.name)
        return answers

    def _say(self, problem: str) -> None:
        if not self.trouble:
            log.warning("%s", problem)
