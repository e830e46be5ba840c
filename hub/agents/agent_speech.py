"""What an agent says in one call: what was sent to the caller, what they have heard of it, and what the transcript says of both. Pure.

The model sends an item's audio and text faster than they are heard, in any order. Each method takes what happened and returns the commands
that follow. When the caller interrupts, the agent falls silent at once, the model is told what was really heard, and the transcript says
the same. Does not know whose turn it is.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

from hub.agents.agent_utterance import LETTERS_PER_MS, AgentUtterance
from hub.agents.commands import ClearCaller, Command, Interrupted, Play, Publish, ToCaller, ToModel
from hub.agents.playout import Playback, PlayedAudio
from hub.agents.turns import Turns
from hub.agents.voice_model import AgentAudio, AgentAudioDone, AgentText, AgentTextDelta, TruncateItem

INTERIM_MS = 200
"""How often the interims of an agent's words are published while it speaks: words come about as fast."""

SpeechEvent: TypeAlias = AgentAudio | AgentAudioDone | AgentText | AgentTextDelta
"""A piece of the agent's speech, as the model sends it."""


@dataclass(slots=True)
class FollowedResponse:
    """What the caller has heard of one response."""

    response_id: str
    texts: list[str] = field(default_factory=list)
    """The text of each item that is settled: all of it, or what was heard."""
    whole: bool = True
    """Whether nothing of these was cut short or unspoken."""


class AgentSpeech:
    """The agent's side of one conversation. Times are ms of call time."""

    def __init__(self, turns: Turns) -> None:
        """`turns` are those of both sides: the agent's words are put there."""
        self._turns = turns
        self._playback = Playback()
        self._utterances: dict[str, AgentUtterance] = {}
        """What the agent says and has not been heard to the end, by item_id."""
        self._letters_per_ms = LETTERS_PER_MS
        """How fast the agent speaks."""
        self._muted_id: str | None = None
        """A response that was interrupted or given up: what still comes of it must not be played. None when there is none."""
        self._unheard: dict[str, bool] = {}
        """Items of the muted response: whether the model must still be told that nothing was heard of the item."""
        self.whole = True
        """Whether all that the model wrote was said, and to the end of its sentences."""
        self._followed: FollowedResponse | None = None
        """A response that somebody wants to know the fate of. None when there is none."""

    @property
    def quiet(self) -> bool:
        """Whether the caller has heard all that was sent."""
        return self._playback.quiet

    @property
    def unplayed_ms(self) -> float:
        """How much was sent and not heard."""
        return self._playback.unplayed_ms

    def receive(self, event: SpeechEvent, now_ms: float) -> list[Command]:
        """Take a piece of speech. Audio becomes `ToCaller`; nothing does of a response that is muted."""
        item_id = event.item_id
        if event.response_id == self._muted_id:
            if type(event) is AgentAudio:
                self._unheard.setdefault(item_id, True)
            return []
        match event:
            case AgentAudio(mulaw=mulaw):
                if not mulaw:
                    return []
                self._utterance(event)
                return [ToCaller(mulaw, self._playback.add(item_id, mulaw, now_ms))]
            case AgentTextDelta():
                self._utterance(event).text += event.delta
                return []
            case AgentText():
                utterance = self._utterance(event)
                utterance.text, utterance.text_done = utterance.text if event.text is None else event.text, True
            case AgentAudioDone():
                self._utterance(event).audio_done = True
            case _:
                assert_never(event)
        return self._settle(item_id, now_ms)

    def marked(self, name: str, now_ms: float) -> list[Command]:
        """Take a mark that Twilio sent back."""
        return self._was_played(self._playback.marked(name, now_ms), now_ms)

    def tick(self, now_ms: float) -> list[Command]:
        """Let the clock go on."""
        return self._was_played(self._playback.tick(now_ms), now_ms)

    def leap(self, by_ms: float) -> None:
        """Go on after the stream's clock jumped: nothing was heard in the time that it jumped over."""
        self._playback.leap(by_ms)

    def mute(self, response_id: str) -> None:
        """Play nothing more of a response that is still being made."""
        self._muted_id = response_id

    def follow(self, response_id: str) -> FollowedResponse:
        """Take note of what is heard of a response from here on, in place of another one."""
        self._followed = FollowedResponse(response_id)
        return self._followed

    def says(self, response_id: str) -> bool:
        """Return whether something of a response has come and is not settled."""
        return any(each.response_id == response_id for each in self._utterances.values())

    def fall_silent(self, now_ms: float) -> list[Command]:
        """Fall silent because somebody who steers the call wants something else said."""
        silence: list[Command] = [] if self._playback.quiet else [ClearCaller()]
        return silence + self._cut_short(now_ms)[0]

    def interrupt(self, now_ms: float) -> list[Command]:
        """Fall silent because the caller speaks."""
        silence: list[Command] = [] if self._playback.quiet else [ClearCaller()]
        commands, heard_ms, generated_ms = self._cut_short(now_ms)
        return silence + commands + ([Interrupted(heard_ms, generated_ms)] if generated_ms else [])

    def is_muted(self, response_id: str) -> bool:
        """Return whether nothing more of a response is played."""
        return response_id == self._muted_id

    def has_voice(self, response_id: str) -> bool:
        """Return whether all of what is known of a response and not settled has a voice, and all of that voice has come."""
        return all(
            each.audio_done and self._playback.sent_ms(item_id)
            for item_id, each in self._utterances.items()
            if each.response_id == response_id
        )

    def response_ended(self, response_id: str, now_ms: float, *, cut: bool = False) -> list[Command]:
        """Nothing more will come of a response: take what has come of its items for the whole of them.

        `cut`: the model stopped in the middle, so the newest item lacks its end. An item that has text and no audio is settled as unspoken.
        """
        commands: list[Command] = []
        if response_id == self._muted_id:
            self._muted_id = None
            commands += [ToModel(TruncateItem(item_id, 0)) for item_id, untold in self._unheard.items() if untold]
            self._unheard.clear()
        items = [(item_id, each) for item_id, each in self._utterances.items() if each.response_id == response_id]
        if items:
            items[-1][1].cut = cut
        for item_id, utterance in items:
            utterance.audio_done = utterance.text_done = True
            if self._playback.sent_ms(item_id):
                commands += self._settle(item_id, now_ms)
            else:
                del self._utterances[item_id]
                commands += self._write(item_id, utterance, now_ms)
        return commands

    def _write(self, item_id: str, utterance: AgentUtterance, now_ms: float) -> list[Command]:
        """Settle an item that has text alone."""
        if not utterance.text.strip():
            return []
        self._turns.begin(item_id, "outbound", now_ms)
        return self._settled(item_id, utterance, now_ms, now_ms, unspoken=True)

    def _settled(self, item_id: str, utterance: AgentUtterance, end_ms: float, now_ms: float, *, unspoken: bool = False) -> list[Command]:
        self.whole = self.whole and not utterance.cut and not unspoken
        self._note(utterance, utterance.text, whole=not utterance.cut and not unspoken)
        self._turns.end(item_id, end_ms)
        self._turns.mark(item_id, cut=utterance.cut, unspoken=unspoken)
        return list(map(Publish, self._turns.settle(item_id, utterance.text, now_ms)))

    def _note(self, utterance: AgentUtterance, text: str, *, whole: bool) -> None:
        if self._followed is not None and utterance.response_id == self._followed.response_id:
            self._followed.texts.append(text)
            self._followed.whole = self._followed.whole and whole

    def close(self, now_ms: float) -> list[Command]:
        """The call is over: what was not heard by now never will be."""
        commands, _, _ = self._cut_short(now_ms)
        for item_id, utterance in self._utterances.items():  # heard to the end, their text not known to be whole
            commands += map(Publish, self._turns.settle(item_id, utterance.text, now_ms))
        return commands

    def _utterance(self, event: SpeechEvent) -> AgentUtterance:
        utterance = self._utterances.get(event.item_id)
        if utterance is None:
            utterance = self._utterances[event.item_id] = AgentUtterance(event.response_id)
        return utterance

    def _was_played(self, pieces: Iterable[PlayedAudio], now_ms: float) -> list[Command]:
        commands: list[Command] = []
        for piece in pieces:
            commands.append(Play(piece.start_ms, piece.payload))
            utterance = self._utterances.get(piece.item_id)
            if utterance is None:
                continue
            self._turns.begin(piece.item_id, "outbound", piece.start_ms)
            if now_ms - utterance.published_ms >= INTERIM_MS:
                utterance.published_ms = now_ms
                commands += map(Publish, self._turns.revise(piece.item_id, self._heard(piece.item_id, utterance), now_ms))
            commands += self._settle(piece.item_id, now_ms)
        return commands

    def _heard(self, item_id: str, utterance: AgentUtterance) -> str:
        """Return the words of an item that have been heard."""
        return utterance.heard(self._playback.heard_ms(item_id), self._playback.sent_ms(item_id), self._letters_per_ms)

    def _settle(self, item_id: str, now_ms: float) -> list[Command]:
        """Settle an item's words if the item was heard to its end."""
        utterance, span = self._utterances.get(item_id), self._playback.span_ms(item_id)
        if utterance is None or span is None or not (utterance.audio_done and utterance.text_done):
            return []
        sent_ms = self._playback.sent_ms(item_id)
        if self._playback.heard_ms(item_id) < sent_ms:
            return []
        self._letters_per_ms = utterance.pace(sent_ms, self._letters_per_ms)
        del self._utterances[item_id]
        self._playback.forget(item_id)
        return self._settled(item_id, utterance, span[1], now_ms)

    def _cut_short(self, now_ms: float) -> tuple[list[Command], float, float]:
        """Drop what is not played, and settle each item by what was heard of it. Also returns how much was heard and generated, in ms."""
        played, cut = self._playback.clear(now_ms)
        commands = self._was_played(played, now_ms)
        silenced = {each.item_id for each in cut}
        heard_ms = generated_ms = 0.0
        for item_id, utterance in list(self._utterances.items()):
            # An item that was heard to the end of what came, and of which more was to come, is cut short as well.
            if item_id not in silenced and utterance.audio_done:
                continue
            heard, sent = self._playback.heard_ms(item_id), self._playback.sent_ms(item_id)
            heard_ms, generated_ms = heard_ms + heard, generated_ms + sent
            del self._utterances[item_id]
            if sent:
                self._unheard[item_id] = False
                commands.append(ToModel(TruncateItem(item_id, int(heard))))
            elif utterance.text_done:  # a text that has no audio
                commands += self._write(item_id, utterance, now_ms)
            words = self._heard(item_id, utterance)
            self._note(utterance, words, whole=False)
            if (span := self._playback.span_ms(item_id)) is not None:
                self._turns.end(item_id, span[1])
                commands += map(Publish, self._turns.settle(item_id, words, now_ms, interrupted=True))
            self._playback.forget(item_id)
        return commands, heard_ms, generated_ms
