"""Numbers as people really dictate them: with `uh` and `let me see` inside, over many short utterances, with an echo of the other side.

Interims grow by one to three words, are sometimes written in digits before the final is, and change their last word. `STRANGE` are single
lines with every way of writing and saying digits that somebody could think of. All digits in them are secret.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.insight.redaction.corpus import CLOSERS, ENGLISH, FORMS, OPENERS, Side
from tests.insight.redaction.spoken import WORD_SECONDS, Conversation, digits_left

FILLERS = {
    "english": ("uh", "um", "let me see", "ok", "and then", "hmm", "you know", "I think", "sorry", "hold on", "yeah", "so"),
    "german": ("äh", "Moment", "und dann", "also", "ja", "warte mal", "ich glaube"),
    "spanish": ("eh", "a ver", "y luego", "espera", "sí"),
    "french": ("euh", "et puis", "attendez", "je crois", "oui"),
}
BACKCHANNELS = ("mhm", "okay", "yes", "uh huh", "right", "mhm, go on")
LONGEST_PAUSE_SECONDS = 1.5


@dataclass(frozen=True)
class Dictation:
    """One number, and what was said."""

    form: str
    lines: tuple[str, ...]
    conversation: Conversation

    @property
    def shown(self) -> list[str]:
        """Texts of finals, words and interims in which digits are left."""
        finals = self.conversation.finals
        said = [*self.conversation.texts, *(word.text for final in finals for word in final.words), *self.conversation.interims]
        return [text for text in said if digits_left(text)]


def dictations(seed: int, count: int) -> Iterator[Dictation]:
    """Yield so many numbers of 5 to 19 digits, said in turn in all forms of the corpus."""
    rng = random.Random(seed)
    for number in range(count):
        form = list(FORMS)[number % len(FORMS)]
        yield _dictation(rng, form, next((name for name in FILLERS if form.lower().startswith(name)), "english"))


def _dictation(rng: random.Random, form: str, language: str) -> Dictation:
    digits = "".join(str(rng.randrange(10)) for _ in range(rng.randint(5, 19)))
    pieces = [each for piece in FORMS[form](digits, rng) for each in _with_filler(rng, piece, language)]
    parts = min(len(pieces), rng.choice((1, 2, 3, 5, 8)))
    cuts = sorted(rng.sample(range(1, len(pieces)), parts - 1)) if parts > 1 else []
    groups = [" ".join(pieces[first:last]) for first, last in zip([0, *cuts], [*cuts, len(pieces)], strict=True)]
    groups[0] = f"{rng.choice(OPENERS[language])} {groups[0]}".strip()
    groups[-1] = f"{groups[-1]} {rng.choice(CLOSERS)}".strip()
    side: Side = rng.choice(("inbound", "outbound"))
    other: Side = "outbound" if side == "inbound" else "inbound"
    conversation, lines = Conversation(), []
    for number, group in enumerate(groups):
        lines.append(group)
        _say(rng, conversation, group, side)
        conversation.silence(rng.uniform(0.2, LONGEST_PAUSE_SECONDS))
        if number < len(groups) - 1 and (answer := _answer(rng, group)):
            lines.append(f"- {answer}")
            _say(rng, conversation, answer, other)
    conversation.end()
    return Dictation(form, tuple(lines), conversation)


def _with_filler(rng: random.Random, piece: str, language: str) -> Iterator[str]:
    yield piece
    if rng.random() < 0.15:
        yield rng.choice(FILLERS[language])


def _answer(rng: random.Random, group: str) -> str:
    """Return what the other side says: nothing, a word, or an echo of the digits."""
    chance = rng.random()
    if chance < 0.3:
        return rng.choice(BACKCHANNELS)
    echo = " ".join(word for word in group.split() if digits_left(word))
    return f"{rng.choice(('okay', '', 'so'))} {echo}".strip() if chance < 0.5 and echo else ""


def _say(rng: random.Random, conversation: Conversation, text: str, side: Side) -> None:
    words, written = text.split(), _written(text)
    shown = 0
    while shown < len(words):
        shown = min(len(words), shown + rng.choice((1, 1, 2, 3)))
        heard = (written if rng.random() < 0.2 else words)[:shown]
        if rng.random() < 0.2 and len(heard) > 2:
            heard = [*heard[:-1], rng.choice(("that", "know", "is"))]
        conversation.hear(" ".join(heard), side)
        conversation.silence((shown - len(heard) + 1) * WORD_SECONDS)
    final = written if rng.random() < 0.4 else words
    conversation.settle(" ".join(final), side)


def _written(text: str) -> list[str]:
    """Return the words of a text as an engine that writes digits has them."""
    return [str(ENGLISH.index(word)) if word in ENGLISH else word for word in text.split()]


STRANGE: dict[str, tuple[str | tuple[str, str], ...]] = {
    "no-break spaces": ("my card is 4111\u00a01111\u00a01111\u00a01111",),
    "dashes of print": ("my card is 4111\u20131111\u20131111\u20131111",),
    "underscores": ("it's 4111_1111_1111",),
    "slashes": ("it's 4/1/1/1/5/5",),
    "an entity of HTML": ("4111&nbsp;1111&nbsp;1111",),
    "masked in the middle": ("4111 xxxx xxxx 1111 5555",),
    "fullwidth": ("my card is \uff14\uff11\uff11\uff11 \uff11\uff11\uff11\uff11",),
    "raised": ("it is \u2074\u00b9\u00b9\u00b9\u2075\u2075",),
    "circled": ("my card is \u2463\u2460\u2460\u2460\u2460\u2460",),
    "marks of direction": ("it is \u202a4111\u202c 1111 1111",),
    "another script": ("it is \u096a\u0967\u0967\u0967\u096b\u096b",),
    "like times": ("it's 41:11:11:11",),
    "like a list": ("4, 1, 1, 1, 5 and 5",),
    "like days in September": ("cinq euh 6 sept huit un quatre",),
    "a sentence each": ("Four. One. One. One. Five. Five.",),
    "nil": ("it's four nil nil one five six",),
    "quadruple": ("it's quadruple five quadruple one",),
    "counted": ("it's four and three ones, then four ones",),
    "in thousands": ("it's four thousand one hundred eleven eleven eleven",),
    "a digit of a hundred": ("it's 5 hundred and eighty-seven", "zero", "zero"),
    "told one by one": ("that's a four then a one then a one then another one then a five",),
    "with the word number": ("number four number one number one number one number one number five",),
    "by their places": ("first digit is four second digit is one third digit is one fourth is one fifth is five",),
    "with articles": ("the four the one the one the one the one the five",),
    "with hedges": ("four one I think one you know one maybe five like five",),
    "corrected": ("it's four one one, no wait, that's wrong, it's four two two one nine",),
    "letters between": ("it's B4T56X7890", "it's B 4 T 5 6 X 7 8 9 0"),
    "misheard": ("my number is for for won to five",),
    "German thousands": ("viertausendeinhundertelf elf elf",),
    "German times": ("eins eins doppel fünf dreimal die sieben",),
    "German without umlauts": ("vier fuenf zwoelf dreissig fuenfzig",),
    "German in two characters": ("vier fu\u0308nf fu\u0308nf eins zwo\u0308lf",),
    "German to the end": ("vier eins", "und dann", "fünf fünf", "und zum Schluss", "acht neun"),
    "Spanish hundreds": ("seis cero cero doscientas treinta y cuatro",),
    "Spanish thousands": ("cuatro mil ciento once, dos mil doscientos",),
    "French pairs": ("zéro six quatre vingt douze trente quatre cinquante six soixante dix huit",),
    "a digit an utterance": ("four", ("outbound", "four"), "one", ("outbound", "one"), "one", ("outbound", "mhm"), "one", "five", "six"),
    "pairs and echoes": ("forty-one", ("outbound", "so forty-one"), "eleven", ("outbound", "mhm, go on"), "fifty-five", "sixty"),
    "groups and echoes": ("yes 4265", ("outbound", "so 4265"), "2192", "8848", ("outbound", "uh huh"), "1516 that's it"),
    "read back": (("outbound", "So your card is 4111"), "yes", ("outbound", "5555"), "correct", ("outbound", "6666 7777")),
    "two who go on": ("mine is 4111", ("outbound", "and then 5555?"), "no 5556"),
    "while they look": ("my card is", "let me see", "ok", "four one", "uh", "one one", "yeah", "five five", "that's it"),
    "after a long search": ("my card is 4111 1111", "I need to find my glasses because I cannot read it", "okay 1111 1111"),
}
"""By what is strange: what is said, to the end of the call."""
