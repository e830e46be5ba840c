"""Where recordings are kept: a directory, or a bucket of S3 or of what speaks its protocol. One object per recording, all or nothing.

Each call has a folder of its own, so that nothing of it is forgotten when it is erased. obstore does the work, in threads of its own. An
object is there as a whole or not at all: a directory gets it by a rename, a bucket when the last part of an upload was confirmed.

Knows addresses, keys and objects. Does not know calls or sound.
"""

import asyncio
import hashlib
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import aiohttp

from hub.config import Config
from hub.errors import ConfigError, HubError
from hub.recordings.spool import file_name
from hub.recordings.uploads import Uploads

S3 = "s3://"

PIECE_BYTES = 1024 * 1024
"""How much of an object is read at once."""

UPLOAD_BYTES = 8 * 1024 * 1024
"""Longer files go into a bucket in parts of this size. S3 wants at least 5 MiB, and 10,000 parts at most."""

UPLOADS_AT_ONCE = 4
"""Parts under way at the same time: 32 MB of memory."""

REQUEST_SECONDS, CONNECT_SECONDS = 60, 5
"""A part of 8 MiB takes a minute on a line of 1 Mbit/s."""

PROBE_SECONDS = 10.0
"""How long a hub that starts waits for a bucket. One that does not answer is asked again when there is something to store."""

_PROBE_KEY = ".probe"


class StoreError(HubError):
    """The store of recordings did not do what was asked. `passing`: it may do so later, since it is away or its disk is full."""

    code = "recordings"

    def __init__(self, problem: str, *, passing: bool) -> None:
        self.problem = problem
        self.passing = passing
        super().__init__(f"the store of recordings {problem}")


class Digest(NamedTuple):
    """What an object or a file is, byte for byte."""

    size: int
    sha256: str


class Store:
    """One store. Methods are safe to cancel, and raise StoreError."""

    def __init__(self, store: Any, directory: Path | None, name: str, uploads: Uploads | None = None) -> None:
        self._store = store
        self._uploads = uploads
        """Of a bucket. None where its uploads cannot be ended."""
        self._directory = directory
        """None for a bucket."""
        self.name = name
        """What to call it in a sentence."""

    @classmethod
    def of(cls, config: Config) -> "Store":
        """Return the store that HUB_RECORDINGS names. A directory is made if there is none. Blocks. Raises: ConfigError."""
        try:
            from obstore.store import LocalStore, S3Store
        except ImportError as error:
            raise ConfigError("HUB_RECORDINGS", "needs the extra `recordings`: pip install 'transcript-hub[recordings]'") from error
        if not config.recordings.startswith(S3):
            directory = Path(config.recordings)
            made_directory("HUB_RECORDINGS", directory)
            return cls(LocalStore(directory), directory, f"the directory {directory}")
        options = {"timeout": timedelta(seconds=REQUEST_SECONDS), "connect_timeout": timedelta(seconds=CONNECT_SECONDS)}
        options["allow_http"] = config.aws_endpoint.startswith("http://")  # type: ignore[assignment]
        retry: Any = {"max_retries": 1, "retry_timeout": timedelta(seconds=REQUEST_SECONDS)}
        store = S3Store.from_url(config.recordings, config=_credentials(config), client_options=options, retry_config=retry)  # type: ignore[arg-type]
        return cls(store, None, f"the bucket {urlsplit(config.recordings).netloc}", Uploads.of(config))

    async def probe(self) -> None:
        """Write a small object, read it and delete it again."""
        import obstore

        async with asyncio.timeout(PROBE_SECONDS):
            with self._in_words():
                await obstore.put_async(self._store, _PROBE_KEY, b"transcript-hub")
                await obstore.get_async(self._store, _PROBE_KEY)
                await obstore.delete_async(self._store, _PROBE_KEY)

    def key(self, call_sid: str, number: str) -> str:
        """Return the key of a call's recording of this number."""
        return f"{file_name(call_sid)}/{number}.flac"

    async def put(self, key: str, path: Path, media_type: str) -> None:
        """Store a file under this key, as a whole or not at all. What was under this key goes."""
        import obstore

        with self._in_words():
            if self._directory is not None:
                folder = (self._directory / key).parent
                await asyncio.to_thread(_made_private, folder)
                await obstore.put_async(self._store, key, path, max_concurrency=1)
                return
            if (await asyncio.to_thread(path.stat)).st_size > UPLOAD_BYTES:
                await self._end_uploads(key.rpartition("/")[0])  # of a hub that was killed
            attributes: Any = {"Content-Type": media_type}
            await obstore.put_async(self._store, key, path, attributes=attributes, chunk_size=UPLOAD_BYTES, max_concurrency=UPLOADS_AT_ONCE)

    async def digest(self, key: str) -> Digest:
        """Read an object from beginning to end, and return what it is."""
        digest, size = hashlib.sha256(), 0
        async for piece in self.read(key):
            await asyncio.to_thread(digest.update, piece)
            size += len(piece)
        return Digest(size, digest.hexdigest())

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Yield the bytes of an object from `start` to before `end`, which is behind `start`."""
        import obstore

        wanted: Any = {"range": {"offset": start} if end is None else (start, end)}
        with self._in_words():
            found = await obstore.get_async(self._store, key, options=wanted)
            async for piece in found.stream(min_chunk_size=PIECE_BYTES):
                yield bytes(piece)

    async def fetch(self, key: str, path: Path) -> None:
        """Write an object into a file."""
        with await asyncio.to_thread(open, path, "wb") as file:
            async for piece in self.read(key):
                await asyncio.to_thread(file.write, piece)

    async def delete(self, key: str) -> None:
        """Delete an object. One that is not there is deleted already."""
        import obstore

        with self._in_words(), suppress(FileNotFoundError):
            await obstore.delete_async(self._store, key)

    async def remove(self, call_sid: str) -> None:
        """Delete everything of a call."""
        import obstore

        name = file_name(call_sid)
        with self._in_words():
            if self._directory is not None:  # with what is left of an object that was being written when the hub was killed
                await asyncio.to_thread(_remove_folder, self._directory / name)
                return
            await self._end_uploads(name)
            async for batch in obstore.list(self._store, prefix=name):
                await obstore.delete_async(self._store, [each["path"] for each in batch])

    async def _end_uploads(self, folder: str) -> None:
        if self._uploads is not None:
            await self._uploads.abort(folder)

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """Turn the errors of obstore and of the operating system into a StoreError."""
        import obstore

        try:
            yield
        except (obstore.exceptions.BaseError, aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _told(error, self.name) from error


def made_directory(setting: str, directory: Path) -> None:
    """Make a directory that only its owner may read, unless it is there. Raises: ConfigError."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = directory / _PROBE_KEY
        probe.write_bytes(b"transcript-hub")
        probe.unlink()
    except OSError as error:
        raise ConfigError(setting, f"{directory} cannot be written to: {error.strerror or error}") from error


def _made_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)


def _credentials(config: Config) -> Any:
    """Return what the settings say of a bucket. What they leave open, obstore finds as AWS's own tools do: in a role, for example."""
    given = {
        "access_key_id": config.aws_key,
        "secret_access_key": config.aws_key_secret,
        "session_token": config.aws_session,
        "region": config.aws_region,
        "endpoint": config.aws_endpoint,
    }
    return {name: value for name, value in given.items() if value}


def _remove_folder(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


_CODE = re.compile(r"<Code>(?P<code>[\w.]+)</Code>")
_STATUS = re.compile(r"non-2xx status code: (?P<status>\d{3})")

_REFUSALS = {
    "NoSuchBucket": "does not exist",
    "InvalidAccessKeyId": "does not know the key in AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "does not accept AWS_SECRET_ACCESS_KEY",
    "AccessDenied": "may not be used with these credentials: they need PutObject, GetObject, DeleteObject and ListBucket",
    "InvalidToken": "does not accept AWS_SESSION_TOKEN",
    "ExpiredToken": "does not accept AWS_SESSION_TOKEN any more: it has expired",
    "PermanentRedirect": "is in another region: see AWS_REGION",
    "AuthorizationHeaderMalformed": "is in another region: see AWS_REGION",
}
"""What S3's codes mean, of a bucket. Source: docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html."""


def _told(error: Exception, name: str) -> StoreError:
    """Return a store's error in words."""
    text = str(error)
    code = found["code"] if (found := _CODE.search(text)) else ""
    status = int(found["status"]) if (found := _STATUS.search(text)) else 0
    if code in _REFUSALS:
        return StoreError(f"cannot be used: {name} {_REFUSALS[code]}", passing=False)
    if status in {401, 403}:
        return StoreError(f"cannot be used: {name} refuses the credentials ({code or status})", passing=False)
    if isinstance(error, TimeoutError):
        return StoreError(f"does not answer: {name}", passing=True)
    if isinstance(error, FileNotFoundError):
        return StoreError("does not have this object", passing=False)
    if isinstance(error, OSError) and error.strerror:
        return StoreError(f"cannot be used: {name}: {error.strerror}", passing=True)
    first = text.split("\n", 1)[0].split(" - ")[-1][:200]
    return StoreError(f"cannot be reached: {name}: {first}", passing=True)
