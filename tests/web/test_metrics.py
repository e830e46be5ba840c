"""Metrics: each number is true, and no label holds a call or a phone number."""

import asyncio
import re
from collections.abc import Callable

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from hub import __version__
from hub.ops.counters import ClusterCounters
from tests.agents.lines import lines, words
from tests.house import House, house, real_house
from tests.media import CALL, STREAM, media, stop
from tests.providers.fake_deepgram import FakeDeepgram
from tests.providers.openai_script import Call, Model, Reply
from tests.providers.script import Script, said, spoken

Samples = dict[str, float]


async def read(home: House) -> Samples:
    """Return every sample as `name{label="value"}`: what a Prometheus server would store."""
    async with home.session.get(home.url("/metrics")) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        text = await answer.text()
    return {
        sample.name + (str(sample.labels).replace("'", '"') if sample.labels else ""): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def until(home: House, fact: Callable[[Samples], bool]) -> Samples:
    while not fact(samples := await read(home)):
        await asyncio.sleep(0.01)
    return samples


async def follow(home: House, request: str = CALL) -> aiohttp.ClientWebSocketResponse:
    subscriber = await home.open("/client")
    await subscriber.receive()
    await subscriber.send_str(request)
    return subscriber


async def rest(subscriber: aiohttp.ClientWebSocketResponse) -> list[str]:
    return [message.data async for message in subscriber]


async def test_a_call_is_counted_from_its_stream_to_its_end() -> None:
    async with house() as home:
        socket = await home.call()
        for at in (0, 20, 40):
            await socket.send_str(media("inbound", at))
        during = await until(home, lambda samples: samples["hub_frames_total"] == 3)
        assert (during["hub_live_calls"], during["hub_live_streams"], during["hub_streams_total"]) == (1, 1, 1)
        assert during["hub_subscribers"] == 0
        await socket.send_str(stop())
        after = await until(home, lambda samples: samples["hub_live_calls"] == 0)
        after = await until(home, lambda samples: 'hub_streams_closed_total{"code": "1000"}' in samples)
        assert after['hub_calls_ended_total{"reason": "completed", "record": "complete"}'] == 1
        assert (after["hub_calls_total"], after["hub_live_streams"], after["hub_known_calls"]) == (1, 0, 1)
        assert after["hub_history_bytes"] > 100


async def test_filled_late_and_dropped_audio_are_counted_during_the_call_and_kept_after_it() -> None:
    async with house() as home:
        socket = await home.call()
        for at in [*range(0, 200, 20), *range(300, 800, 20)]:
            await socket.send_str(media("inbound", at))
        await socket.send_str(media("inbound", 220))
        await socket.send_str(media("inbound", -5))
        await socket.send_str(media("inbound", 800))  # until then, the track's clock might be behind
        filled = 'hub_audio_filled_seconds_total{"track": "inbound"}'
        during = await until(home, lambda samples: samples["hub_frames_total"] == 38)
        assert (during[filled], during['hub_audio_late_seconds_total{"track": "inbound"}']) == (0.1, 0.02)
        assert during['hub_audio_dropped_seconds_total{"track": "inbound"}'] == 0.02
        await socket.send_str(stop())
        after = await until(home, lambda samples: samples["hub_live_calls"] == 0)
        assert after[filled] == 0.1
        assert after['hub_audio_filled_seconds_total{"track": "outbound"}'] == 0.82


async def test_an_agents_calls_are_counted_and_its_silence_is_not_missing_audio() -> None:
    tale = "one two three four five six seven eight nine ten eleven twelve"
    replies = [Reply(tale), Reply("", [Call("fly")]), Reply("So.")]
    async with lines(Model(replies=replies)) as line:
        async with line.call() as (phone, _):
            await line.listen(phone, lambda: phone.playout.now_ms >= 1500 and phone.playout.came_ms)
            during = await read(line.home)
            assert (during["hub_agent_calls"], during["hub_live_calls"], during["hub_live_streams"]) == (1, 1, 1)
            assert during['hub_provider_sessions{"provider": "openai"}'] == 1
            await line.say(phone, words("wait a moment please"))
            await line.listen(phone, lambda: line.talk.responses == 3)
            await line.listen(phone, lambda: phone.playout.came_ms and phone.playout.waiting_ms)
            await phone.hang_up()
        await line.gone()
        after = await until(line.home, lambda samples: samples["hub_live_calls"] == 0)
    assert (after["hub_agent_calls"], after["hub_live_streams"], after["hub_agent_interruptions_total"]) == (0, 0, 1)
    assert {name: count for name, count in after.items() if name.startswith("hub_agent_tools_total")} == {
        f'hub_agent_tools_total{{"outcome": "{outcome}"}}': float(outcome == "refused")
        for outcome in ("result", "refused", "failed", "timeout")
    }
    assert after["hub_agent_answer_seconds_count"] == 1
    assert after['hub_provider_handshake_seconds_count{"provider": "openai"}'] == 1
    assert after['hub_provider_sessions_begun_total{"provider": "openai"}'] == 1
    assert after['hub_audio_filled_seconds_total{"track": "outbound"}'] == 0


async def test_deliveries_are_what_subscribers_were_sent() -> None:
    async with house() as home:
        socket = await home.call()
        await socket.send_str(media("inbound", 0))
        await until(home, lambda samples: samples["hub_live_calls"] == 1)
        early = await follow(home)
        deaf = await follow(home, f'{{"action":"subscribe","callSid":"{CALL}","interims":false}}')
        await until(home, lambda samples: samples['hub_deliveries_total{"kind": "durable"}'] == 2)
        home.transcribers[0].interim("hel")
        home.transcribers[0].interim("hello")
        late = await follow(home)
        await until(home, lambda samples: samples['hub_deliveries_total{"kind": "interim"}'] == 3)
        await socket.send_str(stop())
        told = [*await rest(early), *await rest(late)]
        durable = sum('"offset"' in text for text in told) + 4  # what the one without interims got
        samples = await until(home, lambda samples: samples["hub_subscribers"] == 1)
        assert samples['hub_deliveries_total{"kind": "durable"}'] == durable == 12
        assert samples['hub_deliveries_total{"kind": "interim"}'] == sum('"interim"' in text for text in told) == 3
        await deaf.close()
        samples = await until(home, lambda samples: samples["hub_subscribers"] == 0)
        assert samples['hub_deliveries_total{"kind": "durable"}'] == durable
        assert samples['hub_subscribers_closed_total{"code": "1000"}'] == 3


async def test_deliveries_stay_counted_when_the_call_is_forgotten() -> None:
    async with house(keep_minutes=0.0) as home:
        socket = await home.call()
        await socket.send_str(media("inbound", 0))
        subscriber = await follow(home)
        await socket.send_str(stop())
        told = await rest(subscriber)
        await until(home, lambda samples: samples["hub_subscribers"] == 0)
        home.state.registry.expire()
        samples = await read(home)
        assert samples["hub_known_calls"] == samples["hub_history_bytes"] == 0
        assert samples['hub_deliveries_total{"kind": "durable"}'] == len(told)


async def test_a_subscriber_that_cannot_keep_up_shows_in_bytes_and_in_seconds() -> None:
    async with house() as home:
        await home.call()
        await until(home, lambda samples: samples["hub_live_calls"] == 1)
        reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
        key = "dGhlIHNhbXBsZSBub25jZQ=="
        writer.write(
            f"GET /client HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        payload = f'{{"action":"subscribe","callSid":"{CALL}"}}'.encode()
        writer.write(bytes((0x81, 0x80 | len(payload), 0, 0, 0, 0)) + payload)
        await until(home, lambda samples: samples['hub_deliveries_total{"kind": "durable"}'] == 1)
        (stream,) = home.state.calls._calls[CALL]._streams

        def falls_behind(samples: Samples) -> bool:
            for _ in range(100):
                stream.dtmf("5", "inbound")
            return samples["hub_subscribers_behind"] == 1

        behind = await until(home, falls_behind)
        assert behind["hub_outbox_bytes"] > 0
        await until(home, lambda samples: samples["hub_outbox_stalled_seconds"] > 0)
        after = await until(home, lambda samples: not falls_behind(samples) and samples["hub_subscribers_lagged_total"] == 1)
        assert (after["hub_subscribers_behind"], after["hub_outbox_bytes"]) == (0, 0)
        await until(home, lambda samples: samples.get('hub_subscribers_closed_total{"code": "4408"}') == 1)
        writer.transport.abort()


async def test_a_providers_sessions_and_latencies_are_histograms() -> None:
    script = Script(drop_after_bytes=[8000])
    async with FakeDeepgram(script) as fake, real_house(deepgram_key="k", deepgram_url=fake.url) as home:
        before = await read(home)
        assert before['hub_provider_final_seconds_count{"provider": "deepgram"}'] == 0
        socket = await home.call()
        audio = spoken(said("hello there", 0.3), 3.0)
        for at in range(0, len(audio) // 8, 20):
            await socket.send_str(media("inbound", at, audio[at * 8 : at * 8 + 160]))
        await until(home, lambda samples: samples['hub_provider_restored_total{"provider": "deepgram"}'] == 1)
        await socket.send_str(stop())
        after = await until(home, lambda samples: samples["hub_live_calls"] == 0)
    assert after['hub_provider_sessions_begun_total{"provider": "deepgram"}'] == len(fake.visits) == 2
    assert after['hub_provider_sessions{"provider": "deepgram"}'] == 0
    assert after['hub_provider_handshake_seconds_count{"provider": "deepgram"}'] == 2
    assert after['hub_provider_final_seconds_count{"provider": "deepgram"}'] >= 1
    assert after['hub_provider_final_seconds_bucket{"le": "10.0", "provider": "deepgram"}'] >= 1
    assert after['hub_provider_reconnects_total{"provider": "deepgram"}'] == 1


async def test_each_number_of_a_provider_has_a_metric_of_its_own_in_seconds() -> None:
    async with house() as home:
        counters = home.state.counters.providers["made-up"]
        counters.open_sessions, counters.sessions, counters.sent_ms, counters.gap_ms = 2, 3, 5000.0, 7000.0
        counters.reconnects, counters.restored, counters.refused, counters.repeats = 11, 13, 17, 19
        counters.handshake_seconds.add(0.25)
        counters.interim_seconds.add(0.5)
        counters.final_seconds.add(0.75)
        samples = await read(home)
    assert {name.removesuffix('{"provider": "made-up"}'): value for name, value in samples.items()
            if name.endswith('{"provider": "made-up"}') and "_created" not in name} == {
        "hub_provider_sessions": 2, "hub_provider_sessions_begun_total": 3, "hub_provider_audio_seconds_total": 5,
        "hub_provider_gap_seconds_total": 7, "hub_provider_reconnects_total": 11, "hub_provider_restored_total": 13,
        "hub_provider_refused_total": 17, "hub_provider_repeats_total": 19,
        "hub_provider_handshake_seconds_count": 1, "hub_provider_handshake_seconds_sum": 0.25,
        "hub_provider_interim_seconds_count": 1, "hub_provider_interim_seconds_sum": 0.5,
        "hub_provider_final_seconds_count": 1, "hub_provider_final_seconds_sum": 0.75,
    }  # fmt: skip


async def test_a_provider_that_refuses_for_good_is_counted() -> None:
    async with FakeDeepgram(Script(refuse=[401])) as fake, real_house(deepgram_key="k", deepgram_url=fake.url) as home:
        socket = await home.call()
        await socket.send_str(media("inbound", 0))
        await until(home, lambda samples: samples['hub_provider_refused_total{"provider": "deepgram"}'] == 1)


async def test_neither_calls_nor_numbers_are_labels() -> None:
    async with house() as home:
        socket = await home.call(parameters={"from": "+14155550142", "to": "+14155550100", "transcriber": "siri+14155550142"})
        await socket.send_str(media("inbound", 0))
        subscriber = await follow(home)
        await (await home.open("/twilio")).send_str("nonsense")
        await socket.send_str(stop())
        await rest(subscriber)
        async with home.session.get(home.url("/metrics")) as answer:
            text = await answer.text()
    assert CALL not in text
    assert STREAM not in text
    assert "4155550" not in text
    assert {name for labels in re.findall(r"{(.*?)}", text) for name in re.findall(r'(\w+)="', labels)} <= {
        "code", "door", "kind", "le", "outcome", "provider", "reason", "record", "track", "version",
    }  # fmt: skip


async def test_the_event_loops_lag_and_the_process_have_metrics() -> None:
    async with house() as home:
        samples = await until(home, lambda samples: samples["hub_loop_lag_seconds_count"] >= 1)
        assert samples['hub_info{"version": "0.1.0"}'] == 1
        assert samples["process_resident_memory_bytes"] > 1e6
        assert samples["process_open_fds"] > 3


async def test_a_node_shows_what_it_knows_of_its_cluster() -> None:
    async with house() as home:
        cluster = home.state.counters.cluster = ClusterCounters("berlin-1")
        cluster.nodes, cluster.calls, cluster.replicas, cluster.catching_up, cluster.catch_ups = 3, 40, 7, 2, 9
        cluster.broker_up, cluster.behind, cluster.clock_skew_seconds = True, False, -0.25
        cluster.append_seconds.add(0.003)
        cluster.takeovers["continued"] += 4
        cluster.handovers["refused"] += 1
        cluster.fenced, cluster.forged = 5, 6
        samples = await read(home)
    assert samples[f'hub_node_info{{"node": "berlin-1", "version": "{__version__}"}}'] == 1
    assert {name: samples[f"hub_{name}"] for name in ("cluster_nodes", "cluster_calls", "replicas", "replicas_catching_up")} == {
        "cluster_nodes": 3, "cluster_calls": 40, "replicas": 7, "replicas_catching_up": 2,
    }  # fmt: skip
    assert (samples["hub_broker_up"], samples["hub_broker_behind"], samples["hub_broker_clock_skew_seconds"]) == (1, 0, -0.25)
    assert samples['hub_broker_append_seconds_bucket{"le": "0.0025"}'] == 0
    assert samples['hub_broker_append_seconds_bucket{"le": "0.005"}'] == samples["hub_broker_append_seconds_count"] == 1
    assert [samples[f'hub_takeovers_total{{"outcome": "{each}"}}'] for each in ("continued", "ended", "failed")] == [4, 0, 0]
    assert [samples[f'hub_handovers_total{{"outcome": "{each}"}}'] for each in ("moved", "refused", "failed")] == [0, 1, 0]
    assert (samples["hub_fenced_total"], samples["hub_forged_total"], samples["hub_replica_catch_ups_total"]) == (5, 6, 9)
