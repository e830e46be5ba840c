"""One call's conversation with a model: what each message of either side means for the other. Pure; media time only.

Audio passes through untouched in both directions. When the caller speaks, the agent falls silent at once, the model is told what was
really heard, and so is the transcript. Knows the words of both wires; knows no socket, no task and no webhook.
"""

from collections import deque
from collections.abc import Callable, Iterable

from hub.agents.keypad import Keypad
from hub.agents.playout import Playback, Played
from hub.agents.roster import Agent
from hub.agents.spoken import LETTERS_PER_MS, Utterance
from hub.agents.turns import Turns
from hub.audio.g711 import BYTES_PER_MS
from hub.errors import ProviderError
from hub.transcribers.utterances import NotTranscribed, Recognized
from hub.twilio.media import Speech
from hub.vendors.openai import wire as openai

EARLY_MS = 10_000
"""Caller's audio kept while the model's session is being opened; of more than that, the oldest goes."""

UNPLAYED_MS = 600_000
"""A model that is further ahead than ten minutes of speech is not answering a telephone: its audio would only fill memory."""

INTERIM_MS = 200
"""How often an agent's words are told while it speaks: words come about as fast."""

TAKEN_UP_MS = 1000
"""A result that was sent so long before the caller fell silent is surely known to the response that follows by itself."""

LEAP_MS = 60
"""Frames follow each other by the ms; a timestamp this far off what was sent is a hole in the audio, and the model's clock has none."""


class Dialogue:
    """One conversation, from the session's opening to `finish()`. Times are ms of the call's media clock."""

    def __init__(
        self,
        agent: Agent,
        speech: Speech,
        *,
        to_model: Callable[[bytes], None],
        to_caller: Callable[[bytes, bytes | None], None],
        hear: Callable[[Recognized | NotTranscribed], None],
        played: Callable[[float, bytes], None],
        interrupted: Callable[[float, float], None],
        answered: Callable[[float], None],
        use: Callable[[openai.Item], None],
    ) -> None:
        """Each callable is called in order and at once, and must not raise.

        `to_model` sends a message, `to_caller` one or two in one write; `hear` gets words; `played` the agent's audio as it is played: from
        when, mu-law; `interrupted` ms heard and ms generated of what was cut short; `answered` ms from
        the caller's silence to the first sound in answer; `use` a function call, to be answered by `returned()`.
        """
        self._agent = agent
        self._speech = speech
        self._to_model = to_model
        self._to_caller = to_caller
        self._hear = hear
        self._played_sink = played
        self._interrupted_sink = interrupted
        self._answered = answered
        self._use = use
        self.playback = Playback()
        self.turns = Turns()
        self.now_ms = 0.0
        """The end of the newest frame of the caller."""
        self.ready = False
        """Whether the session is as it should be: audio flows."""
        self._early: deque[tuple[float, bytes]] = deque()
        """The caller's frames before that."""
        self._early_bytes = 0
        self._sent_ms = 0.0
        """Audio sent to the model: its clock."""
        self._leaps: deque[tuple[float, float]] = deque(maxlen=1000)
        """Where the model's clock leaves call time: its ms, and call time there. From each to the next they go alike."""
        self._utterances: dict[str, Utterance] = {}
        self._active = ""
        """The response that is being made; empty when there is none."""
        self._asked = False
        """Whether a response is due, by our asking or the caller's pause, that has not begun."""
        self._asked_ms = 0.0
        """Since when; only meaningful with `_asked`."""
        self._alive_ms = 0.0
        """When the model's newest message came, or was heard."""
        self._wanted = False
        """Whether one is to be asked for as soon as that is possible."""
        self._muted = ""
        """A response that the caller interrupted: what still comes of it is not for his ears."""
        self._unheard: dict[str, bool] = {}
        """Items of that response; whether the model must still be told that nothing was heard of one."""
        self.caller_speaks = False
        self._silent_ms: float | None = None
        """Since when the caller waits for an answer; None while he does not."""
        self.keypad = Keypad()
        self._awaited: dict[str, str] = {}
        """Function calls that run, and the response that made each."""
        self._returned_ms = 0.0
        """When a result, or a number that was typed, was last sent."""
        self._letters_per_ms = LETTERS_PER_MS
        """How fast the agent speaks."""
        self._failures = 0
        """Responses that failed since one did not."""

    @property
    def quiet(self) -> bool:
        """Whether the agent has said all it has to say, it was heard, and the caller has nothing to say to it."""
        return self.playback.quiet and not (self.caller_speaks or self._active or self._asked or self._wanted)

    @property
    def unanswered_ms(self) -> float:
        """How long a response that is due has not begun, or nothing more has come of one that has."""
        if self._asked:
            return self.now_ms - self._asked_ms
        return self.now_ms - self._alive_ms if self._active else 0.0

    # The caller's side.

    def frame(self, at_ms: float, mulaw: bytes) -> None:
        """Take a chunk of the caller's audio; its clock is what everything here goes by."""
        self.now_ms = max(self.now_ms, at_ms + len(mulaw) / BYTES_PER_MS)
        if self.ready:
            self._forward(at_ms, mulaw)
        else:
            self._early.append((at_ms, mulaw))
            self._early_bytes += len(mulaw)
            while self._early_bytes > EARLY_MS * BYTES_PER_MS:
                self._early_bytes -= len(self._early.popleft()[1])
        if not self.playback.quiet:
            self._alive_ms = self.now_ms
            self._was_played(self.playback.tick(self.now_ms))
        if self.turns:
            self._tell(self.turns.due(self.now_ms))
        if self.keypad.keys and self.ready and (typed := self.keypad.typed(self.now_ms)):
            # It answers when it has said what it is saying.
            self._to_model(openai.caller_typed(f"[The caller pressed on the keypad: {typed}]"))
            self._wanted, self._returned_ms = True, self.now_ms
            self._respond()

    def mark(self, name: str) -> None:
        """Take a mark that Twilio sent back."""
        self._was_played(self.playback.marked(name, self.now_ms))

    def _forward(self, at_ms: float, mulaw: bytes) -> None:
        if not self._leaps or abs(self._call_ms(self._sent_ms) - at_ms) >= LEAP_MS:
            self._leaps.append((self._sent_ms, at_ms))
        self._sent_ms += len(mulaw) / BYTES_PER_MS
        self._to_model(openai.append(mulaw))

    def _call_ms(self, model_ms: float) -> float:
        """Translate a moment of the model's clock into call time."""
        for since_ms, call_ms in reversed(self._leaps):
            if model_ms >= since_ms:
                return call_ms + model_ms - since_ms
        return model_ms

    # The model's side.

    def opened(self, session: bytes) -> None:
        """Say how the session is to be, as soon as there is one."""
        self._to_model(session)

    def take(self, message: openai.Message | None) -> None:
        """Take one message of the model. Raises: ProviderError when the conversation cannot go on."""
        self._alive_ms = self.now_ms
        match message:
            case openai.AudioDelta(response_id, item_id, mulaw):
                if response_id != self._muted:
                    self._speak(response_id, item_id, mulaw)
                else:
                    self._unheard.setdefault(item_id, True)
            case openai.AgentWords(response_id, item_id, delta):
                if response_id != self._muted:
                    self._utterance(response_id, item_id).text += delta
            case openai.AgentSaid(response_id, item_id, transcript):
                if response_id != self._muted:
                    utterance = self._utterance(response_id, item_id)
                    utterance.text, utterance.text_done = transcript, True
                    self._settle(item_id)
            case openai.AudioDone(response_id, item_id):
                if response_id != self._muted:
                    self._utterance(response_id, item_id).audio_done = True
                    self._settle(item_id)
            case openai.SpeechStarted(audio_start_ms, item_id):
                self.caller_speaks, self._silent_ms, self._asked = True, None, False  # what was due is due when he has spoken
                self.turns.begin(item_id, "inbound", min(self._call_ms(audio_start_ms), self.now_ms))
                self.interrupt()
            case openai.SpeechStopped(audio_end_ms, item_id):
                self.caller_speaks, self._silent_ms = False, min(self._call_ms(audio_end_ms), self.now_ms)
                self.turns.end(item_id, self._silent_ms)
                if self._wanted and self.now_ms - self._returned_ms >= TAKEN_UP_MS:
                    self._wanted = False
                if not self._active:
                    self._expect_response()
            case openai.CallerWords(item_id, delta):
                self._was_said(item_id)
                self._tell(self.turns.extend(item_id, delta or "", self.now_ms))
            case openai.CallerSaid(item_id, transcript):
                self._was_said(item_id)
                self._tell(self.turns.settle(item_id, transcript, self.now_ms))
            case openai.CallerUnheard(item_id, error):
                self._tell(self.turns.fail(item_id, f"it could not be transcribed: {error.message[:100]}", self.now_ms))
            case openai.ResponseCreated(response):
                self._active, self._asked = response.id or "", False
                if self.caller_speaks:  # it was asked for before that was known; what the caller says is answered anyway
                    self._muted = self._active
                    self._to_model(openai.response_cancel(self._active))
            case openai.ItemDone(response_id, item):
                self._called(response_id, item)
            case openai.ResponseDone(response):
                self._done(response)
            case openai.SessionUpdated():
                self._begin()
            case openai.Error(trouble):
                self._wrong(trouble)
            case _:
                pass

    def _begin(self) -> None:
        if self.ready:
            return
        self.ready = True
        if self._agent.greeting:
            self._expect_response()
            self._to_model(openai.response_create(f"Greet the caller. Say exactly this, and nothing else: {self._agent.greeting}"))
        for at_ms, mulaw in self._early:
            self._forward(at_ms, mulaw)
        self._early.clear()

    def _was_said(self, item_id: str) -> None:
        """Have a turn for a caller's words: some that nobody said the beginning of are words all the same."""
        if item_id not in self.turns:
            self.turns.begin(item_id, "inbound", self.now_ms)
            self.turns.end(item_id, self.now_ms)

    def _utterance(self, response_id: str, item_id: str) -> Utterance:
        utterance = self._utterances.get(item_id)
        if utterance is None:
            utterance = self._utterances[item_id] = Utterance(response_id)
        return utterance

    def _speak(self, response_id: str, item_id: str, mulaw: bytes) -> None:
        if not mulaw:
            return
        if self.playback.unplayed_ms > UNPLAYED_MS:
            raise ProviderError(openai.PROVIDER, "speaks further ahead than anyone could hear", retryable=False)
        self._utterance(response_id, item_id)
        mark = self.playback.add(item_id, mulaw, self.now_ms)
        self._to_caller(self._speech.media(mulaw), self._speech.mark(mark))
        if self._silent_ms is not None:
            self._answered(self.now_ms - self._silent_ms)
            self._silent_ms = None

    def _was_played(self, pieces: Iterable[Played]) -> None:
        for piece in pieces:
            self._played_sink(piece.start_ms, piece.payload)
            utterance = self._utterances.get(piece.item_id)
            if utterance is None:
                continue
            self.turns.begin(piece.item_id, "outbound", piece.start_ms)
            if self.now_ms - utterance.told_ms >= INTERIM_MS:
                utterance.told_ms = self.now_ms
                self._tell(self.turns.revise(piece.item_id, self._heard(piece.item_id, utterance), self.now_ms))
            self._settle(piece.item_id)

    def _heard(self, item_id: str, utterance: Utterance) -> str:
        """Return the words of an item that have been heard."""
        return utterance.heard(self.playback.heard_ms(item_id), self.playback.sent_ms(item_id), self._letters_per_ms)

    def _settle(self, item_id: str) -> None:
        """Tell an item's words for good if it was heard to its end."""
        utterance, span = self._utterances.get(item_id), self.playback.span_ms(item_id)
        if utterance is None or span is None or not (utterance.audio_done and utterance.text_done):
            return
        sent_ms = self.playback.sent_ms(item_id)
        if self.playback.heard_ms(item_id) >= sent_ms:
            self._letters_per_ms = utterance.pace(sent_ms, self._letters_per_ms)
            del self._utterances[item_id]
            self.playback.forget(item_id)
            self.turns.end(item_id, span[1])
            self._tell(self.turns.settle(item_id, utterance.text, self.now_ms))

    def interrupt(self) -> None:
        """Silence the agent, if it speaks: tell Twilio, the model what was heard, and everyone what was."""
        if not self.playback.quiet:
            self._to_caller(self._speech.clear(), None)
        self._muted = self._active or self._muted
        heard_ms, generated_ms = self._cut_short()
        if generated_ms:
            self._interrupted_sink(heard_ms, generated_ms)

    def _cut_short(self) -> tuple[float, float]:
        """Clear what is not played, and settle each item by what was heard of it; return that, and what was sent, in ms."""
        played, cut = self.playback.clear(self.now_ms)
        self._was_played(played)
        silenced = {each.item_id for each in cut}
        heard_ms = generated_ms = 0.0
        for item_id, utterance in list(self._utterances.items()):
            # An item that was heard to the end of what came, and of which more was to come, is cut short as well.
            if item_id not in silenced and utterance.audio_done:
                continue
            heard, sent = self.playback.heard_ms(item_id), self.playback.sent_ms(item_id)
            heard_ms, generated_ms = heard_ms + heard, generated_ms + sent
            del self._utterances[item_id]
            if sent:
                self._unheard[item_id] = False
                self._to_model(openai.truncate(item_id, int(heard)))
            if (span := self.playback.span_ms(item_id)) is not None:
                self.turns.end(item_id, span[1])
                self._tell(self.turns.settle(item_id, self._heard(item_id, utterance), self.now_ms, interrupted=True))
            self.playback.forget(item_id)
        return heard_ms, generated_ms

    # Responses and tools.

    def _called(self, response_id: str, item: openai.Item) -> None:
        if item.type != "function_call" or not item.call_id or item.status == "incomplete" or item.call_id in self._awaited:
            return
        self._awaited[item.call_id] = response_id
        self._use(item)

    def returned(self, call_id: str, output: str, *, respond: bool = True) -> None:
        """Give the model what a function call came to. It is asked to go on once all calls of the same response have come to something."""
        response_id = self._awaited.pop(call_id, "")
        self._to_model(openai.function_output(call_id, output))
        self._returned_ms = self.now_ms
        if respond and response_id not in self._awaited.values():
            self._wanted = True
            self._respond()

    def _respond(self) -> None:
        """Ask for a response, unless there is one, or the caller speaks: then one follows anyway."""
        if self._wanted and not self._active and not self._asked and not self.caller_speaks:
            self._wanted = False
            self._expect_response()
            self._to_model(openai.response_create())

    def _expect_response(self) -> None:
        self._asked, self._asked_ms = True, self.now_ms

    def _done(self, response: openai.Response) -> None:
        self._active = ""
        if response.id == self._muted:
            self._muted = ""
            for item_id, untold in self._unheard.items():
                if untold:
                    self._to_model(openai.truncate(item_id, 0))
            self._unheard.clear()
        for item_id, utterance in list(self._utterances.items()):
            if utterance.response_id == response.id:
                utterance.audio_done = utterance.text_done = True
                if not self.playback.sent_ms(item_id):
                    del self._utterances[item_id]
                self._settle(item_id)
        if response.status == "failed":
            self._failures += 1
            error = openai.failed(response)
            if self._failures > 1 or not error.retryable:
                raise error
            self._wanted = True
        elif response.status == "completed":
            self._failures = 0
        self._respond()

    def _wrong(self, trouble: openai.Trouble) -> None:
        if (error := openai.fatal(trouble)) is not None:
            raise error
        if trouble.code == openai.EAGER:
            self._asked, self._wanted = False, True
        elif not self.ready:
            raise openai.refused_settings(trouble)

    # The end.

    def finish(self) -> bool:
        """Tell what is left, in order, with what was heard of it; return whether no words are missing."""
        self._muted = self._active or self._muted
        self._cut_short()
        for item_id, utterance in self._utterances.items():  # heard to the end, their text not known to be whole
            self._tell(self.turns.settle(item_id, utterance.text, self.now_ms))
        complete = True
        for report in self.turns.close(self.now_ms):
            complete = complete and not isinstance(report, NotTranscribed)
            self._hear(report)
        return complete

    def _tell(self, reports: Iterable[Recognized | NotTranscribed]) -> None:
        for report in reports:
            self._hear(report)
