"""A watchwords file: what it says, and one sentence with the line for each way in which it can be wrong."""

import re

import pytest

from hub.insight.rule_file import RuleError, read_rules

GOOD = """\
# What supervisors want to know.
[rules."wants to cancel"]
phrases = [
    "cancel* (my|the) (account|contract)",
    "speak to a (manager|supervisor)",
]
side = "inbound"
agents = ["sales"]
numbers = ["+1 415 555-0100"]

[rules.silent]
silence_seconds = 20
side = "outbound"

[rules.monologue]
talk_share_percent = 80
side = "outbound"
after_seconds = 120

[rules.long]
call_seconds = 1800
"""


def test_a_file_has_its_rules_in_their_order() -> None:
    cancel, silent, monologue, long = read_rules(GOOD).rules
    assert (cancel.name, cancel.kind, cancel.side, len(cancel.phrases)) == ("wants to cancel", "phrase", "inbound", 2)
    assert (cancel.agents, cancel.numbers) == ({"sales"}, {"+14155550100"})
    assert (silent.kind, silent.silence_seconds, silent.side) == ("silence", 20, "outbound")
    assert (monologue.kind, monologue.talk_share_percent, monologue.after_seconds) == ("talk-share", 80, 120)
    assert (long.kind, long.call_seconds, long.side) == ("duration", 1800, None)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has no rule: each rule is a table, such as [rules.cancel]"),
        ("rules = 3", "has no rule"),
        ("[rules.x", "line 1: this is not TOML"),
        ('[rules.x]\nphrases = ["a"]\n\nphrases = ["b"]', "line 4: this is not TOML"),
        ('[rules.x]\nphrases = ["a"', "line 2: this is not TOML"),
        ('[rules.x]\nphrases = ["a"]\n[rule.y]\n', "line 3: 'rule' is not known here"),
        ('mode = 1\n[rules.x]\nphrases = ["a"]', "line 1: 'mode' is not known here"),
        ("[rules]\nx = 1", "line 2: the rule 'x' must be a table"),
        ("[rules.x]\n", "line 1: the rule 'x' says nothing to look for"),
        ('\n[rules.x]\nphrase = ["a"]', "line 3: the rule 'x' has phrase, which no rule has: the fields are phrases"),
        ('[rules.x]\nphrases = ["a"]\nside = "left"', 'line 3: the rule \'x\' has a wrong side: it is "inbound" or "outbound"'),
        ('[rules.x]\nphrases = "a"', "line 2: the rule 'x' has a wrong phrases: expected array"),
        ("[rules.x]\nphrases = []", "line 2: the rule 'x' has no phrase"),
        (
            '[rules.x]\nphrases = ["b"]\n[rules."y z"]\nphrases = [\n  "a",\n  "b (",\n]',
            "line 6: the rule 'y z' has the phrase 'b (', which has a ( that is not closed",
        ),
        ('[rules.x]\nphrases = ["a"]\nsilence_seconds = 3', "line 3: the rule 'x' has phrases and silence_seconds: a rule has one of"),
        ("[rules.x]\nsilence_seconds = 0", "line 2: the rule 'x' must have silence_seconds from 1 to 86400, not 0"),
        ("[rules.x]\nsilence_seconds = nan", "line 2: the rule 'x' must have silence_seconds from 1 to 86400, not nan"),
        ("[rules.x]\ncall_seconds = 1e9", "line 2: the rule 'x' must have call_seconds from 1 to 86400"),
        ('[rules.x]\ncall_seconds = 9\nside = "inbound"', "line 3: the rule 'x' has a side, and call_seconds is about both"),
        ("[rules.x]\ntalk_share_percent = 80", "line 2: the rule 'x' must have the side whose talk share is meant"),
        ('[rules.x]\nside = "inbound"\ntalk_share_percent = 101', "line 3: the rule 'x' must have talk_share_percent from 1 to 100"),
        ("[rules.x]\nsilence_seconds = 9\nafter_seconds = 9", "line 3: the rule 'x' has after_seconds, which belongs to"),
        ('[rules.x]\nphrases = ["a"]\nnumbers = ["4155550100"]', "line 3: the rule 'x' has the number '4155550100': write it with"),
        ('[rules."a\\nb"]\nphrases = ["a"]', "must have a name of 1 to 100 characters in one line"),
        ("a = " + "[" * 100_000, "has too many brackets inside each other"),
        ("a = " + "9" * 5000, "is not TOML"),
        ("#" * 1_000_001, "has more than 1000000 characters"),
        ("\n".join(f"[rules.r{number}]\ncall_seconds = 9" for number in range(1001)), "has 1001 rules, and 1000 are possible"),
    ],
)
def test_what_is_wrong_is_one_sentence_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(RuleError, match=re.escape(sentence)) as refused:
        read_rules(text)
    assert "\n" not in str(refused.value)


def test_a_hostile_file_is_refused_for_its_size_and_costs_nothing_later() -> None:
    phrase = " ".join(["(a|b|c|d)", "<30>"] * 12) + " e"
    hostile = "\n".join(f'[rules.r{number}]\nphrases = ["{phrase}"]' for number in range(1000))
    with pytest.raises(RuleError, match="is too much: all phrases together have more than"):
        read_rules(hostile)
