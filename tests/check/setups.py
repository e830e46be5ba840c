"""Machines that are set up, as far as a test does not break them."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from clients.commands.demo import free_port
from hub.app import running
from hub.check.check import check
from tests.providers.fake_deepgram import FakeDeepgram
from tests.proxy import Edit, proxy
from tests.scripted import ScriptedTranscriber
from tests.settings import configured
from tests.web.test_tls import make

TOKEN, SECRET = "canary-token", "canary-secret-canary-secret-canary-secret"


class Setup:
    """A machine that is set up, as far as a test does not break it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.chain, self.key = make(folder)
        self.believed = folder / "believed.pem"
        """The authorities that this machine trusts."""
        self.port = free_port(0)
        self.twilio_token = TOKEN

    def believe(self) -> None:
        """Have this machine trust the certificate that is served now."""
        shutil.copy(self.chain, self.believed)

    async def check(
        self, public_url: str | None = None, *, asked: Edit = lambda head: head, told: Edit = lambda data: data, **settings: Any
    ) -> tuple[int, dict[str, str]]:
        """Run the check behind the proxy, or with another address; return its exit code and its lines by probe."""
        lines: list[str] = []
        async with (
            FakeDeepgram(key="canary-key") as fake,
            proxy(self.port, self.chain, self.key, asked=asked, told=told) as url,
        ):
            own = {
                "port": self.port,
                "public_url": public_url or url,
                "twilio_token": self.twilio_token,
                "secret": SECRET,
                "dial": "+15005550006",
                "deepgram_key": "canary-key",
                "deepgram_url": fake.url,
            }
            code = await check(lambda: configured(**(own | settings)), lines.append)
        assert "canary" not in str(lines)
        assert not any("\n" in line for line in lines)
        return code, {line[6:22].strip(): line[:6] + line[22:] for line in lines}

    async def fails(self, probe: str, words: str, code: str = "", **how: Any) -> None:
        """Assert that one probe, and no other, fails with these words, and that Twilio would show this code."""
        exit_code, lines = await self.check(**how)
        assert exit_code == 1
        assert [name for name, line in lines.items() if line.startswith("FAIL")] == [probe], lines
        assert words in lines[probe], lines[probe]
        assert lines[probe].endswith(f"[Twilio shows {code}]") if code else "Twilio shows" not in lines[probe]


@asynccontextmanager
async def already_running(setup: Setup, **settings: Any) -> AsyncIterator[None]:
    """A hub that was started before, perhaps with other settings."""
    config = configured(port=setup.port, drain_seconds=0.0, **settings)
    async with running(config, lambda _: ScriptedTranscriber()):
        yield
