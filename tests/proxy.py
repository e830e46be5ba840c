"""A proxy in front of a hub that ends TLS, as Caddy or nginx would, and changes what a test wants changed."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

Edit = Callable[[bytes], bytes]


@asynccontextmanager
async def proxy(port: int, chain: str, key: str, *, asked: Edit = lambda head: head, told: Edit = lambda data: data) -> AsyncIterator[str]:
    """Carry connections to a port of this machine, with TLS ended. `asked` edits a request's head, `told` edits what comes back."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(chain, key)

    async def pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter, edit: Edit) -> None:
        with suppress(ConnectionError, ssl.SSLError):
            while data := await source.read(65536):
                sink.write(edit(data))
        sink.close()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = await reader.readuntil(b"\r\n\r\n")
            try:
                there, back = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            else:
                back.write(asked(head))
                async with asyncio.TaskGroup() as group:
                    group.create_task(pour(reader, back, lambda data: data))
                    group.create_task(pour(there, writer, told))
        writer.close()

    async with await asyncio.start_server(carry, "127.0.0.1", 0, ssl=tls) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
