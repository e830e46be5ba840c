"""A real S3 server on this machine, as a process that can be killed and started again at the same address."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

BUCKET = "recordings"


class S3:
    """moto's server. What it holds is in its memory, so it is empty after `start`, except for the bucket."""

    def __init__(self, *, keys_are_checked: bool = False) -> None:
        self._checks = {"INITIAL_NO_AUTH_ACTION_COUNT": "1"} if keys_are_checked else {}
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, bucket: str = BUCKET) -> None:
        arguments = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        self._process = subprocess.Popen(
            arguments,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "AWS_DEFAULT_REGION": "us-east-1", **self._checks},
        )
        while True:
            try:
                assert self.ask("PUT", f"/{bucket}")[0] == 200
                return
            except ConnectionError:
                assert self._process.poll() is None
                time.sleep(0.05)

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def ask(self, method: str, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, headers={"Content-Length": "0"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            connection.close()

    def objects(self) -> list[str]:
        return re.findall("<Key>([^<]+)</Key>", self.ask("GET", f"/{BUCKET}")[1])

    def uploads(self) -> int:
        """How many uploads in parts have begun and are not complete."""
        return self.ask("GET", f"/{BUCKET}?uploads")[1].count("<UploadId>")


@contextmanager
def s3_server(*, keys_are_checked: bool = False) -> Iterator[S3]:
    server = S3(keys_are_checked=keys_are_checked)
    server.start()
    try:
        yield server
    finally:
        server.kill()
