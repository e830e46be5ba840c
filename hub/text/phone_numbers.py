"""Phone numbers in one form: E.164, as `+14155550100`. Text from outside is brought into this form where it enters the hub.

Why: people and carriers write one number in many ways. A carrier sends `14155550100`, a SIP trunk `sip:+14155550100@host`, a person
types `+1 415 555-0100`. A subscriber who asks for one way would never see the calls that came in another, and would not be told.

Knows numbers and the addresses that contain one. Does not know whose number it is, nor any country by default: the hub serves calls
from anywhere, so national forms without a country code are refused, not guessed.
"""

import functools
import re
import unicodedata
from urllib.parse import unquote

import phonenumbers

from hub.text.foreign_text import name

EXAMPLE = "+14155550100"
"""A number in E.164 form, for error texts."""

_WRITTEN = re.compile(r"\+?[0-9][0-9\s().\-/\u2010-\u2015]*")
"""A number as people write it: digits with blanks, brackets, dots, slashes and hyphens of all kinds. No letters: 1-800-FLOWERS is not
taken for a number, because nobody would call `client:` or `anonymous` one either."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_JOINERS = dict.fromkeys([0x200C, 0x200D])
"""Invisible characters that a name may need and a number does not."""

_NAMED = re.compile(r'(?:"[^"]*"\s*|[^<>"]*)<([^<>]+)>')
"""A SIP address with the name of whom it belongs to, as SIP headers have it: `"Ada" <sip:ada@example.com>` (RFC 3261 section 25.1)."""

_SIP = re.compile(r"sips?:([^@:;\s]+)(?:[:;][^@\s]*)?@(\[[0-9a-f:.]+\]|[^\s:;?<>@]+)(?::\d+)?(?:[;?]\S*)?", re.IGNORECASE)
"""A SIP address: the user, without password and parameters, and the host, without its port."""

_CLIENT = re.compile(r"client:([^\s\x00-\x1f\x7f]+)", re.IGNORECASE)

_NOBODY = frozenset({"anonymous", "restricted", "unavailable", "unknown", "private", "blocked", "withheld"})
"""What carriers put in place of a user who does not want to be known, or is not (RFC 3323 has the first)."""

_ADDRESS = re.compile(r"(?:sips?|client):[^\s\x00-\x1f\x7f]+", re.IGNORECASE)
"""What Twilio can call besides a number: a SIP address, or a client of its Voice SDK."""


def normal(text: str) -> str | None:
    """Return the number that this text is, in E.164 form; None when it cannot be one.

    Takes `+1 (415) 555-0100`, `tel:+1-415-555-0100`, `sip:+14155550100@host;user=phone`, `0014155550100`, and `14155550100` without the
    plus as carriers send it. None for `anonymous`, `client:…`, a number with an extension, a short code, and for ten digits without a
    country code: `4155550100` may be an American number that lacks its 1.
    """
    return _normal(text) if len(text) <= 200 else None


def identity(text: str) -> str | None:
    """Return what a caller or callee can be told by: a number in E.164 form, a SIP user, or a client of Twilio's Voice SDK.

    A SIP user is `sip:ada@pbx.example.com`, however the port and the parameters were written. None for `anonymous` and its kin, and for
    whatever else is nobody in particular.
    """
    return _identity(text) if len(text) <= 200 else None


def shown(text: str) -> str:
    """Return a caller or callee as people are shown it: in E.164 form when it is a number, else as it came (`anonymous`, for example).

    It never contains characters that would make it look like another number.
    """
    return identity(text) or name(text)


def dialled(text: str) -> str | None:
    """Return what Twilio can call: a number in E.164 form, or a SIP address or client as it is. None when it can call neither."""
    return text if _ADDRESS.fullmatch(text) else normal(text)


@functools.lru_cache(maxsize=4096)
def national(number: str) -> str:
    """Return the digits that are dialled for a number in E.164 form within its own country: `02079460958` for `+442079460958`.

    Empty if there is no such number.
    """
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return ""
    return re.sub(r"[^0-9]", "", phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL))


@functools.lru_cache(maxsize=4096)
def _normal(text: str) -> str | None:
    if _CONTROL.search(text.strip()):
        return None
    written = _ascii_digits(name(_unnamed(text)).translate(_JOINERS)).strip()
    scheme, colon, rest = written.partition(":")
    if colon:
        match scheme.lower():
            case "tel" | "whatsapp":
                written = _subscriber(rest)
            case "sip" | "sips" if "@" in rest:
                written = unquote(re.split("[;:]", rest.rpartition("@")[0])[0])
            case _:
                return None
    if not _WRITTEN.fullmatch(written):
        return None
    if written.startswith("00"):
        written = f"+{written[2:]}"
    if written.startswith("+"):
        return _e164(written, certain=False)
    digits = re.sub(r"\D", "", written)
    return None if len(digits) == 10 and _valid(f"+1{digits}") else _e164(f"+{digits}", certain=True)


@functools.lru_cache(maxsize=4096)
def _identity(text: str) -> str | None:
    if (number := normal(text)) is not None:
        return number
    written = _unnamed(text).strip()
    if written != name(written):
        return None
    if client := _CLIENT.fullmatch(written):
        return f"client:{client[1]}"
    if (sip := _SIP.fullmatch(written)) is None or sip[1].lower() in _NOBODY or sip[2].lower().endswith(".invalid"):
        return None
    return f"sip:{sip[1]}@{sip[2].lower()}"


def _unnamed(text: str) -> str:
    named = _NAMED.fullmatch(text.strip())
    return named[1] if named else text


def _ascii_digits(text: str) -> str:
    """Return text with the digits of every script, and the full-width forms of East Asian keyboards, as ASCII writes them."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(letter, letter)) for letter in unicodedata.normalize("NFKC", text))


def _subscriber(tel: str) -> str:
    """Return the number of a tel: URI (RFC 3966), with its country code put in front where that stands in `phone-context`."""
    number, *parameters = tel.split(";")
    held = dict(parameter.lower().partition("=")[::2] for parameter in parameters)
    if "ext" in held or "isub" in held:
        return ""
    context = held.get("phone-context", "")
    return f"{context}{number}" if context.startswith("+") and not number.startswith("+") else number


def _e164(written: str, *, certain: bool) -> str | None:
    """Return a number that begins with + in E.164 form. `certain`: only one that is assigned, not any of a possible length."""
    try:
        number = phonenumbers.parse(written, None)
    except phonenumbers.NumberParseException:
        return None
    good = phonenumbers.is_valid_number(number) if certain else phonenumbers.is_possible_number(number)
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)) if good else None


def _valid(written: str) -> bool:
    return _e164(written, certain=True) is not None
