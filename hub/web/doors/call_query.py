"""Which calls a request for the list asks for: read from its query, and compared with a call in memory.

The archive compares in SQL, by the same `CallFilter`. Knows parameters and what is wrong with them. Does not know where calls are.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, get_args

from aiohttp import web
from multidict import MultiMapping

from hub.archive.archive import CallFilter
from hub.events import Completeness
from hub.text.phone_numbers import EXAMPLE, identity
from hub.tokens import Grant
from hub.topics.record import Record
from hub.transcript.search import Query
from hub.web.doors.paging import bad_query, read_after, read_limit, read_query
from hub.web.errors import refusal

PARAMETERS: Final = ("q", "from", "to", "number", "agent", "queue", "state", "live", "after", "limit")

STATES: Final = get_args(Completeness.__annotations__["state"])
"""What a call's completeness can be."""

ATTENTION: Final = "attention"
"""Asks for live calls that need a person's attention."""

_LATEST: Final = 253402300799.0
"""The end of the year 9999 in Unix seconds: no call is later."""


@dataclass(frozen=True, slots=True)
class CallQuery:
    """Which calls are asked for, and which page of them."""

    filter: CallFilter
    query: Query | None
    """What is searched for. None where calls are listed whatever was said in them."""
    after: int | None
    """The number of the last call of the page before. None for the first page."""
    limit: int

    @classmethod
    def of(cls, request: web.Request) -> "CallQuery":
        """Return what a request asks for. Raises: HTTPBadRequest."""
        query = read_query(request, *PARAMETERS)
        since, until = read_moment(query, "from"), read_moment(query, "to")
        if since is not None and until is not None and since > until:
            raise bad_query("from must not be later than to")
        state, live = _state(query)
        searched = _searched(query.get("q"))
        wanted = CallFilter(
            since=since, until=until, number=read_number(query), agent=query.get("agent") or None,
            queue=query.get("queue") or None, state=state, live=live, needs_attention=query.get("state") == ATTENTION,
            words=searched.words if searched is not None else (),
        )  # fmt: skip
        return cls(wanted, searched, read_after(query), read_limit(query))

    def within(self, grant: Grant, ended_after: float) -> CallFilter:
        """Return the filter with what the token allows. `ended_after`: Unix seconds, for a token without the right to the archive."""
        return replace(
            self.filter,
            allowed=None if grant.everything else grant.calls,
            ended_after=None if grant.may("archive") else ended_after,
        )


def fits(record: Record, wanted: CallFilter) -> bool:
    """Return whether a call in memory is what a filter asks for: by what readers have seen of it, and leaving its words aside.

    Whether the token allows the call is not looked at.
    """
    outline = record.outline
    if wanted.live not in {None, outline.live} or wanted.agent not in {None, outline.answered_by}:
        return False
    if wanted.queue not in {None, outline.queue} or (wanted.needs_attention and not outline.attention.reasons):
        return False
    if wanted.number is not None and wanted.number not in outline.numbers:
        return False
    if wanted.since is not None or wanted.until is not None:
        begun = (record.number >> 10) / 1000
        if begun < (wanted.since or 0.0) or begun >= (_LATEST if wanted.until is None else wanted.until):
            return False
    return wanted.state in {None, outline.completeness.state}


def read_moment(query: MultiMapping[str], name: str) -> float | None:
    """Return a moment in Unix seconds. Raises: HTTPBadRequest."""
    text = query.get(name)
    if text is None:
        return None
    # A plus sign is a blank in a query that was not encoded: 2026-11-21T10:00:00+01:00.
    try:
        moment = _seconds(text.strip().replace(" ", "+") if "T" in text else text.strip())
    except (ValueError, OverflowError) as error:
        said = f"{name} must be a date or a moment in ISO 8601, such as 2026-11-21 or 2026-11-21T10:00:00Z"
        raise bad_query(said) from error
    return min(max(moment, 0.0), _LATEST)


def _seconds(text: str) -> float:
    """Return a moment in ISO 8601 in Unix seconds; UTC unless it names a zone. Raises: ValueError."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def read_number(query: MultiMapping[str]) -> str | None:
    text = query.get("number")
    if text is None:
        return None
    encoded = text.replace(" ", "+", 1)  # a plus sign that was not encoded is a blank: number=+14155550100, number=tel:+1-415-555-0100
    number = identity(encoded) or identity(text)
    if number is None:
        raise bad_query(f"number must be a phone number with its country code, such as {EXAMPLE}, or a SIP address")
    return number


def _state(query: MultiMapping[str]) -> tuple[str | None, bool | None]:
    """Return the state of completeness, and whether calls must be live. Raises: HTTPBadRequest."""
    state, live = query.get("state"), query.get("live")
    if state not in {None, "live", ATTENTION, *STATES}:
        raise bad_query(f"state must be one of {', '.join(STATES)}, {ATTENTION} and live")
    if live not in {None, "true", "false"}:
        raise bad_query("live must be true or false")
    of_live = state in {"live", ATTENTION}
    if of_live and live == "false":
        raise bad_query(f"state={state} asks for live calls and live=false for calls that are over")
    return None if of_live else state, True if of_live else None if live is None else live == "true"


def _searched(text: str | None) -> Query | None:
    """Return what is searched for; None for text without words. Raises: HTTPBadRequest."""
    if text is None:
        return None
    try:
        query = Query(text)
    except ValueError as error:
        raise refusal(web.HTTPBadRequest, "query", str(error)) from error
    return query if query.terms else None
