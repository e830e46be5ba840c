"""From the spool into the store: what is stored is what was recorded, whatever is killed or away in between."""

import asyncio
import hashlib
import io
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import soundfile
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from hub.errors import ConfigError
from hub.recordings import recordings as hub_recordings
from hub.recordings.recordings import Recordings, erased
from hub.recordings.spool import Spool
from hub.recordings.spool_file import SpoolFile
from hub.recordings.uploads import Uploads
from hub.recordings.wav import HEADER_BYTES
from tests.recordings.s3 import BUCKET, S3, s3_server
from tests.recordings.shelf import Rows, in_bucket, in_directory, pcm, shelf
from tests.recordings.sounds import CALL, block, expected
from tests.settings import configured


@pytest.fixture(autouse=True)
def no_call_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Store calls at once."""
    monkeypatch.setattr(hub_recordings, "SETTLE_SECONDS", 0.0)


@pytest.fixture(scope="module")
def server() -> Iterator[S3]:
    with s3_server() as server:
        yield server


@pytest.fixture(params=["directory", "bucket"])
def settings(request: pytest.FixtureRequest, tmp_path: Path, server: S3) -> dict[str, Any]:
    return in_directory(tmp_path) if request.param == "directory" else in_bucket(server, tmp_path)


def samples(flac: bytes) -> bytes:
    with soundfile.SoundFile(io.BytesIO(flac)) as file:
        assert (file.format, file.samplerate, file.channels) == ("FLAC", 8000, 2)
        return bytes(file.buffer_read(dtype="int16"))


def noise(spool: Path, seconds: int) -> None:
    """Put a call of noise into a spool: FLAC cannot make it much smaller."""
    spool.mkdir(parents=True, exist_ok=True)
    file = SpoolFile.make(Spool(spool).new_path(CALL), 0)
    file.write(0, random.Random(1).randbytes(16_000 * seconds))
    file.close()


async def test_a_stored_recording_has_the_samples_that_were_sent_and_the_spool_is_empty(settings: dict[str, Any]) -> None:
    async with shelf(settings) as it:
        it.speak((0, 3000), (3500, 4000), end_ms=5000)
        recording = await it.stored()
        body = await it.content()
        assert samples(body) == pcm(expected((0, 3000), (3500, 4000), end_ms=5000))
        assert (recording.seconds, recording.size, recording.sha256) == (5.0, len(body), hashlib.sha256(body).hexdigest())
        assert it.rows.rows == {CALL: recording}
        assert await it.recordings.left() == []


async def test_what_is_spooled_of_a_live_call_can_be_read_from_any_byte_to_any_other(tmp_path: Path) -> None:
    async with shelf(in_directory(tmp_path)) as it:
        first = it.recordings.begin(CALL)
        for at_ms in (300, 500, 600):
            first.take(block(at_ms))
        it.recordings.end(first, 700)
        second = it.recordings.begin(CALL)
        second.take(block(1000))
        while len(await it.spooled()) < HEADER_BYTES + 1100 * 16:
            await asyncio.sleep(0.01)
        playable = await it.recordings.playable(CALL)
        assert playable is not None
        whole = b"".join([piece async for piece in playable.read(0, playable.size)])
        assert len(whole) == playable.size
        with soundfile.SoundFile(io.BytesIO(whole)) as file:
            assert bytes(file.buffer_read(dtype="int16")) == pcm(expected((300, 400), (500, 700), (1000, 1100), end_ms=1100))
        for start, end in ((0, 1), (10, 80), (70, 75), (75, 5001), (4874, 4875), (5001, 11_003), (len(whole) - 1, len(whole))):
            assert b"".join([piece async for piece in playable.read(start, end)]) == whole[start:end]
        playable.close()
        it.recordings.end(second, 1100)


async def test_what_two_nodes_have_recorded_of_a_call_becomes_one_recording_and_the_last_waits_for_the_first(
    tmp_path: Path, server: S3
) -> None:
    settings, rows = in_bucket(server, tmp_path), Rows()
    async with shelf(settings, rows) as first, shelf(settings | {"recording_spool": str(tmp_path / "other")}, rows) as second:
        second.recordings.follow(CALL, 1000.0)
        second.speak((1000, 2000), end_ms=2000)
        while not second.recordings.storing.failing:
            await asyncio.sleep(0.01)
        assert rows.rows == {}, "nobody is told of a recording without its beginning"
        first.speak((0, 1200), end_ms=1000)
        await first.stored()
        second.recordings.storing.add(CALL)
        assert await second.stored() == rows.rows[CALL]
        assert samples(await second.content()) == pcm(expected((0, 2000), end_ms=2000))


async def test_a_node_that_comes_back_later_stores_its_part_into_what_the_other_has_stored(
    tmp_path: Path, server: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.recordings.storing.FOLLOWS_SECONDS", 0.0)
    settings, rows = in_bucket(server, tmp_path), Rows()
    async with shelf(settings, rows) as first, shelf(settings | {"recording_spool": str(tmp_path / "other")}, rows) as second:
        second.recordings.follow(CALL, 1000.0)
        second.speak((1000, 2000), end_ms=2000)
        await second.stored()
        assert samples(await second.content()) == pcm(expected((1000, 2000), end_ms=2000))
        first.speak((0, 1000), end_ms=1000)
        await first.stored()
        assert samples(await first.content()) == pcm(expected((0, 2000), end_ms=2000))


async def test_a_call_that_comes_back_after_it_was_stored_is_one_recording(settings: dict[str, Any]) -> None:
    async with shelf(settings) as it:
        it.speak((0, 1000), end_ms=1000)
        first = await it.stored()
        it.speak((2000, 3000), end_ms=3000)
        second = await it.stored()
        assert samples(await it.content()) == pcm(expected((0, 1000), (2000, 3000), end_ms=3000))
        assert first.key != second.key
        assert it.rows.rows == {CALL: second}
        with pytest.raises(Exception, match="does not have this object"):
            await it.recordings._store.digest(first.key)


async def test_while_a_call_goes_on_its_earlier_recording_can_be_played(settings: dict[str, Any]) -> None:
    async with shelf(settings) as it:
        it.speak((0, 1000), end_ms=1000)
        await it.stored()
        recording = it.recordings.begin(CALL)
        recording.take(block(2000))
        assert samples(await it.content()) == pcm(expected((0, 1000), end_ms=1000))
        it.recordings.end(recording, 2100)
        await it.stored()


async def test_what_an_earlier_process_left_is_stored_by_the_next(settings: dict[str, Any]) -> None:
    async with shelf(settings) as it:
        recording = it.recordings.begin(CALL)
        for at_ms in range(0, 1000, 100):
            recording.take(block(at_ms))
    async with shelf(settings) as it:
        assert await it.recordings.left() == [CALL]
        it.recordings.store(CALL)
        await it.stored()
        assert samples(await it.content()) == pcm(expected((0, 1000), end_ms=1000))


async def test_a_process_that_is_killed_after_the_row_was_written_stores_once_more_and_loses_nothing(settings: dict[str, Any]) -> None:
    rows = Rows()
    async with shelf(settings, rows) as it:
        it.told.stored = lambda recording: asyncio.Event().wait()  # type: ignore[method-assign, assignment, return-value]
        it.speak((0, 1000), end_ms=1000)
        while not rows.rows:
            await asyncio.sleep(0.01)
    async with shelf(settings, rows) as it:
        it.recordings.store(CALL)
        recording = await it.stored()
        assert rows.rows == {CALL: recording}
        assert samples(await it.content()) == pcm(expected((0, 1000), end_ms=1000))


async def test_erasing_removes_spool_objects_and_row_at_any_time(settings: dict[str, Any], tmp_path: Path, server: S3) -> None:
    async with shelf(settings) as it:
        it.speak((0, 1000), end_ms=1000)
        it.speak((0, 1000), end_ms=1000, call_sid=CALL + "2")
        await it.recordings.erase(CALL)  # before it is stored, or while it is
        await it.stored()
        it.speak((0, 1000), end_ms=1000)
        await it.stored()
        await it.recordings.erase(CALL)
        await it.recordings.erase(CALL)
        assert await it.spooled() == b""
        assert list(it.rows.rows) == [CALL + "2"]
    left = [str(path) for path in tmp_path.rglob("*")] + [key for key in server.objects() if key.startswith(tmp_path.name)]
    assert [path for path in left if CALL in path and CALL + "2" not in path] == []
    await erased(configured(archive="calls.db", **settings), it.rows, CALL + "2")
    assert it.rows.rows == {}
    assert [path for path in map(str, tmp_path.rglob("*")) if CALL in path] == []
    assert [key for key in server.objects() if key.startswith(tmp_path.name)] == []


async def test_a_bucket_that_is_killed_in_mid_upload_loses_nothing(tmp_path: Path) -> None:
    with s3_server() as server:
        settings = in_bucket(server, tmp_path)
        noise(tmp_path / "spool", 3000)
        async with shelf(settings) as it:
            it.recordings.store(CALL)
            while not await asyncio.to_thread(server.uploads):
                await asyncio.sleep(0)
            server.kill()
            while not it.recordings.storing.failing:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(server.start)
            assert server.objects() == []
            recording = await it.stored()
            assert server.objects() == [f"{tmp_path.name}/{recording.key}"]
            body = await it.content()
            assert hashlib.sha256(body).hexdigest() == recording.sha256
            wanted = random.Random(1).randbytes(16_000 * 3000)
            assert samples(body) == pcm((wanted[0::2], wanted[1::2]))


async def test_a_hub_that_is_killed_in_mid_upload_loses_nothing(tmp_path: Path) -> None:
    with s3_server() as server:
        noise(tmp_path / "spool", 3000)
        program = subprocess.Popen([sys.executable, "-m", "tests.recordings.storing_process", server.url, str(tmp_path)])
        while not await asyncio.to_thread(server.uploads):
            assert program.poll() is None
        program.send_signal(signal.SIGKILL)
        program.wait()
        assert server.objects() == [], "half an object is none"
        async with shelf(in_bucket(server, tmp_path)) as it:
            await it.recordings._store.remove("CA2")
            assert server.uploads() == 1, "that of another call"
        async with shelf(in_bucket(server, tmp_path)) as it:
            it.recordings.store(CALL)
            recording = await it.stored()
            assert hashlib.sha256(await it.content()).hexdigest() == recording.sha256
            assert recording.seconds == 3000.0
            assert server.uploads() == 0


async def test_erasing_ends_an_upload_that_a_killed_hub_began(tmp_path: Path) -> None:
    with s3_server() as server:
        noise(tmp_path / "spool", 3000)
        program = subprocess.Popen([sys.executable, "-m", "tests.recordings.storing_process", server.url, str(tmp_path)])
        while not await asyncio.to_thread(server.uploads):
            assert program.poll() is None
        program.send_signal(signal.SIGKILL)
        program.wait()
        async with shelf(in_bucket(server, tmp_path)) as it:
            await it.recordings.erase(CALL)
        assert (server.uploads(), server.objects(), list((tmp_path / "spool").iterdir())) == (0, [], [tmp_path / "spool" / "lock"])


def test_requests_are_signed_as_amazons_own_client_signs_them() -> None:
    settings = {
        "recordings": "s3://bucket/a b",
        "aws_key": "AKIDEXAMPLE",
        "aws_key_secret": "wJalr/+x",
        "aws_session": "token",
        "aws_region": "eu-west-1",
    }
    uploads = Uploads.of(configured(**settings))
    assert uploads is not None
    now = datetime(2026, 11, 26, 5, 0, tzinfo=UTC)
    url, query = "https://s3.eu-west-1.amazonaws.com/bucket/a%20b/CA1/1.flac", "prefix=a%20b%2FCA1%2F&uploads="
    mine = uploads._signed("GET", url, query, now)
    signer = S3SigV4Auth(Credentials("AKIDEXAMPLE", "wJalr/+x", "token"), "s3", "eu-west-1")
    request = AWSRequest("GET", f"{url}?{query}", headers={name: value for name, value in mine.items() if name != "authorization"})
    request.context["timestamp"] = "20261126T050000Z"
    wanted = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    assert mine["authorization"].endswith(f"Signature={wanted}")


async def test_two_hubs_do_not_share_a_spool(tmp_path: Path) -> None:
    async with shelf(in_directory(tmp_path)):
        with pytest.raises(
            ConfigError, match=r"^HUB_RECORDINGS .*is used by another hub that is running: give each hub a spool of its own$"
        ):
            async with shelf(in_directory(tmp_path)):
                pass


async def test_a_bucket_that_does_not_exist_stops_the_start_in_a_sentence(tmp_path: Path, server: S3) -> None:
    settings = in_bucket(server, tmp_path) | {"recordings": "s3://another/calls"}
    with pytest.raises(ConfigError, match=r"^HUB_RECORDINGS cannot be used: .* the bucket another does not exist$"):
        await Recordings.open(configured(archive="calls.db", **settings), Rows(), lambda: 0.0)
    settings["recordings"] = f"s3://{BUCKET}"
    await (await Recordings.open(configured(archive="calls.db", **settings), Rows(), lambda: 0.0)).close()


async def test_a_bucket_that_is_away_does_not_stop_the_start(tmp_path: Path) -> None:
    server = S3()
    async with shelf(in_bucket(server, tmp_path)) as it:
        it.speak((0, 1000), end_ms=1000)
        while not it.recordings.storing.failing:
            await asyncio.sleep(0.01)
        assert it.recordings.storing.waiting == 1
        assert (await it.content())[:4] == b"RIFF"


async def test_a_directory_that_cannot_be_made_stops_the_start_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"^HUB_RECORDINGS .*/file/recordings cannot be written to: Not a directory$"):
        await Recordings.open(configured(archive="calls.db", **in_directory(tmp_path / "file")), Rows(), lambda: 0.0)
