"""What readers get of the utterances of a side, and when: masked, held back, released."""

import pytest

from hub.events import TranscriberLost, TranscriberRestored
from hub.insight.redaction.redaction import AWAY_SECONDS
from hub.insight.redaction.redactor import Redactor
from hub.insight.redaction.side import HOLD_SECONDS
from tests.insight.redaction.spoken import EVERYTHING, Conversation, said


def test_a_number_over_several_utterances_is_masked_in_each_of_them() -> None:
    heard = said("My card is four one one one", ("outbound", "mhm"), "yeah one one one one", "and double one five six seven okay")
    assert heard.texts == ["My card is [number]", "mhm", "yeah [number]", "and [number] okay"]


def test_a_final_that_may_begin_a_number_is_held_back_until_the_next_words() -> None:
    heard = Conversation()
    heard.say("I need two")
    assert heard.texts == []
    assert heard.interims == ["I", "I need", "I need …"]
    heard.say("rooms with a view")
    assert heard.texts == ["I need two", "rooms with a view"]


def test_the_first_digit_of_a_number_is_masked_once_the_rest_is_said() -> None:
    heard = Conversation()
    heard.say("It's four")
    heard.say("mhm", "outbound")
    assert heard.texts == ["mhm"], "the other side does not wait"
    heard.say("one one one five")
    assert heard.texts == ["mhm", "It's [number]", "[number]"]


def test_a_number_that_waits_is_published_after_a_while_and_by_the_call_time_alone() -> None:
    heard = Conversation()
    heard.say("I need two")
    heard.silence(HOLD_SECONDS - 1)
    assert heard.texts == []
    heard.silence(1)
    assert heard.texts == ["I need two"]
    heard.silence(HOLD_SECONDS)
    assert heard.texts == ["I need two"], "once"


def test_a_number_that_waits_is_not_published_while_the_provider_is_away() -> None:
    heard = Conversation()
    heard.say("It's four")
    heard.redaction.event(TranscriberLost(call_sid="CA1", provider="p", reason="it closed the connection", attempt=1))
    heard.silence(HOLD_SECONDS * 3)
    heard.redaction.event(TranscriberRestored(call_sid="CA1", provider="p", reason="connected again", attempt=1))
    heard.silence(HOLD_SECONDS - 1)
    assert heard.texts == []
    heard.say("one one one five")
    assert heard.texts == ["It's [number]", "[number]"]


def test_a_provider_that_does_not_come_back_is_not_waited_for() -> None:
    heard = Conversation()
    heard.say("I need two")
    heard.silence(0)
    heard.redaction.event(TranscriberLost(call_sid="CA1", provider="p", reason="it closed the connection", attempt=1))
    heard.silence(AWAY_SECONDS - 1)
    assert heard.texts == []
    heard.silence(1)
    assert heard.texts == ["I need two"]


def test_what_looks_like_a_part_of_a_number_is_masked_when_nothing_follows() -> None:
    heard = Conversation()
    heard.say("My card number is four")
    heard.silence(HOLD_SECONDS)
    assert heard.texts == ["My card number is [number]"]


def test_a_number_goes_on_after_a_long_pause() -> None:
    heard = Conversation()
    heard.say("It's four one one one")
    heard.silence(20)
    heard.say("let me see, one one")
    assert heard.texts == ["It's [number]", "let me see, [number]"]


def test_words_of_a_masked_number_are_one_word_that_lasts_as_long() -> None:
    heard = Conversation()
    heard.say("My card is four one one one five thanks a lot")
    (final,) = heard.finals
    assert [(word.text, round(word.start, 1), round(word.end, 1)) for word in final.words[3:5]] == [
        ("[number]", 0.9, 2.4),
        ("thanks", 2.4, 2.7),
    ]


def test_an_interim_never_shows_the_beginning_of_a_number() -> None:
    heard = Conversation()
    heard.say("My number is 4 1 1 1 5 5 5 thanks")
    shown = "".join(heard.interims)
    assert not any(each.isdecimal() for each in shown)
    assert heard.interims[-1] == "My number is [number] thanks"


def test_a_question_for_a_pin_makes_a_short_number_secret() -> None:
    assert said(("outbound", "What is your PIN?"), "It's one two three four.").texts == ["What is your PIN?", "It's [number]."]


def test_after_an_answer_of_the_other_side_a_small_number_is_a_number_of_its_own() -> None:
    heard = said("4111 1111 1111 1111", ("outbound", "Thanks, that was very helpful, sir."), "Two more things.")
    assert heard.texts == ["[card]", "Thanks, that was very helpful, sir.", "Two more things."]


def test_after_a_question_for_the_next_digits_they_are_a_part_of_the_number() -> None:
    heard = said("4111 1111 1111", ("outbound", "And what are the last four digits?"), "It's 11 and 11, I think.")
    assert heard.texts[-1] == "It's [card], I think."


def test_words_between_the_parts_of_a_number_do_not_make_it_two() -> None:
    assert said("My card starts with 4111 and then it says 1111 or so, I believe.").texts == [
        "My card starts with [number] and then it says [number] or so, I believe."
    ]
    assert said("four one one one I think", "and it goes on 1111").texts == ["[number] I think", "and it goes on [number]"]
    assert said("There are 250 people in 120 rooms here.").texts == ["There are 250 people in 120 rooms here."]


def test_what_the_other_side_repeats_of_a_number_is_masked() -> None:
    heard = said("My card is 4111 2222 3333 4444.", ("outbound", "So it ends in 444, correct?"))
    assert heard.texts[-1] == "So it ends in [number], correct?"


@pytest.mark.parametrize(
    ("kinds", "text", "expected"),
    [
        ("cards", "My card is 4111 1111 1111 1111 thanks", "My card is [card] thanks"),
        ("cards", "My card is 4111 1111 1111 1112 thanks", "My card is [card] thanks"),  # one digit was misheard
        ("cards", "Call 415 555 2671 please", "Call 415 555 2671 please"),
        ("phone", "Call 415 555 2671 please", "Call [phone] please"),
        ("phone", "It is 12345 okay then", "It is 12345 okay then"),
        ("digits", "It is 12345 okay then", "It is [number] okay then"),
        ("digits", "It is 1234 in all", "It is 1234 in all"),
        ("email", "It's john dot smith at gmail dot com thanks", "It's [email] thanks"),
        ("email", "Write to j.smith+x@example.co.uk now", "Write to [email] now"),
        ("email", "It's j o h n at example dot com", "It's [email]"),
        ("email", "It is 4111 1111 1111 1111 thanks", "It is 4111 1111 1111 1111 thanks"),
        ("email", "We meet at noon, or at two.", "We meet at noon, or at two."),
        ("iban", "It's DE89 3704 0044 0532 0130 00 thanks", "It's [iban] thanks"),
        ("iban", "GB82 WEST 1234 5698 7654 32 it is", "[iban] it is"),
        ("iban", "it's d e eight nine three seven zero four zero zero four four okay", "it's [iban] okay"),
        ("iban", "I need 12 of them please", "I need 12 of them please"),
    ],
)
def test_each_kind_masks_what_it_names(kinds: str, text: str, expected: str) -> None:
    assert said(text, redactor=Redactor(frozenset(kinds.split(",")))).texts == [expected]


def test_a_card_over_two_utterances_is_masked_where_only_cards_are() -> None:
    heard = said("My card is 4111 1111", "1111 1111 thanks", redactor=Redactor(frozenset({"cards"})))
    assert heard.texts == ["My card is [number]", "[card] thanks"]


def test_finals_of_a_side_are_published_in_their_order() -> None:
    heard = said("It's two", "yeah", "or three", "I think so")
    assert heard.texts == ["It's two", "yeah", "or three", "I think so"]


def test_a_final_without_words_does_not_wait() -> None:
    heard = Conversation()
    heard.say("")
    assert heard.texts == [""]


def test_nothing_is_lost_and_nothing_doubled_in_a_long_talk() -> None:
    lines = [f"{word} {number}" for number in range(1, 100) for word in ("I have", "it's", "or")]
    heard = said(*lines, redactor=EVERYTHING)
    assert [final.utterance for final in heard.finals] == [f"inbound-{number}" for number in range(1, len(lines) + 1)]
