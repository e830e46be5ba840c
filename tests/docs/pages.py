"""The pages, as the tests of this folder read them: fenced blocks, tables, links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

from hub.web.doors.docs import TITLES

TOP = Path(__file__).parents[2]
NOT_RUN = "not run:"
"""What a block's first line says, after its language and before the reason, when no test is to run it."""


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of a page."""

    page: str
    line: int
    """Of its first line of text, from 1."""
    language: str
    remark: str
    """The rest of the line that opens it."""
    text: str

    @property
    def reason(self) -> str | None:
        """Why no test runs it; None when one is to."""
        return self.remark.removeprefix(NOT_RUN).strip() if self.remark.startswith(NOT_RUN) else None

    @property
    def commands(self) -> list[str]:
        """The command lines of a shell block, without comments and without the folder of the virtual environment."""
        lines = [re.split(r"\s#\s", line)[0].strip() for line in self.text.splitlines()]
        return [line.removeprefix(".venv/bin/") for line in lines if line and not line.startswith("#")]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def text(page: str) -> str:
    """Return a page's Markdown."""
    return (TOP / page).read_text(encoding="utf-8")


def blocks(*languages: str, page: str | None = None) -> list[Block]:
    """Return the fenced blocks of all pages, or of one: all, or those in these languages that a test is to run."""
    found = [block for each in TITLES if page in {None, each} for block in _blocks(each)]
    return [block for block in found if block.language in languages and block.reason is None] if languages else found


def _blocks(page: str) -> Iterator[Block]:
    for token in MarkdownIt("commonmark").enable("table").parse(text(page)):
        if token.type in {"fence", "code_block"}:
            language, _, remark = token.info.partition(" ")
            yield Block(page, (token.map or [0])[0] + 2, language, remark.strip(), token.content)


def the_block(language: str, page: str) -> str:
    """Return the text of the only block in a language on a page."""
    (found,) = blocks(language, page=page)
    return found.text


def table(page: str, heading: str) -> list[list[str]]:
    """Return the rows of the tables of a page whose first heading cell reads so, without the backquotes of cells that are code."""
    rows: list[list[str]] = []
    inside = False
    for line in text(page).splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        if cells[0] == heading:
            inside = True
        elif inside and not set(line) <= set("|- :"):
            rows.append(cells)
    assert rows, f"{page} has no table of {heading}"
    return rows


def codes(cell: str) -> list[str]:
    """Return what stands in backquotes in a cell."""
    return re.findall(r"`([^`]+)`", cell)
