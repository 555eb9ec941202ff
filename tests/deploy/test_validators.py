"""systemd's units, compose's and Kubernetes' files, read by their own validators."""

from __future__ import annotations

import os
import re
import subprocess
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from tests.support.deployed import HOTSHOE, generate
from tests.support.needs import need_program

pytestmark = pytest.mark.real


@pytest.fixture
def kubernetes() -> Any:
    """The validator of Kubernetes; its import takes 2.5 s, and each worker reads this module."""
    import kubernetes_validate  # type: ignore[import-untyped]

    return kubernetes_validate


@pytest.mark.parametrize("words", [
    (), ("--flask", "shop:make()", "--prefix", "/apps", "--user", "apps", "--group", "web"),
    ("--unix-socket", "/run/hotshoe/app.sock"), ("--port", "80"),
    ("--upstream", "127.0.0.1:5006", "--upstream", "127.0.0.1:5007", "--auth", "basic"),
    ("--upstream", "unix:/run/shop/1.sock", "--upstream", "unix:/run/shop/2.sock", "--name", "shop"),
])
def test_systemd(words: tuple[str, ...], tmp_path: Path) -> None:
    ((name, text),) = generate("systemd", tmp_path, "sliders.py", "--program", HOTSHOE, *words).items()
    program = need_program("systemd-analyze")
    unit = tmp_path / name.replace("@", "@5006")
    if unit.name != name:
        unit.symlink_to(tmp_path / name)
    ended = subprocess.run([program, "verify", "--man=no", str(unit)], capture_output=True, text=True)
    ours = [line for line in ended.stderr.splitlines() if tmp_path.name in line or unit.name in line]
    assert not ours, ours
    broken = tmp_path / f"broken-{unit.name}"
    broken.write_text(text.replace("KillMode=mixed", "KillMode=gentle").replace(HOTSHOE, "/no/hotshoe"))
    ended = subprocess.run([program, "verify", "--man=no", str(broken)], capture_output=True, text=True)
    assert ended.stderr.count(broken.name) >= 2, "it finds what is wrong"
    assert ("EnvironmentFile=-" in text, "TimeoutStopSec=15" in text) == (True, True)


@pytest.mark.parametrize("words", [
    ("--no-tls",), ("--domain", "a.example", "--replicas", "3", "--prefix", "/apps"),
    ("--tls", "/c.pem", "--tls-key", "/k.pem", "--image", "registry.example:5000/a/b:1", "--replicas", "2"),
    ("--flask", "shop:make()", "--listen", "127.0.0.1:8080", "--no-tls", "--domain", "a.example"),
])
def test_compose(words: tuple[str, ...], tmp_path: Path) -> None:
    files = generate("compose", tmp_path, "sliders.py", *words)
    command = [need_program("docker-compose"), "-f", str(tmp_path / "compose.yaml"), "config"]
    variables = {**os.environ, "BOKEH_SECRET_KEY": "of-the-tests"}
    ended = subprocess.run(command, capture_output=True, text=True, env=variables, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    services = yaml.safe_load(ended.stdout)["services"]
    apps = sorted(name for name in services if name != "caddy")
    assert len(apps) == int(words[words.index("--replicas") + 1]) if "--replicas" in words else 1
    for name in apps:
        assert services[name]["environment"] == {"BOKEH_SECRET_KEY": "of-the-tests"}
        assert f"{name}:5006" in files["Caddyfile"]
    assert "bind" not in files["Caddyfile"], "the address is the machine's, not the container's"
    without = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path,
                             env={key: value for key, value in variables.items() if key != "BOKEH_SECRET_KEY"})
    assert without.returncode != 0
    assert "hotshoe secret" in without.stderr


@pytest.mark.parametrize(("tls", "replicas", "prefix"), [*product(
    (["--no-tls"], ["--domain", "a.example", "--domain", "b.example"]), ("1", "3"),
    ([], ["--prefix", "/apps"], ["--prefix", "/apps", "--strip-prefix"]))])
def test_kubernetes(tls: list[str], replicas: str, prefix: list[str], tmp_path: Path, kubernetes: Any) -> None:
    files = generate("kubernetes", tmp_path, "sliders.py", *tls, "--replicas", replicas, *prefix)
    documents: dict[str, Any] = {each["kind"]: each for each in yaml.safe_load_all(files["hotshoe.yaml"])}
    for document in documents.values():
        kubernetes.validate(document, "1.31", strict=True)
    assert ("PodDisruptionBudget" in documents) is (replicas == "3")
    pod = documents["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    probes = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness", "liveness")}
    assert probes == {"startup": "/_hotshoe/health", "readiness": "/_hotshoe/health",
                      "liveness": "/_hotshoe/health/alive"}
    assert pod["terminationGracePeriodSeconds"] > 10 + 6
    rules = documents["Ingress"]["spec"]["rules"]
    assert [rule.get("host") for rule in rules] == ([None] if tls == ["--no-tls"] else ["a.example", "b.example"])
    annotations = documents["Ingress"]["metadata"]["annotations"]
    assert ("nginx.ingress.kubernetes.io/affinity" in annotations) is (replicas == "3")
    if "--strip-prefix" in prefix:
        path = rules[0]["http"]["paths"][0]["path"]
        assert [re.fullmatch(path, text) is not None for text in ("/apps", "/apps/a", "/appsa")] == [True, True, False]


def test_the_validator_is_strict(tmp_path: Path, kubernetes: Any) -> None:
    files = generate("kubernetes", tmp_path, "sliders.py")
    deployment = next(yaml.safe_load_all(files["hotshoe.yaml"]))
    deployment["spec"]["replikas"] = 2
    with pytest.raises(kubernetes.ValidationError):
        kubernetes.validate(deployment, "1.31", strict=True)
