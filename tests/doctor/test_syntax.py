"""Every line that is printed for nginx, Apache, Caddy and HAProxy is one that this program takes."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.ports import free_port
from tests.support.proxies import APACHE_MODULES
from tests.support.proxy_programs import apache_file, check_command, environment, nginx_file

from hotshoe.doctor import Product, Remedy
from hotshoe.doctor.remedies import remedies, remedy
from hotshoe.doctor.urls import Url, facts_of

pytestmark = pytest.mark.real

APP = Url.typed("https://example.org/apps/sliders")


def checkable(kind: Product, pem: Path) -> Iterator[Remedy]:
    """All remedies of a kind, each text once, with ports and files that this machine has."""
    facts = facts_of(APP, page_host="www.org", page_origin="https://www.org", folder="/apps/static/",
                     cookie_path="/x", cookie_domain="y.org", upstream="127.0.0.1:5006", cookie="route")
    known = set()
    for finding in remedies()[kind]:
        found = remedy(finding, kind, facts)
        assert found is not None
        text = "\n".join(found.lines)
        text = re.sub(r"/etc/(letsencrypt/live|ssl|haproxy)/example\.org(/\w+)?\.pem", str(pem), text)
        if text not in known:
            known.add(text)
            text = re.sub(r"(listen |listen \[::\]:|Listen |bind :)(80|443)", with_free_port, text)
            yield Remedy(found.kind, found.place, tuple(text.split("\n")))


def with_free_port(match: re.Match[str]) -> str:
    return f"{match[1]}{free_port()}"


def check(program: str, file: Path) -> None:
    """Let the program check its configuration."""
    answer = subprocess.run(check_command(program, file), capture_output=True, text=True, timeout=60,
                            env=environment(file.parent))
    numbered = "\n".join(f"{number:4} {line}" for number, line in enumerate(file.read_text().splitlines(), 1))
    assert answer.returncode == 0, f"{answer.stdout}{answer.stderr}\n{numbered}"


def test_nginx(pem: Path, tmp_path: Path) -> None:
    https: list[str] = []
    servers: list[str] = []
    for each in checkable(Product.NGINX, pem):
        text = "\n".join(each.lines)
        if each.place.startswith("the http block"):
            https.append(text)
        elif "proxy_pass" in each.place or each.place.startswith("location"):
            servers.append(f"location / {{\n{text}\n}}")
        else:
            assert each.place == "the server block of example.org"
            servers.append(text)
    blocks = [f"server {{ listen 127.0.0.1:{free_port()};\n{text}\n}}" for text in servers]
    check("nginx", nginx_file(tmp_path, "\n".join([*https, *blocks])))


def test_apache(pem: Path, tmp_path: Path) -> None:
    main: list[str] = []
    hosts: list[str] = []
    for each in checkable(Product.APACHE, pem):
        text = "\n".join(each.lines)
        if each.place.startswith("the configuration"):
            main.append(text)
        else:
            hosts.append(f"<VirtualHost 127.0.0.1:{free_port()}>\n{text}\n</VirtualHost>")
    text = "\n".join([f"Listen 127.0.0.1:{free_port()}", *main, *hosts])
    check("apache", apache_file(tmp_path, APACHE_MODULES, text))


def test_caddy(pem: Path, tmp_path: Path) -> None:
    for number, each in enumerate(checkable(Product.CADDY, pem)):
        text = "\n".join(each.lines) + "\n"
        if each.place == "the global options":
            text = f"{{\n{text}}}\n"
        elif not each.place.startswith("the Caddyfile"):
            scheme = "https" if "tls " in text else "http"
            text = f"{scheme}://example.org:{free_port()} {{\n{text}}}\n"
        file = tmp_path / f"Caddyfile{number}"
        file.write_text(text)
        check("caddy", file)


def test_haproxy(pem: Path, tmp_path: Path) -> None:
    sections: dict[str, list[str]] = {"global": [], "defaults": [], "frontend": [], "backend": []}
    for each in checkable(Product.HAPROXY, pem):
        sections[each.place.removeprefix("the ")].append("\n".join(each.lines))
    parts = ["global", *sections["global"],
             "defaults\nmode http\ntimeout connect 5s\ntimeout client 30s\ntimeout server 30s", *sections["defaults"]]
    for number, text in enumerate(sections["frontend"]):
        parts.append(f"frontend f{number}\nbind 127.0.0.1:{free_port()}\n{text}")
    for number, text in enumerate(sections["backend"]):
        parts.append(f"backend b{number}\n{text}")
    file = tmp_path / "haproxy.cfg"
    file.write_text("\n".join(parts) + "\n")
    check("haproxy", file)
