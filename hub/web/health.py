"""`/healthz`, `/readyz`."""

from aiohttp import web

from hub.web.state import STATE

routes = web.RouteTableDef()


@routes.get("/healthz")
async def healthz(_: web.Request) -> web.Response:
    """Say that the process is alive."""
    return web.Response(text="ok\n")


@routes.get("/readyz")
async def readyz(request: web.Request) -> web.Response:
    """Say whether new calls are welcome."""
    if request.app[STATE].calls.draining:
        return web.Response(status=503, text="stopping\n")
    return web.Response(text="ready\n")
