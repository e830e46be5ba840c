"""The command line: `transcript-hub serve`."""

import argparse
import asyncio
import logging
import signal
import sys

import uvloop

from hub import __version__, app, config
from hub.errors import ConfigError

log = logging.getLogger("hub")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="transcript-hub", description="A pub/sub hub for live phone calls.")
    parser.add_argument("--version", action="version", version=f"transcript-hub {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="run the hub; its settings are HUB_* variables, from the environment or .env")
    parser.parse_args(arguments)
    try:
        settings = config.load()
        logging.basicConfig(level=settings.log.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
        return uvloop.run(serve(settings))
    except ConfigError as error:
        print(f"transcript-hub: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


async def serve(settings: config.Config) -> int:
    """Run until SIGTERM or SIGINT; a second signal ends at once."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()

    def stop() -> None:
        if stopping.is_set():
            log.warning("stopping at once")
            for task in asyncio.all_tasks():
                task.cancel()
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        async with app.running(settings) as (_, port):
            host = f"[{settings.host}]" if ":" in settings.host else settings.host
            log.info("listening on http://%s:%d, transcribing with %s", host, port, settings.provider)
            await stopping.wait()
    except asyncio.CancelledError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
