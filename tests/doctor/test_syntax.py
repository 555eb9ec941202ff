"""Every line that is printed for nginx, Apache, Caddy and HAProxy is one that this program takes."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.browser.proxy import free_port
from tests.doctor.programs import APACHE_MODULES
from tests.needs import need_program

from hotshoe.doctor import Kind, Remedy
from hotshoe.doctor.addresses import Address
from hotshoe.doctor.checks.places import facts_of
from hotshoe.doctor.remedies import TABLES, remedy

pytestmark = pytest.mark.real

APP = Address.typed("https://example.org/apps/sliders")


def remedies(kind: Kind, pem: Path) -> Iterator[Remedy]:
    """All remedies of a kind, each text once, with ports and files that this machine has."""
    facts = facts_of(APP, page_host="www.org", page_origin="https://www.org", folder="/apps/static/",
                     cookie_path="/x", cookie_domain="y.org", upstream="127.0.0.1:5006")
    known = set()
    for finding in TABLES[kind]:
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


def check(command: list[str], file: Path, text: str, environ: Mapping[str, str] | None = None) -> None:
    file.write_text(text)
    answer = subprocess.run([*command, str(file)], capture_output=True, text=True, timeout=60, env=environ)
    numbered = "\n".join(f"{number:4} {line}" for number, line in enumerate(text.splitlines(), 1))
    assert answer.returncode == 0, f"{answer.stdout}{answer.stderr}\n{numbered}"


def test_nginx(pem: Path, tmp_path: Path) -> None:
    https: list[str] = []
    servers: list[str] = []
    for each in remedies(Kind.NGINX, pem):
        text = "\n".join(each.lines)
        if each.place.startswith("the http block"):
            https.append(text)
        elif "proxy_pass" in each.place or each.place.startswith("location"):
            servers.append(f"location / {{\n{text}\n}}")
        else:
            assert each.place == "the server block of example.org"
            servers.append(text)
    folder = str(tmp_path)
    blocks = [f"server {{ listen 127.0.0.1:{free_port()};\n{text}\n}}" for text in servers]
    temporary = "".join(f"{name}_temp_path {folder}/{name};\n" for name in ("proxy", "fastcgi", "scgi", "uwsgi"))
    text = "\n".join([f"pid {folder}/pid;\nevents {{}}\nhttp {{\naccess_log off;\nclient_body_temp_path {folder}/b;",
                      temporary, *https, *blocks, "}"])
    check([need_program("nginx"), "-t", "-q", "-p", folder, "-e", f"{folder}/errors", "-c"], tmp_path / "conf", text)


def test_apache(pem: Path, tmp_path: Path) -> None:
    main: list[str] = []
    hosts: list[str] = []
    for each in remedies(Kind.APACHE, pem):
        text = "\n".join(each.lines)
        if each.place.startswith("the configuration"):
            main.append(text)
        else:
            hosts.append(f"<VirtualHost 127.0.0.1:{free_port()}>\n{text}\n</VirtualHost>")
    modules = [f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"
               for name in ("mpm_event", *APACHE_MODULES)]
    head = f"ServerRoot {tmp_path}\nServerName localhost\nDefaultRuntimeDir {tmp_path}\nErrorLog {tmp_path}/errors"
    text = "\n".join([head, *modules, "TypesConfig /etc/mime.types", f"Listen 127.0.0.1:{free_port()}", *main, *hosts])
    check([need_program("apache2", "httpd"), "-t", "-f"], tmp_path / "conf", text)


def test_caddy(pem: Path, tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    for number, each in enumerate(remedies(Kind.CADDY, pem)):
        text = "\n".join(each.lines) + "\n"
        if each.place == "the global options":
            text = f"{{\n{text}}}\n"
        elif not each.place.startswith("the Caddyfile"):
            scheme = "https" if "tls " in text else "http"
            text = f"{scheme}://example.org:{free_port()} {{\n{text}}}\n"
        command = [need_program("caddy"), "adapt", "--adapter", "caddyfile", "--config"]
        check(command, tmp_path / f"Caddyfile{number}", text, environ)


def test_haproxy(pem: Path, tmp_path: Path) -> None:
    sections: dict[str, list[str]] = {"global": [], "defaults": [], "frontend": [], "backend": []}
    for each in remedies(Kind.HAPROXY, pem):
        sections[each.place.removeprefix("the ")].append("\n".join(each.lines))
    parts = ["global", *sections["global"],
             "defaults\nmode http\ntimeout connect 5s\ntimeout client 30s\ntimeout server 30s", *sections["defaults"]]
    for number, text in enumerate(sections["frontend"]):
        parts.append(f"frontend f{number}\nbind 127.0.0.1:{free_port()}\n{text}")
    for number, text in enumerate(sections["backend"]):
        parts.append(f"backend b{number}\n{text}")
    check([need_program("haproxy"), "-c", "-q", "-f"], tmp_path / "conf", "\n".join(parts) + "\n")
