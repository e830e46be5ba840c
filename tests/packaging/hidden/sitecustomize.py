"""Takes parts away from a Python process before its program begins. A test puts this folder first on PYTHONPATH.

HIDE names modules that cannot be imported, separated by commas. WITHOUT_SIGNALS=1 gives event loops no signal handlers, and sockets none of
Linux's options, as on Windows.
"""

import asyncio
import os
import socket
import sys
from typing import Any

for module in filter(None, os.environ.get("HIDE", "").split(",")):
    sys.modules[module] = None  # type: ignore[assignment]


def refuse(*_: Any) -> None:
    raise NotImplementedError


if os.environ.get("WITHOUT_SIGNALS") == "1":
    for loop in (asyncio.BaseEventLoop, asyncio.SelectorEventLoop):
        loop.add_signal_handler = refuse  # type: ignore[method-assign, union-attr]
    for option in ("TCP_USER_TIMEOUT", "SO_REUSEPORT"):
        if hasattr(socket, option):
            delattr(socket, option)
