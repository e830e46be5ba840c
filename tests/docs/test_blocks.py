"""No block of a page without a test, and no page without its place."""

import re
import urllib.parse

import pytest

from hub.web.doors.docs import TITLES, TYPES, render, resolve
from tests.docs import pages
from tests.docs.pages import TOP, Block, blocks

pytestmark = pytest.mark.one_python

TESTED = {
    "sh": "test_commands.py runs each line",
    "env": "test_examples.py reads them as settings",
    "python": "test_examples.py runs them",
    "js": "test_examples.py runs them with Node.js",
    "json": "test_examples.py compares them with what is sent",
    "toml": "the test of its page loads it, see TOML",
    "xml": "tests/twilio/test_twiml.py compares them with what is printed",
    "ini": "tests/ops/test_deploy.py verifies it",
    "html": "test_examples.py opens its address",
    "session": "test_session.py records it again",
}
"""By a block's language, who tests it. Those tests go through all blocks of the language, so that one more block cannot slip by."""

TOML = {
    "hub/agents/README.md": "tests/agents/test_roster.py",
    "hub/delivery/README.md": "tests/delivery/test_webhook_file.py",
    "hub/insight/README.md": "tests/calls/test_watching.py",
}
"""By page, who loads its TOML."""


def test_there_are_blocks_of_every_language_that_a_test_claims() -> None:
    assert {block.language for block in blocks() if block.reason is None} == set(TESTED)


@pytest.mark.parametrize("block", blocks(), ids=str)
def test_a_block_is_tested_or_says_why_not(block: Block) -> None:
    if block.reason is not None:
        assert len(block.reason) > 5, "after `not run:` stands the reason"
    else:
        assert not block.remark, f"{block.remark!r} is no remark that a test knows"
        assert block.language in TESTED


def test_each_file_of_toml_on_a_page_is_loaded_by_a_test() -> None:
    assert sorted(block.page for block in blocks("toml")) == sorted(TOML)
    for page, test in TOML.items():
        assert f'the_block("toml", "{page}")' in (TOP / test).read_text()


def test_a_block_that_no_test_knows_would_fail() -> None:
    unknown = Block("README.md", 1, "fortran", "", "")
    with pytest.raises(AssertionError):
        test_a_block_is_tested_or_says_why_not(unknown)
    with pytest.raises(AssertionError, match="stands the reason"):
        test_a_block_is_tested_or_says_why_not(Block("README.md", 1, "sh", "not run:", ""))


def test_every_readme_is_a_page() -> None:
    found = {str(path.relative_to(TOP)) for room in ("hub", "clients", "tests") for path in (TOP / room).rglob("*.md")}
    found = {path for path in found if "node_modules" not in path and path != "tests/bench/speech/README.md"}  # a recording's licence
    assert found | {"README.md", "CHANGELOG.md"} == set(TITLES)


def test_the_readme_is_short_enough_for_a_stranger() -> None:
    assert len(pages.text("README.md").splitlines()) <= 180


@pytest.mark.parametrize("page", TITLES)
def test_every_link_leads_somewhere(page: str) -> None:
    """Also those to a place within a page, by the id that a heading gets."""
    for target in re.findall(r"\]\(([^)\s]+)\)", pages.text(page)):
        parts = urllib.parse.urlsplit(target)
        if parts.scheme:
            continue
        found = resolve(page, target) if parts.path else page
        assert found is not None, target
        assert (TOP / found).is_file(), target
        assert found in TITLES or (TOP / found).suffix in TYPES, f"{target} is nothing that /docs can serve"
        if parts.fragment:
            assert f'id="{parts.fragment}"' in render(found, pages.text(found), []).html, target


@pytest.mark.parametrize("page", TITLES)
def test_a_page_has_one_title_and_no_heading_twice(page: str) -> None:
    html = render(page, pages.text(page), []).html
    assert html.count("<h1") == 1
    if page != "CHANGELOG.md":
        slugs = re.findall(r'<h[1-6] id="([^"]+)"', html)
        assert len(slugs) == len(set(slugs))


def test_no_page_names_this_machine() -> None:
    for page in TITLES:
        assert "/work/" not in pages.text(page)
        assert "/root/" not in pages.text(page)
