"""The scripted providers against the vendors' own SDKs: their clients can talk to the fakes, and their strict models take every message."""

import asyncio
import json
import threading
import warnings
from inspect import signature
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from assemblyai.streaming.v3 import (
    StreamingClient,
    StreamingClientOptions,
    StreamingEvents,
    StreamingParameters,
    StreamingSessionParameters,
)
from assemblyai.streaming.v3.models import Encoding, SpeechModel
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from hub.vendors.assemblyai import wire as assemblyai
from hub.vendors.deepgram import address
from hub.vendors.deepgram import wire as deepgram
from tests.providers.dialling import CALLEE, CALLER, finals, frames, hear, line, rest, stereo, text_of
from tests.providers.fake_assemblyai import LANGUAGES, FakeAssemblyAI
from tests.providers.fake_assemblyai import MODELS as ASSEMBLYAI_MODELS
from tests.providers.fake_deepgram import FakeDeepgram
from tests.providers.script import Script, spoken

with warnings.catch_warnings():
    # deepgram-sdk 7.17.0 imports names that websockets 14 and later call deprecated.
    warnings.filterwarnings("ignore", r"websockets\.\S+ is deprecated", DeprecationWarning)
    from deepgram import DeepgramClient
    from deepgram.core.events import EventType
    from deepgram.environment import DeepgramClientEnvironment
    from deepgram.listen.v1 import types as judge
    from deepgram.listen.v1.client import V1Client

MODELS = ["universal-streaming-english", "u3-rt-pro", "universal-3-6-pro"]


JUDGES: dict[str, Any] = {
    "Results": judge.ListenV1Results, "UtteranceEnd": judge.ListenV1UtteranceEnd, "SpeechStarted": judge.ListenV1SpeechStarted,
    "Metadata": judge.ListenV1Metadata, "Error": judge.ListenV1Error, "ConfigureSuccess": judge.ListenV1ConfigureSuccess,
}  # fmt: skip


def deepgrams_client(url: str, sound: bytes, **query: str) -> list[Any]:
    """Have the SDK's own client transcribe it and use each of its verbs."""
    client = DeepgramClient(api_key="k", environment=DeepgramClientEnvironment(base=url, production=url, agent=url, agent_rest=url))
    heard: list[Any] = []
    asked = {"model": "nova-3", "encoding": "mulaw", "sample_rate": 8000, "channels": 2, "multichannel": "true", **query}
    with client.listen.v1.connect(**asked) as socket:
        socket.on(EventType.MESSAGE, heard.append)
        listening = threading.Thread(target=socket.start_listening)
        listening.start()
        for frame in frames(sound, 1600):
            socket.send_media(frame)
        socket.send_keep_alive()
        socket.send_finalize()
        socket.send_configure(judge.ListenV1Configure(type="Configure", keyterms=["hub"]))
        socket._websocket.send('{"type":"Sing"}')
        socket.send_close_stream()
        listening.join()
    return heard


async def test_deepgrams_own_client_hears_both_sides_and_its_models_take_every_message() -> None:
    options = {"interim_results": "true", "utterance_end_ms": "1000", "vad_events": "true", "language": "multi", "endpointing": "300"}
    async with FakeDeepgram(key="k") as fake:
        heard = await asyncio.to_thread(deepgrams_client, fake.url, stereo(5.5), **options)
        sent = fake.visits[0].sent
    for message in sent:
        JUDGES[message["type"]].model_validate(message)
    assert {message["type"] for message in sent} == set(JUDGES)
    assert (finals(sent, 0), finals(sent, 1)) == (text_of(CALLER), text_of(CALLEE))
    assert [type(message) for message in heard] == [JUDGES[message["type"]] for message in sent]
    assert any(message["from_finalize"] for message in sent if message["type"] == "Results")
    assert sent[-1]["type"] == "Metadata"
    assert fake.visits[0].closed == (1000, "")


@pytest.mark.parametrize("status", [400, 401, 402, 403, 429, 500, 503])
async def test_deepgram_refuses_at_the_handshake(status: int) -> None:
    async with FakeDeepgram(Script(refuse=[status])) as fake:
        with pytest.raises(InvalidStatus) as caught:
            await connect(address.listen_url(fake.url, model="nova-3"), additional_headers=deepgram.headers("k"))
        response = caught.value.response
        error = deepgram.refused(response.status_code, response.body, dict(response.headers))
        assert response.headers["dg-request-id"] in str(error)
        assert (response.status_code, error.retryable) == (status, status >= 429)
        assert response.headers["dg-error"] == json.loads(response.body)["err_msg"]
        async with line(fake) as socket:  # refused once, as the script says
            await hear(socket, b"", deepgram.CLOSE_STREAM)


RAW = "encoding=mulaw&sample_rate=8000"


@pytest.mark.parametrize(
    ("query", "authorization", "status"),
    [
        (RAW, "Token k", 400), ("model=nova-3&sample_rate=8000", "Token k", 400), ("model=nova-3&encoding=mulaw", "Token k", 400),
        (f"model=nova-3&{RAW}&utterance_end_ms=1000", "Token k", 400), (f"model=nova-3&{RAW}&keywords=hub", "Token k", 400),
        (f"model=nova-33&{RAW}", "Token k", 403),
        (f"model=nova-3&{RAW}", "", 401), (f"model=nova-3&{RAW}", "Bearer k", 401), (f"model=nova-3&{RAW}", "Token other", 401),
    ],
)  # fmt: skip
async def test_deepgram_checks_query_and_key(query: str, authorization: str, status: int) -> None:
    async with FakeDeepgram(key="k") as fake:
        with pytest.raises(InvalidStatus) as caught:
            await connect(f"{fake.url}/v1/listen?{query}", additional_headers={"Authorization": authorization})
        assert caught.value.response.status_code == status


async def test_deepgram_hangs_up_on_silence_after_metadata() -> None:
    async with FakeDeepgram(idle_seconds=0.2) as fake, line(fake) as socket:
        await socket.send(deepgram.KEEP_ALIVE)  # holds nothing before any audio
        assert [message["type"] for message in await rest(socket)] == ["Metadata"]
        assert socket.close_code == 1011
        assert "dpgr.am/net0001" in (socket.close_reason or "")


@pytest.mark.parametrize(("frame", "code"), [(deepgram.KEEP_ALIVE.encode(), 1008), (b"", 1000)])
async def test_deepgram_hangs_up_on_text_that_comes_as_audio_and_on_an_empty_frame(frame: bytes, code: int) -> None:
    async with FakeDeepgram() as fake, line(fake) as socket:
        await socket.send(frame)
        came = await rest(socket)
        assert (socket.close_code, "Metadata" in {message["type"] for message in came}) == (code, code == 1000)


async def test_deepgram_says_nothing_of_silence_but_that_it_is_over() -> None:
    async with FakeDeepgram() as fake, line(fake) as socket:
        came = await hear(socket, b"\xff" * 16_000 * 4, deepgram.CLOSE_STREAM)
    assert [(m["is_final"], finals([m], 0)) for m in came if m["type"] == "Results"] == [(True, "")] * 4


def assemblyais_client(url: str, model: str, sound: bytes) -> list[Any]:
    """Have the SDK's own client transcribe it and use each of its verbs."""
    client = StreamingClient(StreamingClientOptions(api_key="k", api_host=url))
    heard: list[Any] = []
    for event in StreamingEvents:
        client.on(event, lambda _, message: heard.append(message))
    pcm_mulaw = {"sample_rate": 8000, "encoding": Encoding.pcm_mulaw, "speech_model": SpeechModel(model)}
    client.connect(StreamingParameters(**pcm_mulaw, format_turns=True, keyterms_prompt=["hub"]))
    client.stream(frames(sound, 800))
    client.keep_alive()
    client.set_params(StreamingSessionParameters(max_turn_silence=900))
    client.force_endpoint()
    client.disconnect(terminate=True)
    client._client._http_client.close()
    return heard


# assemblyai 1.8.2 opens its connection in a way that websockets 17 calls deprecated.
@pytest.mark.filterwarnings(r"ignore:connect\(\) must be used as a context manager:DeprecationWarning")
@pytest.mark.parametrize("model", MODELS)
async def test_assemblyais_own_client_hears_the_track_and_its_models_take_every_message(model: str) -> None:
    async with FakeAssemblyAI(key="k") as fake:
        heard = await asyncio.to_thread(assemblyais_client, fake.url, model, spoken([*CALLER, *CALLEE], 6.0))
        await fake.until(lambda: not fake.open_sessions)
        sent = fake.visits[0].sent
    assert [type(StreamingClient._parse_message(message)) for message in sent] == [type(message) for message in heard]
    assert (sent[0]["configuration"]["model"], sent[-1]["type"]) == (model, "Termination")
    told = [turn for turn in (assemblyai.decode(json.dumps(message)) for message in sent) if isinstance(turn, assemblyai.AssemblyAITurn)]
    ends = [turn for turn in told if turn.transcript and assemblyai.is_last(turn, model, formatted=True)]
    assert [turn.turn_order for turn in ends] == [0, 1]
    assert " ".join(turn.transcript for turn in ends).lower().replace(".", "") == text_of([*CALLER, *CALLEE]).lower()
    assert ("SpeechStarted" in {message["type"] for message in sent}) == assemblyai.always_formats(model)


def test_the_hub_asks_both_with_the_sdks_own_names() -> None:
    asked = parse_qsl(urlsplit(address.listen_url("wss://h", model="nova-3", language="en", keyterms=["hub"])).query)
    assert set(dict(asked)) <= set(signature(V1Client.connect).parameters)
    url = assemblyai.stream_url("wss://h", model=assemblyai.MODEL, keyterms=["hub"], language="en-US")
    query: dict[str, Any] = dict(parse_qsl(urlsplit(url).query))
    assert set(query) <= set(StreamingParameters.model_fields)
    for name in ("keyterms_prompt", "language_codes"):
        query[name] = json.loads(query[name])
    StreamingParameters.model_validate(query)


@pytest.mark.parametrize(
    ("query", "key", "code"),
    [
        ("sample_rate=8000&encoding=pcm_mulaw", "", 1008), ("sample_rate=8000&encoding=pcm_mulaw", "Bearer k", 1008),
        ("sample_rate=8000&encoding=pcm_mulaw", "other", 1008),
        ("encoding=pcm_mulaw", "k", 3006), ("sample_rate=8000&encoding=pcm_mulaw&keyterms_prompt=hub", "k", 3006),
    ],
)  # fmt: skip
async def test_assemblyai_refuses_after_the_socket_opened(query: str, key: str, code: int) -> None:
    async with FakeAssemblyAI(key="k") as fake, connect(f"{fake.url}/v3/ws?{query}", additional_headers={"Authorization": key}) as socket:
        (error,) = await rest(socket)
        assert (error["error_code"], socket.close_code, socket.close_reason) == (code, code, "See Error message for details")
        assert not assemblyai.refused(error["error_code"], error["error"]).retryable


async def test_assemblyai_refuses_a_model_that_does_not_exist_and_says_which_do() -> None:
    async with FakeAssemblyAI() as fake, line(fake, "u3-rt-pr") as socket:
        (error,) = await rest(socket)
    refusal = assemblyai.refused(error["error_code"], error["error"])
    assert "universal-3-6-pro" in refusal.problem
    assert "check ASSEMBLYAI_MODEL" in refusal.problem
    assert not refusal.retryable


def test_the_models_and_languages_of_the_hub_are_those_of_the_fake_and_the_models_those_of_the_sdk() -> None:
    assert assemblyai.LANGUAGES == LANGUAGES
    assert set(assemblyai.MODELS) <= ASSEMBLYAI_MODELS
    assert set(assemblyai.MODELS) <= {model.value for model in SpeechModel}


@pytest.mark.parametrize(
    "codes", ['["en-US"]', '["xx"]', '["multi","en"]', '["en","es","de","fr","it","pt","tr","nl","sv","no","da"]', "en"]
)
async def test_assemblyai_refuses_languages_that_it_does_not_take(codes: str) -> None:
    query = f"sample_rate=8000&encoding=pcm_mulaw&language_codes={quote(codes)}"
    async with FakeAssemblyAI() as fake, connect(f"{fake.url}/v3/ws?{query}", additional_headers={"Authorization": "k"}) as socket:
        assert [(message["type"], message["error_code"]) for message in await rest(socket)] == [("Error", 3006)]


@pytest.mark.parametrize("size", [160, 399, 8001])
async def test_assemblyai_refuses_frames_that_are_too_short_or_too_long(size: int) -> None:
    async with FakeAssemblyAI() as fake, line(fake, "u3-rt-pro") as socket:
        await socket.send(b"\xff" * size)
        error = (await rest(socket))[-1]
        assert (error["error_code"], socket.close_code) == (3007, 3007)
        assert not assemblyai.refused(3007, error["error"]).retryable


async def test_assemblyai_ends_quiet_sessions_and_long_ones() -> None:
    async with FakeAssemblyAI() as fake, line(fake, "u3-rt-pro", "inactivity_timeout=0.1") as socket:
        error = (await rest(socket))[-1]
        assert (error["error_code"], assemblyai.refused(3006, error["error"]).retryable) == (3006, True)
    async with FakeAssemblyAI(session_seconds=0.1) as fake, line(fake, "u3-rt-pro") as socket:
        assert (await rest(socket))[-1]["error_code"] == assemblyai.SESSION_EXPIRED


async def test_finals_are_repeated_interims_flood_and_strangers_mix_in() -> None:
    script = Script(repeat=True, flood=50, unknown=True)
    async with FakeDeepgram(script) as fake, line(fake) as socket:
        came = await hear(socket, stereo(), deepgram.CLOSE_STREAM)
    known = [message for message in came if deepgram.decode(json.dumps(message)) is not None]
    assert len(came) == 2 * len(known)
    for message in known:
        JUDGES[message["type"]].model_validate(message)
    results = [json.dumps(message) for message in known if message["type"] == "Results"]
    assert {results.count(one) for one in results} == {2, 51}
    async with FakeAssemblyAI(script) as fake, line(fake, "universal-streaming-english") as socket:
        came = await hear(socket, spoken(CALLER, 4.0), assemblyai.TERMINATE)
    ends = [message for message in came if message["type"] == "Turn" and message["end_of_turn"] and message["transcript"]]
    assert [message["turn_is_formatted"] for message in ends] == [False, True, False, True]
    assert all((StreamingClient._parse_message(m) is None) == (m["type"] == "Weather") for m in came)
