"""The contract of every voice model: the same events, in the same order, for the same requests, whoever the vendor is.

Run over OpenAI's model against the fake Realtime API, and over the model that tests of calls use.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

import pytest

from hub.agents.voice_model import (
    AddCallerText,
    AddToolOutput,
    AgentAudio,
    AgentAudioDone,
    AgentText,
    AppendAudio,
    CallerSpeechStarted,
    CallerSpeechStopped,
    CallerText,
    CancelResponse,
    CreateResponse,
    ModelActivity,
    ModelEvent,
    ResponseEnded,
    ResponseRefused,
    ResponseStarted,
    SessionLost,
    SessionReady,
    SessionSettings,
    ToolCall,
    ToolDeclaration,
    TruncateItem,
    VoiceModel,
)
from hub.ops.counters import Counters
from hub.vendors.openai.session import RealtimeEndpoint, RealtimeSession
from hub.vendors.openai.voice_model import OpenAIModel
from tests.agents.lines import words
from tests.providers.fake_openai import FakeOpenAI
from tests.providers.openai_script import Call, Model, Reply, overheard
from tests.providers.scripted_model import TalkingModel

SETTINGS = SessionSettings(
    instructions="Be brief.",
    voice="marin",
    turn_detection="server_vad",
    transcription_model="gpt-transcribe",
    tools=[ToolDeclaration("look", "Looks.", {"type": "object", "properties": {}})],
)


@dataclass
class Stage:
    """A model, what it said, and what its other side knows."""

    model: VoiceModel
    outputs: Callable[[], dict[str, str]]  # tool outputs that the other side has
    truncated: Callable[[], list[int]]  # ms heard of each item that was truncated there
    lose: Callable[[], object]  # break the session from the other side
    running: Callable[[], bool]  # whether the other side has a session
    events: list[ModelEvent] = field(default_factory=list)

    def of(self, kind: type[ModelEvent]) -> list[ModelEvent]:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, kind: type[ModelEvent], count: int = 1) -> ModelEvent:
        """Wait for so many events of a kind; return the newest."""
        while len(self.of(kind)) < count:
            await asyncio.sleep(0.001)
        return self.of(kind)[count - 1]

    def say(self, mulaw: bytes) -> None:
        for at in range(0, len(mulaw), 160):
            self.model.send(AppendAudio(mulaw[at : at + 160]))


@asynccontextmanager
async def openai(replies: Sequence[Reply] = ()) -> AsyncIterator[Stage]:
    async with FakeOpenAI(Model(replies=replies), key="k") as fake:
        counters = Counters().providers["openai"]
        endpoint = RealtimeEndpoint(f"{fake.url}/v1/realtime?model=gpt-realtime-2.1", "k")
        model = OpenAIModel("gpt-realtime-2.1", RealtimeSession(endpoint, counters, time.monotonic, "CA1"))

        def truncated() -> list[int]:
            return [each.truncated_ms for each in fake.talks[0].items.values() if each.truncated_ms is not None]

        def lose() -> None:
            fake.model.drop_after_ms = 0
            model.send(AppendAudio(b"\xff" * 160))

        yield Stage(
            model,
            lambda: fake.talks[0].outputs,
            truncated,
            lose,
            lambda: fake.open_sessions > 0,
        )
        assert fake.talks[0].errors in ([], ["conversation_already_has_active_response"])


@asynccontextmanager
async def scripted(replies: Sequence[Reply] = ()) -> AsyncIterator[Stage]:
    model = TalkingModel(replies, "do tell me")
    yield Stage(
        model,
        lambda: model.outputs,
        lambda: list(model.truncated.values()),
        lambda: model.lose("lost the connection"),
        lambda: model.running,
    )


@dataclass
class Kind:
    """One implementation."""

    stage: Callable[..., AbstractAsyncContextManager[Stage]]

    @asynccontextmanager
    async def open(self, *replies: Reply) -> AsyncIterator[Stage]:
        """Run a session until the test is over or it ends by itself."""
        async with self.stage(replies) as stage, asyncio.TaskGroup() as group:
            group.create_task(stage.model.run(SETTINGS, stage.events.append))
            await stage.until(SessionReady)
            yield stage
            stage.model.close()


@pytest.fixture(params=[openai, scripted], ids=["openai", "scripted"])
def kind(request: pytest.FixtureRequest) -> Kind:
    return Kind(request.param)


async def test_a_session_is_ready_before_anything_else_that_means_something(kind: Kind) -> None:
    async with kind.open() as stage:
        (first, *_) = [event for event in stage.events if not isinstance(event, ModelActivity)]
        assert first == SessionReady()
        assert stage.model.provider
        assert stage.model.model


async def test_a_response_starts_speaks_and_ends_under_one_name(kind: Kind) -> None:
    async with kind.open(Reply("Hello there friend.")) as stage:
        stage.model.send(CreateResponse("Say hello."))
        done = await stage.until(ResponseEnded)
        (start,) = stage.of(ResponseStarted)
        assert isinstance(start, ResponseStarted)
        assert done == ResponseEnded(start.response_id, "completed")
        audio = [event for event in stage.events if isinstance(event, AgentAudio)]
        assert {event.response_id for event in audio} == {start.response_id}
        (item_id,) = {event.item_id for event in audio}
        assert overheard(b"".join(event.mulaw for event in audio)) == "Hello there friend."
        assert stage.of(AgentText) == [AgentText(start.response_id, item_id, "Hello there friend.")]
        assert stage.of(AgentAudioDone) == [AgentAudioDone(start.response_id, item_id)]
        order = [stage.events.index(each) for each in (start, audio[0], audio[-1], stage.of(AgentAudioDone)[0], done)]
        assert order == sorted(order)


async def test_a_callers_turn_has_times_of_the_models_clock_words_and_an_answer_that_nobody_asked_for(kind: Kind) -> None:
    async with kind.open(Reply("I will.")) as stage:
        question = words("do tell me")
        stage.say(b"\xff" * 8000 + question)
        start, stop = await stage.until(CallerSpeechStarted), await stage.until(CallerSpeechStopped)
        said = await stage.until(CallerText)
        assert isinstance(start, CallerSpeechStarted)
        assert isinstance(stop, CallerSpeechStopped)
        assert said == CallerText(start.item_id, "do tell me")
        assert stop.item_id == start.item_id
        assert 700 <= start.start_ms <= 1200
        assert start.start_ms < stop.end_ms <= 1000 + len(question) / 8
        await stage.until(ResponseEnded)
        assert stage.of(AgentText)


async def test_a_tool_is_called_and_its_output_taken_and_answered(kind: Kind) -> None:
    async with kind.open(Reply("", [Call("look", '{"a":1}')]), Reply("It is five.")) as stage:
        stage.model.send(CreateResponse())
        call = await stage.until(ToolCall)
        await stage.until(ResponseEnded)
        assert isinstance(call, ToolCall)
        (start,) = stage.of(ResponseStarted)
        assert isinstance(start, ResponseStarted)
        assert (call.response_id, call.name, call.arguments) == (start.response_id, "look", '{"a":1}')
        stage.model.send(AddToolOutput(call.call_id, "5"))
        stage.model.send(AddCallerText("[The caller pressed on the keypad: 5]"))
        stage.model.send(CreateResponse())
        await stage.until(ResponseEnded, 2)
        assert stage.outputs() == {call.call_id: "5"}


async def test_a_response_that_is_cancelled_ends_as_cancelled(kind: Kind) -> None:
    async with kind.open(Reply("A long story.", silent_after=True)) as stage:
        stage.model.send(CreateResponse())
        start = await stage.until(ResponseStarted)
        await stage.until(AgentText)
        assert isinstance(start, ResponseStarted)
        stage.model.send(CancelResponse(start.response_id))
        assert await stage.until(ResponseEnded) == ResponseEnded(start.response_id, "cancelled")


async def test_a_caller_who_speaks_ends_the_response_and_what_was_not_heard_of_it_can_be_truncated(kind: Kind) -> None:
    async with kind.open(Reply("A long story.", silent_after=True)) as stage:
        stage.model.send(CreateResponse())
        text = await stage.until(AgentText)
        assert isinstance(text, AgentText)
        stage.say(words("stop"))
        ended = await stage.until(ResponseEnded)
        assert isinstance(ended, ResponseEnded)
        assert ended.status == "cancelled"
        stage.model.send(TruncateItem(text.item_id, 300))
        while not stage.truncated():
            await asyncio.sleep(0.001)
        assert stage.truncated() == [300]


async def test_a_response_that_is_asked_for_beside_another_is_refused_and_that_is_no_end(kind: Kind) -> None:
    async with kind.open(Reply("Hello.", silent_after=True)) as stage:
        stage.model.send(CreateResponse())
        start = await stage.until(ResponseStarted)
        stage.model.send(CreateResponse())
        await stage.until(ResponseRefused)
        assert isinstance(start, ResponseStarted)
        stage.model.send(CancelResponse(start.response_id))
        await stage.until(ResponseEnded)
        assert stage.of(SessionLost) == []


async def test_a_response_that_fails_says_why_and_that_asking_again_may_help(kind: Kind) -> None:
    async with kind.open(Reply(fails="server_error"), Reply("Hello.")) as stage:
        stage.model.send(CreateResponse())
        failed = await stage.until(ResponseEnded)
        assert isinstance(failed, ResponseEnded)
        assert (failed.status, failed.retryable) == ("failed", True)
        assert failed.problem.startswith("could not answer: ")
        stage.model.send(CreateResponse())
        ended = await stage.until(ResponseEnded, 2)
        assert isinstance(ended, ResponseEnded)
        assert ended.status == "completed"


async def test_a_session_that_breaks_is_reported_once_and_last(kind: Kind) -> None:
    async with kind.open() as stage:
        stage.lose()
        assert await stage.until(SessionLost) == SessionLost("lost the connection")
        stage.model.send(CreateResponse())
        stage.model.close()
    assert isinstance(stage.events[-1], SessionLost)
    assert len(stage.of(SessionLost)) == 1


async def test_a_session_that_is_closed_here_is_over_without_a_word(kind: Kind) -> None:
    async with kind.open(Reply("Hello.")) as stage:
        before = len(stage.events)
        stage.model.close()
        stage.model.send(CreateResponse())
        stage.model.close()
    assert stage.events[before:] == []
    while stage.running():
        await asyncio.sleep(0.001)


async def test_a_model_that_is_closed_before_it_runs_says_nothing(kind: Kind) -> None:
    async with kind.stage() as stage:
        stage.model.close()
        await stage.model.run(SETTINGS, stage.events.append)
        assert stage.events == []


async def test_a_session_whose_run_is_cancelled_is_closed_at_once(kind: Kind) -> None:
    async with kind.stage() as stage:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(stage.model.run(SETTINGS, stage.events.append))
            await stage.until(SessionReady)
            running.cancel()
        while stage.running():
            await asyncio.sleep(0.001)
        assert stage.of(SessionLost) == []
