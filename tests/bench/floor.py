"""The least a server pays for a frame: read it and count its bytes. Run as a program with a port."""

import asyncio
import sys

import uvloop

# The answer to the one key that tests.bench.load sends.
UPGRADE = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


class Floor(asyncio.Protocol):
    def __init__(self) -> None:
        self.upgraded = False
        self.size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if not self.upgraded:
            self.upgraded = True
            self.transport.write(UPGRADE)  # type: ignore[attr-defined]
        self.size += len(data)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Floor, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
