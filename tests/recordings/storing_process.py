"""A process that stores what a spool has, in a bucket. To be killed."""

import asyncio
import sys
from pathlib import Path

from tests.recordings.s3 import S3
from tests.recordings.shelf import in_bucket, shelf
from tests.recordings.sounds import CALL


async def main() -> None:
    server = S3()
    server.port = int(sys.argv[1].rpartition(":")[2])
    async with shelf(in_bucket(server, Path(sys.argv[2]))) as it:
        it.recordings.store(CALL)
        await it.stored()


if __name__ == "__main__":
    asyncio.run(main())
