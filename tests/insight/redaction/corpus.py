"""Spoken and written numbers as people say them on the phone, coded: each line says what in it is secret, and what has to stay.

Two parts. `secrets` makes dialogues of random numbers in all forms: digits, words, pairs, `double five`, `oh`, mixtures, groups, four
languages, in one utterance or over several, with the other side's `mhm` between them. `ORDINARY` are sentences with numbers that nobody
needs to hide: prices, times, dates, quantities, short numbers of orders and rooms.
"""

import random
from dataclasses import dataclass
from typing import Literal

Side = Literal["inbound", "outbound"]
Line = tuple[Side, str]


@dataclass(frozen=True)
class Dialogue:
    """What two people say, of which every digit is part of one secret number."""

    form: str
    lines: tuple[Line, ...]
    digits: str


def words(text: str) -> list[str]:
    """Return the words of a table."""
    return text.split()


ENGLISH = words("zero one two three four five six seven eight nine")
GERMAN = words("null eins zwei drei vier fünf sechs sieben acht neun")
SPANISH = words("cero uno dos tres cuatro cinco seis siete ocho nueve")
FRENCH = words("zéro un deux trois quatre cinq six sept huit neuf")
TEENS = words("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen")
TENS = words("twenty thirty forty fifty sixty seventy eighty ninety")
GERMAN_TEENS = words("zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn")
GERMAN_TENS = words("zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig")

NUMBER_WORDS = frozenset([*ENGLISH, *GERMAN, *SPANISH, *FRENCH, *TEENS, *TENS, *GERMAN_TEENS, *GERMAN_TENS, "oh", "hundred"])
"""Words that no reader may see in what is published of a Dialogue: independent of the tables of the hub."""

OPENERS = {
    "english": ("my card number is", "it's", "sure, the number is", "the account is", "okay so it's", "yes", ""),
    "german": ("meine Kartennummer ist", "die Nummer ist", "also", ""),
    "spanish": ("mi tarjeta es", "el número es", ""),
    "french": ("mon numéro est le", "c'est le", ""),
}
CLOSERS = ("", "thank you", "that's it", "and that is all of it", "okay?")
BACKCHANNELS = ("mhm", "okay", "yes", "uh huh", "right", "mhm, go on", "")


def card(rng: random.Random) -> str:
    """Return a card number whose check digit is right."""
    digits = [4, *(rng.randrange(10) for _ in range(14))]
    total = sum(each if place % 2 else each * 2 - 9 * (each > 4) for place, each in enumerate(digits))
    return "".join(map(str, digits)) + str(-total % 10)


def _singles(digits: str, words: list[str]) -> list[str]:
    return [words[int(each)] for each in digits]


def _with_doubles(digits: str) -> list[str]:
    made: list[str] = []
    at = 0
    while at < len(digits):
        run = 3 if digits[at : at + 3] == digits[at] * 3 else 2 if digits[at : at + 2] == digits[at] * 2 else 1
        word = "oh" if digits[at] == "0" and run == 1 and at else ENGLISH[int(digits[at])]
        made.append({1: word, 2: f"double {word}", 3: f"triple {word}"}[run])
        at += run
    return made


def _pairs(digits: str) -> list[str]:
    made: list[str] = []
    for at in range(0, len(digits), 2):
        pair = digits[at : at + 2]
        if len(pair) == 1 or pair[0] == "0":
            made += _singles(pair, ENGLISH)
        elif pair[0] == "1":
            made.append(TEENS[int(pair[1])])
        else:
            made.append(TENS[int(pair[0]) - 2] + (f"-{ENGLISH[int(pair[1])]}" if pair[1] != "0" else ""))
    return made


def _german_pairs(digits: str) -> list[str]:
    made: list[str] = []
    for at in range(0, len(digits), 2):
        pair = digits[at : at + 2]
        if len(pair) == 1 or pair[0] == "0":
            made += _singles(pair, GERMAN)
        elif pair[0] == "1":
            made.append(GERMAN_TEENS[int(pair[1])])
        else:
            unit = {"0": "", "1": "einund"}.get(pair[1], f"{GERMAN[int(pair[1])]}und")
            made.append(unit + GERMAN_TENS[int(pair[0]) - 2])
    return made


def _hundreds(digits: str) -> list[str]:
    made: list[str] = []
    for at in range(0, len(digits), 3):
        part = digits[at : at + 3]
        if len(part) == 3 and part[0] != "0" and part[1:] != "00" and part[1] != "0":
            made.append(f"{ENGLISH[int(part[0])]} hundred and {' '.join(_pairs(part[1:]))}")
        else:
            made += _singles(part, ENGLISH)
    return made


def _mixed(digits: str, rng: random.Random) -> list[str]:
    made: list[str] = []
    at = 0
    while at < len(digits):
        size = rng.choice((1, 1, 2))
        part = digits[at : at + size]
        made += [part] if rng.random() < 0.5 else _singles(part, ENGLISH)
        at += size
    return made


def _groups(digits: str, size: int) -> list[str]:
    return [digits[at : at + size] for at in range(0, len(digits), size)]


FORMS = {
    "digit by digit": lambda digits, rng: _singles(digits, ENGLISH),
    "double and oh": lambda digits, rng: _with_doubles(digits),
    "in pairs": lambda digits, rng: _pairs(digits),
    "in hundreds": lambda digits, rng: _hundreds(digits),
    "words and digits": _mixed,
    "written in fours": lambda digits, rng: _groups(digits, 4),
    "written in threes": lambda digits, rng: _groups(digits, 3),
    "written in one": lambda digits, rng: [digits],
    "single digits": lambda digits, rng: list(digits),
    "German digits": lambda digits, rng: _singles(digits, GERMAN),
    "German pairs": lambda digits, rng: _german_pairs(digits),
    "Spanish digits": lambda digits, rng: _singles(digits, SPANISH),
    "French digits": lambda digits, rng: _singles(digits, FRENCH),
}
SEPARATORS = (" ", " ", ", ", " - ", "-", ". ", " uh ", ", and then ")


def secrets(seed: int, count: int) -> list[Dialogue]:
    """Return so many dialogues with a secret number of 5 to 19 digits each. The same seed gives the same ones."""
    rng = random.Random(seed)
    return [_dialogue(rng, list(FORMS)[number % len(FORMS)]) for number in range(count)]


def _dialogue(rng: random.Random, form: str) -> Dialogue:
    digits = card(rng) if rng.random() < 0.4 else "".join(str(rng.randrange(10)) for _ in range(rng.randint(6, 19)))
    pieces = FORMS[form](digits, rng)
    language = next((name for name in ("german", "spanish", "french") if form.lower().startswith(name)), "english")
    parts = min(len(pieces), rng.choice((1, 1, 2, 3, 4)))
    cuts = sorted(rng.sample(range(1, len(pieces)), parts - 1)) if parts > 1 else []
    groups = [pieces[first:last] for first, last in zip([0, *cuts], [*cuts, len(pieces)], strict=True)]
    side: Side = rng.choice(("inbound", "outbound"))
    other: Side = "outbound" if side == "inbound" else "inbound"
    lines: list[Line] = []
    for number, group in enumerate(groups):
        separator = rng.choice(SEPARATORS)
        if "written" in form or "single" in form or "words" in form:
            separator = rng.choice(SEPARATORS[:5])
        text = separator.join(group)
        if number == 0:
            text = f"{rng.choice(OPENERS[language])} {text}".strip()
        elif rng.random() < 0.3:
            text = f"{rng.choice(('yeah', 'okay', 'and then', 'uh', 'the next ones are'))} {text}"
        if number == len(groups) - 1:
            text = f"{text} {rng.choice(CLOSERS)}".strip()
        lines.append((side, text[0].upper() + text[1:] + rng.choice(("", ".", "?"))))
        if number < len(groups) - 1 and (backchannel := rng.choice(BACKCHANNELS)):
            lines.append((other, backchannel))
    return Dialogue(form, tuple(lines), digits)


ORDINARY: tuple[tuple[str, str], ...] = (
    # A sentence, and the part of it that has to stay.
    ("It costs $1,250.00 all in.", "$1,250.00"),
    ("That will be 49.99 dollars a month.", "49.99 dollars"),
    ("The fee is $15.", "$15"),
    ("We charge £250 for that.", "£250"),
    ("It is 12,500 euros for the car.", "12,500 euros"),
    ("You owe us twelve hundred dollars.", "twelve hundred dollars"),
    ("It was one thousand two hundred and fifty dollars.", "one thousand two hundred and fifty dollars"),
    ("I paid two hundred and fifty.", "two hundred and fifty"),
    ("That is twenty percent off.", "twenty percent"),
    ("Rates went up by 3.5% last year.", "3.5%"),
    ("See you at 3:30.", "3:30"),
    ("We open from 9:00 to 17:30 on weekdays.", "9:00 to 17:30"),
    ("The slots are 3:30, 4:15 and 5:45 pm.", "3:30, 4:15 and 5:45 pm"),
    ("Let's meet at nine thirty.", "nine thirty"),
    ("He called around ten fifteen in the morning.", "ten fifteen"),
    ("It starts at 8 pm.", "8 pm"),
    ("At seven o'clock please.", "seven"),
    ("On May 5, 2026 we moved.", "May 5, 2026"),
    ("My appointment is on 12/05/2026.", "12/05/2026"),
    ("It was delivered on 2026-11-26.", "2026-11-26"),
    ("Since the 3rd of March 1984.", "1984"),
    ("I have been here since 2019.", "2019"),
    ("It was built in 1998 or so.", "1998"),
    ("Between 2019 and 2020 we had none.", "2019 and 2020"),
    ("The order number is 48213.", "48213"),
    ("Order 4821 has not arrived.", "4821"),
    ("My ticket is 90125.", "90125"),
    ("It's about invoice number 7731.", "7731"),
    ("The booking reference is four eight two one.", "four eight two one"),
    ("I am in room 1204.", "1204"),
    ("Extension 482 please.", "482"),
    ("You are on flight 1823 to Boston.", "1823"),
    ("I need two.", "two"),
    ("A table for four at eight.", "four at eight"),
    ("We are 12 people.", "12"),
    ("There were two hundred of them.", "two hundred"),
    ("Two million people saw it.", "Two million"),
    ("About 50,000 units a year.", "50,000"),
    ("Press 1 for sales and 2 for support.", "1 for sales and 2"),
    ("It is 20 or 30 miles away.", "20 or 30"),
    ("He is 42 years old.", "42"),
    ("I have three kids, 5, 7 and 9.", "5, 7 and 9"),
    ("It took 15 minutes.", "15"),
    ("I waited for an hour and 20 minutes.", "20"),
    ("It's 5 feet 11.", "5 feet 11"),
    ("Two for one is a good deal.", "Two for one"),
    ("I ate one too.", "I ate one"),
    ("You can come at once, or tomorrow.", "once"),
    ("No, not that one.", "that one"),
    ("Ten four, good buddy.", "Ten four"),
    ("Chapter 7, page 112.", "112"),
    ("We sold 850 last week.", "850"),
    ("The last bill was 84.20.", "84.20"),
    ("I live at 221 Baker Street.", "221"),
    ("My house number is 17.", "17"),
    ("The code of conduct has 10 rules.", "10"),
    ("Version 3.14 is out.", "3.14"),
    ("It weighs 75 kg.", "75 kg"),
    ("It's minus 12 outside.", "12"),
    ("He scored 21, 19 and 8.", "21, 19 and 8"),
    ("Das kostet 1.250,00 Euro.", "1.250,00 Euro"),
    ("Wir treffen uns um 14.30 Uhr.", "14.30 Uhr"),
    ("Am 26.11.2026 ist der Termin.", "26.11.2026"),
    ("Ich brauche zwei Zimmer.", "zwei Zimmer"),
    ("Es sind fünfundzwanzig Leute.", "fünfundzwanzig"),
    ("Son las tres y media.", "tres"),
    ("Cuesta veinticinco euros.", "veinticinco euros"),
    ("Je voudrais deux chambres.", "deux"),
    ("Il est quatorze heures.", "quatorze heures"),
    ("Ça coûte quatre-vingt-dix euros.", "quatre-vingt-dix euros"),
)
