"""Runs one call that a model answers, in one TaskGroup: caller <-> model, tools, the same topic as any other call.

Twilio's side calls `chunk()`, `mark()`, `dtmf()`, `stop()` and `lost()`, none of which waits. What is said in return goes out by the
callable it is given. The model's session lives inside `run()`: however the call ends, that session is closed before anything else is
done. Knows no aiohttp and no subscriber.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Literal

from websockets.exceptions import ConnectionClosed

from hub import events
from hub.agents import HANG_UP, TRANSFER, Agent
from hub.audio import BYTES_PER_MS, Track
from hub.carrier import Carrier, NotDone
from hub.chronicle import CallLog, Chronicle
from hub.counters import ProviderCounters
from hub.dialogue import Dialogue
from hub.errors import ProviderError, WireError
from hub.registry import Record, Registry
from hub.stereo import StereoTimeline
from hub.transcribers import Lost
from hub.transcribers.line import Line, dial
from hub.webhooks import Outcome, Webhooks, read_arguments
from hub.wire import openai
from hub.wire.twilio import Speech, StartBody

log = logging.getLogger(__name__)

OPEN_SECONDS = 5.0
"""How long a session may take to open, and again to be as it was asked to be: somebody listens to nothing."""

QUIET_SECONDS = 60.0
"""A stream without a frame for so long is lost; see hub.call."""

ANSWER_SECONDS = 15.0
"""How long a model may take to begin a response that it was asked for: a second or two is normal, and somebody listens to nothing."""

LOOK_SECONDS = 5.0
"""How often it is looked whether anything takes too long."""

LEAVE_SECONDS = 15.0
"""How long an agent that hangs up or transfers may take to say goodbye."""

STALLED_SECONDS = 5.0
"""A model's server that takes nothing off its socket for so long is gone; the socket's buffer holds about as much of the caller."""

JITTER_MS = 250
"""Played audio follows what was played before it, unless the clock says that it was this much later: then there was a pause."""

EndReason = Literal["completed", "stream-lost", "hub-stopping", "failed", "agent-lost", "agent-limit", "agent-hung-up", "transferred"]

END_SENTENCES: dict[str, str] = {"agent-limit": "the agent's time is up", "agent-lost": "the agent was lost"}
"""How a socket is closed whose call goes on without the agent."""


class AgentCall:
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
        webhooks: Webhooks,
        carrier: Carrier | None,
        say: Callable[[bytes, bytes | None], None],
        on_over: Callable[[str], None],
        clock: Callable[[], float],
        counters: ProviderCounters,
    ) -> None:
        """`address` and `key` are the model's; the agent stays for `seconds` at most. `clock` is monotonic seconds.

        `say` sends one or two messages to Twilio in one write; `on_over` is called with a sentence to close the stream from here.
        """
        self.record = record
        self.agent = agent
        self.chronicle = Chronicle(record, registry)
        self.timeline = StereoTimeline()
        self.timeline.skip_to(record.call_ms)
        self.timeline.expect(["inbound", "outbound"])
        self._start = start
        self._address = address
        self._key = key
        self._seconds = seconds
        self._webhooks = webhooks
        self._carrier = carrier
        self._on_over = on_over
        self._clock = clock
        self._counters = counters
        self._base_ms = round(self.timeline.end_ms)
        """Call time at the stream's own zero."""
        self._heard_at = clock()
        """When the last frame came."""
        self._line: Line | None = None
        """The model's connection; None while there is none."""
        self._stalled_at: float | None = None
        """Since when it takes nothing; None while it does."""
        self._tools: asyncio.TaskGroup | None = None
        self._over = asyncio.Event()
        """Set when the call is over, for `_reason`."""
        self._reason: EndReason = "completed"
        self._said = asyncio.Event()
        """Set when the agent has nothing left to say, for whoever waits to leave."""
        self._leaving = False
        self._played_bytes = 0
        """Where in call time the agent's played audio ends, in bytes."""
        self._unaligned = b""
        """Played bytes that do not fill a millisecond."""
        self.dialogue = Dialogue(
            agent, Speech(start.stream_sid), to_model=self._to_model, to_caller=say, hear=self.chronicle.hear, played=self._was_played,
            interrupted=self._was_interrupted, use=self._use,
        )  # fmt: skip
        self.dialogue.now_ms = float(self._base_ms)
        self._log = CallLog(log, {"call": record.call_sid, "agent": agent.name})

    def begin(self) -> None:
        """Tell subscribers that the call began."""
        name = events.TranscriberName(provider="openai", model=self.agent.model)
        self.chronicle.began(self._start, ["inbound", "outbound"], name, agent=self.agent.name, speakers={"outbound": self.agent.name})
        self._log.info("answers with %s", self.agent.model)

    # Twilio's side.

    def chunk(self, track: Track, at_ms: int, payload: bytes) -> bool:
        """Take one chunk of the caller's mu-law. Never waits. False: the next one is wanted as soon as it is there."""
        if track != "inbound" or self._over.is_set():
            return False
        self._heard_at = self._clock()
        lane = self.timeline.lanes[track]
        before = lane.end
        self.timeline.add(track, self._base_ms + at_ms if at_ms >= 0 else -1, payload)
        if lane.end > before:  # not a repeat, not late, and not of a time that cannot be true: those would move the model's clock
            self._counters.sent_ms += len(payload) / BYTES_PER_MS
            self.dialogue.frame(self._base_ms + at_ms, payload)
        self._forward()
        if self._leaving and self.dialogue.quiet:
            self._said.set()
        return False

    def mark(self, name: str) -> None:
        """Take a mark that came back."""
        if not self._over.is_set():
            self.dialogue.mark(name)

    def dtmf(self, digit: str, track: Track) -> None:
        """Tell subscribers about a key press."""
        self.record.topic.publish(events.Dtmf(call_sid=self.record.call_sid, digit=digit, track=track))

    def lost(self) -> None:
        """The socket is gone without a word. Nothing happens after `stop()`."""
        self._end("stream-lost")

    def stop(self, reason: EndReason = "completed") -> None:
        """Twilio said that the stream is over."""
        self._end(reason)

    def interrupt(self) -> None:
        """End the call because the hub stops: the caller is told by what the TwiML has after the agent."""
        self._end("hub-stopping", "the hub is stopping")

    def _end(self, reason: EndReason, sentence: str = "") -> None:
        """End the call, once. With a sentence the stream is closed from here."""
        if self._over.is_set():
            return
        self._over.set()
        self._reason = reason
        if self._line is not None:
            # Here and not when a task wakes: every second of an open session is paid for.
            self._line.hang_up(None)
        if sentence:
            self._on_over(sentence)

    def _forward(self) -> None:
        for _block in self.timeline.blocks():
            pass  # to those who listen in
        self.timeline.leaps.clear()

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

    def _was_interrupted(self, heard_ms: float, generated_ms: float) -> None:
        self.record.topic.publish(
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
        except asyncio.CancelledError:
            self._reason = "hub-stopping"
            raise
        except Exception:  # noqa: BLE001  a call is a unit: it ends, the hub goes on
            self._over.clear()
            self._end("failed", "the hub failed on this call")
            self._log.exception("the call failed")
        finally:
            self._over.set()
            self._finish()

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
                    self._lose(ProviderError(openai.PROVIDER, f"did not answer within {ANSWER_SECONDS:.0f} s", retryable=True))

    def _finish(self) -> None:
        complete = self.dialogue.finish()
        for _block in self.timeline.finish():
            pass
        complete = not self.chronicle.close_open() and complete
        ended = self.chronicle.ended(self._reason, self.timeline, complete=complete)
        self._log.info("ended: %s, %.1f s, transcript %s", self._reason, ended.duration, ended.transcript)

    def _fail(self, reason: EndReason, problem: str) -> None:
        """End the agent's part in words: subscribers read them, the caller hears what the TwiML has after the agent."""
        if not self._over.is_set():
            self.chronicle.hear(Lost("openai", problem, 0))
            self._end(reason, END_SENTENCES.get(reason, problem))

    # The model's session.

    async def _converse(self) -> None:
        """Hold the session, and run tools, until cancelled or lost."""
        try:
            connection = await dial(openai.PROVIDER, self._address, openai.headers(self._key), OPEN_SECONDS, openai.refused)
        except ProviderError as error:
            self._lose(error)
            return
        line = self._line = Line(connection, self._received, self._clock())
        self._counters.open_sessions += 1
        ready = asyncio.get_running_loop().call_later(OPEN_SECONDS, self._expect_ready)
        try:
            self.dialogue.opened()
            async with asyncio.TaskGroup() as self._tools:
                await line.closed()
        except* ConnectionClosed as closed:
            rcvd = getattr(closed.exceptions[0], "rcvd", None)
            self._lose(openai.closed(rcvd.code if rcvd else None, rcvd.reason if rcvd else ""))
        finally:
            ready.cancel()
            self._tools = self._line = None
            self._counters.open_sessions -= 1
            line.hang_up(None)

    def _expect_ready(self) -> None:
        if not self.dialogue.ready:
            self._lose(ProviderError(openai.PROVIDER, f"did not begin the session within {OPEN_SECONDS:.0f} s", retryable=True))

    def _lose(self, error: ProviderError) -> None:
        if not self._over.is_set():
            self._log.error("%s", error)
            self._fail("agent-lost", error.problem)

    def _received(self, text: bytes) -> None:
        """Take one message of the model, inside the connection's own read. Never waits, never raises."""
        if self._over.is_set():
            return
        try:
            message = openai.decode(text)
            if type(message) is openai.Error:
                self._log.warning("OpenAI says %s", message.error.code or message.error.type)
                self._log.debug("OpenAI says %s", message.error.message)  # it may quote what was said
            self.dialogue.take(message)
        except WireError as error:
            self._log.warning("%s", error)
        except ProviderError as error:
            self._lose(error)
        except Exception:  # noqa: BLE001  it is taken inside the connection's own read
            self._log.exception("a message of OpenAI could not be taken")

    def _to_model(self, message: bytes) -> None:
        line = self._line
        if line is None or self._over.is_set():
            return
        if line.send_text(message):
            self._stalled_at = None
        elif self._stalled_at is None:
            self._stalled_at = self._clock()
        elif self._clock() - self._stalled_at > STALLED_SECONDS:
            line.cut()

    # Tools.

    def _use(self, item: openai.Item) -> None:
        if self._tools is not None and not self._over.is_set():
            self._tools.create_task(self._run_tool(item.call_id or "", item.name or "", item.arguments or ""))

    async def _run_tool(self, invocation: str, name: str, text: str) -> None:
        """Run one function call: its outcome reaches the model and the topic, whatever it is."""
        began = self._clock()
        outcome = Outcome("failed", "the call ended first")
        schema: dict[str, Any] = next((declared["parameters"] for declared in self.agent.declared() if declared["name"] == name), {})
        arguments, problem = read_arguments(schema, text)
        topic, sid = self.record.topic, self.record.call_sid
        topic.publish(events.ToolCalled(call_sid=sid, invocation=invocation, tool=name, arguments=arguments, time=self._now()))
        try:
            if problem:
                outcome = Outcome("refused", problem)
            elif name in {HANG_UP, TRANSFER}:
                outcome = await self._leave(name, arguments)
            else:
                outcome = await self._post(invocation, name, arguments)
        except Exception:  # noqa: BLE001  a tool is a unit: the model is told, the call goes on
            self._log.exception("tool %s failed", name)
            outcome = Outcome("failed", "the hub failed on this tool")
        finally:
            topic.publish(
                events.ToolReturned(
                    call_sid=sid, invocation=invocation, tool=name, outcome=outcome.kind, detail=outcome.detail, time=self._now(),
                    seconds=round(self._clock() - began, 3),
                )
            )  # fmt: skip
        self.dialogue.returned(invocation, outcome.for_model())

    async def _post(self, invocation: str, name: str, arguments: Any) -> Outcome:
        tool = self.agent.tool(name)
        if tool is None:
            return Outcome("refused", f"there is no tool {name[:64]}")
        caller, called = self.record.numbers
        told = {
            "callSid": self.record.call_sid, "from": caller, "to": called, "agent": self.agent.name, "tool": name,
            "invocation": invocation, "arguments": arguments,
        }  # fmt: skip
        return await self._webhooks.post(tool, f"{self.record.call_sid}-{invocation}", told)

    async def _leave(self, name: str, arguments: Any) -> Outcome:
        """End the call or pass it on, once the agent has been heard to the end."""
        if self._carrier is None:
            return Outcome("refused", "this hub has no Twilio account")
        self._leaving = True
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                self._said.clear()
                await self._said.wait()
        except TimeoutError:
            pass  # the caller has heard enough
        finally:
            self._leaving = False
        try:
            if name == HANG_UP:
                await self._carrier.hang_up(self.record.call_sid)
                self._end("agent-hung-up", "the agent hung up")
                return Outcome("result", "the call was ended")
            await self._carrier.connect(self.record.call_sid, dict(self.agent.transfer)[arguments["to"]])
            self._end("transferred", "the call was transferred")
            return Outcome("result", f"the caller was connected to {arguments['to']}")
        except NotDone as error:
            return Outcome("failed", str(error))
