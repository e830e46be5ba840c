"""Finds the numbers of a text: which figures belong together, and what kind of number they look like. Pure.

A *number* is what somebody reads out in one go, though a reader sees many figures: `4111 1111, okay, then one one one one`. Knows the words
around a number that say what it is: a price, a time, an order's number, a PIN. Does not know which numbers are to be masked.
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from hub.insight.redaction.figures import Figure, Token, count_weak, figures, is_filler, tokens, words_without_digits
from hub.insight.redaction.number_words import AND, DICTATED, FILLERS, words_of

Topic = Literal["secret", "order", "number", ""]
"""What the words before a number say that it is: something secret such as a PIN, the number of an order, any number, or nothing."""

Plain = Literal["price", "time", "date", "round", "year", "list", ""]
"""What a number is that is no secret by its form. Empty for any other. `round`: two million, 50,000. `list`: 5, 7 and 9."""

_GAP: Final = re.compile(r"(?:[^\w$€£¥%]|_){0,8}")
"""What may stand between two parts of one number, beside words: blanks and signs."""

MOST_FILLERS = 4
"""So many words may stand between two parts of one number."""

MOST_DICTATED = 8
"""So many words may stand between two digits that are told one by one."""

LIST_DIGITS = 6
"""A list of more digits may as well be a number that is read out in groups."""

LIST_NUMBERS = 4
"""A list of more numbers may as well be one that is read out digit by digit: `4, 1, 1, 1, 5 and 5`."""

TOPIC_TOKENS = 8
"""So far before a number the words are looked at that say what it is."""

_SECRETS: Final = words_of(
    "pin pins cvv cvc cvv2 csc passcode password otp passphrase geheimzahl prüfnummer kennwort passwort tan clave contraseña cryptogramme"
)
_ORDERS: Final = words_of(
    "version order ticket invoice room extension flight gate page model item house "
    "apartment chapter booking reference confirmation bestellung bestellnummer rechnung "
    "zimmer pedido factura habitación commande facture chambre"
)
_NUMBERS: Final = words_of(
    "card account number numbers digit digits code phone mobile cell telephone iban routing sort credit debit visa mastercard amex zip "
    "postcode postal plz passport license licence policy social security karte kartennummer kontonummer konto nummer telefonnummer ziffern "
    "tarjeta cuenta número numero teléfono carte compte numéro téléphone"
)
_ANNOUNCERS: Final[tuple[tuple[Topic, frozenset[str]], ...]] = (("secret", _SECRETS), ("order", _ORDERS), ("number", _NUMBERS))
_TOPICS: Final = {f"{word}{ending}": topic for topic, words in _ANNOUNCERS for word in words for ending in ("", "'s", "\u2019s")}
_SECRET_CODES: Final = frozenset({"security", "access", "verification", "secret", "time", "sms", "secure", "login"})
"""Before `code`, these make it a secret."""

_MONTH = (
    r"(?:jan(?:uary|uar)?|feb(?:ruary|ruar)?|mar(?:ch)?|märz|apr(?:il)?|may|mai|june?|juni|july?|juli|aug(?:ust)?|sept?(?:ember)?"
    r"|o[ck]t(?:ober)?|nov(?:ember)?|de[cz](?:ember)?|janvier|février|mars|avril|juin|juillet|août|septembre|octobre|novembre|décembre"
    r"|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre)\.?"
)
_AMOUNT = r"(?:\d{1,3}(?:[,.' ]\d{3})+|\d{1,7})(?:[.,]\d{1,2})?"
_UNIT = (
    r"(?:dollars?|euros?|pounds?|cents?|bucks|quid|pence|percent|per cent|prozent|por ciento|pour cent|eur|usd|gbp|chf|franken|francs"
    r"|libras?|dólares|dolares|kilometers?|kilometres?|km|miles|kg|kilos?|grams?|meters?|metres?"
    r"|millions?|billions?|thousand|millionen|milliarden|tausend|millones|mille|milliards)\b"
)
_PLAIN: Final = re.compile(
    rf"(?P<price>[$€£¥] ?{_AMOUNT}(?:[ -]?(?:k|m|million|thousand)\b)?(?!\d)|(?<![\d.,]){_AMOUNT} ?(?:[$€£¥%]|{_UNIT}))"
    r"|(?P<date>(?<!\d)(?:(?:19|20)\d\d-[01]\d-[0-3]\d|[0-3]?\d\. ?[01]?\d\. ?(?:19|20)\d\d|[0-3]?\d([/-])[0-3]?\d\3(?:19|20)\d\d)(?!\d)"
    rf"|\b{_MONTH} [0-3]?\d(?:st|nd|rd|th)?(?:,? (?:19|20)\d\d)?(?!\d)"
    rf"|\b[0-3]?\d(?:\.|st|nd|rd|th)? (?:of |de )?{_MONTH}(?:,? (?:de )?(?:1[5-9]|20)\d\d)?\b)"
    r"|(?P<time>(?<![\d:.])(?:[01]?\d|2[0-3])(?:[:.][0-5]\d)(?::[0-5]\d)?(?![\d:.]\d)(?: ?(?:a\.?m\b\.?|p\.?m\b\.?|uhr\b|h\b))?"
    r"|(?<![\d:.])(?:[01]?\d|2[0-3]) ?(?:a\.?m\b\.?|p\.?m\b\.?|o['\u2019]clock|uhr\b|heures\b)"
    r"|(?<![\d.,:])\d{1,4}[.,]\d{1,2}(?![.,:]?\d))",
    re.IGNORECASE,
)
_UNIT_WORD: Final = re.compile(_UNIT)
_NUMBER_NOUNS: Final = frozenset({"number", "numbers", "no", "code", "id", "nummer", "número", "numero", "numéro"})
_BEFORE_YEARS: Final = words_of(
    "in from to between since of year until till from by before after around "
    "im von zwischen seit jahr bis en entre a desde año hasta depuis année"
)
_YEAR: Final = re.compile(r"(?:19|20)\d\d")

_THOUSANDS: Final = re.compile(r"\d{1,3}(?:,\d{3})+(?![\d,])")


@dataclass(frozen=True, slots=True)
class SaidNumber:
    """A number in a text, from `start` to `end`."""

    start: int
    end: int
    figures: tuple[Figure, ...]
    plain: Plain
    topic: Topic
    leads: bool
    """Whether nothing but fillers stands before it, so that it may go on with a number of the utterance before."""
    trails: bool
    """Whether nothing but fillers stands behind it, so that it may go on in the next utterance."""
    words_behind: int
    """How many words stand behind it."""
    others_behind: int
    """How many of these are none by which digits are told one by one."""
    words_before: int
    """How many words stand before it."""

    def words_after(self, before: "SaidNumber") -> int:
        """Return how many words stand between a number before it and this one."""
        return self.words_before - before.words_before - sum(figure.last - figure.first for figure in before.figures)

    @property
    def alone(self) -> bool:
        """Whether nothing else is said: `so four two`."""
        return self.leads and self.trails

    @property
    def digits(self) -> str:
        """Its digits."""
        return "".join(figure.digits for figure in self.figures)


@dataclass(frozen=True, slots=True)
class SaidNumbers:
    """What a text says in numbers."""

    numbers: tuple[SaidNumber, ...]
    topic: Topic
    """What the newest word says that announces a number. Empty if there is none."""
    words: int
    """How many words it has that are neither fillers nor parts of a number."""


_NOTHING: Final = SaidNumbers((), "", 0)


def read(text: str, *, goes_on: bool = False, unfinished: bool = False) -> SaidNumbers:
    """Return the numbers of a text.

    `goes_on`: a number was said before it, so that `oh` alone is a digit. `unfinished`: more of the text follows, so that `oh` at its end
    may be one.
    """
    if not text:
        return _NOTHING
    if (plain := words_without_digits(text)) is not None:
        return SaidNumbers((), _topic(plain, len(plain)), sum(word not in FILLERS for word in plain))
    made = tokens(text)
    said = [token.text for token in made]
    announced = _topic(said, len(said)) in {"secret", "number"}
    count_weak(made, begins=goes_on, ends=goes_on or unfinished or announced, unfinished=unfinished)
    found = figures(made)
    parts = _parts(text, made, found, _plain_forms(text, made, goes_on=goes_on)) if found else []
    numbers = tuple(_number(made, said, part, plain) for part, plain in parts)
    inside = sum(figure.last - figure.first for figure in found)
    words = len(made) - inside - sum(1 for token in made if is_filler(token) and not token.counts)
    return SaidNumbers(numbers, _topic(said, len(said)), max(0, words))


def _number(made: Sequence[Token], said: Sequence[str], part: Sequence[Figure], plain: Plain) -> SaidNumber:
    first, last = part[0].first, part[-1].last
    before = [token.text in DICTATED for token in made[:first] if not is_filler(token)]
    behind = [token.text in DICTATED for token in made[last:] if not is_filler(token)]
    return SaidNumber(
        made[first].start, made[last - 1].end, tuple(part), plain, _topic(said, first),
        leads=not before or (all(before) and not behind), trails=not behind,
        words_behind=len(behind), others_behind=behind.count(False), words_before=len(before),
    )  # fmt: skip


def _topic(said: Sequence[str], before: int) -> Topic:
    """Return what the words before this place say that a number is. `said`: in small letters."""
    first = max(0, before - TOPIC_TOKENS)
    if _TOPICS.keys().isdisjoint(said[first:before]) and _NUMBER_NOUNS.isdisjoint(said[first:before]):
        return ""
    for at in range(before - 1, first - 1, -1):
        text = said[at]
        if at and text in _NUMBER_NOUNS:
            owner = said[at - 1]
            if _TOPICS.get(owner) == "order":
                return "order"
            if text == "code" and owner in _SECRET_CODES:
                return "secret"
        if topic := _TOPICS.get(text, ""):
            return topic
    return ""


class _Form(NamedTuple):
    """Of which price, time or date a figure is a part."""

    plain: Plain
    start: int
    """Where that begins in the text. -1 for a figure that is none of these."""
    begins: bool = False
    """Whether no digits before it belong to it: a price with a sign of a currency before it, or a time with its `o'clock` behind it."""


_NO_FORM: Final = _Form("", -1)


def _plain_forms(text: str, made: Sequence[Token], *, goes_on: bool) -> list[re.Match[str]]:
    """Return what looks like a price, a time or a date. `goes_on`: see `read`."""
    return [
        match
        for match in _PLAIN.finditer(text)
        if match["date"] is None or "sept" not in match[0].lower().split() or not (goes_on or _is_french_seven(made, match))
    ]


def _parts(text: str, made: Sequence[Token], found: list[Figure], matches: list[re.Match[str]]) -> list[tuple[list[Figure], Plain]]:
    """Return the figures that make one number each, and what is plain by its form."""
    parts: list[tuple[list[Figure], _Form]] = []
    for figure in found:
        form = _form_of(text, made, figure, matches)
        joined = _joined(text, made, (parts[-1][0][-1], parts[-1][1]), (figure, form)) if parts else None
        if joined is None:
            parts.append(([figure], form))
        else:
            part = parts[-1][0]
            part.append(figure)
            parts[-1] = part, joined
    return [(part, form.plain or _look(text, made, part)) for part, form in parts]


def _look(text: str, made: Sequence[Token], part: list[Figure]) -> Plain:
    """Return what a number is by the look of its figures."""
    if len(part) == 1 and part[0].round_:
        return "round"
    span = text[made[part[0].first].start : made[part[-1].last - 1].end]
    if _THOUSANDS.fullmatch(span) and len("".join(each.digits for each in part).rstrip("0")) <= 4:
        return "round"
    if all(_YEAR.fullmatch(each.digits) for each in part) and (len(part) == 1 or all(each.written for each in part)):
        first = part[0].first
        return "year" if 1 < len(part) <= 3 or (len(part) == 1 and first and made[first - 1].text in _BEFORE_YEARS) else ""
    if _is_list(text, made, part):
        return "list"
    return "time" if _is_said_time(part) else ""


def _is_list(text: str, made: Sequence[Token], part: list[Figure]) -> bool:
    """Return whether numbers are listed, as in `5, 7 and 9`: with commas, and an `and` before the last."""
    if (
        not 3 <= len(part) <= LIST_NUMBERS
        or sum(len(each.digits) for each in part) > LIST_DIGITS
        or made[part[-1].first - 1].text not in AND
    ):
        return False
    return all("," in text[made[left.last - 1].end : made[right.first].start] for left, right in itertools.pairwise(part[:-1]))


def _is_said_time(part: list[Figure]) -> bool:
    """Return whether a number in words may be a time, a price or a year: `nine thirty`, `ten oh five`, `four ninety-nine`."""
    hour, *rest = part
    if hour.written or not rest or len(hour.digits) > 2 or int(hour.digits) > 23 or any(each.written for each in rest):
        return False
    minutes = "".join(each.digits for each in rest)
    return len(minutes) == 2 and len(rest) == (1 if minutes[0] != "0" else 2) and int(minutes) > 0


def _form_of(text: str, made: Sequence[Token], figure: Figure, matches: list[re.Match[str]]) -> _Form:
    start, end = made[figure.first].start, made[figure.last - 1].end
    for match in matches:
        if match.start() <= start and end <= match.end():
            plain: Plain = "price" if match["price"] else "date" if match["date"] else "time"
            return _Form(plain, match.start(), text[match.start()] in "$€£¥" or (plain == "time" and match[0].rstrip(".")[-1].isalpha()))
    if not figure.written and figure.last < len(made) and _UNIT_WORD.fullmatch(made[figure.last].text):
        return _Form("price", start)  # twelve hundred dollars
    return _NO_FORM


def _is_french_seven(made: Sequence[Token], match: re.Match[str]) -> bool:
    """Return whether what looks like a day in September is a digit beside another one: `six, sept, huit` as `6 sept 8`."""
    inside = [at for at, token in enumerate(made) if match.start() <= token.start < match.end()]
    others = (_nearest(made, inside[0], -1), _nearest(made, inside[-1], 1))
    return any(token is not None and token.counts for token in others)


def _nearest(made: Sequence[Token], at: int, step: int) -> Token | None:
    """Return the next word in this direction that is no filler."""
    at += step
    while 0 <= at < len(made) and is_filler(made[at]):
        at += step
    return made[at] if 0 <= at < len(made) else None


def _joined(text: str, made: Sequence[Token], before: tuple[Figure, _Form], after: tuple[Figure, _Form]) -> _Form | None:
    """Return of what form the number is that two figures make. None if they belong to two numbers.

    Prices, times and dates stay what they are beside each other: `at 3:30, 4:15 or 5:45`. Beside digits that are none of these they are
    parts of one number: an engine writes `4:11 11111` for digits that it took for a time.
    """
    (left, left_form), (right, right_form) = before, after
    if left_form.plain and left_form == right_form:
        return left_form
    between = made[left.last : right.first]
    edges = [made[left.last - 1].end, *(edge for token in between for edge in (token.start, token.end)), made[right.first].start]
    gaps = [text[edges[at] : edges[at + 1]] for at in range(0, len(edges), 2)]
    if not all(_GAP.fullmatch(gap) for gap in gaps) or not _may_stand_between(text, left, between, right):
        return None
    close = not between and gaps[0].isspace()
    if left_form.plain and right_form.plain:
        return _NO_FORM if close and left_form.plain == right_form.plain == "time" else None
    if left_form.plain == "price" or left_form.plain == "date" or right_form.begins:
        return None
    if right_form.plain in {"price", "date"}:
        return _NO_FORM if close else None
    return _NO_FORM


def _may_stand_between(text: str, left: Figure, between: Sequence[Token], right: Figure) -> bool:
    """Return whether words may stand between two parts of one number: fillers, and letters as those of a number plate.

    Between single digits, words by which they are told may stand there, too: `a four, then it's another one`.
    """
    others = [token for token in between if not is_filler(token) and not (token.end - token.start == 1 and text[token.start].isupper())]
    if not others:
        return len(between) <= MOST_FILLERS
    singles = len(left.digits) == len(right.digits) == 1
    return singles and len(between) <= MOST_DICTATED and all(token.text in DICTATED for token in others)
