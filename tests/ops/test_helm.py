"""The Helm chart, linted and rendered by Helm's own library: what reaches a cluster, and what is refused with which words.

No cluster takes what is rendered here, so what only an API server would refuse is not seen.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub import __version__
from hub.app import GOODBYE_SECONDS
from hub.config import Config, settings_of
from hub.transcribers.limits import DEFAULT_LIMITS

helm = pytest.importorskip("helm_python", reason="Helm's library has no wheel for this machine")

CHART = Path(__file__).parents[2] / "hub" / "deploy" / "helm" / "transcript-hub"
GIVEN = {"publicUrl": "https://hub.example.com", "existingSecret": "hub"}
EVERYTHING: dict[str, Any] = GIVEN | {
    "agents": '[[agents]]\nname = "support"\n',
    "config": {"HUB_DIAL": "+14155550100", "HUB_KEEP_DAYS": 30, "HUB_RECORDINGS": "s3://calls/hub"},
    "autoscaling": {"enabled": True, "metric": "calls", "callsPerNode": 150},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "networkPolicy": {"enabled": True, "from": [{"namespaceSelector": {}}]},
    "ingress": {"className": "nginx", "tlsSecret": "hub-tls"},
    "podAnnotations": {"team": "voice"},
    "image": {"pullSecrets": [{"name": "registry"}]},
}


def rendered(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what is made of some values, by kind and the end of its name."""
    files = helm.Chart.load(str(CHART)).render(values, name="live", namespace="voice")
    found = [each for path, text in files.items() if path.endswith(".yaml") for each in yaml.safe_load_all(text) if each]
    return {each["kind"] + each["metadata"]["name"].removeprefix("live-transcript-hub"): each for each in found}


def pod(values: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = rendered(values)["Deployment"]["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("values", [GIVEN, EVERYTHING], ids=["the least", "everything"])
def test_the_chart_lints_without_a_warning(values: dict[str, Any]) -> None:
    report = helm.lint(str(CHART), values, strict=True)
    assert not report["errors"]
    assert [each for each in report["messages"] if each["severity"] > 1] == []


def test_the_least_that_is_needed_gives_three_nodes_a_service_an_ingress_and_a_budget() -> None:
    made = rendered(GIVEN)
    assert set(made) == {"ConfigMap", "Deployment", "Service", "Service-nobody", "Ingress", "PodDisruptionBudget"}
    assert made["Deployment"]["spec"]["replicas"] == 3
    assert made["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1


def test_everything_else_is_there_when_it_is_asked_for() -> None:
    assert set(rendered(EVERYTHING)) - set(rendered(GIVEN)) == {
        "ConfigMap-agents", "HorizontalPodAutoscaler", "ServiceMonitor", "NetworkPolicy",
    }  # fmt: skip


def test_a_node_has_time_to_leave_to_drain_and_to_say_goodbye() -> None:
    for drain, leave in ((300, 10), (0, 5)):
        spec = pod(GIVEN | {"drainSeconds": drain, "leaveSeconds": leave})
        needed = leave + drain + DEFAULT_LIMITS.last_words_most_seconds + GOODBYE_SECONDS
        assert spec["terminationGracePeriodSeconds"] > needed
        assert spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", str(leave)]
    assert rendered(GIVEN | {"drainSeconds": 60})["ConfigMap"]["data"]["HUB_DRAIN_SECONDS"] == "60"


def test_a_new_node_is_there_before_an_old_one_goes() -> None:
    assert rendered(GIVEN)["Deployment"]["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_a_full_node_is_not_ready_and_not_killed() -> None:
    hub = pod(GIVEN)["containers"][0]
    assert hub["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert hub["livenessProbe"]["httpGet"]["path"] == hub["startupProbe"]["httpGet"]["path"] == "/healthz"


def test_a_node_has_no_rights_that_it_does_not_need() -> None:
    spec = pod(EVERYTHING)
    assert spec["automountServiceAccountToken"] is False
    assert (spec["securityContext"]["runAsNonRoot"], spec["securityContext"]["runAsUser"]) == (True, 10001)
    assert spec["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip


def test_secrets_come_from_the_secret_and_the_rest_is_settings_that_exist() -> None:
    made = rendered(EVERYTHING)
    hub = made["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    assert hub["envFrom"][1]["secretRef"]["name"] == "hub"
    fixed = {each["name"]: each["valueFrom"] for each in hub["env"]}
    assert fixed["HUB_NODE"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert {name for name, source in fixed.items() if "secretKeyRef" in source} == {"HUB_SECRET", "HUB_BROKER", "HUB_ARCHIVE"}
    known = {each.metadata["name"] for each in settings_of(Config)}
    data = made["ConfigMap"]["data"]
    assert set(data) | set(fixed) <= known
    assert data["HUB_KEEP_DAYS"] == "30"
    assert data["HUB_RECORDING_SPOOL"].startswith("/var/lib/transcript-hub/"), "where the pod may write"
    assert data["HUB_AGENTS"] == "/etc/transcript-hub/agents.toml"
    assert made["ConfigMap-agents"]["data"]["agents.toml"] == EVERYTHING["agents"]


def test_other_settings_mean_other_pods() -> None:
    stamps = [
        rendered(GIVEN | {"config": {"HUB_DIAL": number}})["Deployment"]["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        for number in ("+14155550100", "+14155550100", "+14155550101")
    ]
    assert stamps[0] == stamps[1] != stamps[2]


def test_nodes_are_added_by_live_calls_or_by_cpu_and_taken_away_slowly() -> None:
    by_calls = rendered(EVERYTHING)
    scaler = by_calls["HorizontalPodAutoscaler"]["spec"]
    (metric,) = scaler["metrics"]
    assert metric["pods"] == {"metric": {"name": "hub_live_calls"}, "target": {"type": "AverageValue", "averageValue": "150"}}
    assert scaler["behavior"]["scaleDown"]["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 300}]
    assert "replicas" not in by_calls["Deployment"]["spec"], "an upgrade must not undo what the autoscaler decided"
    (metric,) = rendered(GIVEN | {"autoscaling": {"enabled": True}})["HorizontalPodAutoscaler"]["spec"]["metrics"]
    assert metric["resource"]["name"] == "cpu"


def test_the_ingress_takes_the_name_in_the_public_address_and_hides_the_metrics() -> None:
    made = rendered(EVERYTHING)
    (rule,) = made["Ingress"]["spec"]["rules"]
    assert rule["host"] == "hub.example.com"
    services = {each["path"]: each["backend"]["service"]["name"] for each in rule["http"]["paths"]}
    assert services == {"/metrics": "live-transcript-hub-nobody", "/": "live-transcript-hub"}
    assert "selector" not in made["Service-nobody"]["spec"]


def test_services_budgets_and_policies_find_the_pods() -> None:
    made = rendered(EVERYTHING)
    labels = made["Deployment"]["spec"]["template"]["metadata"]["labels"]
    for kind, path in (
        ("Service", ["selector"]),
        ("PodDisruptionBudget", ["selector", "matchLabels"]),
        ("NetworkPolicy", ["podSelector", "matchLabels"]),
    ):
        selector = made[kind]["spec"]
        for part in path:
            selector = selector[part]
        assert selector.items() <= labels.items(), kind
    assert made["ServiceMonitor"]["spec"]["selector"]["matchLabels"].items() <= made["Service"]["metadata"]["labels"].items()
    assert made["Service"]["metadata"]["labels"][made["ServiceMonitor"]["spec"]["jobLabel"]] == "transcript-hub", "alerts know the job"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"publicUrl": ""}, "publicUrl must be the hub's address as seen from outside"),
        ({"publicUrl": "http://hub.example.com"}, "such as https://hub.example.com, not"),
        ({"existingSecret": ""}, "name a Secret with the keys HUB_SECRET, HUB_BROKER and HUB_ARCHIVE"),
        ({"autoscaling": {"enabled": True, "minReplicas": 9, "maxReplicas": 3}}, "minReplicas is 9, which is more than"),
        ({"replicas": 0}, "replicas"),
        ({"replica": 3}, "replica"),
        ({"config": {"HUB_SECRET": "in the open"}}, "HUB_SECRET"),
        ({"config": {"dial": "x"}}, "dial"),
        ({"config": {"HUB_PORT": 80}}, "HUB_PORT"),
        ({"autoscaling": {"metric": "memory"}}, "metric"),
        ({"disruptionBudget": {"maxUnavailable": 0}}, "maxUnavailable"),
        ({"drainSeconds": "long"}, "drainSeconds"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name(values: dict[str, Any], words: str) -> None:
    with pytest.raises((helm.HelmValuesError, helm.HelmRenderError), match=re.escape(words)):
        rendered(GIVEN | values)


def test_the_schema_refuses_every_secret_among_the_settings() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    refused = set(schema["properties"]["config"]["propertyNames"]["not"]["enum"])
    assert {each.metadata["name"] for each in settings_of(Config) if each.metadata["secret"]} <= refused


def test_the_chart_is_of_this_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == __version__
