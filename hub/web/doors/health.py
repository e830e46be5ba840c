"""`GET /healthz` and `GET /readyz`: for whoever runs the hub, such as a container platform or a load balancer.

Knows whether the process answers, whether it takes new calls, and what else an operator should look at.
"""

from aiohttp import web

from hub.web.errors import refusal
from hub.web.state import STATE

routes = web.RouteTableDef()


@routes.get("/healthz")
async def healthz(_: web.Request) -> web.Response:
    """Answer 200 as long as the process serves requests."""
    return web.Response(text="ok\n")


@routes.get("/readyz")
async def readyz(request: web.Request) -> web.Response:
    """Answer 200 while the hub takes new calls, and 503 with the reason while it does not, so that a balancer sends them elsewhere.

    An archive that cannot be written, and a broker that cannot be used, are told, and refuse no call.
    """
    state = request.app[STATE]
    if (reason := state.calls.refusal) is not None:
        raise refusal(web.HTTPServiceUnavailable, "not-ready", str(reason))
    lines = ["ready"]
    if state.past.keeper is not None and (trouble := state.past.keeper.trouble):
        lines.append(f"the archive cannot be written: {trouble}")
    if state.cluster is not None and (trouble := state.cluster.broker.trouble):
        lines.append(f"the broker cannot be used: {trouble}")
    return web.Response(text="\n".join(lines) + "\n")
