"""Runs one call that a model answers, in one TaskGroup: caller <-> model, tools, the same topic as any other call.

Twilio's side calls `chunk()`, `mark()`, `dtmf()`, `stop()` and `lost()`, none of which waits. What is said in return goes out by the
callable it is given. The model's session lives inside `run()`: however the call ends, that session is closed before anything else is
done. Knows no aiohttp and no subscriber.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec

from hub import events
from hub.agents import Agent
from hub.agents.conversation import Dialogue
from hub.agents.tools import Leave, Toolbox
from hub.agents.webhooks import Webhooks
from hub.audio.g711 import BYTES_PER_MS, TRACKS, Track
from hub.audio.timeline import Block, StereoTimeline
from hub.calls.call import Peer
from hub.calls.publisher import GAP_MS, Publisher, brought, fared
from hub.errors import ProviderError
from hub.ops.counters import Counters
from hub.ops.logs import CallLog
from hub.topics.registry import Record, Registry
from hub.transcribers.transcriber import Lost
from hub.transcribers.utterances import NotTranscribed
from hub.twilio.media import Speech, StartBody
from hub.twilio.rest import TwilioAccount
from hub.vendors.openai import wire as openai
from hub.vendors.openai.session import ModelSession

log = logging.getLogger(__name__)

QUIET_SECONDS = 60.0
"""A stream without a frame for so long is lost; see hub.call."""

ANSWER_SECONDS = 15.0
"""How long a model may take to begin a response that it was asked for: a second or two is normal, and somebody listens to nothing."""

LOOK_SECONDS = 5.0
"""How often it is looked whether anything takes too long."""

LEAVE_SECONDS = 15.0
"""How long an agent that hangs up or transfers may take to say goodbye."""

PASS_ON_SECONDS = 30.0
"""How long a call is waited for that goes on with somebody else: its TwiML has an apology to say first."""

JITTER_MS = 250
"""Played audio follows what was played before it, unless the clock says that it was this much later: then there was a pause."""

EndReason: TypeAlias = Literal["completed", "stream-lost", "hub-stopping", "failed", "agent-lost", "agent-limit"] | Leave

END_SENTENCES: dict[str, str] = {"agent-limit": "the agent's time is up", "agent-lost": "the agent was lost"}
"""How a socket is closed whose call goes on without the agent."""


class AnsweredStream:
    """The stream of a call that an agent answers. Implements `Stream`."""

    __slots__ = ("chunk", "dtmf", "lost", "mark", "stop")

    def __init__(self, call: "AnsweredCall") -> None:
        self.chunk = call.chunk
        self.mark = call.mark
        self.dtmf = call.dtmf
        self.stop = call.stopped
        self.lost = call.lost


class AnsweredCall:
    """One call, from its stream's start to its end. Stands where a `hub.call.Stream` stands for Twilio's door."""

    def __init__(
        self,
        record: Record,
        registry: Registry,
        agent: Agent,
        start: StartBody,
        *,
        address: str,
        key: str,
        seconds: float,
        public: bool,
        webhooks: Webhooks,
        account: TwilioAccount | None,
        clock: Callable[[], float],
        wall: Callable[[], float],
        counters: Counters,
    ) -> None:
        """`address` and `key` are the model's; the agent stays for `seconds` at most. `clock` is monotonic seconds, `wall` Unix seconds.

        `public`: whether Twilio has an address for the stream of a call that goes on without the agent.
        """
        self.record = record
        self.agent = agent
        self.publisher = Publisher(record, registry)
        self.timeline = StereoTimeline()
        left_off = record.left_off
        self._left_ms = left_off.call_ms if left_off is not None else 0.0
        """Call time at which the stream before this one was left; 0 when there was none."""
        self.timeline.skip_to(self._left_ms + ((clock() - left_off.at) * 1000 if left_off is not None else 0.0))
        self.timeline.expect(["inbound", "outbound"])
        self.superseded = False
        """Whether somebody else goes on with the call, and will say its end."""
        self._start = start
        self._seconds = seconds
        self._public = public
        self._peer: Peer | None = None
        """The socket that brought the stream; None until it joins."""
        self._clock = clock
        self._wall = wall
        self._counters = counters.agents
        self._provider = counters.providers["openai"]
        self._base_ms = round(self.timeline.end_ms)
        """Call time at the stream's own zero."""
        self._heard_at = clock()
        """When the last frame came."""
        self._tools: asyncio.TaskGroup | None = None
        self._over = asyncio.Event()
        """Set when the call is over, for `_reason`."""
        self._reason: EndReason = "completed"
        self._released = asyncio.Event()
        """Set when nothing is waited for any more."""
        self._complete: bool | None = None
        """Whether no words are missing; None until all are told."""
        self._said = asyncio.Event()
        """Set when the agent has nothing left to say, or the caller speaks, for whoever waits to leave."""
        self._leaving = False
        self._played_bytes = 0
        """Where in call time the agent's played audio ends, in bytes."""
        self._unaligned = b""
        """Played bytes that do not fill a millisecond."""
        self._session = ModelSession(address, key, self._provider, clock, record.call_sid)
        self.dialogue = Dialogue(
            agent, Speech(start.stream_sid), to_model=self._session.send, to_caller=self._say, hear=self.publisher.report,
            played=self._was_played,
            interrupted=self._was_interrupted, answered=self._answered, use=self._use,
        )  # fmt: skip
        self.dialogue.now_ms = float(self._base_ms)
        self._toolbox = Toolbox(
            agent, record, self.publisher.publish, start.account_sid,
            webhooks=webhooks, account=account, counters=counters.agents, clock=clock, now=self._now,
            heard=self._was_heard, leave=self._end,
        )  # fmt: skip
        self._log = CallLog(log, {"call": record.call_sid, "stream": start.stream_sid})

    def join(self, start: StartBody, peer: Peer) -> "AnsweredStream":  # noqa: ARG002
        """See Call: the stream is the one that the call was made for."""
        self._peer = peer
        self._begin()
        return AnsweredStream(self)

    def _say(self, message: bytes, another: bytes | None) -> None:
        if self._peer is not None:
            self._peer.write(*((message,) if another is None else (message, another)))

    def _begin(self) -> None:
        """Tell subscribers that the call began."""
        name = events.TranscriberName(provider="openai", model=self.agent.model)
        speakers: dict[Track, str] = {"outbound": self.agent.name}
        self.publisher.began(
            self._start.stream_sid, brought(self._start), ["inbound", "outbound"], name, agent=self.agent.name, speakers=speakers
        )
        if self._base_ms - self._left_ms >= GAP_MS:
            for track in TRACKS:
                self.publisher.report(NotTranscribed(track, self._left_ms / 1000, self._base_ms / 1000, "no stream"))
        self._log.info("the agent %s answers with %s", self.agent.name, self.agent.model)

    @property
    def accepts(self) -> bool:
        """See Call: an agent's call has one stream."""
        return False

    @property
    def holds(self) -> bool:
        """See Call: the agent is to stay, until it leaves or has left."""
        return not self._over.is_set() and self._toolbox.leaving is None

    @property
    def answered(self) -> bool:
        """See Call."""
        return not self._over.is_set()

    def give_way(self) -> None:
        """Let somebody else go on with the call; all that was said is told before."""
        self._end("completed", "the call goes on in another stream")
        self._tell_rest()
        self.superseded = True
        self.record.give_way(self.timeline.end_ms, self._heard_at)
        self._released.set()

    @property
    def streams(self) -> int:
        """How many streams are live; see hub.call."""
        return 0 if self._over.is_set() else 1

    def amiss_bytes(self) -> Counter[tuple[Track, str]]:
        """Return how much of the caller's audio was `filled`, `late` or `dropped`. Where the agent says nothing, nothing is missing."""
        return Counter({what: count for what, count in self.timeline.amiss_bytes().items() if what[0] == "inbound"})

    # Twilio's side.

    def chunk(self, track: Track, at_ms: int, payload: bytes) -> bool:
        """Take one chunk of the caller's mu-law. Never waits. False: the next one is wanted as soon as it is there."""
        if track != "inbound" or self._over.is_set():
            return False
        self._heard_at = self._clock()
        lane = self.timeline.lanes[track]
        before = lane.end
        ready = self.timeline.add(track, self._base_ms + at_ms if at_ms >= 0 else -1, payload)
        if lane.end > before:  # not a repeat, not late, and not of a time that cannot be true: those would move the model's clock
            self._provider.sent_ms += len(payload) / BYTES_PER_MS
            self.dialogue.frame(self._base_ms + at_ms, payload)
        if ready:
            self._forward()
        if self._leaving and (self.dialogue.quiet or self.dialogue.caller_speaks):
            self._said.set()
        return False

    def mark(self, name: str) -> None:
        """Take a mark that came back."""
        if not self._over.is_set():
            self.dialogue.mark(name)

    def dtmf(self, digit: str, track: Track) -> None:
        """Tell subscribers, and the model, about a key press."""
        self.publisher.publish(events.Dtmf(call_sid=self.record.call_sid, digit=digit, track=track))
        if not self._over.is_set():
            self.dialogue.keypad.press(digit, self.dialogue.now_ms)

    def lost(self) -> None:
        """The socket is gone without a word. Nothing happens after `stop()`."""
        self._end("stream-lost")

    def stopped(self) -> None:
        """Twilio said that the stream is over."""
        self._end("completed")

    def stop(self) -> None:
        """See Call: the caller receives what the TwiML has after the agent."""
        self._end("hub-stopping", "the hub is stopping")
        self._released.set()

    def _end(self, reason: EndReason, sentence: str = "") -> None:
        """End the call, once. With a sentence the stream is closed from here."""
        if self._over.is_set():
            return
        self._over.set()
        # Twilio ends the stream of a call that it was told to end or to pass on, and may do that before it says that it will.
        self._reason = self._toolbox.leaving or reason
        self._session.hang_up()
        if sentence and self._peer is not None:
            self._peer.close(sentence)

    def _forward(self) -> None:
        for block in self.timeline.blocks():
            self._play(block)
        self.timeline.leaps.clear()

    def _play(self, block: Block) -> None:
        """Let those who listen in hear it. The model does not: the caller's frames went to it as they came."""
        if self.record.live_audio.listeners:
            self.record.live_audio.play(block)

    def _was_played(self, start_ms: float, mulaw: bytes) -> None:
        """Put what the caller heard of the agent where it was heard. Marks jitter; speech does not, so it is joined as it was sent."""
        mulaw = self._unaligned + mulaw
        start = round(start_ms) * BYTES_PER_MS
        if start - self._played_bytes > JITTER_MS * BYTES_PER_MS:
            self._played_bytes = start
        whole = len(mulaw) // BYTES_PER_MS * BYTES_PER_MS
        self._unaligned = mulaw[whole:]
        if whole:
            self.timeline.add("outbound", self._played_bytes // BYTES_PER_MS, mulaw[:whole])
            self._played_bytes += whole

    def _answered(self, waited_ms: float) -> None:
        self._counters.answer_seconds.add(waited_ms / 1000)

    def _was_interrupted(self, heard_ms: float, generated_ms: float) -> None:
        self._counters.interruptions += 1
        self.publisher.publish(
            events.AgentInterrupted(
                call_sid=self.record.call_sid,
                time=self._now(),
                heard=round(heard_ms / 1000, 3),
                generated=round(generated_ms / 1000, 3),
            )
        )

    def _now(self) -> float:
        return round(self.dialogue.now_ms / 1000, 3)

    # The call as a whole.

    async def run(self) -> None:
        """Live from the stream's start to `call-ended`. Cancelling it closes the model's session at once."""
        try:
            async with asyncio.TaskGroup() as group:
                conversation = group.create_task(self._converse())
                await self._until_over()
                conversation.cancel()
            self._tell_rest()
            if self._passes_on:
                await self._until_released()
        except asyncio.CancelledError:
            self._reason = "hub-stopping"
            raise
        except Exception:  # noqa: BLE001  a call is a unit: it ends, the hub goes on
            self._over.clear()
            self._end("failed", "the hub failed on this call")
            self._log.exception("the call failed")
        finally:
            self._over.set()
            self._tell_rest()

    async def _until_over(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._seconds
        while not self._over.is_set():
            try:
                async with asyncio.timeout_at(min(deadline, loop.time() + LOOK_SECONDS)):
                    await self._over.wait()
            except TimeoutError:
                if loop.time() >= deadline:
                    self._log.warning("the agent's time is up after %.0f minutes", self._seconds / 60)
                    self._fail("agent-limit", f"the agent's time is up: {self._seconds / 60:g} minutes are the most (HUB_AGENT_MINUTES)")
                elif self._clock() - self._heard_at >= QUIET_SECONDS:
                    self._end("stream-lost", f"no frame for {QUIET_SECONDS:.0f} s")
                elif self.dialogue.unanswered_ms >= ANSWER_SECONDS * 1000:
                    self._session.lose(ProviderError(openai.PROVIDER, f"did not answer within {ANSWER_SECONDS:.0f} s", retryable=True))

    @property
    def _passes_on(self) -> bool:
        """Whether the call is to go on with somebody else, in a stream at /twilio: so its TwiML has it, if it is ours."""
        return self._public and (self._reason == "transferred" or (self._reason in END_SENTENCES and bool(self.agent.dial)))

    async def _until_released(self) -> None:
        """Wait for that stream."""
        try:
            async with asyncio.timeout(PASS_ON_SECONDS):
                await self._released.wait()
        except TimeoutError:
            pass  # nobody was reached, or the caller did not wait

    def _tell_rest(self) -> None:
        """Tell what was said and not told yet, once."""
        if self._complete is not None:
            return
        self._complete = self.dialogue.finish()
        for block in self.timeline.finish():
            self._play(block)
        self._complete = not self.publisher.close_open() and self._complete

    def end(self) -> None:
        """See Call."""
        if self.superseded:
            return
        audio = fared(self.timeline)
        audio["outbound"] = msgspec.structs.replace(audio["outbound"], filled_ms=0)  # an agent's silence is not audio that did not come
        ended = self.publisher.ended(self._reason, self.timeline.end_ms, audio, complete=bool(self._complete))
        self._log.info("ended: %s, %.1f s, transcript %s", self._reason, ended.duration, ended.transcript)

    def _fail(self, reason: EndReason, problem: str) -> None:
        """End the agent's part in words: subscribers read them, the caller hears what the TwiML has after the agent."""
        if not self._over.is_set():
            self.publisher.report(Lost("openai", problem, 0))
            self._end(reason, END_SENTENCES.get(reason, problem))

    # The model and its tools.

    async def _converse(self) -> None:
        """Hold the session, and run tools, until cancelled."""
        async with asyncio.TaskGroup() as self._tools:
            await self._session.hold(self._opened, self.dialogue.take, self._lost_model)

    def _opened(self) -> None:
        caller, called = self.record.numbers
        self.dialogue.opened(self.agent.session(self._wall(), caller or "", called or ""))

    def _lost_model(self, error: ProviderError) -> None:
        self._fail("agent-lost", error.problem)

    def _use(self, item: openai.Item) -> None:
        if self._tools is not None and not self._over.is_set():
            self._tools.create_task(self._run_tool(item.call_id or "", item.name or "", item.arguments or ""))

    async def _run_tool(self, invocation: str, name: str, text: str) -> None:
        outcome = await self._toolbox.use(invocation, name, text)
        self.dialogue.returned(invocation, outcome.for_model())

    async def _was_heard(self, patient: bool) -> bool:
        """Wait until the agent has been heard to the end and nobody speaks, but not for ever; see Toolbox."""
        self._leaving = True
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                while True:
                    self._said.clear()
                    await self._said.wait()
                    if self.dialogue.quiet or not patient:
                        return self.dialogue.quiet
        except TimeoutError:
            return True  # the caller has heard enough
        finally:
            self._leaving = False
