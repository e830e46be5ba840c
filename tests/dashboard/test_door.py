"""The door that the dashboard's files come through."""

import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest

from hub.web.doors import dashboard
from tests.house import house

pytestmark = pytest.mark.asyncio(loop_scope="session")

FILES = sorted(
    each.name for each in (Path(__file__).parents[2] / "clients" / "dashboard").iterdir() if each.suffix in {".js", ".css", ".svg"}
)


async def test_the_page_and_all_its_files_come_with_their_types_and_rules() -> None:
    types = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    async with house() as hub:
        async with hub.session.get(hub.url("/")) as answer:
            assert (answer.status, answer.content_type) == (200, "text/html")
            page = await answer.text()
            policy = answer.headers["Content-Security-Policy"]
        inline = re.findall(r"<script[^>]*>(.+?)</script>", page, re.DOTALL)
        assert ["endsWith" in script for script in inline] == [True], "the one that adds a missing slash to the page's address"
        assert f"script-src 'self' 'sha256-{b64encode(sha256(inline[0].encode()).digest()).decode()}'" in policy
        assert "unsafe" not in policy
        assert "style=" not in page
        assert " on" not in page.replace(" one", "").replace(" on ", "").replace(" only", "")
        for name in FILES:
            async with hub.session.get(hub.url(f"/dashboard/{name}")) as answer:
                assert (answer.status, answer.content_type) == (200, types[Path(name).suffix]), name
                assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")
                assert "unsafe" not in answer.headers["Content-Security-Policy"]
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert answer.headers["Referrer-Policy"] == "no-referrer"
                assert answer.headers["Cache-Control"] == "no-cache"


async def test_a_file_that_did_not_change_is_not_sent_again() -> None:
    async with house() as hub:
        async with hub.session.get(hub.url("/dashboard/main.js")) as answer:
            tag = answer.headers["ETag"]
        async with hub.session.get(hub.url("/dashboard/main.js"), headers={"If-None-Match": tag}) as answer:
            assert answer.status == 304
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")


@pytest.mark.parametrize(
    "path", ["/dashboard/nothing.js", "/dashboard/package.json", "/dashboard/..%2fcaller.py", "/dashboard/%2e%2e/__init__.py"]
)
async def test_nothing_else_is_served(path: str) -> None:
    async with house() as hub, hub.session.get(hub.url("/") + path.lstrip("/")) as answer:
        assert answer.status == 404


async def test_settings_say_what_the_hub_can_do() -> None:
    async with house(keep_minutes=7.5) as hub:
        known = {"listen": False, "archive": False, "keepMinutes": 7.5, "origins": [], "proof": "none"}
        assert await hub.json("/dashboard/settings.json") == known


async def test_a_hub_that_was_installed_alone_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard, "folder", lambda: None)
    async with house() as hub, hub.session.get(hub.url("/")) as answer:
        assert answer.status == 404
        assert "the dashboard is not installed here" in await answer.text()
