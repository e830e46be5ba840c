"""`GET /healthz` and `GET /readyz`: for whoever runs the hub, such as a container platform or a load balancer.

Knows whether the process answers and whether it takes new calls. Does not know why.
"""

from aiohttp import web

from hub.web.state import STATE

routes = web.RouteTableDef()


@routes.get("/healthz")
async def healthz(_: web.Request) -> web.Response:
    """Answer 200 as long as the process serves requests."""
    return web.Response(text="ok\n")


@routes.get("/readyz")
async def readyz(request: web.Request) -> web.Response:
    """Answer 200 while the hub takes new calls, 503 once it is stopping."""
    if request.app[STATE].calls.draining:
        return web.Response(status=503, text="stopping\n")
    return web.Response(text="ready\n")
