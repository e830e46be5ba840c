"""Twilio's request signature: which addresses Twilio may have signed, and whether one of our auth tokens made a signature.

**What Twilio signs and what it then sends are not always the same.** Known differences, from the issue threads of Twilio's own SDKs:

- *The port.* Twilio's servers differ in whether they sign it (every SDK tries both).
- *`@` and `:` in the query.* A webhook by GET has `From=sip:ann@example.com` in its address. Twilio signs it like that and then sends it as
  `sip%3Aann%40example.com` (twilio-node, pull request 621).
- *An apostrophe in the query*, as in the city `Trezzo Sull'Adda`. Twilio signs it as it is, and it arrives as `%27` (twilio-node, issues
  1059 and 1183; twilio-ruby, issue 528). The other way round, and a blank that arrives as `%20` instead of `+`, are accepted likewise.
- *The order of the query.* Twilio signs the configured order and then sends the parameters in the order of their names (twilio-php, issue
  790; twilio-node, issue 1079).

All of these name this very host and path with the same parameters, so accepting each of them lets nobody else in. How many are tried is
bounded, because anyone can send a request with a wrong signature.

Pure. Source: twilio.com/docs/usage/webhooks/webhooks-security. Knows addresses and form parameters. Does not know HTTP requests.
"""

import hmac
from collections.abc import Iterable, Iterator
from itertools import islice, permutations
from urllib.parse import quote, unquote_plus, urlsplit

from multidict import MultiMapping
from twilio.request_validator import HMAC_SHA1, RequestValidator

from hub.config import Config

DEFAULT_PORTS = {"https": 443, "wss": 443, "http": 80, "ws": 80}
"""The port that an address without one means, by scheme."""

ORDERS = 24
"""The most orders of a query that are tried: all orders of four parameters. A webhook of this hub has five at most, mostly one or two."""

LIKELY = 18
"""The first forms: at least the six escapings with three hosts, which nearly every request of Twilio's fits."""

LONGEST_REORDERED = 4096
"""Longer queries are tried in the order in which they came only: each order is hashed. Twilio's own by GET have about 900 characters."""


def addresses(public_url: str, raw_path: str, *, upgrade: bool = False) -> Iterator[str]:
    """Yield the forms in which Twilio may have signed the address of a request, the most likely ones first: see LIKELY.

    `upgrade`: the request opens a WebSocket, so its scheme is ws or wss.
    """
    parts = urlsplit(public_url.rstrip("/"))
    scheme = {"https": "wss", "http": "ws"}.get(parts.scheme, parts.scheme) if upgrade else parts.scheme
    name = parts.netloc.removesuffix(f":{parts.port}") if parts.port else parts.netloc
    hosts = dict.fromkeys((parts.netloc, name, f"{name}:{DEFAULT_PORTS[scheme]}"))
    path, question, query = raw_path.partition("?")
    tried: set[str] = set()
    for each in _queries(query) if query else (query,):
        if each not in tried:
            tried.add(each)
            yield from (f"{scheme}://{host}{parts.path}{path}{question}{each}" for host in hosts)


def _queries(query: str) -> Iterator[str]:
    """Yield the forms in which Twilio may have signed a query: as it came, otherwise escaped, and in another order."""
    yield from _escapings(query)
    pairs = query.split("&")
    # Twilio's own parameters are capitalised, and keep the order in which they come. What else there is was configured by a person.
    own = [pair for pair in pairs if not pair[:1].isupper()]
    rest = [pair for pair in pairs if pair[:1].isupper()]
    names = {pair.partition("=")[0] for pair in own}
    # Of a name that comes twice the first value counts, so another order could mean something else.
    if own and len(pairs) > 1 and len(names) == len(own) and len(query) <= LONGEST_REORDERED:
        for order in islice(permutations(own), ORDERS):
            reordered = "&".join((*order, *rest))
            yield reordered
            yield _as_signed(reordered)


def _escapings(query: str) -> Iterator[str]:
    yield query
    yield _as_signed(query)
    yield _unescaped(query, "@:")
    yield _unescaped(query, "'")
    yield query.replace("'", "%27")
    yield "&".join("=".join(quote(unquote_plus(each), safe="!'()*-._~") for each in pair.split("=", 1)) for pair in query.split("&"))


def _as_signed(query: str) -> str:
    """Return a query without the escapes that Twilio is known to add after it has signed."""
    return _unescaped(query, "@:'")


def _unescaped(query: str, characters: str) -> str:
    for character in characters:
        escape = f"%{ord(character):02X}"
        query = query.replace(escape, character).replace(escape.lower(), character)
    return query


def signed(config: Config, urls: Iterable[str], parameters: MultiMapping[str], signature: str, algorithm: str = HMAC_SHA1) -> bool:
    """Return whether one of our auth tokens made this signature for one of these addresses. Each comparison takes constant time."""
    given = signature.encode(errors="surrogateescape")
    # The form is appended to the address, so it is sorted and joined once, as twilio-python would for each address.
    form = _joined(parameters)
    return any(
        hmac.compare_digest(RequestValidator(token).compute_signature(url + form, {}, algorithm).encode(), given)
        for url in urls
        for token in config.auth_tokens
    )


def _joined(parameters: MultiMapping[str]) -> str:
    """Return a form as it is signed: sorted by name, and for each name its different values, sorted."""
    values: dict[str, set[str]] = {}
    for name, value in parameters.items():
        values.setdefault(name, set()).add(value)
    return "".join(name + value for name in sorted(values) for value in sorted(values[name]))
