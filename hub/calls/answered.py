"""A call that an agent answers, in one TaskGroup: caller <-> conversation <-> voice model, tools, and the same log as any other call.

The conversation decides, this module does: it takes in Twilio's frames and the model's events, hands them to `Conversation.receive()`, and
executes the commands that come back. The model's session lives inside `run()`: however the call ends, that session is closed before
anything else is done. Knows no vendor, no socket and no subscriber.
"""

import asyncio
import logging
from collections import Counter
from typing import assert_never

import msgspec

from hub import events
from hub.agents import Agent
from hub.agents.commands import (
    Answered,
    CallerFrame,
    CallOver,
    ClearCaller,
    ClockLeapt,
    Command,
    ConversationEvent,
    GiveUp,
    Interrupted,
    KeyPressed,
    MarkReturned,
    Play,
    Publish,
    Said,
    ToCaller,
    ToModel,
    ToolDone,
    Trouble,
    UseTool,
)
from hub.agents.conversation import Before, Conversation
from hub.agents.patience import ModelPatience
from hub.agents.tools import Toolbox
from hub.agents.voice_model import ModelEvent, ToolCall, VoiceModel
from hub.audio.dejitter import VOICE_MS, Dejitter
from hub.audio.g711 import BYTES_PER_MS, TRACKS, Track
from hub.audio.lost import Share
from hub.audio.timeline import Block, StereoTimeline
from hub.calls.afterwards import END_SENTENCES, Afterwards
from hub.calls.agent_context import AgentContext, AgentLimits
from hub.calls.agent_reports import AgentReports
from hub.calls.agent_stream import AgentStream
from hub.calls.call import STALLED_SECONDS, EndReason, Peer
from hub.calls.condition import Condition
from hub.calls.earlier import Earlier
from hub.calls.orders import Orders
from hub.calls.publisher import GAP_MS, Publisher, brought, fared
from hub.calls.tool_use import ToolUse
from hub.ops.logs import CallLog
from hub.topics.record import LeftOff, Record
from hub.topics.registry import Registry
from hub.transcribers.transcriber import Lost
from hub.transcribers.utterances import NotTranscribed
from hub.twilio.media import StartBody

log = logging.getLogger(__name__)


class AnsweredCall:
    """One call that an agent answers, from its stream's start to `call-ended`. Implements `hub.calls.call.Call`."""

    def __init__(
        self, record: Record, registry: Registry, agent: Agent, model: VoiceModel, context: AgentContext, limits: AgentLimits
    ) -> None:
        self.record = record
        self.superseded = False
        self.agent = agent
        self._model = model
        self._context = context
        self._limits = limits
        self._clock = context.clock
        self._provider = context.counters.providers[model.provider]
        self._publisher = Publisher(record, registry)
        began = self._clock()
        self._timeline = StereoTimeline(lambda: (self._clock() - began) * 1000, follows_late=False, patience_ms=VOICE_MS)
        left_off = record.left_off
        self._before_ms = left_off.call_ms if left_off is not None else 0.0
        """Call time at which the stream before this one was left. 0 when there was none."""
        self._timeline.skip_to(self._before_ms + ((self._clock() - left_off.at) * 1000 if left_off is not None else 0.0))
        self._timeline.go_on(left_off.lost if left_off is not None else {})
        self._timeline.expect(list(TRACKS))
        self._condition = Condition(self._publisher, self._timeline, ("inbound",))
        self._caller_lane = self._timeline.lanes["inbound"]
        self._base_ms = round(self._timeline.end_ms)
        """Call time at the stream's own zero."""
        patience = ModelPatience(answer_ms=limits.answer_seconds * 1000)
        earlier = Earlier(record, agent.name)
        greeting = "" if earlier.goes_on else agent.greeting
        self._conversation = Conversation(greeting, float(self._base_ms), patience, Before(earlier.told, goes_on=earlier.goes_on))
        toolbox = Toolbox(agent, record, context.webhooks, context.account)
        self._tools = ToolUse(toolbox, self._publisher, self._conversation, context, limits.leave_seconds)
        self._reports = AgentReports(self._publisher, context.counters.agents, model.provider)
        self.orders = Orders(self, self._publisher, self._tools, context)
        """Those of people who steer the call."""
        self._stream: AgentStream | None = None
        """None before `join()`."""
        self._heard_at = self._clock()
        """When the last frame came."""
        self._voice = Dejitter()
        self._over = asyncio.Event()
        """Set when the agent's part is over, for `_reason`."""
        self._reason: EndReason = "completed"
        """Why the call ended. Only meaningful once it is over."""
        self._afterwards = Afterwards(agent, limits, reachable=context.reachable)
        self._complete: bool | None = None
        """Whether no words are missing. None until the last words are published."""
        self._log = CallLog(log, {"call": record.call_sid})

    # The verbs of every call.

    @property
    def accepts(self) -> bool:
        """Whether a stream may join: never, for an agent's call has the one that it began with."""
        return False

    @property
    def holds(self) -> bool:
        """Whether the agent is to stay: no other Call may take the callSid over until it leaves, has left, or is not heard any more."""
        stale = self._clock() - self._heard_at >= self._limits.stale_seconds
        return not self._over.is_set() and self._tools.leaving is None and not stale

    @property
    def answered(self) -> bool:
        """Whether the agent is on the line now."""
        return not self._over.is_set()

    @property
    def streams(self) -> int:
        """How many streams are live."""
        return 0 if self._over.is_set() else 1

    @property
    def awaits_stream(self) -> bool:
        """Whether the stream of what follows may come: the agent leaves, or has left."""
        return not self.holds

    @property
    def call_ms(self) -> float:
        """See Call."""
        return self._timeline.end_ms + (self._clock() - self._heard_at) * 1000

    def amiss_bytes(self) -> Counter[tuple[Track, str]]:
        """Return how much of the caller's audio was `filled`, `late` or `dropped`. Where the agent says nothing, nothing is missing."""
        return Counter({what: count for what, count in self._timeline.amiss_bytes().items() if what[0] == "inbound"})

    def join(self, start: StartBody, peer: Peer, base_ms: int | None = None) -> AgentStream:  # noqa: ARG002  it begins now always
        """Take in the call's one stream and publish `call-started`. Must come before `run()`. Never waits."""
        assert self._stream is None, "an agent's call has one stream"
        self._stream = AgentStream(self, start, peer)
        self._log = CallLog(log, {"call": self.record.call_sid, "stream": start.stream_sid})
        name = events.TranscriberName(provider=self._model.provider, model=self._model.model)
        speakers: dict[Track, str] = {"outbound": self.agent.name}
        self._publisher.began(start.stream_sid, brought(start), list(TRACKS), name, agent=self.agent.name, speakers=speakers)
        if self._base_ms - self._before_ms >= GAP_MS:
            self._publish_gap(self._before_ms, self._base_ms, "no stream")
        self.orders.begin(start.account_sid)
        self._log.info("the agent %s answers with %s", self.agent.name, self._model.model)
        return self._stream

    def give_way(self) -> None:
        """Let another Call go on with this callSid. All that was said here is published before."""
        self._end("completed", "the call goes on in another stream")
        self._publish_rest()
        self.superseded = True
        self.record.words_missing = self.record.words_missing or not self._complete
        self.record.give_way(LeftOff(self._timeline.end_ms, self._heard_at, self._lost()))
        self._afterwards.release()

    def left(self, sentence: str) -> None:
        """End the agent's part: it left, and Twilio has the call."""
        self._end("completed", sentence)

    def stop(self) -> None:
        """End the call because the hub stops. What the TwiML has after the agent tells the caller."""
        self._end("hub-stopping", "the hub is stopping")
        self._afterwards.release()

    async def run(self) -> None:
        """See Call. However it comes about that this is over, the model's session is closed then."""
        try:
            async with asyncio.TaskGroup() as group:
                conversation = group.create_task(self._converse())
                await self._until_over()
                conversation.cancel()
            self._publish_rest()
            await self._afterwards.wait(self._reason)
        except asyncio.CancelledError:
            self._reason = "hub-stopping"
            raise
        except Exception:  # noqa: BLE001  a call is a unit: it ends, the hub goes on
            self._over.clear()
            self._end("failed", "the hub failed on this call")
            self._log.exception("the call failed")
        finally:
            self._over.set()
            self._publish_rest()

    def end(self) -> None:
        """Publish `call-ended`, unless superseded."""
        if self.superseded:
            return
        audio = fared(self._timeline)
        # An agent's silence is not audio that is missing.
        audio["outbound"] = msgspec.structs.replace(audio["outbound"], filled_ms=0, lost_ms=0)
        complete = bool(self._complete) and self._reason != "stream-lost"  # nobody knows what was said after that
        ended = self._publisher.ended(self._reason, self._timeline.end_ms, audio, complete=complete, lost=self._lost())
        self._log.info("ended: %s, %.1f s, %s", self._reason, ended.duration, ended.completeness.summary)

    def _lost(self) -> dict[Track, Share]:
        """Return how much audio was lost: the caller's, and what an earlier part of the call lost of the other side's."""
        return self._timeline.lost(("inbound",)) | {"outbound": self._timeline.lanes["outbound"].earlier}

    # Twilio's side.

    def take(self, at_ms: int, mulaw: bytes) -> None:
        """Take one chunk of the caller, at `at_ms` of the stream's own time. Never waits.

        Only a chunk that brings the timeline forward reaches the model, which counts bytes and knows no timestamps. A frame that Twilio
        repeats, or one that comes late, would move the model's clock against the call's: every time that the model gives after it would
        be wrong, and the caller's words would be heard twice.
        """
        if self._over.is_set():
            return
        self._heard_at = self._clock()
        before = self._caller_lane.end
        ready = self._timeline.add("inbound", self._base_ms + at_ms if at_ms >= 0 else -1, mulaw)
        if self._timeline.leaps:
            self._leap()
        if self._caller_lane.end > before:
            self._provider.sent_ms += len(mulaw) / BYTES_PER_MS
            call_ms = self._base_ms + at_ms + self._caller_lane.shift // BYTES_PER_MS
            self._execute(self._conversation.receive(CallerFrame(call_ms, mulaw)))
        if ready:
            self._listen_in(self._timeline.blocks())
        if self._tools.waiting:
            self._tools.look()

    def take_mark(self, name: str) -> None:
        """Take a mark that Twilio sent back."""
        self.receive(MarkReturned(name))

    def press(self, digit: str, track: Track) -> None:
        """Publish a key press, and have the model told of it."""
        if not self._over.is_set():
            self._publisher.publish(events.Dtmf(call_sid=self.record.call_sid, digit=digit, track=track))
            self.receive(KeyPressed(digit))

    def leave(self, reason: EndReason) -> None:
        """Twilio's stream is over, by its own word or because the socket is gone. Audio that stopped long before was lost."""
        stalled_seconds, before_ms = self._clock() - self._heard_at, self._timeline.end_ms
        if reason == "completed" and stalled_seconds >= STALLED_SECONDS and not self._over.is_set():
            self._timeline.skip_to(before_ms + stalled_seconds * 1000)
            self._publish_gap(before_ms, self._timeline.end_ms, "no audio", ("inbound",))
        self._end(reason)

    def receive(self, event: ConversationEvent) -> None:
        """Have the conversation take an event, and do what it asks for. Never waits. Has no effect once the agent's part is over."""
        if not self._over.is_set():
            self._execute(self._conversation.receive(event))

    def _receive_from_model(self, event: ModelEvent) -> None:
        try:
            self.receive(event)
        except Exception:  # noqa: BLE001  the agent's part is a unit: it ends, the caller hears what the TwiML has after it
            self._log.exception("an event of the model could not be taken")
            self._fail("agent-lost", "the hub failed on what the model sent")

    def _leap(self) -> None:
        """Publish what the stream's clock jumped over, as a gap of both tracks, and go on after it."""
        leaps, self._timeline.leaps = self._timeline.leaps, []
        for tracks, start_ms, end_ms in leaps:
            self._publish_gap(start_ms, end_ms, "the stream's clock leapt", tracks)
            self.receive(ClockLeapt(end_ms - start_ms))

    def _publish_gap(self, start_ms: float, end_ms: float, reason: str, tracks: tuple[Track, ...] = TRACKS) -> None:
        for track in tracks:
            self._publisher.report(NotTranscribed(track, start_ms / 1000, end_ms / 1000, reason))

    def _listen_in(self, blocks: list[Block]) -> None:
        """Let listeners and the recording have the call's audio. Not the model, which got the caller's frames as they came."""
        for block in blocks:
            self.record.pass_on(block)
            self._condition.look(block)

    # What the conversation asks for.

    def _execute(self, commands: list[Command]) -> None:
        for command in commands:
            if type(command) is ToModel:  # nearly always: each frame of the caller is one
                self._model.send(command.request)
                continue
            match command:
                case ToModel():
                    self._model.send(command.request)
                case ToCaller():
                    assert self._stream is not None
                    self._stream.say(command.mulaw, command.mark)
                case ClearCaller():
                    assert self._stream is not None
                    self._stream.clear()
                case Publish(report):
                    self._publisher.report(report)
                case Play():
                    self._place(command.start_ms, command.mulaw)
                case Interrupted(heard_ms, generated_ms):
                    self._reports.interrupted(self._conversation.seconds, heard_ms, generated_ms)
                case Answered(waited_ms):
                    self._context.counters.agents.answer_seconds.add(waited_ms / 1000)
                case UseTool(call):
                    self._tools.do(self._use_tool(call))
                case Said():
                    self.orders.said(command)
                case Trouble(problem):
                    self._reports.troubled(self._conversation.seconds, problem)
                case GiveUp(problem):
                    self._lose(problem)
                case _:
                    assert_never(command)

    def _place(self, start_ms: float, mulaw: bytes) -> None:
        """Put the agent's voice on the timeline where the caller heard it."""
        at_ms, whole = self._voice.place(start_ms, mulaw)
        if whole:
            self._timeline.add("outbound", at_ms, whole)

    async def _use_tool(self, call: ToolCall) -> None:
        """Run one tool call, and give the model what came of it. If the agent left by it, end the agent's part instead."""
        assert self._stream is not None
        outcome = await self._tools.use(call, self._stream.account_sid)
        if self._tools.left:
            self.left(self._tools.left)
        else:
            self.receive(ToolDone(call.call_id, outcome.for_model()))

    # The model.

    async def _converse(self) -> None:
        """Hold the model's session, and run tools, until cancelled."""
        caller, called = self.record.numbers
        settings = self.agent.session(self._context.wall(), caller or "", called or "")
        async with asyncio.TaskGroup() as self._tools.tasks:
            await self._model.run(settings, self._receive_from_model)

    def _lose(self, problem: str) -> None:
        """End the agent's part because its model cannot go on."""
        if not self._over.is_set():
            self._provider.refused += 1
            self._log.error("%s %s", self._model.provider, problem)
            self._fail("agent-lost", problem)

    # The end.

    async def _until_over(self) -> None:
        """Return when the agent's part is over, and see to it that it is when anything takes too long."""
        limits, deadline = self._limits, self._clock() + self._limits.call_seconds
        while not self._over.is_set():
            try:
                async with asyncio.timeout(max(0.0, min(deadline - self._clock(), limits.look_seconds))):
                    await self._over.wait()
            except TimeoutError:
                if self._clock() >= deadline:
                    self._log.warning("the agent's time is up after %.0f minutes", limits.call_seconds / 60)
                    minutes = f"{limits.call_seconds / 60:g} minutes are the most (HUB_AGENT_MINUTES)"
                    self._fail("agent-limit", f"the agent's time is up: {minutes}")
                elif self._clock() - self._heard_at >= limits.quiet_seconds:
                    self._end("stream-lost", f"no frame for {limits.quiet_seconds:.0f} s")

    def _fail(self, reason: EndReason, problem: str) -> None:
        """End the agent's part with a reason that subscribers read. The caller hears what the TwiML has after the agent."""
        if not self._over.is_set():
            self._publisher.report(Lost(self._model.provider, problem, 0))
            self._end(reason, END_SENTENCES.get(reason, problem))

    def _end(self, reason: EndReason, sentence: str = "") -> None:
        """End the agent's part, once. With a sentence the stream is closed from here."""
        if self._over.is_set():
            return
        self._over.set()
        # Twilio ends the stream of a call that it was asked to end or to transfer, and may do that before it answers that it will.
        self._reason = self._tools.leaving or reason
        self._model.close()
        if sentence and self._stream is not None:
            self._stream.close(sentence)

    def _publish_rest(self) -> None:
        """Publish what was said and is not published yet, once."""
        if self._complete is not None:
            return
        self._complete = False
        self._execute(self._conversation.receive(CallOver()))
        self.orders.over()
        self._listen_in(self._timeline.finish())
        self._complete = not self._publisher.close_open() and self._conversation.complete
