"""Real proxies for the doctor to look at: nginx, Apache, Caddy and HAProxy, each as one process with many ports."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import proxy_programs
from tests.support.ports import free_port
from tests.support.proxy_programs import apache_file, nginx_file


@dataclass(frozen=True)
class Site:
    """What one port of a proxy does."""

    body: str
    """Its part of the configuration; ``{folder}`` is a folder of the process, ``{port}`` its own port."""
    certificate: Path | None = None
    """A file with certificate, chain and key; then it speaks TLS."""
    outside: str = ""
    """What stands beside it, at the top level (of nginx: in http)."""


@dataclass(frozen=True)
class Running:
    """A proxy that runs."""

    ports: Mapping[str, int]
    secure: frozenset[str]
    folder: Path

    def url(self, name: str, path: str = "/", host: str = "127.0.0.1") -> str:
        """The address of a site."""
        return f"{'https' if name in self.secure else 'http'}://{host}:{self.ports[name]}{path}"


APACHE_MODULES = (
    "mpm_event", "authz_core", "authn_core", "proxy", "proxy_http", "proxy_wstunnel", "proxy_balancer", "slotmem_shm",
    "lbmethod_byrequests", "lbmethod_bybusyness", "headers", "rewrite", "alias", "mime", "ssl", "deflate", "filter",
    "setenvif", "reqtimeout", "cache", "cache_disk", "dir", "socache_shmcb", "env",
)


@contextmanager
def nginx(sites: Mapping[str, Site]) -> Iterator[Running]:
    """nginx with a ``server`` for each site; its body stands behind ``listen``."""
    with _running(sites) as running:
        parts = []
        for name, site in sites.items():
            pem = site.certificate
            tls = "" if pem is None else f"ssl_certificate {pem}; ssl_certificate_key {pem};"
            listen = f"listen 127.0.0.1:{running.ports[name]}{' ssl' if pem else ''};"
            parts.append(f"{_filled(site.outside, running, name)}\n"
                         f"server {{ {listen} {tls}\n{_filled(site.body, running, name)}\n}}")
        with proxy_programs.running("nginx", nginx_file(running.folder, "\n".join(parts)), running.ports.values()):
            yield running


@contextmanager
def apache(sites: Mapping[str, Site], head: str = "") -> Iterator[Running]:
    """Apache with a ``VirtualHost`` for each site. ``head`` stands before them."""
    with _running(sites) as running:
        parts = ["Mutex pthread", head]
        for name, site in sites.items():
            pem = site.certificate
            tls = "" if pem is None else f"SSLEngine on\nSSLCertificateFile {pem}\nSSLCertificateKeyFile {pem}"
            parts.append(f"Listen 127.0.0.1:{running.ports[name]}\n{_filled(site.outside, running, name)}\n"
                         f"<VirtualHost 127.0.0.1:{running.ports[name]}>\n{tls}\n"
                         f"{_filled(site.body, running, name)}\n</VirtualHost>")
        config = apache_file(running.folder, APACHE_MODULES, "\n".join(parts))
        with proxy_programs.running("apache", config, running.ports.values()):
            yield running


@contextmanager
def caddy(sites: Mapping[str, Site]) -> Iterator[Running]:
    """Caddy with a site block for each."""
    with _running(sites) as running:
        blocks = [f"http://127.0.0.1:{running.ports[name]} {{\n{_filled(site.body, running, name)}\n}}"
                  for name, site in sites.items()]
        config = running.folder / "Caddyfile"
        config.write_text("{\n  admin off\n  auto_https off\n}\n" + "\n".join(blocks) + "\n", encoding="utf-8")
        with proxy_programs.running("caddy", config, running.ports.values()):
            yield running


@contextmanager
def haproxy(sites: Mapping[str, Site], head: str = "") -> Iterator[Running]:
    """HAProxy with a ``listen`` section for each site. ``head`` is a part of ``global``."""
    with _running(sites) as running:
        blocks = [f"listen {name}\n  bind 127.0.0.1:{running.ports[name]}\n{_filled(site.body, running, name)}"
                  for name, site in sites.items()]
        text = (f"global\n  maxconn 200\n{head}\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 30s\n"
                "  timeout server 30s\n" + "\n".join(blocks) + "\n")
        config = running.folder / "haproxy.cfg"
        config.write_text(text, encoding="utf-8")
        with proxy_programs.running("haproxy", config, running.ports.values()):
            yield running


@contextmanager
def _running(sites: Mapping[str, Site]) -> Iterator[Running]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "cache").mkdir()
        (folder / "cache").chmod(0o777)
        secure = frozenset(name for name, site in sites.items() if site.certificate is not None)
        yield Running({name: free_port() for name in sites}, secure, folder)


def _filled(text: str, running: Running, name: str) -> str:
    text = text.replace("{folder}", str(running.folder)).replace("{port}", str(running.ports[name]))
    for other, port in running.ports.items():
        text = text.replace(f"{{port:{other}}}", str(port))
    return text
