"""Real proxies for the doctor to look at: nginx, Apache, Caddy and HAProxy, each as one process with many ports."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.browser.proxy import free_port, wait_for_port
from tests.needs import need_program


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


_NGINX = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/errors;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  scgi_temp_path {folder}/scgi;
  uwsgi_temp_path {folder}/uwsgi;
  {sites}
}}
"""

_APACHE = """
ServerRoot {folder}
PidFile {folder}/pid
ErrorLog {folder}/errors
ServerName localhost
DefaultRuntimeDir {folder}
Mutex pthread
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
{modules}
TypesConfig /etc/mime.types
{sites}
"""
APACHE_MODULES = (
    "authz_core", "authn_core", "proxy", "proxy_http", "proxy_wstunnel", "proxy_balancer", "slotmem_shm",
    "lbmethod_byrequests", "headers", "rewrite", "alias", "mime", "ssl", "deflate", "filter", "setenvif", "reqtimeout",
    "cache", "cache_disk", "dir", "socache_shmcb", "env",
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
        config = running.folder / "nginx.conf"
        config.write_text(_NGINX.format(folder=running.folder, sites="\n".join(parts)), encoding="utf-8")
        folder = str(running.folder)
        command = [need_program("nginx"), "-p", folder, "-c", str(config), "-e", f"{folder}/errors"]
        with _process(command, running):
            yield running


@contextmanager
def apache(sites: Mapping[str, Site], head: str = "") -> Iterator[Running]:
    """Apache with a ``VirtualHost`` for each site. ``head`` stands before them."""
    program = need_program("apache2", "httpd")
    with _running(sites) as running:
        parts = [head]
        for name, site in sites.items():
            pem = site.certificate
            tls = "" if pem is None else f"SSLEngine on\nSSLCertificateFile {pem}\nSSLCertificateKeyFile {pem}"
            parts.append(f"Listen 127.0.0.1:{running.ports[name]}\n{_filled(site.outside, running, name)}\n"
                         f"<VirtualHost 127.0.0.1:{running.ports[name]}>\n{tls}\n"
                         f"{_filled(site.body, running, name)}\n</VirtualHost>")
        modules = "\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"
                            for name in APACHE_MODULES)
        config = running.folder / "apache.conf"
        config.write_text(_APACHE.format(folder=running.folder, modules=modules, sites="\n".join(parts)),
                          encoding="utf-8")
        with _process([program, "-f", str(config), "-DFOREGROUND"], running):
            yield running


@contextmanager
def caddy(sites: Mapping[str, Site]) -> Iterator[Running]:
    """Caddy with a site block for each."""
    program = need_program("caddy")
    with _running(sites) as running:
        blocks = [f"http://127.0.0.1:{running.ports[name]} {{\n{_filled(site.body, running, name)}\n}}"
                  for name, site in sites.items()]
        config = running.folder / "Caddyfile"
        config.write_text("{\n  admin off\n  auto_https off\n}\n" + "\n".join(blocks) + "\n", encoding="utf-8")
        command = [program, "run", "--config", str(config), "--adapter", "caddyfile"]
        environ = {"XDG_DATA_HOME": str(running.folder), "XDG_CONFIG_HOME": str(running.folder),
                   "HOME": str(running.folder), "PATH": "/usr/bin:/bin"}
        with _process(command, running, environ):
            yield running


@contextmanager
def haproxy(sites: Mapping[str, Site], head: str = "") -> Iterator[Running]:
    """HAProxy with a ``listen`` section for each site. ``head`` is a part of ``global``."""
    program = need_program("haproxy")
    with _running(sites) as running:
        blocks = [f"listen {name}\n  bind 127.0.0.1:{running.ports[name]}\n{_filled(site.body, running, name)}"
                  for name, site in sites.items()]
        text = (f"global\n  maxconn 200\n{head}\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 30s\n"
                "  timeout server 30s\n" + "\n".join(blocks) + "\n")
        config = running.folder / "haproxy.cfg"
        config.write_text(text, encoding="utf-8")
        with _process([program, "-f", str(config)], running):
            yield running


@contextmanager
def _running(sites: Mapping[str, Site]) -> Iterator[Running]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)  # workers of Apache are somebody else
        (folder / "cache").mkdir()
        (folder / "cache").chmod(0o777)
        ports: dict[str, int] = {}
        for name in sites:
            port = free_port()
            while port in ports.values():
                port = free_port()
            ports[name] = port
        secure = frozenset(name for name, site in sites.items() if site.certificate is not None)
        yield Running(ports, secure, folder)


@contextmanager
def _process(command: list[str], running: Running, environ: Mapping[str, str] | None = None) -> Iterator[None]:
    log = running.folder / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environ,
                                   cwd=running.folder)
    try:
        try:
            for port in running.ports.values():
                wait_for_port(port)
        except AssertionError:
            raise AssertionError(f"{command[0]} did not start:\n{log.read_text()}") from None
        yield
    finally:
        process.terminate()
        process.wait(20)


def _filled(text: str, running: Running, name: str) -> str:
    text = text.replace("{folder}", str(running.folder)).replace("{port}", str(running.ports[name]))
    for other, port in running.ports.items():
        text = text.replace(f"{{port:{other}}}", str(port))
    return text
