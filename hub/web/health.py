"""`/healthz`, `/readyz`, `/metrics`."""

from collections.abc import Iterator
from itertools import accumulate

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from hub.counters import Durations
from hub.web.state import STATE, State

routes = web.RouteTableDef()


@routes.get("/healthz")
async def healthz(_: web.Request) -> web.Response:
    """Say that the process is alive."""
    return web.Response(text="ok\n")


@routes.get("/readyz")
async def readyz(request: web.Request) -> web.Response:
    """Say whether new calls are welcome."""
    if request.app[STATE].exchange.draining:
        return web.Response(status=503, text="stopping\n")
    return web.Response(text="ready\n")


@routes.get("/metrics")
async def metrics(request: web.Request) -> web.Response:
    """Give the counters in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Numbers(request.app[STATE]))
    return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


class Numbers(Collector):
    """Reads the hub's plain counters when Prometheus asks. No callSid is a label: that would be a series per call."""

    def __init__(self, state: State) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        counters = self._state.counters
        yield GaugeMetricFamily("hub_live_calls", "Calls that are live", value=self._state.exchange.live)
        yield GaugeMetricFamily("hub_known_calls", "Calls that are live or kept after their end", value=len(self._state.registry))
        yield GaugeMetricFamily("hub_subscribers", "Open sockets at /client", value=counters.subscribers)
        yield GaugeMetricFamily("hub_subscribers_behind", "Subscribers whose socket has no room now", value=len(self._state.rounds))
        yield GaugeMetricFamily("hub_listeners", "Who listens to a call now", value=counters.listeners)
        yield CounterMetricFamily("hub_sound_dropped", "Blocks of sound that a listener had no room for", value=counters.sound_dropped)
        yield CounterMetricFamily("hub_calls", "Calls begun", value=counters.calls)
        yield CounterMetricFamily("hub_streams", "Twilio streams begun", value=counters.streams)
        yield CounterMetricFamily("hub_frames", "Media messages taken in", value=counters.frames)
        yield CounterMetricFamily("hub_malformed", "Sockets at /twilio closed for breaking the protocol", value=counters.malformed)
        yield CounterMetricFamily("hub_subscribers_lagged", "Subscribers cut off because they were too slow", value=counters.lagged)
        refused = CounterMetricFamily("hub_refused", "Sockets turned away", labels=["door", "reason"])
        for key, count in counters.refused.items():
            door, _, reason = key.partition(" ")
            refused.add_metric([door, reason], count)
        yield refused
        closed = CounterMetricFamily("hub_subscribers_closed", "Subscribers' sockets closed", labels=["code"])
        for code, count in counters.closed.items():
            closed.add_metric([str(code)], count)
        yield closed
        yield from self._providers()

    def _providers(self) -> Iterator[Metric]:
        labels = ["provider"]
        sessions = GaugeMetricFamily("hub_provider_sessions", "Connections to providers, open now", labels=labels)
        sent = CounterMetricFamily("hub_provider_audio_seconds", "Audio sent to providers; stereo counts once", labels=labels)
        broken = CounterMetricFamily("hub_provider_reconnects", "Connections that broke or could not be made", labels=labels)
        repeats = CounterMetricFamily("hub_provider_repeats", "Words heard twice and told once", labels=labels)
        gaps = CounterMetricFamily("hub_provider_gap_seconds", "Audio that nobody transcribed, per track", labels=labels)
        interim = HistogramMetricFamily("hub_provider_interim_seconds", "From sending audio to an interim that covers it", labels=labels)
        final = HistogramMetricFamily("hub_provider_final_seconds", "From sending audio to the final that covers it", labels=labels)
        for name, counters in self._state.counters.providers.items():
            sessions.add_metric([name], counters.open_sessions)
            sent.add_metric([name], counters.sent_ms / 1000)
            broken.add_metric([name], counters.reconnects)
            repeats.add_metric([name], counters.repeats)
            gaps.add_metric([name], counters.gap_ms / 1000)
            interim.add_metric([name], *_buckets(counters.interim_seconds))
            final.add_metric([name], *_buckets(counters.final_seconds))
        yield from (sessions, sent, broken, repeats, gaps, interim, final)


def _buckets(durations: Durations) -> tuple[list[tuple[str, float]], float]:
    """Return a histogram as Prometheus wants it: how many were at most each bound, and the sum of all."""
    names = [str(bound) for bound in Durations.BOUNDS] + ["+Inf"]
    return list(zip(names, (float(count) for count in accumulate(durations.counts)), strict=True)), durations.total
