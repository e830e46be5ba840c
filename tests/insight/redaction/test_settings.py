"""What the settings of redaction may say, and what is wrong with others."""

import importlib.util
from pathlib import Path

import pytest

from hub.errors import ConfigError
from hub.insight.redaction.settings import RedactionSettings, redactor
from hub.vendors.registered import REGISTERED
from tests.insight.redaction.spoken import said

NEEDS_RE2 = pytest.mark.skipif(importlib.util.find_spec("re2") is None, reason="the extra redaction is not installed")


def patterns(folder: Path, *lines: str) -> RedactionSettings:
    (folder / "patterns.txt").write_text("\n".join(lines))
    return RedactionSettings(patterns=str(folder / "patterns.txt"))


def test_nothing_is_masked_by_default() -> None:
    assert redactor(RedactionSettings()) is None


def test_kinds_are_named_in_any_order_and_all_names_all() -> None:
    some, all_ = redactor(RedactionSettings(kinds=" phone,Cards")), redactor(RedactionSettings(kinds="all"))
    assert some is not None
    assert all_ is not None
    assert some.kinds == {"phone", "cards"}
    assert all_.kinds == {"cards", "digits", "email", "phone", "iban"}


def test_an_unknown_kind_is_refused_in_a_sentence() -> None:
    with pytest.raises(ConfigError, match="HUB_REDACT can name cards, digits, email, phone, iban or all, not 'card'"):
        REGISTERED.load({"HUB_REDACT": "card", "HUB_TRANSCRIBER": "deepgram", "DEEPGRAM_API_KEY": "k"}, None)


@NEEDS_RE2
def test_patterns_are_read_from_a_file_and_mask_what_they_match(tmp_path: Path) -> None:
    made = redactor(patterns(tmp_path, "# words that nobody needs", "", "project (blue|red)bird", r"\bsn-[0-9]{4}\b"))
    assert made is not None
    assert said("It's Project Bluebird, SN-1234, yes", redactor=made).texts == ["It's [redacted], [redacted], yes"]


@NEEDS_RE2
@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("(", "wrong pattern in line 2"),
        (r"(a)\1", "wrong pattern in line 2"),
        (r"(?=a)b", "look-around"),
        ("a*", "line 2 of .* that also matches where nothing stands"),
    ],
)
def test_a_wrong_pattern_is_refused_with_its_line(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        redactor(patterns(tmp_path, "fine", line))


@NEEDS_RE2
def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"HUB_REDACT_PATTERNS .*none cannot be read"):
        redactor(RedactionSettings(patterns=str(tmp_path / "none")))


@NEEDS_RE2
@pytest.mark.parametrize("lines", [[], ["", "# nothing yet"]])
def test_a_file_without_a_pattern_is_refused(tmp_path: Path, lines: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"HUB_REDACT_PATTERNS has no pattern in .*patterns\.txt"):
        redactor(patterns(tmp_path, *lines))


@NEEDS_RE2
def test_too_many_patterns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="100 are the most"):
        redactor(patterns(tmp_path, *(f"word{number}" for number in range(101))))


@NEEDS_RE2
def test_a_hostile_pattern_ends_at_once(tmp_path: Path) -> None:
    """Python's own `re` would need longer than the world is old: this test would not end."""
    made = redactor(patterns(tmp_path, r"(a+)+$b", r"(x+x+)+y"))
    assert made is not None
    assert made.others("a" * 5000 + "!" + "x" * 5000) == []
