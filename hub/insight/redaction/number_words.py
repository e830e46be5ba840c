"""The words by which people say numbers, in English, German, Spanish and French. Pure tables; does not know what a number is good for.

The words of all four languages count at the same time: nobody tells the hub in which language a card number is read out, and callers
switch. A word that is also an everyday word of another language, as Spanish `once` and French `cent` are in English, is *weak*: it counts
only beside a number.
"""

import re
from typing import Final, Literal, NamedTuple

Size = Literal["unit", "teen", "tens", "hundred", "hundreds", "scale", "whole"]
"""What a number word can be combined with.

`unit`: 0 to 9. `teen`: 10 to 19. `tens`: 20, 30 … 90, before a unit. `hundred`: multiplies what stands before it. `hundreds`: 100 to 900 in
one word, as in Spanish. `scale`: a thousand or more, multiplies. `whole`: any other, complete in itself, as German `einundvierzig` is.
"""


def words_of(text: str) -> frozenset[str]:
    """Return the words of a table that is written as a text."""
    return frozenset(text.split())


class NumberWord(NamedTuple):
    """What one word means as a number."""

    value: int
    size: Size
    weak: bool = False
    """Whether it counts only beside another number."""


_UNITS: Final = (
    "zero one two three four five six seven eight nine",
    "null eins zwei drei vier fünf sechs sieben acht neun",
    "cero uno dos tres cuatro cinco seis siete ocho nueve",
    "zéro un deux trois quatre cinq six sept huit neuf",
)
_OTHER_UNITS: Final = {"naught": 0, "nought": 0, "nil": 0, "oh": 0, "o": 0, "niner": 9, "zwo": 2, "una": 1, "une": 1}
_TEENS: Final = (
    "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen",
    "zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn",
    "diez once doce trece catorce quince dieciséis diecisiete dieciocho diecinueve",
    "diez once doce trece catorce quince dieciseis diecisiete dieciocho diecinueve",
    "dix onze douze treize quatorze quinze seize",
)
_TENS: Final = (
    "twenty thirty forty fifty sixty seventy eighty ninety",
    "twenty thirty fourty fifty sixty seventy eighty ninety",
    "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig",
    "zwanzig dreissig vierzig fünfzig sechzig siebzig achtzig neunzig",
    "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa",
    "vingt trente quarante cinquante soixante septante huitante nonante",
)
BEFORE_UNITS: Final = frozenset((_TENS[0] + " fourty " + _TENS[-1]).split())
"""Tens that make one number with the digit behind them, as in `forty one`. In other languages something stands between, or before."""

_TWENTIES: Final = (
    "veintiuno veintidós veintitrés veinticuatro veinticinco veintiséis veintisiete veintiocho veintinueve",
    "veintiún veintidos veintitres veinticuatro veinticinco veintiseis veintisiete veintiocho veintinueve",
)
_HUNDREDS: Final = (
    "ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos novecientos",
    "ciento doscientas trescientas cuatrocientas quinientas seiscientas setecientas ochocientas novecientas",
)
_PLURALS: Final = (
    "zeros ones twos threes fours fives sixes sevens eights nines",
    "zeroes ones twos threes fours fives sixes sevens eights nines",
)

PLURALS: Final = frozenset(" ".join(_PLURALS).split())
"""Digits that are counted: `three ones` is 111."""

_WEAK: Final = words_of("null un una une once quince elf seize sept cent cents mil oh o nought naught nil") | PLURALS
"""Words that are something else, too."""

NEVER_ALONE: Final = words_of("once cent cents mil")
"""Weak words that end many a sentence: `at once`."""

INTERJECTIONS: Final = words_of("oh o")
"""Weak words that are mostly no digit."""

HOMOPHONES: Final = {"for": 4, "fore": 4, "to": 2, "too": 2, "won": 1, "ate": 8}
"""What an engine writes for a digit. They count between two single digits only."""

REPEATS: Final = {
    "double": 2, "triple": 3, "treble": 3, "quadruple": 4, "quintuple": 5, "doppel": 2, "doppelt": 2, "zweimal": 2, "dreifach": 3,
    "dreimal": 3, "viermal": 4, "fünfmal": 5, "doble": 2,
}  # fmt: skip
"""Words before a digit that say how often it comes. `double five` is 55."""

ARTICLES: Final = words_of("a an the die der das eine la el le")
"""They may stand between such a word and its digit: `dreimal die sieben`."""

DICTATED: Final = ARTICLES | words_of(
    "it its it's it\u2019s is that that's that\u2019s thats was another like well now maybe of i number numbers digit digits figure"
    " next last first second third fourth fifth sixth seventh eighth ninth tenth followed by after this one's"
    " ist es eine ein noch nochmal ziffer zahl nächste letzte erste zweite dritte vierte fünfte sechste"
    " es un otro cifra número primero segundo tercero siguiente c'est c\u2019est encore chiffre premier deuxième troisième suivant"
)
"""Words by which single digits are told one by one: `a four, then another one`, `the next digit is two`."""

FILLERS: Final = words_of(
    "uh um er erm ehm hm hmm mhm mm mmhm okay ok yes yeah yep right so then and dash hyphen minus slash stroke space plus dot point "
    "comma sorry no wait again also like maybe nbsp "
    "äh ähm öhm ja und dann strich bindestrich nein also genau "
    "eh em este sí si y e luego guion guión punto perdón "
    "euh ben oui et puis tiret virgule pardon non alors"
) | frozenset(REPEATS)
"""Words that may stand between two parts of one number, as in `four one one one, okay, then two two`."""

AFTER_OH: Final = words_of("and uh um und dann äh y et puis euh dash that's thats thank thanks")
"""Words before which `oh` is a digit where a number was said before: `oh, that's it`. Before others it is not: `oh yes`."""

AND: Final = frozenset({"and", "und", "y", "e", "et"})
"""Words inside of a number: `a hundred and five`, `cuarenta y uno`, `vingt et un`."""


def _made() -> dict[str, NumberWord]:
    made: dict[str, NumberWord] = {}

    def put(words: str, first: int, step: int, size: Size) -> None:
        for number, word in enumerate(words.split()):
            made.setdefault(word, NumberWord(first + number * step, size, word in _WEAK))

    for words in _UNITS:
        put(words, 0, 1, "unit")
    for words in _TEENS:
        put(words, 10, 1, "teen")
    for words in _TENS:
        put(words, 20, 10, "tens")
    for words in _TWENTIES:
        put(words, 21, 1, "whole")
    for words in _HUNDREDS:
        put(words, 100, 100, "hundreds")
    for words in _PLURALS:
        put(words, 0, 1, "unit")
    put("cien", 100, 0, "hundreds")
    for word, value in _OTHER_UNITS.items():
        put(word, value, 0, "unit")
    put("hundred hundert cent cents", 100, 0, "hundred")
    put("thousand tausend mil mille", 1000, 0, "scale")
    put("million millions millionen millones", 1_000_000, 0, "scale")
    made |= {word: NumberWord(value, "whole") for word, value in _german().items() if word not in made}
    return made | {spelled: meant for word, meant in made.items() if (spelled := word.translate(_WITHOUT_UMLAUTS)) not in made}


_WITHOUT_UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


def _german() -> dict[str, int]:
    """Return the numbers below a hundred that German writes as one word."""
    units = dict(zip(_UNITS[1].replace("eins", "ein").split()[1:], range(1, 10), strict=True))
    below = {word: value for first, words in ((0, _UNITS[1]), (10, _TEENS[1])) for value, word in enumerate(words.split(), first)}
    for spelled in _TENS[2:4]:
        for tens, word in enumerate(spelled.split(), 2):
            below[word] = tens * 10
            below |= {f"{unit}und{word}": tens * 10 + value for unit, value in units.items()}
    return below


NUMBER_WORDS: Final = _made()
"""By the word in small letters. German numbers above a hundred are not in it: see `meaning`."""

_LONG_GERMAN: Final = re.compile(
    r"(?:(?P<thousands>\w*?)(?P<thousand>tausend))?(?:(?P<hundreds>\w*?)(?P<hundred>hundert))?(?:und)?(?P<rest>\w*)"
)


def meaning(word: str) -> NumberWord | None:
    """Return what a word in small letters means as a number. None if it is no number word."""
    known = NUMBER_WORDS.get(word)
    if known is None and is_long_german(word):
        value = _long_german(word)
        return None if value is None else NumberWord(value, "whole")
    return known


def is_long_german(text: str) -> bool:
    """Return whether a text may have one of the numbers that German writes as one word, as `viertausendeinhundertelf`."""
    return "hundert" in text or "tausend" in text


def _long_german(word: str) -> int | None:
    found = _LONG_GERMAN.fullmatch(word)
    if found is None:
        return None
    values = [_german_below(found[part] or "", empty) for part, empty in (("thousands", 1), ("hundreds", 1), ("rest", 0))]
    if found["thousand"] and "hundert" in (found["thousands"] or ""):
        values[0] = _long_german(found["thousands"])
    thousands, hundreds, rest = values
    if thousands is None or hundreds is None or rest is None:
        return None
    return (thousands * 1000 if found["thousand"] else 0) + (hundreds * 100 if found["hundred"] else 0) + rest


def _german_below(word: str, empty: int) -> int | None:
    """Return a German number below a hundred. `empty`: what no word at all means."""
    return _GERMAN.get(word) if word else empty


_GERMAN: Final = {"ein": 1} | {word.translate(to): value for word, value in _german().items() for to in ({}, _WITHOUT_UMLAUTS)}

SIXTY: Final = "soixante"
TEN: Final = "dix"
VINGTS: Final = frozenset({"vingt", "vingts"})
"""French counts on from sixty to seventy-nine, says seventeen as ten and seven, and eighty as four twenties."""
