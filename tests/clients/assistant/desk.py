"""An assistant: the SDK's own client of MCP, over stdin and stdout of `transcript-client mcp`, or in the test's process."""

import asyncio
import json
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


@asynccontextmanager
async def waiting(home: House, call_sid: str, after: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start the command, and ask it for what follows a position in a call. Whoever asked is gone when this is left, without a word."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "clients", "mcp", *at(home), stdin=pipe, stdout=pipe, stderr=pipe, env=environment()
    )
    assert process.stdin is not None
    about = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "an assistant", "version": "1"}}
    asked = {"name": "follow_call", "arguments": {"call_sid": call_sid, "after": after, "wait_seconds": 300}}
    for message in (
        {"id": 1, "method": "initialize", "params": about},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": asked},
    ):
        process.stdin.write(json.dumps({"jsonrpc": "2.0"} | message).encode() + b"\n")
    yield process
    process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]  # asyncio has no way to read no more
    process.stdin.close()


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
