"""What each HTTP address of the hub takes and answers, as far as its door's code does not say it: the table behind `/openapi.json`.

A new door needs its line here. Its first lines in the document come from the door's docstring, and its path from the route. Does not know
OpenAPI (`openapi.py`).
"""

from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import msgspec

from hub.calls.order import TEXT_CHARACTERS
from hub.events import CallSummary, Steering
from hub.tokens import Right
from hub.transcript.exports import FORMS, Transcript
from hub.transcript.search import MAX_CHARACTERS, MAX_WORDS, Hit
from hub.web.doors.audit import ACTIONS, AuditPage
from hub.web.doors.call_query import ATTENTION, STATES
from hub.web.doors.dashboard import PageSettings
from hub.web.doors.erasure import ErasedCalls, Hold
from hub.web.doors.paging import MOST, USUAL

Proof: TypeAlias = Literal["token", "twilio", "none"]
Tag: TypeAlias = Literal["calls", "pages", "operation", "twilio"]

JSON = "application/json"


class ListedCall(CallSummary, frozen=True, kw_only=True):
    """A call on a page of the list. In a search, `hits` is the number of utterances with the most of the words; `found` has the first."""

    hits: int | msgspec.UnsetType = msgspec.UNSET
    found: list[Hit] | msgspec.UnsetType = msgspec.UNSET


class ListPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the list, newest call first. `next`: what to ask for as `after`. Null where the list ends."""

    calls: list[ListedCall]
    next: str | None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter. It stands in the path if the path has its name."""

    name: str
    description: str
    schema: dict[str, Any] = field(default_factory=lambda: {"type": "string"})
    place: Literal["query", "header"] = "query"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What comes with one status."""

    description: str
    media_types: tuple[str, ...] = (JSON,)
    """Empty where the answer has no body."""
    schema: Any = None
    """The class of what comes in JSON. None where the body has no schema."""
    headers: tuple[tuple[str, str], ...] = ()
    """Names and descriptions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method at one address."""

    tag: Tag
    answers: dict[int, Answer]
    """Besides errors, which have one form everywhere."""
    proof: Proof = "none"
    right: Right | None = None
    """What the token must allow besides the call. None where it need not."""
    parameters: tuple[Parameter, ...] = ()
    body: tuple[dict[str, Any], ...] = ()
    """Schemas of the body in JSON, any of which it may have. Empty where there is none."""


def _text(description: str, *media_types: str) -> Answer:
    return Answer(description=description, media_types=media_types or ("text/plain",))


SID = Parameter("sid", "The callSid.", {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"})
OFFSET = {"type": "integer", "minimum": 0}
MOMENT = {"type": "string", "description": "ISO 8601, in UTC unless it names a zone.", "examples": ["2026-11-21", "2026-11-21T10:00:00Z"]}

LIST = (
    Parameter("q", "Words that the call must have.", {"type": "string", "maxLength": MAX_CHARACTERS, "examples": ["refund order"]}),
    Parameter("from", "Calls that began at this moment or later.", MOMENT),
    Parameter("to", "Calls that began before this moment.", MOMENT),
    Parameter("number", "Calls from or to this number, in any spelling with its country code, or a SIP address."),
    Parameter("agent", "Calls that this voice agent answered, or the person of this name."),
    Parameter("queue", "Calls that came through this queue."),
    Parameter(
        "state",
        "Calls whose record is like this, or that are live, or that need a person's attention.",
        {"enum": [*STATES, "live", ATTENTION]},
    ),
    Parameter("live", "Calls that are live, or over.", {"enum": ["true", "false"]}),
    Parameter("after", "The `next` of the page before.", {"type": "string", "pattern": "^[0-9]{1,18}$"}),
    Parameter("limit", "Calls on a page.", {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL}),
)
RANGE = (
    Parameter("after", "Only the events behind this offset.", OFFSET),
    Parameter("until", "Only the events up to and including this offset.", OFFSET),
    Parameter("epoch", "The epoch of these offsets. If the call's log is another one now, the answer is 410."),
)
KIND = Parameter(
    "kind", "The form of the file. " + " ".join(f"`{kind}`: {form.summary}." for kind, form in FORMS.items()), {"enum": [*FORMS]}
)
KNOWN = Parameter("If-None-Match", "The `ETag` of a file that the client has.", place="header")
TAG = ("ETag", "Changes whenever the file does. Weak where the answer is compressed.")

INTERIMS = Parameter("interims", "Whether interims come, too.", {"enum": ["true", "false"], "default": "true"})
BLOCKS = "text/event-stream"
_IN_CALL = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}:[0-9]{1,15}$", "examples": ["3339322b3c12:14"]}
_IN_ALL = {"type": "string", "examples": ["2026-11-26T12:00:00.000Z,3339322b3c12:14,7a6b3c2d1e0f:3"]}


def _positions(schema: dict[str, Any]) -> tuple[Parameter, ...]:
    return (
        Parameter("Last-Event-ID", "The newest `id` that the reader has. A browser sends it by itself.", schema, place="header"),
        Parameter("after", "The same, for who cannot set headers. The header counts if there are both.", schema),
    )


AUDITED = (
    Parameter("from", "What was done at this moment or later.", MOMENT),
    Parameter("to", "What was done before this moment.", MOMENT),
    Parameter("subject", "What this subject did."),
    Parameter("action", "Only this.", {"enum": [*ACTIONS]}),
    Parameter("call", "What was done with this callSid."),
    Parameter("after", "The `next` of the page before, or the id of the newest known row.", {"type": "string", "pattern": "^[0-9]{1,18}$"}),
    Parameter("limit", "Rows on a page.", {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL}),
)


def _order(**fields: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an order for a call whose callSid is in the path."""
    order = {"type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,64}$", "description": "An id of your choice: what is repeated is done once."}
    known = fields | {"order": order, "when": {"enum": ["now", "turn"]}}
    return {"type": "object", "properties": known, "required": list(fields), "additionalProperties": False}


_TO = {"type": "string", "description": "A place of the agents file, a number, or `agent:` and the name of another agent."}

STEERING = (
    _order(action={"const": "say"}, text={"type": "string", "minLength": 1, "maxLength": TEXT_CHARACTERS}),
    _order(action={"const": "transfer"}, to=_TO),
    _order(action={"const": "hang-up"}),
    _order(action={"const": "take-over"}, to=_TO),
)

_HOLD = Operation(
    tag="calls", proof="token", right="erase", parameters=(SID,),
    answers={200: Answer(description="Whether the call is under a legal hold.", schema=Hold)},
)  # fmt: skip

BYTES = Parameter(
    "Range", "The bytes that are wanted, such as `bytes=0-65535`. Several ranges at once are answered with all.", place="header"
)
WHOLE = Parameter(
    "If-Range", "The `ETag` of the recording that the client has parts of. If it is another one now, all is sent.", place="header"
)
SOUND = ("audio/wav", "audio/flac")

_PAUSE = Operation(
    tag="calls", proof="token", right="audio", parameters=(SID,), answers={204: Answer(description="It is done.", media_types=())}
)
_UPGRADE = Answer(description="The connection becomes a WebSocket.", media_types=())
_ELSEWHERE = Answer(description="The first page is at the address in `Location`.", media_types=(), headers=(("Location", "The address."),))
_STREAM = Operation(tag="twilio", proof="twilio", answers={101: _UPGRADE})
_INCOMING = Operation(tag="twilio", proof="twilio", answers={200: _text("TwiML.", "text/xml")})
_AGENT = replace(_INCOMING, parameters=(Parameter("agent", "The agent that answers. Without it the called number decides."),))
_STATUS = Operation(tag="twilio", proof="twilio", answers={204: Answer(description="It is noted.", media_types=())})
_PAGE = ("text/html", "text/css", "text/javascript", "image/svg+xml")

OPERATIONS: dict[str, Operation] = {
    "GET /calls": Operation(
        tag="calls", proof="token", parameters=LIST,
        answers={200: Answer(description=f"A page of calls. A search has at most {MAX_WORDS} words.", schema=ListPage)},
    ),
    "GET /calls/{sid}": Operation(
        tag="calls", proof="token", parameters=(SID,), answers={200: Answer(description="The call.", schema=CallSummary)}
    ),
    "GET /calls/{sid}/transcript.{kind}": Operation(
        tag="calls", proof="token", parameters=(SID, KIND, *RANGE, KNOWN),
        answers={
            200: Answer(
                description="The file, sent while it is written.", schema=Transcript, headers=(TAG,),
                media_types=tuple(form.media_type for form in FORMS.values()),
            ),
            304: Answer(description="The file is the one whose `ETag` the request had in `If-None-Match`.", media_types=(), headers=(TAG,)),
        },
    ),
    "GET /calls/{sid}/events": Operation(
        tag="calls", proof="token", parameters=(SID, *_positions(_IN_CALL), INTERIMS),
        answers={
            200: Answer(description="Server-Sent Events: messages as at `/client`, to the end of the call.", media_types=(BLOCKS,)),
            204: Answer(description="The call is over, and the reader has all of it.", media_types=()),
        },
    ),
    "GET /events": Operation(
        tag="calls", proof="token", parameters=(*_positions(_IN_ALL), INTERIMS),
        answers={200: Answer(description="Server-Sent Events: messages as at `/client`, without an end.", media_types=(BLOCKS,))},
    ),
    "DELETE /calls/{sid}": Operation(
        tag="calls", proof="token", right="erase", parameters=(SID,),
        answers={200: Answer(description="Every byte of the call is gone.", schema=ErasedCalls)},
    ),
    "DELETE /calls": Operation(
        tag="calls", proof="token", right="erase",
        parameters=(Parameter("number", "The number, in any spelling with its country code, or a SIP address."),),
        answers={200: Answer(description="What was erased, and what was not.", schema=ErasedCalls)},
    ),
    "GET /calls/{sid}/hold": _HOLD,
    "PUT /calls/{sid}/hold": _HOLD,
    "DELETE /calls/{sid}/hold": _HOLD,
    "GET /audit": Operation(
        tag="operation", proof="token", right="audit", parameters=AUDITED,
        answers={200: Answer(description="A page of rows.", schema=AuditPage)},
    ),

    "GET /calls/{sid}/recording": Operation(
        tag="calls", proof="token", right="audio", parameters=(SID, BYTES, WHOLE, KNOWN),
        answers={
            200: Answer(description="The recording: WAV while the call lives, FLAC once it is stored.", media_types=SOUND, headers=(TAG,)),
            206: Answer(
                description="A part of it.", media_types=SOUND, headers=(TAG, ("Content-Range", "Which bytes of how many these are."))
            ),
            304: Answer(description="The recording is the one whose `ETag` the request had.", media_types=(), headers=(TAG,)),
        },
    ),
    "POST /calls/{sid}/recording/pause": _PAUSE,
    "POST /calls/{sid}/recording/resume": _PAUSE,
    "POST /calls/{sid}/steer": Operation(
        tag="calls", proof="token", right="steer", parameters=(SID,), body=STEERING,
        answers={
            202: Answer(description="The order is taken.", schema=Steering),
            200: Answer(description="The order was taken before, and is done or has failed.", schema=Steering),
        },
    ),
    "GET /client": Operation(tag="calls", proof="token", answers={101: _UPGRADE}),
    "GET /": Operation(
        tag="pages", answers={200: _text("The dashboard.", "text/html")}
    ),
    "GET /dashboard/{name}": Operation(
        tag="pages", parameters=(Parameter("name", "The name of the file."),),
        answers={200: _text("The file.", *_PAGE)},
    ),
    "GET /dashboard/settings.json": Operation(tag="pages", answers={200: Answer(description="The settings.", schema=PageSettings)}),
    "GET /docs": Operation(tag="pages", answers={302: _ELSEWHERE}),
    "GET /docs/": Operation(tag="pages", answers={302: _ELSEWHERE}),
    "GET /docs/{path}": Operation(
        tag="pages", parameters=(Parameter("path", "The path of the page, such as `hub/web/README.md`. It may have slashes."),),
        answers={200: _text("The page, or the file.", "text/html", "*/*")},
    ),
    "GET /docs/style.css": Operation(tag="pages", answers={200: _text("The style sheet.", "text/css")}),
    "GET /asyncapi.json": Operation(tag="pages", answers={200: Answer(description="The document.")}),
    "GET /openapi.json": Operation(tag="pages", answers={200: Answer(description="This document.")}),
    "GET /healthz": Operation(tag="operation", answers={200: _text("The process is alive.")}),
    "GET /readyz": Operation(tag="operation", answers={200: _text("New calls are welcome.")}),
    "GET /metrics": Operation(tag="operation", answers={200: _text("All metrics in Prometheus' text format.")}),
    "GET /twilio": _STREAM,
    "GET /agent": _STREAM,
    "GET /twiml": _INCOMING,
    "POST /twiml": _INCOMING,
    "GET /twiml/agent": _AGENT,
    "POST /twiml/agent": _AGENT,
    "GET /twilio/status": _STATUS,
    "POST /twilio/status": _STATUS,
}  # fmt: skip
"""By method and path."""
