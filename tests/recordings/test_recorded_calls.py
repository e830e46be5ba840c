"""Recordings of calls in a running hub: through Twilio's door, into the spool and the store, and out again over HTTP."""

import asyncio
import io
from pathlib import Path
from typing import Any

import pytest
import soundfile

from hub.audio.g711 import silence, to_pcm
from hub.recordings import recordings as hub_recordings
from hub.tokens import mint
from tests.audio.timeline_feed import patterned
from tests.house import House, house
from tests.media import CALL, STREAM, media, stop
from tests.recordings.shelf import in_directory


@pytest.fixture(autouse=True)
def no_call_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Store calls at once."""
    monkeypatch.setattr(hub_recordings, "SETTLE_SECONDS", 0.0)


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    return {"archive": str(tmp_path / "calls.db"), **in_directory(tmp_path)}


class Reader:
    """Somebody who follows the call from its beginning, as a page does, and stays."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self.seen: list[dict[str, Any]] = []

    async def until(self, kind: str) -> dict[str, Any]:
        """Read up to the next event of this kind."""
        while True:
            event = await self._socket.receive_json()
            if isinstance(event, dict):
                self.seen.append(event)
                if event["type"] == kind:
                    return event

    def kinds(self) -> list[str]:
        return [event["type"] for event in self.seen if "offset" in event and event["type"] != "subscribed"]


async def reader(home: House, **request: Any) -> Reader:
    while (await home.session.get(home.url(f"/calls/{CALL}"))).status != 200:
        await asyncio.sleep(0.01)
    socket = await home.open("/client")
    await socket.send_json({"action": "subscribe", "callSid": CALL, "interims": False, **request})
    return Reader(socket)


async def spoken(home: House, socket: Any, *spans_ms: tuple[int, int]) -> None:
    """Have Twilio send sound whose every byte tells its place: the outbound track is a second ahead."""
    frames = home.state.counters.frames
    for start, end in spans_ms:
        for at_ms in range(start, end, 20):
            await socket.send_str(media("inbound", at_ms, patterned(at_ms * 8, 160)))
            await socket.send_str(media("outbound", at_ms, patterned(at_ms * 8 + 8000, 160)))
            frames += 2
    await home.frames(frames)


def tracks(body: bytes) -> tuple[bytes, bytes]:
    """The samples of both sides of a sound file."""
    with soundfile.SoundFile(io.BytesIO(body)) as file:
        assert (file.samplerate, file.channels) == (8000, 2)
        pcm = bytes(file.buffer_read(dtype="int16"))
    stereo = memoryview(pcm).cast("h")
    return bytes(stereo[0::2].tobytes()), bytes(stereo[1::2].tobytes())


def wanted(end_ms: int, *spans_ms: tuple[int, int]) -> tuple[bytes, bytes]:
    """The samples of both sides of a call with sound in these spans."""
    made = []
    for ahead in (0, 8000):
        track = bytearray(silence(end_ms * 8))
        for start, end in spans_ms:
            track[start * 8 : end * 8] = patterned(start * 8 + ahead, (end - start) * 8)
        made.append(to_pcm(bytes(track)))
    return made[0], made[1]


async def fetched(home: House, status: int = 200, method: str = "GET", **headers: str) -> tuple[Any, bytes]:
    async with home.session.request(method, home.url(f"/calls/{CALL}/recording"), headers=headers) as answer:
        body = await answer.read()
        assert answer.status == status, body[:200]
        return answer.headers, body


async def asked(home: House, what: str, status: int = 204, **headers: str) -> Any:
    async with home.session.post(home.url(f"/calls/{CALL}/recording/{what}"), headers=headers) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json() if status != 204 else None


async def test_a_call_is_recorded_sample_for_sample_and_gaps_are_silent(settings: dict[str, Any]) -> None:
    async with house(**settings) as home:
        socket = await home.call()
        follower = await reader(home)
        await spoken(home, socket, (0, 2000), (3000, 4000))
        await socket.send_str(stop())
        stored = await follower.until("recording-stored")
        assert follower.kinds()[:2] == ["call-started", "recording-started"]
        assert follower.kinds()[-2:] == ["call-ended", "recording-stored"]
        headers, body = await fetched(home)
        assert tracks(body) == wanted(4000, (0, 2000), (3000, 4000))
        assert (stored["seconds"], stored["size"], stored["mediaType"]) == (4.0, len(body), "audio/flac")
        assert (headers["Content-Type"], headers["Content-Length"]) == ("audio/flac", str(len(body)))
        assert f'{CALL}.flac"' in headers["Content-Disposition"]
        summary = await home.json(f"/calls/{CALL}")
        assert (summary["live"], summary["recording"]) == (False, {"state": "stored", "mediaType": "audio/flac", "seconds": 4.0})


async def test_what_follows_call_ended_neither_opens_nor_ends_the_call(settings: dict[str, Any]) -> None:
    async with house(**settings) as home:
        socket = await home.call()
        follower = await reader(home)
        bare = await home.open("/client")
        await bare.send_str(CALL)
        await spoken(home, socket, (0, 1000))
        await socket.send_str(stop())
        async for message in bare:  # the hub closes it, normally
            last = message.json()
        assert (bare.close_code, last["type"]) == (1000, "call-ended")
        await follower.until("recording-stored")
        assert await home.json("/calls?live=true") == {"calls": [], "next": None}
        late = await home.open("/client")
        await late.send_str(CALL)
        kinds = [event["type"] async for message in late if isinstance(event := message.json(), dict)]
        assert (late.close_code, kinds[-2:]) == (1000, ["call-ended", "recording-stored"])


async def test_any_range_can_be_asked_for_while_the_call_lives_and_afterwards(settings: dict[str, Any]) -> None:
    async with house(**settings) as home:
        socket = await home.call()
        follower = await reader(home)
        await fetched(home, 404)
        await spoken(home, socket, (0, 3000))
        while (await home.session.get(home.url(f"/calls/{CALL}/recording"))).status != 200:
            await asyncio.sleep(0.05)
        headers, whole = await fetched(home)
        assert headers["Content-Type"] == "audio/wav"
        assert tracks(whole)[0] == wanted(3000, (0, 3000))[0][: len(tracks(whole)[0])]
        await socket.send_str(stop())
        await follower.until("recording-stored")
        headers, whole = await fetched(home)
        size = len(whole)
        for asks, first, last in (("0-0", 0, 0), ("100-199", 100, 199), (f"{size - 5}-", size - 5, size - 1), ("-7", size - 7, size - 1),
                                  (f"5-{size + 100}", 5, size - 1)):  # fmt: skip
            answer, body = await fetched(home, 206, Range=f"bytes={asks}")
            assert body == whole[first : last + 1]
            assert answer["Content-Range"] == f"bytes {first}-{last}/{size}"
        answer, _ = await fetched(home, 416, Range=f"bytes={size}-")
        assert answer["Content-Range"] == f"bytes */{size}"
        for odd in ("bytes=5-2", "bytes=0-1,5-6", "lines=1-2", "bytes=x"):
            assert (await fetched(home, 200, Range=odd))[1] == whole
        tag = headers["ETag"]
        assert (await fetched(home, 206, **{"Range": "bytes=0-9", "If-Range": tag}))[1] == whole[:10]
        assert (await fetched(home, 200, **{"Range": "bytes=0-9", "If-Range": '"other"'}))[1] == whole
        assert (await fetched(home, 304, **{"If-None-Match": tag}))[1] == b""
        answer, body = await fetched(home, 200, "HEAD")
        assert (body, answer["Content-Length"], answer["Accept-Ranges"]) == (b"", str(size), "bytes")


async def test_pausing_records_silence_and_call_time_goes_on(settings: dict[str, Any]) -> None:
    async with house(**settings) as home:
        socket = await home.call()
        follower = await reader(home)
        await spoken(home, socket, (0, 1000))
        await asked(home, "pause")
        await asked(home, "pause")
        paused = await follower.until("recording-paused")
        assert (await home.json(f"/calls/{CALL}"))["recording"]["state"] == "paused"
        await spoken(home, socket, (1000, 2000))
        await asked(home, "resume")
        resumed = await follower.until("recording-resumed")
        await spoken(home, socket, (2000, 3000))
        await socket.send_str(stop())
        await follower.until("recording-stored")
        assert (await asked(home, "pause", 409))["error"]["message"] == "this call is over"
        assert follower.kinds().count("recording-paused") == 1
        assert 1000 <= paused["time"] * 1000 < 2000 <= resumed["time"] * 1000 < 3000
        inbound, _ = tracks((await fetched(home))[1])
        spans = (0, round(paused["time"] * 1000)), (min(3000, round(resumed["time"] * 1000)), 3000)
        assert inbound == wanted(3000, *spans)[0]


@pytest.mark.parametrize(("given", "state"), [("off", None), (" OFF ", None), ("paused", "paused"), ("on", "recording"), ("", "recording")])
async def test_a_parameter_of_the_stream_decides_whether_the_call_is_recorded(
    settings: dict[str, Any], given: str, state: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    async with house(**settings) as home:
        socket = await home.call(parameters={"recording": given})
        follower = await reader(home)
        await follower.until("call-started")
        await spoken(home, socket, (0, 400))
        found = (await home.json(f"/calls/{CALL}"))["recording"]
        assert (found and found["state"]) == state
        if state is None:
            assert (await asked(home, "resume", 409))["error"]["message"] == "this call is not recorded"
        await socket.send_str(stop())
        await follower.until("call-ended" if state is None else "recording-stored")
        if state is not None:
            sound = wanted(400, (0, 400)) if state == "recording" else wanted(400)
            assert tracks((await fetched(home))[1]) == sound
        else:
            assert "recording" not in str(follower.kinds())
            await fetched(home, 404)
    assert ("neither off nor paused" in caplog.text) == (given == "on")


async def test_a_call_that_comes_back_is_one_recording(settings: dict[str, Any]) -> None:
    async with house(**settings) as home:
        socket = await home.call()
        follower = await reader(home)
        await spoken(home, socket, (0, 1000))
        await socket.send_str(stop())
        await follower.until("recording-stored")
        again = await home.call(stream=STREAM[:-1] + "2")
        began = (await follower.until("recording-started"))["time"]
        await spoken_on(home, again)
        await again.send_str(stop(stream=STREAM[:-1] + "2"))
        stored = await follower.until("recording-stored")
        inbound, _ = tracks((await fetched(home))[1])
        start = round(stored["seconds"] * 1000) - 1000
        assert began <= start / 1000 < began + 0.5, "call time went on meanwhile, by less than what would be a gap"
        assert inbound[: 1000 * 16] == wanted(1000, (0, 1000))[0]
        assert inbound[1000 * 16 : start * 16] == b"\0" * (start - 1000) * 16
        assert inbound[start * 16 :] == to_pcm(patterned(0, 8000))


async def spoken_on(home: House, socket: Any) -> None:
    """A second of a stream that counts from its own beginning."""
    frames = home.state.counters.frames
    for at_ms in range(0, 1000, 20):
        await socket.send_str(media("inbound", at_ms, patterned(at_ms * 8, 160), stream=STREAM[:-1] + "2"))
        await socket.send_str(media("outbound", at_ms, patterned(at_ms * 8, 160), stream=STREAM[:-1] + "2"))
    await home.frames(frames + 100)


async def test_the_next_hub_stores_what_the_one_before_did_not(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_recordings, "SETTLE_SECONDS", 3600.0)
    async with house(**settings) as home:
        socket = await home.call()
        follower = await reader(home)
        await spoken(home, socket, (0, 1000))
        await socket.send_str(stop())
        await follower.until("call-ended")
    async with house(**settings) as home:
        follower = await reader(home)
        stored = await follower.until("recording-stored")
        assert follower.kinds()[-2:] == ["call-ended", "recording-stored"]
        assert (stored["offset"], tracks((await fetched(home))[1])) == (len(follower.kinds()), wanted(1000, (0, 1000)))


async def test_recordings_need_the_right_audio(settings: dict[str, Any]) -> None:
    secret = "s" * 40
    async with house(secret=secret, **settings) as home:
        await home.call()
        for rights, status in (([], 403), (["audio"], 404)):
            headers = {"Authorization": f"Bearer {mint(secret, [CALL], 600, rights=rights)}"}
            await fetched(home, status, **headers)
        headers = {"Authorization": f"Bearer {mint(secret, [CALL], 600)}"}
        await asked(home, "pause", 403, **headers)
        headers = {"Authorization": f"Bearer {mint(secret, ['CA2'], 600, rights=['audio'])}"}
        await fetched(home, 404, **headers)
        await asked(home, "pause", 404, **headers)


async def test_a_hub_that_records_nothing_says_so() -> None:
    async with house() as home:
        await home.call()
        await asyncio.sleep(0)
        while (await home.session.get(home.url(f"/calls/{CALL}"))).status != 200:
            await asyncio.sleep(0.01)
        assert b"this hub records no calls" in (await fetched(home, 404))[1]
        assert (await home.json(f"/calls/{CALL}"))["recording"] is None


async def test_a_disk_that_fails_is_told_and_costs_the_call_nothing_but_sound(settings: dict[str, Any], tmp_path: Path) -> None:
    spool, away = tmp_path / "recordings" / ".spool", tmp_path / "away"
    async with house(**settings) as home:
        spool.rename(away)
        socket = await home.call()
        follower = await reader(home)
        await spoken(home, socket, (0, 1000))
        failed = await follower.until("recording-failed")
        assert (failed["time"], failed["reason"]) == (0.0, "No such file or directory")
        assert (await home.json(f"/calls/{CALL}"))["recording"]["state"] == "failed"
        async with home.session.get(home.url("/metrics")) as answer:
            assert "hub_recordings_failing 1.0" in await answer.text()
        away.rename(spool)
        await spoken(home, socket, (1000, 3000))
        resumed = await follower.until("recording-resumed")
        await socket.send_str(stop())
        assert (await follower.until("call-ended"))["completeness"]["state"] == "complete"
        await follower.until("recording-stored")
        at_ms = round(resumed["time"] * 1000)
        assert tracks((await fetched(home))[1]) == wanted(3000, (at_ms, 3000))


async def test_a_call_that_comes_back_to_the_next_hub_goes_on_in_call_time_and_loses_no_sound(settings: dict[str, Any]) -> None:
    async with house(**settings) as home:
        socket = await home.call()
        follower = await reader(home)
        await spoken(home, socket, (0, 1000))
        await socket.send_str(stop())
        await follower.until("recording-stored")
    async with house(**settings) as home:
        again = await home.call(stream=STREAM[:-1] + "2")
        follower = await reader(home)
        await follower.until("call-ended")
        began = (await follower.until("recording-started"))["time"]
        await spoken_on(home, again)
        await again.send_str(stop(stream=STREAM[:-1] + "2"))
        await follower.until("call-ended")
        stored = await follower.until("recording-stored")
        inbound, _ = tracks((await fetched(home))[1])
        assert 1.0 <= began <= stored["seconds"] - 1.0
        assert inbound[: 1000 * 16] == wanted(1000, (0, 1000))[0]
        assert inbound[-1000 * 16 :] == to_pcm(patterned(0, 8000))


async def test_a_recording_that_the_store_has_lost_is_told_in_a_sentence(settings: dict[str, Any], tmp_path: Path) -> None:
    async with house(**settings) as home:
        socket = await home.call()
        follower = await reader(home)
        await spoken(home, socket, (0, 1000))
        await socket.send_str(stop())
        await follower.until("recording-stored")
        for file in (tmp_path / "recordings").rglob("*.flac"):
            file.unlink()
        _, body = await fetched(home, 503)
        assert b"the recording cannot be read now" in body
