"""The settings that say what is masked, and the Redactor that they make. Reads the file of patterns."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hub.config import setting
from hub.errors import ConfigError
from hub.insight.redaction.redactor import KINDS, Pattern, Redactor
from hub.text.text_file import read_text

ALL: Final = "all"

MOST_PATTERNS = 100
"""Each pattern looks at every interim: a hundred cost about as much as everything else that the hub does with one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactionSettings:
    """What is masked before anybody is told."""

    kinds: str = setting(
        "HUB_REDACT",
        "",
        "what is masked before anybody is told: `cards`, `digits`, `email`, `phone`, `iban`, separated by commas, or `all`; off by default",
    )
    patterns: str = setting(
        "HUB_REDACT_PATTERNS", "", "file with regular expressions, one per line, whose matches are masked too; needs the extra `redaction`"
    )

    def check(self) -> None:
        """Raise ConfigError if a kind is unknown or a pattern is wrong."""
        redactor(self)


def redactor(settings: RedactionSettings) -> Redactor | None:
    """Return what masks as the settings say. None if they name nothing. Raises: ConfigError."""
    named = [part.strip().lower() for part in settings.kinds.split(",") if part.strip()]
    for kind in named:
        if kind not in {*KINDS, ALL}:
            raise ConfigError("HUB_REDACT", f"can name {', '.join(KINDS)} or {ALL}, not {kind!r}")
    kinds = frozenset(KINDS if ALL in named else named)
    patterns = _patterns(Path(settings.patterns)) if settings.patterns else []
    return Redactor(kinds, tuple(patterns)) if kinds or patterns else None


def _patterns(path: Path) -> list[Pattern]:
    """Read a file of patterns. Blank lines, and lines that begin with `#`, say nothing. Raises: ConfigError."""
    # RE2 takes time in proportion to the text for every pattern. Python's own `re` can take years: `(a+)+$` for forty letters.
    try:
        import re2
    except ImportError as error:
        raise ConfigError("HUB_REDACT_PATTERNS", "needs the extra `redaction`: pip install 'transcript-hub[redaction]'") from error
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = False
    patterns: list[Pattern] = []
    for number, line in enumerate(_text(path).splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            pattern = re2.compile(line.strip(), options)
        except re2.error as error:
            said = error.args[0] if error.args else ""
            reason = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
            raise ConfigError(
                "HUB_REDACT_PATTERNS",
                f"has a wrong pattern in line {number} of {path}: {reason} (look-around and back-references are none of RE2's)",
            ) from error
        if pattern.search("") is not None:
            raise ConfigError("HUB_REDACT_PATTERNS", f"has a pattern in line {number} of {path} that also matches where nothing stands")
        patterns.append(pattern)
    if not patterns:  # nothing would be masked, and whoever set it relies on it
        raise ConfigError(
            "HUB_REDACT_PATTERNS", f"has no pattern in {path}: each line is one, but for blank ones and those that begin with #"
        )
    if len(patterns) > MOST_PATTERNS:
        raise ConfigError("HUB_REDACT_PATTERNS", f"has {len(patterns)} patterns in {path}: {MOST_PATTERNS} are the most")
    return patterns


def _text(path: Path) -> str:
    try:
        return read_text(path)
    except ConfigError as error:
        raise ConfigError("HUB_REDACT_PATTERNS", f"{path} {error.problem}") from error
