"""Private names of other packages that our code uses: each is listed here, and each package has an upper bound.

A private name may change in any version. So the bound keeps a new version out until somebody has run the tests with it, and this list says
what to look at then. The tests named beside the entries fail when a name changes its meaning.
"""

import ast
import asyncio
import gc
import tomllib
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_server import Server
from packaging.requirements import Requirement
from websockets.asyncio.client import ClientConnection

from hub.web.sockets import HubSocket

TOP = Path(__file__).parents[2]

PRIVATE = {
    # hub/web/sockets.py: frames are taken where they are read, the peer reads why an oversized message closed its socket, and a closed
    # socket keeps no timer. Held by tests/web/test_twilio.py and test_fuzz.py. hub/web/server.py is held by tests/web/test_limits.py.
    "aiohttp": {
        "_cancel_heartbeat", "_loop", "_max_msg_size", "_message_tail", "_parser", "_payload_parser", "_post_start", "_reader", "_req",
        "_request_count", "_websocket", "_writer",
        # hub/web/connections.py and server.py: connections of our own class, which may be dropped between two requests. Held by
        # tests/web/test_deadlines.py and test_unproved.py.
        "_kwargs", "_make_server", "_request_in_progress", "_task_handler",
    },
    # typing and tuples made by collections.namedtuple: public, in spite of the underscore.
    "": {"_replace"},
}  # fmt: skip

BASES = (web.WebSocketResponse, web.BaseSite, web.BaseRunner, RequestHandler, Server, ClientConnection)
"""The classes of other packages that ours derive from."""

UNDOCUMENTED = {
    # hub/transcribers/connection.py, held by tests/transcribers/test_connection.py.
    "websockets": {"process_event", "protocol", "send_data", "transport"},
    # hub/broker/valkey/link.py: a Cluster is asked anew who its masters are. Held by tests/broker/test_outages.py.
    "redis": {"nodes_manager"},
    # hub/text/env_file.py: which line cannot be understood. Held by tests/test_env_file.py.
    "python_dotenv": {"Binding", "parse_stream"},
}
"""Names without an underscore that no page describes."""


def ours() -> Iterator[ast.Module]:
    for folder in ("hub", "clients"):
        for path in (TOP / folder).rglob("*.py"):
            yield ast.parse(path.read_text(encoding="utf-8"))


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def foreign_bases(tree: ast.Module) -> set[str]:
    """Names of a module's classes that derive, however far up, from a class of another package."""
    modules = {
        (each.asname or each.name).partition(".")[0]: (node.module if isinstance(node, ast.ImportFrom) else each.name) or ""
        for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom) for each in node.names
    }  # fmt: skip
    packages = {package for entry in (PRIVATE, UNDOCUMENTED) for package in entry if package}
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            for base in node.bases:
                first = ast.unparse(base).partition(".")[0].partition("[")[0]
                if first in found or modules.get(first, "").partition(".")[0] in packages:
                    found.add(node.name)
    return found


def of_its_own(derived: ast.ClassDef) -> set[str]:
    """Names that a class with a foreign base gives itself: in its body, or in `__init__`. What it sets elsewhere it may overwrite.

    A method that a foreign class has, too, is not its own: it overrides that one.
    """
    methods = {each.name for each in derived.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
    names = {name for name in methods if not any(hasattr(base, name) for base in BASES)}
    names |= {each.target.id for each in derived.body if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)}
    for method in derived.body:
        if isinstance(method, ast.FunctionDef) and method.name == "__init__":
            names |= {node.attr for node in ast.walk(method) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}
    return names


def given(tree: ast.Module) -> set[str]:
    """Every attribute that a module's classes set on themselves."""
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}


def used(tree: ast.Module) -> Iterator[str]:
    """Private names that a module takes from others: attributes of what is not `self`, and of a `self` that a foreign class made."""
    foreign = foreign_bases(tree)
    derived = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name in foreign]
    own = {name for each in derived for name in of_its_own(each)}
    inside = {id(node): each for each in derived for node in ast.walk(each)}
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name, value=ast.Name(id="self" | "cls")) if id(node) not in inside or name in own:
                continue
            case ast.Attribute(attr=name) if is_private(name):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if id(node) in inside and is_private(name):
                if any(hasattr(base, name) for base in BASES):
                    yield name  # an override
            case ast.ImportFrom(module=str(module)):
                yield from filter(is_private, module.split("."))


def test_every_private_name_of_another_package_is_listed() -> None:
    listed = set().union(*PRIVATE.values())
    trees = list(ours())
    ours_too = {name for tree in trees for name in given(tree)} - listed  # our classes may know each other's private names
    assert {name for tree in trees for name in used(tree)} - ours_too == listed


@pytest.mark.parametrize("package", [package for package in (*PRIVATE, *UNDOCUMENTED) if package])
def test_a_package_whose_private_names_are_used_has_an_upper_bound(package: str) -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    every = [*project["dependencies"], *(each for extra in project["optional-dependencies"].values() for each in extra)]
    (requirement,) = [each for each in map(Requirement, every) if each.name.replace("-", "_") == package]
    assert {specifier.operator for specifier in requirement.specifier} & {"<", "=="}


def test_the_undocumented_names_of_websockets_are_there() -> None:
    """`transport` and `protocol` are set on each connection: tests/transcribers/test_connection.py needs them on an open one."""
    assert all(hasattr(ClientConnection, name) for name in ("process_event", "send_data"))


@pytest.mark.parametrize("name", sorted(PRIVATE["aiohttp"] - {"_websocket"}))
async def test_a_private_name_of_aiohttp_is_there(name: str) -> None:
    async def look(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        server = request.protocol._manager
        assert any(hasattr(each, name) for each in (socket, request.protocol, server, web.BaseRunner))
        return socket

    app = web.Application()
    app.router.add_get("/", look)
    async with TestClient(TestServer(app)) as client, client.ws_connect("/") as socket:
        assert (await socket.receive()).data == 1000


async def test_a_socket_that_was_closed_keeps_no_timer() -> None:
    """aiohttp starts its heartbeat anew when the peer answers the close, and its timer keeps the socket in memory for half a minute."""
    closed: list[weakref.ref[HubSocket]] = []

    async def close(request: web.Request) -> web.StreamResponse:
        socket = HubSocket(max_msg_size=1000, heartbeat=30.0, close_seconds=1.0)
        await socket.prepare(request)
        await socket.close()
        closed.append(weakref.ref(socket))
        return socket

    app = web.Application()
    app.router.add_get("/", close)
    async with TestClient(TestServer(app)) as client, client.ws_connect("/") as socket:
        assert (await socket.receive()).data == 1000
        while not closed:
            await asyncio.sleep(0)
        async with client.get("/nothing") as answer:
            assert answer.status == 404  # the server has gone on to other work
        gc.collect()
        assert closed[0]() is None
