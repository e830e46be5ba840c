"""`GET /metrics`: the hub's numbers for Prometheus.

All numbers are read when Prometheus asks: from plain counters, from the calls' timelines, from the subscribers' cursors. So metrics cost
nothing per frame or delivery. Labels have few possible values and never hold a callSid or a phone number: Prometheus keeps a time series
for each value. Does not know when something is counted.
"""

from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import get_args

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from hub import __version__
from hub.agents.webhooks import OutcomeKind
from hub.audio.g711 import BYTES_PER_MS, TRACKS
from hub.ops.counters import (
    ClusterCounters,
    Durations,
    HandOverOutcome,
    NoteCounters,
    ProviderCounters,
    TakeOverOutcome,
    WebhookCounters,
)
from hub.web.connections import connection_of
from hub.web.state import STATE, State

routes = web.RouteTableDef()


@routes.get("/metrics")
async def metrics(request: web.Request) -> web.Response:
    """Return all metrics in Prometheus' text format."""
    await connection_of(request).in_turn(request.app[STATE].turns)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(HubCollector(request.app[STATE]))
    ProcessCollector(registry=registry)
    return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


class HubCollector(Collector):
    """Turns the hub's counters and current state into Prometheus metrics. Durations are seconds, as Prometheus recommends."""

    def __init__(self, state: State) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        version = GaugeMetricFamily("hub_info", "Always 1; the label is the version of the hub", labels=["version"])
        version.add_metric([__version__], 1)
        yield version
        yield from self._calls()
        yield from self._streams()
        yield from self._subscribers()
        yield from self._agents()
        yield from _providers(self._state.counters.providers)
        refused = CounterMetricFamily("hub_refused", "Sockets and requests refused", labels=["door", "reason"])
        for key, count in self._state.counters.refused.items():
            door, _, reason = key.partition(" ")
            refused.add_metric([door, reason], count)
        yield refused
        lag = HistogramMetricFamily("hub_loop_lag_seconds", "How late the event loop runs what is due")
        lag.add_metric([], *_buckets(self._state.counters.lag_seconds))
        yield lag
        busy = self._state.load.busy
        yield GaugeMetricFamily("hub_loop_busy_ratio", "Share of the last two seconds in which the event loop computed", value=busy)
        if self._state.counters.webhooks:
            yield from _webhooks(self._state.counters.webhooks, self._state.registry.wall())
        if self._state.counters.notes is not None:
            yield from _notes(self._state.counters.notes, self._state.registry.clock())
        if self._state.counters.cluster is not None:
            yield from _cluster(self._state.counters.cluster)

    def _calls(self) -> Iterator[Metric]:
        counters, calls, registry = self._state.counters, self._state.calls, self._state.registry
        yield GaugeMetricFamily("hub_live_calls", "Calls that are live", value=calls.live)
        yield GaugeMetricFamily("hub_known_calls", "Calls that are live or kept after their end", value=len(registry))
        yield GaugeMetricFamily("hub_history_bytes", "Bytes of events kept for subscribers that come later", value=registry.kept_bytes)
        yield GaugeMetricFamily("hub_draining", "1 while the hub is stopping", value=calls.draining)
        yield GaugeMetricFamily("hub_refusing_calls", "1 while new calls are refused", value=calls.refusal is not None)
        yield CounterMetricFamily("hub_calls", "Calls started", value=counters.calls)
        keeper = self._state.past.keeper
        unstored, behind = (keeper.unstored, keeper.behind) if keeper is not None else (0, False)
        yield GaugeMetricFamily("hub_archive_unstored", "Calls with something that is not in the archive yet", value=unstored)
        yield GaugeMetricFamily("hub_archive_behind", "1 while events are told before they are in the archive", value=behind)
        recordings = calls.recorder.recordings if calls.recorder is not None else None
        waiting, failing = (recordings.storing.waiting, recordings.failing) if recordings is not None else (0, 0)
        yield GaugeMetricFamily("hub_recordings_unstored", "Recordings of calls that are over and not in the store yet", value=waiting)
        yield GaugeMetricFamily("hub_recordings_failing", "Live calls whose sound is being lost", value=failing)
        ended = CounterMetricFamily("hub_calls_ended", "Calls ended", labels=["reason", "record"])
        for (reason, record), count in counters.ended.items():
            ended.add_metric([reason, record], count)
        yield ended
        delivered = CounterMetricFamily("hub_deliveries", "Events delivered to subscribers; merged interims count once", labels=["kind"])
        for kind, count in zip(("durable", "interim"), registry.delivered, strict=True):
            delivered.add_metric([kind], count)
        yield delivered

    def _streams(self) -> Iterator[Metric]:
        counters, calls = self._state.counters, self._state.calls
        yield GaugeMetricFamily("hub_live_streams", "Twilio streams that are live", value=calls.live_streams)
        yield CounterMetricFamily("hub_streams", "Twilio streams started", value=counters.streams)
        yield _by_code("hub_streams_closed", "Sockets at /twilio and /agent closed", counters.streams_closed)
        yield CounterMetricFamily("hub_malformed", "Of these, closed because a message broke the protocol", value=counters.malformed)
        yield CounterMetricFamily("hub_frames", "Media messages received", value=counters.frames)
        amiss = calls.amiss_bytes()
        for fate, meaning in (
            ("filled", "Silence put in place of audio that did not arrive in time"),
            ("late", "Audio that arrived after silence had left in its place"),
            ("dropped", "Audio discarded because its timestamp could not be true"),
        ):
            family = CounterMetricFamily(f"hub_audio_{fate}_seconds", meaning, labels=["track"])
            for track in TRACKS:
                family.add_metric([track], amiss[track, fate] / BYTES_PER_MS / 1000)
            yield family

    def _agents(self) -> Iterator[Metric]:
        agents, calls = self._state.counters.agents, self._state.calls
        yield GaugeMetricFamily("hub_agent_calls", "Live calls that are answered by agents", value=calls.answering)
        yield CounterMetricFamily("hub_agent_interruptions", "Times that a caller interrupted an agent", value=agents.interruptions)
        tools = CounterMetricFamily("hub_agent_tools", "Tool calls by agents", labels=["outcome"])
        for outcome in get_args(OutcomeKind):
            tools.add_metric([outcome], agents.tools[outcome])
        yield tools
        answer = HistogramMetricFamily("hub_agent_answer_seconds", "From the end of a caller's speech to the first audio of an answer")
        answer.add_metric([], *_buckets(agents.answer_seconds))
        yield answer

    def _subscribers(self) -> Iterator[Metric]:
        counters, rounds = self._state.counters, self._state.rounds
        yield GaugeMetricFamily("hub_subscribers", "Open sockets at /client", value=counters.subscribers)
        yield GaugeMetricFamily("hub_subscribers_behind", "Subscribers whose socket has no room: events wait for them", value=len(rounds))
        yield GaugeMetricFamily("hub_outbox_bytes", "Bytes waiting for these subscribers", value=rounds.waiting_bytes())
        yield GaugeMetricFamily(
            "hub_outbox_stalled_seconds", "How long the slowest of them has taken nothing", value=rounds.longest_seconds()
        )
        yield CounterMetricFamily("hub_subscribers_lagged", "Subscribers disconnected because they were too slow", value=counters.lagged)
        yield GaugeMetricFamily("hub_listeners", "Subscribers that listen to a call now, counted once per call", value=counters.listeners)
        yield CounterMetricFamily(
            "hub_sound_dropped", "Blocks of live audio skipped for listeners that were behind", value=counters.sound_dropped
        )
        yield _by_code("hub_subscribers_closed", "Sockets at /client closed", counters.closed)


def _cluster(cluster: ClusterCounters) -> Iterator[Metric]:
    node = GaugeMetricFamily("hub_node_info", "Always 1; the labels are the node's name and version", labels=["node", "version"])
    node.add_metric([cluster.node, __version__], 1)
    yield node
    yield GaugeMetricFamily("hub_cluster_nodes", "Living nodes that this node knows, itself included", value=cluster.nodes)
    yield GaugeMetricFamily("hub_cluster_calls", "Live calls of all nodes, as this node knows them", value=cluster.calls)
    yield GaugeMetricFamily("hub_broker_up", "1 while the broker answers", value=cluster.broker_up)
    yield GaugeMetricFamily("hub_broker_behind", "1 while events are told that neither broker nor archive has", value=cluster.behind)
    yield GaugeMetricFamily("hub_broker_clock_skew_seconds", "This machine's clock minus the broker's", value=cluster.clock_skew_seconds)
    append = HistogramMetricFamily("hub_broker_append_seconds", "From sending events to the broker until it has them")
    append.add_metric([], *_buckets(cluster.append_seconds))
    yield append
    takeovers = CounterMetricFamily("hub_takeovers", "Calls of dead nodes that this node claimed", labels=["outcome"])
    for ending in get_args(TakeOverOutcome):
        takeovers.add_metric([ending], cluster.takeovers[ending])
    yield takeovers
    handovers = CounterMetricFamily("hub_handovers", "Calls of living nodes that this node asked for", labels=["outcome"])
    for outcome in get_args(HandOverOutcome):
        handovers.add_metric([outcome], cluster.handovers[outcome])
    yield handovers
    yield CounterMetricFamily("hub_fenced", "Appends refused because another node has the call", value=cluster.fenced)
    yield CounterMetricFamily("hub_forged", "Messages and entries refused because of their signature", value=cluster.forged)
    yield GaugeMetricFamily("hub_replicas", "Calls of other nodes that are read here", value=cluster.replicas)
    yield GaugeMetricFamily("hub_replicas_catching_up", "Of these, those that read what they missed", value=cluster.catching_up)
    yield CounterMetricFamily("hub_replica_catch_ups", "Times that a replica read what it had missed", value=cluster.catch_ups)


def _webhooks(webhooks: Mapping[str, WebhookCounters], now: float) -> Iterator[Metric]:
    messages = CounterMetricFamily("hub_webhook_messages", "Messages to webhooks, by what came of each", labels=["webhook", "outcome"])
    waiting = GaugeMetricFamily("hub_webhook_calls_waiting", "Calls of which something is still to be sent", labels=["webhook"])
    dead = GaugeMetricFamily("hub_webhook_dead_letters", "Messages that were given up after a day", labels=["webhook"])
    failing = GaugeMetricFamily("hub_webhook_failing_seconds", "For how long a message has been tried in vain", labels=["webhook"])
    for name, counters in webhooks.items():
        for outcome, count in (("delivered", counters.delivered), ("failed", counters.failed), ("given-up", counters.set_aside)):
            messages.add_metric([name, outcome], count)
        waiting.add_metric([name], counters.calls)
        dead.add_metric([name], counters.dead)
        failing.add_metric([name], 0.0 if counters.failing_since is None else max(0.0, now - counters.failing_since))
    yield from (messages, waiting, dead, failing)


def _notes(notes: NoteCounters, now: float) -> Iterator[Metric]:
    calls = CounterMetricFamily("hub_notes", "Calls that got a note, or will get none since the model wrote none", labels=["outcome"])
    for outcome, count in (("made", notes.made), ("given-up", notes.given_up)):
        calls.add_metric([outcome], count)
    yield calls
    requests = CounterMetricFamily("hub_note_requests", "Requests to the model that writes notes", labels=["outcome"])
    for outcome, count in (("answered", notes.requests - notes.failed), ("failed", notes.failed)):
        requests.add_metric([outcome], count)
    yield requests
    tokens = CounterMetricFamily("hub_note_tokens", "Tokens that the model says it was given, and has written", labels=["direction"])
    for direction, count in (("read", notes.tokens_read), ("written", notes.tokens_written)):
        tokens.add_metric([direction], count)
    yield tokens
    yield GaugeMetricFamily("hub_notes_waiting", "Calls that have ended and wait for a note", value=notes.waiting)
    failing = 0.0 if notes.failing_since is None else max(0.0, now - notes.failing_since)
    yield GaugeMetricFamily("hub_notes_failing_seconds", "For how long the model has given no answer", value=failing)


def _providers(providers: Mapping[str, ProviderCounters]) -> Iterator[Metric]:
    labels = ["provider"]
    live = GaugeMetricFamily("hub_provider_sessions", "Open sessions with providers", labels=labels)
    begun = CounterMetricFamily("hub_provider_sessions_begun", "Sessions with providers started", labels=labels)
    sent = CounterMetricFamily("hub_provider_audio_seconds", "Audio sent to providers; stereo counts once", labels=labels)
    broken = CounterMetricFamily("hub_provider_reconnects", "Connections that broke or could not be opened", labels=labels)
    restored = CounterMetricFamily("hub_provider_restored", "Connections reopened after a break", labels=labels)
    refused = CounterMetricFamily("hub_provider_refused", "Times that a provider gave up on a call for good", labels=labels)
    repeats = CounterMetricFamily(
        "hub_provider_repeats", "Words recognized again after a reconnect, and not published twice", labels=labels
    )
    gaps = CounterMetricFamily("hub_provider_gap_seconds", "Audio that was not transcribed, per track", labels=labels)
    handshake = HistogramMetricFamily("hub_provider_handshake_seconds", "From dialling a provider until it accepts audio", labels=labels)
    interim = HistogramMetricFamily("hub_provider_interim_seconds", "From sending audio to an interim that covers it", labels=labels)
    final = HistogramMetricFamily("hub_provider_final_seconds", "From sending audio to the final that covers it", labels=labels)
    for name, counters in providers.items():
        live.add_metric([name], counters.open_sessions)
        begun.add_metric([name], counters.sessions)
        sent.add_metric([name], counters.sent_ms / 1000)
        broken.add_metric([name], counters.reconnects)
        restored.add_metric([name], counters.restored)
        refused.add_metric([name], counters.refused)
        repeats.add_metric([name], counters.repeats)
        gaps.add_metric([name], counters.gap_ms / 1000)
        handshake.add_metric([name], *_buckets(counters.handshake_seconds))
        interim.add_metric([name], *_buckets(counters.interim_seconds))
        final.add_metric([name], *_buckets(counters.final_seconds))
    yield from (live, begun, sent, broken, restored, refused, repeats, gaps, handshake, interim, final)


def _by_code(name: str, meaning: str, closed: Mapping[int, int]) -> Metric:
    family = CounterMetricFamily(name, meaning, labels=["code"])
    for code, count in closed.items():
        family.add_metric([str(code)], count)
    return family


def _buckets(durations: Durations) -> tuple[list[tuple[str, float]], float]:
    """Return a histogram in Prometheus' form: for each bound, how many durations were at most that long; and the sum of all durations."""
    names = [str(bound) for bound in durations.bounds] + ["+Inf"]
    return list(zip(names, (float(count) for count in accumulate(durations.counts)), strict=True)), durations.total
