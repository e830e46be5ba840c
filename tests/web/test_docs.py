"""The pages as the hub serves them: from the source, from an installed package, and where they are missing."""

import asyncio
import importlib.metadata
import json
import re
import tomllib
from email.message import Message
from pathlib import Path
from urllib.parse import urljoin

import pytest

import hub
from hub.web.doors import docs
from hub.web.doors.docs import TITLES, find, render, resolve
from tests.docs.pages import TOP
from tests.house import House, house

SECRET = "a secret of at least thirty-two bytes"


async def get(home: House, path: str) -> tuple[int, str, str]:
    """Return the status, the type and the text of an answer."""
    async with home.session.get(home.url(path)) as answer:
        return answer.status, answer.content_type, await answer.text(errors="replace")


async def test_the_first_page_needs_no_token_and_is_found_without_its_name() -> None:
    async with house(secret=SECRET) as home:
        for path in ("/docs", "/docs/", "/docs/README.md"):
            async with home.session.get(home.url(path)) as answer:
                assert answer.status == 200
                assert answer.url.path == "/docs/README.md"
                assert "<h1" in await answer.text()


async def test_the_way_to_the_first_page_fits_behind_a_prefix() -> None:
    async with house() as home:
        for path, there in (("/docs", "docs/README.md"), ("/docs/", "README.md")):
            async with home.session.get(home.url(path), allow_redirects=False) as answer:
                assert answer.headers["Location"] == there


async def test_pages_may_load_and_run_as_little_as_the_dashboard() -> None:
    async with house() as home:
        async with home.session.get(home.url("/")) as dashboard, home.session.get(home.url("/docs/hub/README.md")) as page:
            for header in ("X-Content-Type-Options", "Referrer-Policy", "Cache-Control"):
                assert page.headers[header] == dashboard.headers[header]
            # The dashboard has one line of script in its page.
            assert page.headers["Content-Security-Policy"] == dashboard.headers["Content-Security-Policy"].partition("; script-src")[0]
            text = await page.text()
        assert " style=" not in text, "the policy forbids it"
        assert "<script" not in text


@pytest.mark.parametrize("path", TITLES)
async def test_everything_that_a_page_links_to_is_there(path: str) -> None:
    """As a browser follows it: relative to the page's own address."""
    async with house() as home:
        status, kind, text = await get(home, f"/docs/{path}")
        assert (status, kind) == (200, "text/html")
        targets = {each for each in re.findall(r'(?:href|src)="([^"#]+)', text) if ":" not in each}
        assert len(targets) > 8
        for target in targets:
            there = urljoin(f"/docs/{path}", target)
            status, kind, _ = await get(home, there)
            assert status == 200, there
            assert kind == ("image/png" if there.endswith(".png") else "text/css" if there == "/docs/style.css" else kind)


async def test_a_picture_and_a_sample_are_served_because_a_page_links_to_them() -> None:
    async with house() as home:
        assert (await get(home, "/docs/clients/dashboard/screenshots/two-calls.png"))[:2] == (200, "image/png")
        status, kind, text = await get(home, "/docs/clients/sample/scheduling-agent.toml")
        assert (status, kind) == (200, "text/plain")
        assert text == (TOP / "clients/sample/scheduling-agent.toml").read_text()


@pytest.mark.parametrize(
    "path",
    [
        "hub/config.py", ".env.example", "pyproject.toml", "hub/web/doors/docs.py", "../etc/passwd", "hub/../../../etc/passwd",
        "%2e%2e/%2e%2e/etc/passwd", "hub/deploy/../config.py", "/etc/passwd", "hub%00", "nothing.md",
    ],
)  # fmt: skip
async def test_nothing_else_of_this_machine_is_served(path: str) -> None:
    """Asked for by hand: a client's library takes `..` out before it asks."""
    async with house() as home:
        reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
        writer.write(f"GET /docs/{path} HTTP/1.1\r\nHost: 127.0.0.1:{home.port}\r\nConnection: close\r\n\r\n".encode())
        head, _, text = (await reader.read()).decode().partition("\r\n\r\n")
        writer.close()
        await writer.wait_closed()
    assert head.startswith("HTTP/1.1 404 ")
    assert json.loads(text)["error"]["message"].partition(";")[0] in {
        "the documentation has no such page",
        "there is nothing at this address",
    }


async def test_a_hub_without_the_pages_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docs, "installed", dict)
    async with house() as home:
        status, kind, text = await get(home, "/docs")
        assert (status, kind) == (404, "application/json")
        assert json.loads(text)["error"]["message"] == "this page is not installed here; it lies in the hub's source, at README.md"
        assert "at hub/README.md" in (await get(home, "/docs/hub/README.md"))[2]


def test_an_installed_hub_finds_its_pages_in_its_packages_and_its_metadata(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In site-packages lie other people's files: a README.md there is none of ours."""
    (tmp_path / "README.md").write_text("# of another package")
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "__init__.py").touch()
    monkeypatch.setattr(hub, "__file__", str(tmp_path / "hub" / "__init__.py"))
    described = Message()
    described.set_payload("# Transcript Hub\n\nFrom the metadata.")
    monkeypatch.setattr(importlib.metadata, "metadata", lambda name: {"transcript-hub": described}[name])
    docs.installed.cache_clear()
    try:
        pages = docs.installed()
    finally:
        docs.installed.cache_clear()
    assert "From the metadata." in pages["README.md"].html
    assert set(pages) == {
        "README.md",
        "hub/README.md",
        "hub/web/README.md",
        "hub/agents/README.md",
        "hub/insight/README.md",
        "hub/delivery/README.md",
        "hub/deploy/README.md",
        "hub/deploy/cluster.md",
        "hub/archive/README.md",
        "clients/README.md",
    }
    assert find("README.md") is None
    assert find("tests/README.md") is None
    assert "tests/README.md" not in pages["hub/README.md"].html.split("<main")[0], "the menu names what is there"


def test_the_package_takes_the_pages_along() -> None:
    data = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    for path in [*TITLES, "hub/web/doors/docs.css", "hub/web/session.txt", "hub/deploy/alerts.yml"]:
        room, _, rest = path.partition("/")
        if room in data:
            assert any(Path(rest).match(pattern) and rest.count("/") == pattern.count("/") for pattern in data[room]), path


@pytest.mark.parametrize(
    ("page", "target", "found"),
    [
        ("README.md", "hub/README.md#rooms", "hub/README.md"),
        ("hub/web/README.md", "../README.md", "hub/README.md"),
        ("hub/web/README.md", "../../README.md", "README.md"),
        ("hub/web/README.md", "../../../README.md", None),
        ("README.md", "/etc/passwd", None),
        ("README.md", "https://example.com/README.md", None),
        ("README.md", "//example.com/README.md", None),
        ("README.md", "#rooms", None),
        ("README.md", "%2e%2e/secret", None),
    ],
)
def test_a_link_leads_to_a_path_of_the_repository_or_nowhere(page: str, target: str, found: str | None) -> None:
    assert resolve(page, target) == found


def test_headings_get_the_ids_that_a_code_host_gives_them() -> None:
    page = render("README.md", "# Is it Twilio?\n## `GET /docs`, and *more*\n## Twice\n## Twice\n", [])
    assert re.findall(r'id="([^"]+)"', page.html.split("<main id")[1]) == ["is-it-twilio", "get-docs-and-more", "twice", "twice-1"]


def test_markup_in_a_page_is_text() -> None:
    page = render("README.md", "# A\n<script>alert(1)</script>\n\n[x](javascript:alert(1))", [])
    body = page.html.split("<main")[1]
    assert "<script" not in body
    assert "href" not in body


def test_the_colours_are_the_dashboards() -> None:
    def tokens(path: Path) -> dict[str, str]:
        return dict(re.findall(r"^  (--[\w-]+): (light-dark\(.+\));$", path.read_text(), re.MULTILINE))

    ours = tokens(TOP / "hub" / "web" / "doors" / "docs.css")
    assert len(ours) > 6
    assert ours.items() <= tokens(TOP / "clients" / "dashboard" / "style.css").items()
