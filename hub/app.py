"""The composition root: puts the parts together and takes them apart in the right order. The only place that picks implementations."""

import asyncio
import errno
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from aiohttp import web

from hub import agents
from hub.agents.steering_settings import SteeringSettings
from hub.agents.webhooks import Webhooks
from hub.broker.broker import Broker
from hub.broker.opening import open_broker
from hub.calls.admission import Admission
from hub.calls.agent_context import AgentContext, AgentLimits
from hub.calls.call_context import DEADLINES, CallContext, Deadlines
from hub.calls.calls import Calls
from hub.calls.clustered import Hub, clustered
from hub.calls.erasure import Erasure
from hub.calls.kept import KeptPast, kept
from hub.calls.leaving import Leaving
from hub.calls.live_statistics import LiveStatistics
from hub.calls.note_taker import NoteTaker
from hub.calls.recorder import recording
from hub.calls.retention import KeepTerms, Retention
from hub.calls.routing import Routing
from hub.calls.steering import SteeringDesk
from hub.calls.takeover import TakeOver
from hub.calls.transcribed import TranscribedCall
from hub.calls.unnoted_calls import ArchivedUnnotedCalls, RecentUnnotedCalls
from hub.calls.watching import WatchedCalls, read_watchwords
from hub.cluster.membership import new_node_id
from hub.config import Config
from hub.delivery.delivery import Delivery
from hub.delivery.webhook_file import load as load_webhooks
from hub.errors import ConfigError
from hub.insight.redaction.settings import RedactionSettings, redactor
from hub.notes.settings import NotesSettings
from hub.ops.counters import Counters, NoteCounters
from hub.ops.descriptors import most_descriptors
from hub.ops.load import Load
from hub.text.terms import Terms
from hub.topics.outbox import Rounds
from hub.topics.record import Record
from hub.topics.registry import Registry
from hub.topics.stores import Stores
from hub.transcribers.limits import DEFAULT_LIMITS, SessionLimits
from hub.transcribers.transcriber import Transcriber
from hub.twilio.media import StartBody
from hub.twilio.rest import TwilioAccount
from hub.vendors.providers import Providers
from hub.vendors.registered import REGISTERED
from hub.vendors.transcribers import Transcribers
from hub.vendors.voice_model_provider import ModelContext
from hub.web import http
from hub.web.doors import (
    agent,
    asyncapi,
    audit,
    calls,
    client,
    dashboard,
    docs,
    erasure,
    events,
    health,
    metrics,
    openapi,
    recordings,
    status,
    steering,
    transcripts,
    twilio,
    twiml,
)
from hub.web.doors.protocol import STOPPING
from hub.web.limits import LIMITS, Limits, Room
from hub.web.proof import MAX_BODY_BYTES
from hub.web.resting_sockets import RestingSockets
from hub.web.server import Runner
from hub.web.state import STATE, State
from hub.web.tls import Certificate
from hub.web.tls_site import TlsSite
from hub.web.unproved import GRACE_SECONDS, Unproved

log = logging.getLogger(__name__)

GOODBYE_SECONDS = 3.0
"""How long open sockets may take to answer the hub's close when it stops."""


OpenTranscriber = Callable[[StartBody], Transcriber]


def answering(config: Config, providers: Providers, calls: Calls, registry: Registry, context: AgentContext) -> Routing:
    """Set up the agents and the voice model that they speak by. Raises: ConfigError when the agents file is wrong."""
    roster = agents.load(config, providers.agent_defaults(config))
    model = providers.voice_model(config) if len(roster) else None
    open_model = None
    if model is not None:
        shared = ModelContext(context.clock, context.counters.providers[model.name])
        open_model = model.start(config.of(model.settings), shared).open
    limits = AgentLimits(calls=config.agent_calls, call_seconds=config.agent_minutes * 60)
    return Routing(roster, open_model, calls, registry, context, limits)


def note_taker(config: Config, registry: Registry, past: KeptPast, counters: Counters) -> NoteTaker | None:
    """Set up what has notes written of calls that have ended. None where the settings name no model."""
    settings = config.of(NotesSettings)
    if not settings.url:
        return None
    counters.notes = NoteCounters()
    unnoted = ArchivedUnnotedCalls(past.archive) if past.archive is not None else RecentUnnotedCalls(registry)
    return NoteTaker(settings, registry, past.recall, unnoted, counters.notes)


async def drain(state: State, seconds: float) -> None:
    """Take no new call, read all audio that has arrived, give live calls so many seconds to end, then end them.

    A node of a cluster moves those that can be moved to the other nodes meanwhile.
    """
    await state.resting_sockets.wake_all()
    account, cluster = state.account, state.cluster
    leaving = Leaving(state.calls, cluster, account, state.limits.notice_seconds) if account is not None and cluster is not None else None
    if leaving is None or not seconds:
        if account is not None:
            account.listening.clear()
        await state.calls.drain(seconds)
        return
    async with asyncio.TaskGroup() as group:
        moving = group.create_task(leaving.run())
        await state.calls.drain(seconds)
        moving.cancel()


@asynccontextmanager
async def running(
    config: Config,
    open_transcriber: OpenTranscriber | None = None,
    *,
    providers: Providers = REGISTERED,
    limits: Limits = LIMITS,
    session_limits: SessionLimits = DEFAULT_LIMITS,
    deadlines: Deadlines = DEADLINES,
    broker: Broker | None = None,
) -> AsyncIterator[tuple[State, int]]:
    """Run a hub: listening when this is entered, drained, closed and silent when it is left.

    Gives its parts and the port it listens on. `open_transcriber`, `limits`, `session_limits`, `deadlines` and `broker` are for tests;
    without them the settings decide. Raises: ConfigError if the hub cannot listen there, or cannot transcribe as the settings say.
    """
    config = providers.resolved(config)
    webhooks = load_webhooks(config)
    loop = asyncio.get_running_loop()
    counters = Counters()
    load = Load(counters.lag_seconds)
    certificate = Certificate(config.tls_cert, config.tls_key) if config.tls_cert else None
    transcribers = Transcribers(config, counters, providers, session_limits) if open_transcriber is None else None
    open_transcriber = open_transcriber or (transcribers.open if transcribers else None)
    assert open_transcriber is not None
    account = TwilioAccount(config, limits.twilio) if config.twilio_account else None
    if broker is None and config.broker:
        broker = open_broker(config.broker, config.secret, config.keep_minutes * 60)
    node_id = new_node_id(config.node) if broker is not None else ""
    wall = broker.now if broker is not None else time.time
    registry = Registry(keep_seconds=config.keep_minutes * 60, clock=time.monotonic, wall=wall, soon=loop.call_soon)
    watching = WatchedCalls(read_watchwords(config.watchwords), registry) if config.watchwords else None
    registry.annotator = watching
    registry.redactor = redactor(config.of(RedactionSettings))
    rounds = Rounds(loop.call_later, time.monotonic)
    room = Room.within(most_descriptors(), limits)
    listening: list[socket.socket] = []
    try:
        listening += await _taken_port(config, room.backlog)
        async with (
            kept(config.archive, registry, config.keep_minutes * 60, node_id) as past,
            recording(config, registry, past.recall, past.archive) as recorder,
            Webhooks() as tool_webhooks,
            asyncio.TaskGroup() as group,
            AsyncExitStack() as leaving,
        ):
            delivery = Delivery(webhooks, past.archive, wall, counters.webhooks) if past.archive is not None and webhooks else None
            notes = note_taker(config, registry, past, counters)
            stores = past.stores or (Stores(registry) if broker is not None else None)
            take_over = TakeOver(registry, account, past.left, deadlines.grace_seconds)
            call_context = CallContext(registry, time.monotonic, account, stores, deadlines)

            def transcribed(record: Record, start: StartBody) -> TranscribedCall:
                return TranscribedCall(record, lambda: open_transcriber(start), call_context)

            admission = Admission(load, replace(limits.admission, calls=config.calls), time.monotonic)
            calls = Calls(registry, group, counters, transcribed, take_over, admission)
            calls.recorder = recorder
            agent_context = AgentContext(
                webhooks=tool_webhooks, account=account, counters=counters, clock=time.monotonic, wall=time.time,
                reachable=bool(config.public_url),
            )  # fmt: skip
            routing = answering(config, providers, calls, registry, agent_context)
            node = await leaving.enter_async_context(
                clustered(Hub(registry, calls, take_over, past, stores, counters), broker, node_id, config.secret, group)
            )
            steered = SteeringDesk(calls, routing.agents, config.of(SteeringSettings).dialable, reachable=bool(config.public_url))
            if node.elsewhere is not None:
                steered.ask_owner, node.elsewhere.steering = node.elsewhere.order, steered
            parts = (registry, calls, rounds, RestingSockets(loop), counters, load, routing, account)
            erasing = Erasure(registry, past.archive, past.access_log, time.time)
            erasing.recordings, erasing.cluster = recorder, node.cluster
            unproved = Unproved(room.unproved, GRACE_SECONDS)
            state = State(config, *parts, room, unproved, node.arrivals, past, erasing, steered, limits, node.cluster, node.elsewhere)
            runner = Runner(application(state), limits, state.unproved, goodbye_seconds=GOODBYE_SECONDS, clock=time.monotonic)
            await runner.setup()
            chores = [
                group.create_task(calls.expire()),
                group.create_task(LiveStatistics(registry, limits.statistics_seconds).run()),
                group.create_task(runner.connections.watch()),
                group.create_task(admission.watch(lambda: calls.live)),
                group.create_task(past.seal()),
            ]
            if past.archive is not None:
                terms = KeepTerms(Terms.of(config.keep_days), Terms.of(config.keep_recording_days))
                chores.append(group.create_task(Retention(past.archive, erasing, terms, time.time, time.monotonic).run()))
            if delivery is not None:
                chores.append(group.create_task(delivery.run()))
            if notes is not None:
                notes.elsewhere = node.elsewhere
                chores.append(group.create_task(notes.run()))
            if certificate is not None:
                chores.append(group.create_task(certificate.renew()))
            if watching is not None:
                chores.append(group.create_task(watching.run(calls)))
            try:
                take_over.begin(time.monotonic(), time.time())
                chores.append(group.create_task(take_over.run()))
                if recorder is not None:
                    chores.append(group.create_task(recorder.run()))
                if certificate is not None:
                    await TlsSite(runner, listening, certificate.context, group).start()
                else:
                    for each in listening:
                        await web.SockSite(runner, each, backlog=room.backlog).start()
                if account is not None:
                    account.listening.set()
                yield state, listening[0].getsockname()[1]
                await drain(state, config.drain_seconds)
            finally:
                for chore in chores:
                    chore.cancel()
                for open_socket in list(state.sockets):
                    open_socket.interrupt(STOPPING, "the hub is stopping: come back with your position")
                await runner.cleanup()
    except BaseExceptionGroup as errors:
        # Calls end by themselves and raise nothing, so what comes out of the group is what the caller's own body, or the start, raised.
        raise errors.exceptions[0] from None
    finally:
        for each in listening:
            each.close()
        if account is not None:
            await account.close()
        if transcribers is not None:
            transcribers.close()


DOORS: tuple[web.AbstractRouteDef, ...] = (
    web.get("/twilio", twilio.twilio, allow_head=False),
    *twiml.routes,
    *status.routes,
    web.get("/client", client.client, allow_head=False),
    *agent.routes,
    *calls.routes,
    *transcripts.routes,
    *events.routes,
    *erasure.routes,
    *audit.routes,
    *recordings.routes,
    *steering.routes,
    *health.routes,
    *metrics.routes,
    *dashboard.routes,
    *docs.routes,
    web.get("/asyncapi.json", asyncapi.serve),
    web.get("/openapi.json", openapi.serve),
)
"""Every address of the hub. What each takes and answers is in `hub/web/doors/operations.py`."""


def application(state: State) -> web.Application:
    """Build the doors."""
    app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[http.answered])
    app[STATE] = state
    app.add_routes(DOORS)
    return app


async def _taken_port(config: Config, backlog: int) -> list[socket.socket]:
    """Take the port before anything else of the hub is touched. Who connects waits until the doors are open. Raises: ConfigError."""
    taken: list[socket.socket] = []
    try:
        found = await asyncio.get_running_loop().getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, address in dict.fromkeys(found):
            taken.append(socket.create_server(address, family=family, backlog=backlog))
    except OSError as error:
        for each in taken:
            each.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError("HUB_PORT", f"{config.port} is taken by another program: stop that one or choose another port") from error
        raise ConfigError("HUB_HOST", f"{config.host} port {config.port} cannot be listened on: {error.strerror or error}") from error
    return taken
