"""Reads the text of a watchwords file (TOML), and says in which line what is wrong with it.

    [rules."wants to cancel"]
    phrases = ["cancel (my|the) (account|contract)", "speak to a (manager|supervisor)"]
    side = "inbound"

    [rules."nobody speaks"]
    silence_seconds = 20

Pure. Knows the form of the file. Does not know where it is.
"""

import re
from collections.abc import Iterator
from typing import Any, NoReturn

import msgspec

from hub.audio.g711 import Track
from hub.insight.phrases import Node, PhraseError, read_phrase
from hub.insight.rules import Rule, Watchwords
from hub.text.foreign_text import name as readable
from hub.text.phone_numbers import EXAMPLE, identity
from hub.text.toml_file import Places, TomlError, read_toml

MOST_RULES = 1000

NAME_CHARACTERS = 100

LONGEST_SECONDS = 86400.0
"""No call of Twilio's lasts longer than a day."""

_KINDS = ("phrases", "silence_seconds", "talk_share_percent", "call_seconds")

_FIELD = re.compile(r"field `(\w+)`")
_PATH = re.compile(r" - at `\$\.?(\w*)[^`]*`$")


class RuleError(TomlError):
    """A watchwords file is wrong."""


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    """A rule as it stands in the file."""

    phrases: list[str] | None = None
    silence_seconds: float | None = None
    talk_share_percent: float | None = None
    call_seconds: float | None = None
    after_seconds: float | None = None
    side: Track | None = None
    agents: list[str] = []
    numbers: list[str] = []


def read_rules(text: str) -> Watchwords:
    """Return the rules that a file has. Raises: RuleError."""
    try:
        file = read_toml(text)
    except TomlError as error:
        raise RuleError(None, str(error)) from error
    rules = file.pop("rules", {})
    for other in file:
        raise RuleError(Places(text).of_key(other), f"{other!r} is not known here: each rule is a table, such as [rules.cancel]")
    if not isinstance(rules, dict) or not rules:
        raise RuleError(None, "has no rule: each rule is a table, such as [rules.cancel]")
    if len(rules) > MOST_RULES:
        raise RuleError(None, f"has {len(rules)} rules, and {MOST_RULES} are possible")
    read = [_Reading(text, name).rule(table) for name, table in rules.items()]
    return _compiled(text, read, rules)


def _compiled(text: str, rules: list[Rule], tables: dict[str, Any]) -> Watchwords:
    try:
        return Watchwords(rules)
    except PhraseError as error:
        largest = max(tables, key=lambda name: len(str(tables[name])))
        raise RuleError(Places(text).of(largest), f"the rule {largest!r} {error}") from error


class _Reading:
    """Reads one rule."""

    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._name = name

    def rule(self, table: Any) -> Rule:
        """Return the rule that a table describes. Raises: RuleError."""
        if readable(self._name) != self._name or not 1 <= len(self._name) <= NAME_CHARACTERS:
            self._refuse("", f"must have a name of 1 to {NAME_CHARACTERS} characters in one line")
        if not isinstance(table, dict):
            self._refuse("", f"must be a table: write [rules.{self._name}]")
        try:
            entry = msgspec.convert(table, _Entry)
        except msgspec.ValidationError as error:
            self._refuse_value(str(error))
        kinds = [kind for kind in _KINDS if getattr(entry, kind) is not None]
        if len(kinds) != 1:
            given = f"has {' and '.join(kinds)}" if kinds else "says nothing to look for"
            self._refuse(kinds[1] if kinds else "", f"{given}: a rule has one of {', '.join(_KINDS)}")
        self._check_values(entry)
        return Rule(
            name=self._name,
            side=entry.side,
            agents=frozenset(entry.agents),
            numbers=frozenset(self._numbers(entry)),
            phrases=tuple(self._phrases(entry.phrases)) if entry.phrases is not None else (),
            silence_seconds=entry.silence_seconds,
            talk_share_percent=entry.talk_share_percent,
            after_seconds=60.0 if entry.after_seconds is None else entry.after_seconds,
            call_seconds=entry.call_seconds,
        )

    def _check_values(self, entry: _Entry) -> None:
        for name in ("silence_seconds", "call_seconds", "after_seconds"):
            value = getattr(entry, name)
            if value is not None and not 1 <= value <= LONGEST_SECONDS:
                self._refuse(name, f"must have {name} from 1 to {LONGEST_SECONDS:.0f}, not {value:g}")
        if entry.talk_share_percent is not None and not 1 <= entry.talk_share_percent <= 100:
            self._refuse("talk_share_percent", f"must have talk_share_percent from 1 to 100, not {entry.talk_share_percent:g}")
        if entry.talk_share_percent is not None and entry.side is None:
            self._refuse("talk_share_percent", 'must have the side whose talk share is meant: side = "inbound" or "outbound"')
        if entry.after_seconds is not None and entry.talk_share_percent is None:
            self._refuse("after_seconds", "has after_seconds, which belongs to talk_share_percent")
        if entry.call_seconds is not None and entry.side is not None:
            self._refuse("side", "has a side, and call_seconds is about both")

    def _phrases(self, phrases: list[str]) -> Iterator[Node]:
        if not phrases:
            self._refuse("phrases", "has no phrase")
        for phrase in phrases:
            try:
                yield read_phrase(phrase)
            except PhraseError as error:
                self._refuse("phrases", f"has the phrase {phrase[:100]!r}, which {error}", phrase)

    def _numbers(self, entry: _Entry) -> Iterator[str]:
        for number in entry.numbers:
            known = identity(number)
            if known is None:
                self._refuse("numbers", f"has the number {number[:100]!r}: write it with its country code, as {EXAMPLE}", number)
            yield known

    def _refuse_value(self, problem: str) -> NoReturn:
        """Refuse a rule for what msgspec says is wrong."""
        unknown, path = _FIELD.search(problem), _PATH.search(problem)
        if unknown is not None:
            fields = ", ".join(_Entry.__struct_fields__)
            self._refuse(unknown[1], f"has {unknown[1]}, which no rule has: the fields are {fields}")
        field = path[1] if path is not None else ""
        said = _PATH.sub("", problem).replace("`", "")
        if field == "side":
            said = 'it is "inbound" or "outbound"'
        self._refuse(field, f"has a wrong {field or 'value'}: {said[:1].lower()}{said[1:].removesuffix(' | null')}")

    def _refuse(self, field: str, problem: str, value: str = "") -> NoReturn:
        raise RuleError(Places(self._text).of(self._name, field, value), f"the rule {self._name!r} {problem}")
