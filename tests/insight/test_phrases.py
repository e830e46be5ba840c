"""Phrases as people write them, and what is found of them in a text."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.insight.automaton import Automaton
from hub.insight.phrases import Between, Choice, Node, Optional, PhraseError, Sequence, Word, read_phrase
from hub.insight.rules import Rule, Watchwords, passage


def found(phrase: str, text: str) -> str | None:
    """Return what of a text a phrase finds, as it was said."""
    watchwords = Watchwords([Rule(name="one", phrases=(read_phrase(phrase),))])
    place = watchwords.find(text).get(0)
    return passage(text, (), *place).text if place is not None else None


@pytest.mark.parametrize(
    ("phrase", "text", "shown"),
    [
        ("cancel my account", "I want to CANCEL — my account, please.", "CANCEL — my account"),
        ("cancel my account", "cancel account", None),
        ("cancel (my|the) (account|direct debit)", "cancel the direct debit", "cancel the direct debit"),
        ("cancel (my|the) (account|direct debit)", "cancel the direct account", None),
        ("(speak|talk (to|with)) (a|your) manager", "could I talk with your manager?", "talk with your manager"),
        ("cancel [my] account", "cancel account", "cancel account"),
        ("[please] cancel", "just cancel it", "cancel"),
        ("cancel* account", "a cancelled account", "cancelled account"),
        ("cancel* account", "a cance account", None),
        ("cancel <2> account", "cancel that bloody account", "cancel that bloody account"),
        ("cancel <2> account", "cancel that whole bloody account", None),
        ("cancel <2> account", "cancel cancel x y account", "cancel x y account"),
        ("refund ~2 manager", "the manager gave a refund", "manager gave a refund"),
        ("refund ~2 manager", "refund that manager", "refund that manager"),
        ("refund ~2 (manager|boss)", "my boss owes me a big refund", None),
        ("don't want", "I don\u2019t want it", "don\u2019t want"),
        ("dont want", "I don't want it", "don't want"),
        ("avion", "dans l'avion bleu", "l'avion"),
        ("cafe", "the CAFÉ is closed", "CAFÉ"),
        ("straße", "die STRASSE", "STRASSE"),
        ("e-mail", "my E-Mail", "E-Mail"),
        ("返金", "すぐに返金してください", "すぐに返金してください"),
        ("a b", "a a b", "a b"),
    ],
)
def test_a_phrase_is_found_as_people_say_it(phrase: str, text: str, shown: str | None) -> None:
    assert found(phrase, text) == shown


@pytest.mark.parametrize(
    ("phrase", "problem"),
    [
        ("", "no word that must be said"),
        ("!!!", "no word that must be said"),
        ("[cancel]", "no word that must be said"),
        ("cancel (my", "a ( that is not closed"),
        ("cancel (my]", "a ( that is not closed"),
        ("cancel my)", "a ) that nothing opens"),
        ("cancel ()", "brackets without a word"),
        ("cancel (a|)", "an alternative without a word"),
        ("cancel *", "a * that follows no word"),
        ("*", "a * that follows no word"),
        ("<3> account", "on one side only"),
        ("cancel <3>", "on one side only"),
        ("cancel <31> account", "31 words in between: 1 to 30"),
        ("cancel <0> account", "0 words in between: 1 to 30"),
        ("cancel <three> account", "a < that is not complete"),
        ("cancel ~ account", "a ~ that is not complete"),
        ("cancel ~3", "a ~ without words on both sides"),
        ("a ~3 b ~3 c", "has two ~"),
        ("a (b ~3 c)", "a ~ inside brackets"),
        ("(" * 11 + "a" + ")" * 11, "more than 10 brackets"),
        ("a " * 300, "longer than 500 characters"),
        ("(a+)+b$", "has a )+, as in a regular expression"),
        (r"\bcancel\b", "has a \\, as in a regular expression"),
        ("cancel.*account", "has a .*, as in a regular expression"),
        ("a{3}", "has a {, as in a regular expression"),
    ],
)
def test_a_phrase_that_cannot_be_read_says_why(phrase: str, problem: str) -> None:
    with pytest.raises(PhraseError, match=re.escape(problem)):
        read_phrase(phrase)


def add(automaton: Automaton, phrases: list[Node]) -> None:
    for rule, phrase in enumerate(phrases):
        automaton.add(rule, phrase)


def expression(node: Node) -> str:
    """Return the same phrase for Python's `re`, over words that each have a blank behind them."""
    match node:
        case Word(word, begins):
            return word + ("[a-z]* " if begins else " ")
        case Between(words):
            return f"(?:[a-z]+ ){{0,{words}}}"
        case Optional(part):
            return f"(?:{expression(part)})?"
        case Choice(parts):
            return f"(?:{'|'.join(map(expression, parts))})"
        case Sequence(parts):
            return "".join(map(expression, parts))


WORD = st.sampled_from(["a", "b", "ab", "c"])
SAID = st.builds(Word, WORD, st.booleans())
NODES: st.SearchStrategy[Node] = st.recursive(
    SAID,
    lambda parts: st.one_of(
        st.builds(lambda first, between, last: Sequence((first, Between(between), last)), parts, st.integers(1, 3), parts),
        st.builds(lambda these: Sequence(tuple(these)), st.lists(parts, min_size=2, max_size=3)),
        st.builds(lambda these: Choice(tuple(these)), st.lists(parts, min_size=2, max_size=3)),
        st.builds(lambda said, part: Sequence((said, Optional(part))), SAID, parts),
        st.builds(lambda said, part: Sequence((Optional(part), said)), SAID, parts),
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(st.lists(NODES, min_size=1, max_size=4), st.lists(st.lists(WORD, max_size=8), max_size=4))
def test_what_is_found_is_what_a_regular_expression_finds(nodes: list[Node], texts: list[list[str]]) -> None:
    automaton = Automaton()
    add(automaton, nodes)
    for words in texts:
        spans = automaton.find(words)
        for rule, node in enumerate(nodes):
            ends = [
                end
                for end in range(1, len(words) + 1)
                if any(re.fullmatch(expression(node), "".join(f"{word} " for word in words[begin:end])) for begin in range(end))
            ]
            assert (rule in spans) == bool(ends)
            if ends:
                begin, end = spans[rule]
                assert end == ends[0] - 1
                assert re.fullmatch(expression(node), "".join(f"{word} " for word in words[begin : end + 1]))


def test_a_phrase_that_would_take_a_regular_expression_for_ever_takes_one_step_per_word() -> None:
    automaton = Automaton()
    automaton.add(0, read_phrase(" ".join(["a <30>"] * 15) + " b"))
    steps = 0
    step = automaton.step

    def counted(*arguments: object) -> object:
        nonlocal steps
        steps += 1
        return step(*arguments)  # type: ignore[arg-type]

    automaton.step = counted  # type: ignore[method-assign,assignment]
    assert automaton.find(["a"] * 2000) == {}
    assert steps <= 2000


def test_phrases_that_are_too_much_together_are_refused() -> None:
    several = read_phrase("(" + "|".join("abcdefghijklmnopqrstuvwxyz") + ") " + "<30> ".join("abcdefgh"))
    with pytest.raises(PhraseError, match="too much"):
        add(Automaton(), [several] * 1000)
    many = read_phrase(" ".join(["(a|b|c|d|e|f|g|h)"] * 25))
    with pytest.raises(PhraseError, match="too many alternatives"):
        add(Automaton(), [many] * 1000)
