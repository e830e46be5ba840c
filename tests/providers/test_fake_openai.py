"""The scripted Realtime API against OpenAI's own package: its client talks to the fake, and its strict types take every message."""

import base64
from contextlib import suppress
from typing import Any

import pytest
from openai import AsyncOpenAI
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.providers.fake_openai import FakeOpenAI
from tests.providers.openai_script import Call, Model, Reply, overheard
from tests.providers.script import Script, said, spoken

judge: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)

SESSION: Any = {
    "type": "realtime",
    "output_modalities": ["audio"],
    "audio": {
        "input": {"format": {"type": "audio/pcmu"}, "turn_detection": {"type": "server_vad"}, "transcription": {"model": "gpt-transcribe"}},
        "output": {"format": {"type": "audio/pcmu"}, "voice": "marin"},
    },
}


async def test_openais_own_client_holds_a_conversation_and_its_types_take_every_message() -> None:
    model = Model(replies=[Reply("Hello there."), Reply("One moment.", [Call("look", '{"a":1}')]), Reply("It is done.")])
    question = spoken(said("what about my flowers", 0.2), 3.0)
    heard, types = bytearray(), []
    async with FakeOpenAI(model, key="k") as fake, AsyncOpenAI(api_key="k", websocket_base_url=f"{fake.url}/v1") as client:
        async with client.realtime.connect(model="gpt-realtime-2.1", max_retries=0) as line:
            await line.session.update(session=SESSION)
            async for event in line:
                types.append(event.type)
                match event.type:
                    case "session.updated":
                        await line.response.create()
                    case "response.output_audio.delta":
                        heard += base64.b64decode(event.delta)
                    case "response.output_item.done" if event.item.type == "function_call":
                        output: Any = {"type": "function_call_output", "call_id": event.item.call_id, "output": "5"}
                        await line.conversation.item.create(item=output)
                    case "response.done" if types.count("response.done") == 1:
                        for at in range(0, len(question), 160):
                            await line.input_audio_buffer.append(audio=base64.b64encode(question[at : at + 160]).decode())
                    case "response.done" if types.count("response.done") == 2:
                        await line.response.create()
                    case "response.done":
                        break
                    case _:
                        pass
        sent, talk = fake.visits[0].sent, fake.talks[0]
    for message in sent:
        judge.validate_python(message, strict=False)
    assert talk.errors == []
    assert list(talk.outputs.values()) == ["5"]
    assert overheard(bytes(heard)) == "Hello there. One moment. It is done."
    said_by_caller = [each["transcript"] for each in sent if each["type"].endswith("transcription.completed")]
    assert said_by_caller == ["what about my flowers"]
    assert {"response.output_audio_transcript.done", "input_audio_buffer.speech_stopped", "rate_limits.updated"} <= set(types)


async def test_openais_types_take_answers_without_sound_too() -> None:
    replies = [Reply(), Reply("In text alone.", written=True), Reply("It stops here.", stops="max_output_tokens")]
    replies.append(Reply("It is not shown.", written=True, stops="content_filter"))
    async with FakeOpenAI(Model(replies=replies), key="k") as fake, AsyncOpenAI(api_key="k", websocket_base_url=f"{fake.url}/v1") as client:
        async with client.realtime.connect(model="gpt-realtime-2.1", max_retries=0) as line:
            await line.session.update(session=SESSION)
            ends: list[Any] = []
            async for event in line:
                if event.type == "response.done":
                    ends.append((event.response.status, event.response.status_details and event.response.status_details.reason))
                if len(ends) == len(replies):
                    break
                if event.type in {"session.updated", "response.done"}:
                    await line.response.create()
        sent = fake.visits[0].sent
    for message in sent:
        judge.validate_python(message, strict=False)
    assert ends == [("completed", None), ("completed", None), ("incomplete", "max_output_tokens"), ("incomplete", "content_filter")]
    assert [each["text"] for each in sent if each["type"] == "response.output_text.done"] == ["In text alone.", "It is"]


@pytest.mark.parametrize("status", [401, 404, 429, 500])
async def test_it_refuses_at_the_handshake(status: int) -> None:
    async with FakeOpenAI(script=Script(refuse=[status])) as fake:
        with pytest.raises(InvalidStatus) as caught:
            await connect(f"{fake.url}/v1/realtime?model=gpt-realtime-2.1", additional_headers={"Authorization": "Bearer k"})
    assert caught.value.response.status_code == status


async def test_it_refuses_a_model_that_is_none_and_a_request_without_a_key() -> None:
    async with FakeOpenAI() as fake:
        for query, headers in (("?model=gpt-4o", {"Authorization": "Bearer k"}), ("?model=gpt-realtime-2.1", {})):
            with pytest.raises(InvalidStatus):
                await connect(f"{fake.url}/v1/realtime{query}", additional_headers=headers)


async def test_it_knows_no_beta() -> None:
    async with FakeOpenAI() as fake:
        headers = {"Authorization": "Bearer k", "OpenAI-Beta": "realtime=v1"}
        async with connect(f"{fake.url}/v1/realtime?model=gpt-realtime-2.1", additional_headers=headers) as socket:
            with suppress(ConnectionClosed):
                while True:
                    await socket.recv()
        assert socket.close_code == 4000


async def test_mistakes_are_answered_by_errors_the_vendors_types_take() -> None:
    async with FakeOpenAI(Model(replies=[Reply("Hello", silent_after=True)])) as fake:
        client = AsyncOpenAI(api_key="k", websocket_base_url=f"{fake.url}/v1")
        async with client, client.realtime.connect(model="gpt-realtime-2.1", max_retries=0) as line:
            await line.input_audio_buffer.append(audio="////")
            await line.session.update(session={"type": "realtime", "voice": "alloy"})  # type: ignore[typeddict-unknown-key]
            await line.response.cancel()
            await line.session.update(session=SESSION)
            await line.response.create()
            await line.response.create()
            codes: list[str] = []
            async for event in line:
                if event.type == "error":
                    codes.append(str(event.error.code))
                elif event.type == "response.output_audio.done":
                    await line.conversation.item.truncate(item_id=event.item_id, content_index=0, audio_end_ms=99999)
                    await line.conversation.item.truncate(item_id="item_none", content_index=0, audio_end_ms=0)
                if len(codes) == 6:
                    break
        for message in fake.visits[0].sent:
            judge.validate_python(message)
    assert codes == [
        "invalid_audio", "unknown_parameter", "response_cancel_not_active", "conversation_already_has_active_response", "invalid_value",
        "item_truncate_invalid_item_id",
    ]  # fmt: skip
