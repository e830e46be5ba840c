"""One call's redaction: takes the events that are to be published, and returns those that are, without what is secret. Sans-I/O.

It stands in the publisher, so no reader, file, archive, search or other node ever has what was masked. The agent's model, its tools and
Twilio get everything: they do not read the log.

Knows events and seconds of call time. Does not know where events go.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from hub.audio.g711 import TRACKS, Track, silence
from hub.audio.timeline import Block
from hub.events import (
    AgentTrouble,
    CallStarted,
    D,
    Dtmf,
    Durable,
    Final,
    Interim,
    Note,
    NoteSentence,
    RecordingFailed,
    Steered,
    ToolCalled,
    ToolReturned,
    TranscriberLost,
    TranscriberRestored,
    TranscriberSwitched,
)
from hub.insight.redaction.known_numbers import MaskedNumbers
from hub.insight.redaction.masks import LABELS, Mask, is_label, masked, masked_words
from hub.insight.redaction.numbers import SaidNumbers, Topic, read
from hub.insight.redaction.redactor import NUMBER, Redactor
from hub.insight.redaction.side import GOES_ON_SECONDS, Number, Side
from hub.insight.redaction.values import redacted_json, redacted_value

KEY = "•"
"""Stands for a key with a digit. Which one it was nobody needs to read who does not know how many follow."""

ASKED_SECONDS = 20.0
"""How long after somebody spoke of a PIN or an order the next number is taken for it."""

AWAY_SECONDS = 30.0
"""For so long what is held back waits for a provider that was lost. Most are back sooner, and nobody waits for one that is not."""

MARGIN_SECONDS = 0.2
"""How much more sound is taken out on both sides of a number: providers' times of words are right to a tenth of a second or two."""

ADDRESSED = frozenset({"from", "to", "direction"})
"""Parameters that stay: by the numbers from and to, calls are found, allowed, kept and erased."""


class Redaction:
    """What one call has said that is secret, and what is held back of it."""

    def __init__(self, redactor: Redactor, past: Iterable[Durable] = ()) -> None:
        """`past`: the newest events of the call that an earlier process, or another node, has published, oldest first."""
        self.redactor = redactor
        self._known = MaskedNumbers()
        self._topic: tuple[Topic, float] = ("", 0.0)
        """What somebody has last announced, and when, in seconds of call time."""
        self._sides: dict[Track, Side] = {track: Side(redactor, self._known) for track in TRACKS}
        inbound, outbound = self._sides.values()
        inbound.other, outbound.other = outbound, inbound
        self._now = 0.0
        """Call time reached, in seconds."""
        self._lost_at: float | None = None
        """Call time at which the provider was lost whose words come later now. None while it is there."""
        for event in past:
            if isinstance(event, Final):
                self._remember(event)

    @property
    def holds(self) -> frozenset[Track]:
        """The sides of which a final is held back."""
        return frozenset(track for track, side in self._sides.items() if side.held)

    def audible(self, block: Block) -> Block:
        """Return a block for those who listen: silent on each side that is reading out a number now, as far as its words tell.

        Words come later than sound, so the first second of a number has been heard by then.
        """
        for track, side in self._sides.items():
            if side.dictating:
                block = replace(block, **{track: silence(len(block.inbound))})
        return block

    def masked_seconds(self, final: Final) -> list[tuple[float, float]]:
        """Return from when to when something was said that is masked in a final, in seconds of call time.

        Where the provider gives no times of words it is the whole utterance.
        """
        spans = [(word.start - MARGIN_SECONDS, word.end + MARGIN_SECONDS) for word in final.words if is_label(word.text)]
        if not spans and any(name in final.text for name in LABELS):
            spans = [(final.start - MARGIN_SECONDS, final.end + MARGIN_SECONDS)]
        return [(max(0.0, start), end) for start, end in spans]

    def interim(self, interim: Interim) -> list[Interim | Final]:
        """Return what is to be published now that an utterance has changed."""
        return self._sides[interim.track].interim(interim, self._asked(interim.start))

    def final(self, final: Final) -> list[Final]:
        """Return what is to be published now that an utterance is over. A final that is held back comes later."""
        out, reading = self._sides[final.track].final(final, self._asked(final.start), self._now)
        if reading.topic:
            self._topic = (reading.topic, final.end)
        other: Track = "outbound" if final.track == "inbound" else "inbound"
        self._sides[other].other_spoke(reading, final)
        return out

    def reached(self, seconds: float) -> list[Final]:
        """Return the finals that are held back no longer at this call time."""
        self._now = seconds
        if self._lost_at is not None and seconds - self._lost_at < AWAY_SECONDS:
            return []
        return [final for side in self._in_turn() if not side.waits for final in side.reached(seconds)]

    def over(self) -> list[Final]:
        """Return all finals that are held back: nothing follows that could decide about them."""
        return [final for side in self._in_turn() for final in side.release_doubtful()]

    def _in_turn(self) -> list[Side]:
        """Return both sides, first the one that decides about the other."""
        return sorted(self._sides.values(), key=lambda side: side.waits)

    def event(self, event: D) -> D:
        """Return a durable event as it is to be published. A final that comes from a transcriber goes through `final` instead."""
        match event:
            case Final():
                masks = self._masks(event.text)
                return replace(event, text=masked(event.text, masks), words=masked_words(event.text, event.words, masks))
            case Dtmf():
                return replace(event, digit=self._key(event.digit))
            case ToolCalled():
                return replace(event, arguments=redacted_value(event.arguments, self.plain))
            case ToolReturned():
                return replace(event, detail=redacted_json(event.detail, self.plain))
            case CallStarted():
                speakers = {track: self.plain(label) for track, label in event.speakers.items()}
                return replace(event, parameters=self.parameters(event.parameters), speakers=speakers)
            case Steered():
                text, to, reason = (part and self.plain(part) for part in (event.text, event.to, event.reason))
                return replace(event, text=text, to=to, reason=reason)
            case Note(summary=summary, next_steps=next_steps, open_questions=open_questions):
                # The model has read masked text only. It can still put together what it was given in parts.
                parts = [self._note_part(each) for each in (summary, next_steps, open_questions)]
                return replace(event, summary=parts[0], next_steps=parts[1], open_questions=parts[2])
            case TranscriberLost() | TranscriberRestored() | TranscriberSwitched():
                self._provider(event)
                return replace(event, reason=self.plain(event.reason))  # it may quote a provider, which may quote what was said
            case AgentTrouble() | RecordingFailed():
                return replace(event, reason=self.plain(event.reason))
            case _:
                return event

    def _provider(self, event: TranscriberLost | TranscriberRestored | TranscriberSwitched) -> None:
        """Take note of a provider that is away: what was said meanwhile comes once it is back, and decides about what is held back."""
        if not isinstance(event, TranscriberLost):
            self._lost_at = None
            for side in self._sides.values():
                side.wait_from(self._now)
        elif self._lost_at is None:
            self._lost_at = self._now

    def _note_part(self, sentences: list[NoteSentence]) -> list[NoteSentence]:
        return [replace(each, text=self.plain(each.text)) for each in sentences]

    def parameters(self, parameters: dict[str, str]) -> dict[str, str]:
        """Return a stream's <Parameter>s without what is secret."""
        return {self.plain(key): value if key in ADDRESSED else self.plain(value) for key, value in parameters.items()}

    def plain(self, text: str) -> str:
        """Return a text that nothing follows without what is secret in it."""
        return masked(text, self._masks(text))

    def _masks(self, text: str) -> list[Mask]:
        masks = self.redactor.others(text)
        for number in read(text).numbers:
            name = self.redactor.secret(number.digits, number, number.topic)
            account = self.redactor.account(text, number)
            if account is not None:
                masks.append(account)
            elif name or (self.redactor.numbers and not number.plain and self._known.has(number.digits)):
                masks.append(Mask(number.start, number.end, name or NUMBER))
        return masks

    def _key(self, key: str) -> str:
        if not self.redactor.numbers or not any(map(str.isdigit, key)):
            return key
        self._known.press(key)
        return KEY

    def _asked(self, seconds: float) -> Topic:
        topic, at = self._topic
        return topic if seconds - at <= ASKED_SECONDS else ""

    def _remember(self, final: Final) -> None:
        """Take note of a final that is published already: a number at its end may go on."""
        side, text = self._sides[final.track], final.text.rstrip(" .,!?…")
        if text.endswith("]") and self.redactor.numbers:
            side.number = Number("", final.end, NUMBER, doubtful=True, topic="number")
        elif read(text) != SaidNumbers((), "", 0):
            side.number = None
        self._now = max(self._now, final.end)


__all__ = ["GOES_ON_SECONDS", "KEY", "Redaction"]
