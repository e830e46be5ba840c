"""No type of event is forgotten: each text in each of them is masked, or known to come from the hub itself."""

from types import UnionType
from typing import Any, get_args

import msgspec
import pytest

from hub.events import DurableEvent, encode
from hub.insight.redaction.redaction import Redaction
from tests.insight.redaction.spoken import EVERYTHING

CARD = "4111 1111 1111 1111"

OF_THE_HUB = frozenset({
    "callSid", "at", "epoch", "streamSid", "utterance", "invocation", "order",  # names that Twilio and the hub give
    "speaker",  # a label, which is masked where it is set: in `call-started`
    "tool", "agent", "rule", "model", "provider", "language", "transcriber.provider", "transcriber.model",  # of settings and files
    "from", "to", "direction",  # by these, calls are found
    "by",  # the `sub` of a token
    "text", "summary", "completeness.summary", "completeness.reason",  # made of what was masked before
    "mediaType", "sha256", "action", "state", "outcome", "kind", "tracks",
})  # fmt: skip
"""Fields that no word of a call gets into. `text` and `summary`: of alerts alone."""

REASONS = frozenset({"gap", "words-doubted", "stream-error", "recording-erased", "call-ended"})
"""Types whose `reason` is the hub's own sentence, or Twilio's code."""

MASKED_TEXTS = frozenset({"final", "steered", "note"})
"""Types in which these are not made of masked words, nor what calls are found by."""

MASKED = frozenset({"text", "summary", "to"})


def made(event: type[DurableEvent]) -> dict[str, Any]:
    """Return an event as JSON in which every text is a card number."""
    return {"type": event.__struct_config__.tag} | {
        field.encode_name: _value(msgspec.inspect.type_info(field.type)) for field in msgspec.structs.fields(event)
    }


def _value(kind: msgspec.inspect.Type) -> Any:
    match kind:
        case msgspec.inspect.StrType() | msgspec.inspect.AnyType():
            return CARD
        case msgspec.inspect.LiteralType(values):
            return values[0]
        case msgspec.inspect.UnionType(types):
            return _value(next(each for each in types if not isinstance(each, msgspec.inspect.NoneType)))
        case msgspec.inspect.ListType(item) | msgspec.inspect.VarTupleType(item):
            return [_value(item)]
        case msgspec.inspect.DictType(key, of):
            return {_value(key): _value(of)}
        case msgspec.inspect.StructType(fields=fields):
            return {field.encode_name: _value(field.type) for field in fields}
        case msgspec.inspect.BoolType():
            return True
        case msgspec.inspect.IntType() | msgspec.inspect.FloatType():
            return 1
    raise AssertionError(f"an event has a field of {kind}")


def shown(of: Any, path: str = "") -> list[str]:
    """Return where the card number is in a value of JSON."""
    match of:
        case dict():
            return [
                place for key, each in of.items() for place in ([path] if CARD in key else shown(each, f"{path}.{key}".removeprefix(".")))
            ]
        case list():
            return [place for each in of for place in shown(each, path)]
        case _:
            return [path] if CARD in str(of) else []


@pytest.mark.parametrize("event", get_args(DurableEvent), ids=lambda event: event.__struct_config__.tag)
def test_each_text_of_an_event_is_masked_or_the_hubs_own(event: type[DurableEvent]) -> None:
    assert isinstance(DurableEvent, UnionType)
    told = Redaction(EVERYTHING).event(msgspec.json.decode(msgspec.json.encode(made(event)), type=event))
    places = set(shown(msgspec.json.decode(encode(told))))
    tag = event.__struct_config__.tag
    own = OF_THE_HUB - (MASKED if tag in MASKED_TEXTS else set()) | ({"reason"} if tag in REASONS else set())
    assert sorted(places - own) == []
