"""An assistant: the SDK's own client of MCP, over stdin and stdout of `transcript-client mcp`, or in the test's process."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mcp import Client, StdioServerParameters, stdio_client

from clients.assistant.server import server_for
from tests.clients.commands.test_tail import at
from tests.house import House
from tests.test_serve import environment


@asynccontextmanager
async def beside(home: House, token: str | None = None) -> AsyncIterator[Client]:
    """Talk to the tools in this process."""
    async with Client(server_for(home.url("/"), token)) as client:
        yield client


@asynccontextmanager
async def started(home: House, *arguments: str, **variables: str) -> AsyncIterator[Client]:
    """Start the command as an assistant does, and talk to it."""
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "clients", "mcp", *at(home), *arguments], env=environment(**variables)
    )
    async with Client(stdio_client(command)) as client:
        yield client


async def use(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Use a tool, and return its answer."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    answer = result.structured_content
    assert isinstance(answer, dict)
    return answer


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    """Use a tool that fails, and return why."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return str(getattr(result.content[0], "text", ""))


def said(part: dict[str, Any]) -> list[str]:
    """Return what was said in a part of a call."""
    return [line["text"] for line in part["lines"] if line["kind"] == "final"]
