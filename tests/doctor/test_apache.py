"""A real Apache, broken in each way that people break it, and mended with the lines that the doctor prints."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.doctor import FAULTS, assert_lines_mend, examined, lines_for, severities
from tests.support.doctor_servers import served
from tests.support.proxies import Running, Site, apache
from tests.support.running_server import Server

from hotshoe.doctor import DoctorOptions
from hotshoe.tokens import mint

pytestmark = pytest.mark.real

HOST = "ProxyPreserveHost On\n"
EMBEDDING = '<!doctype html><html><body><bokeh-app src="{app}"></bokeh-app></body></html>'
LOGIN = '<!doctype html><html><form method="post"><input type="password" name="p"></form></html>'
STALE = """<!doctype html><html><head><script src="https://cdn.bokeh.org:1/bokeh/release/bokeh.min.js"></script></head>
<body><script>const render_items = [{"token":"TOKEN"}]</script></body></html>"""
WSTUNNEL = """
RewriteEngine On
RewriteCond %{{HTTP:Upgrade}} =websocket [NC]
RewriteRule ^/(.*) ws://127.0.0.1:{port}/$1 [P,L]
"""
CACHE = """
CacheRoot {folder}/cache
CacheEnable disk /amounts
CacheDefaultExpire 600
CacheIgnoreCacheControl On
CacheStoreNoStore On
CacheStorePrivate On
CacheIgnoreNoLastMod On
CacheIgnoreHeaders Set-Cookie
"""


def proxied(server: Server, before: str = "", *, options: str = "upgrade=websocket", path: str = "/") -> str:
    """The whole site passed on to a server."""
    upstream = f"http://127.0.0.1:{server.port}{path}"
    return f"# here\n{before}\nProxyPass {path} {upstream} {options}\nProxyPassReverse {path} {upstream}\n{HOST}"


def page(folder: Path, name: str, text: str, at: str) -> str:
    """A page of its own at a path, not passed on."""
    (folder / f"{name}.html").write_text(text)
    return (f'ProxyPassMatch "{at}" "!"\nAliasMatch "{at}" {folder}/{name}.html\n'
            f"<Directory {folder}>\nRequire all granted\n</Directory>\n")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """For pages. Not below pytest's own, which nobody else may enter: Apache's workers are somebody else."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="module")
def sites(hotshoe_server: Server, bokeh_server: Server, pem: Path, folder: Path) -> dict[str, Site]:
    good = proxied(hotshoe_server)
    stale = STALE.replace("TOKEN", mint("a" * 44, now_s=1_000_000, lifetime_s=300))
    stock = f"http://127.0.0.1:{bokeh_server.port}"
    return {
        "healthy": Site(good, pem),
        "wstunnel": Site(WSTUNNEL.format(port=hotshoe_server.port) + proxied(hotshoe_server, options="")),
        "no-upgrade": Site(proxied(hotshoe_server, options="")),
        "stock-no-upgrade": Site(proxied(bokeh_server, options="")),
        "origin": Site(proxied(bokeh_server).replace(HOST, "")),
        "uncompressed": Site(proxied(bokeh_server)),
        "stripped": Site(f"ProxyPass /my/ {stock}/ upgrade=websocket\n{HOST}"),
        "no-static": Site(proxied(hotshoe_server, "ProxyPass /static/ !")),
        "types": Site(good + "<Location /static/>\nHeader set Content-Type text/plain\n</Location>"),
        "subprotocol": Site(good + "RequestHeader unset Sec-WebSocket-Protocol"),
        "headers": Site(good + "LimitRequestFieldSize 2000"),
        "idle": Site(good + "Timeout 2"),
        "setting": Site(good + 'Header add Set-Cookie "route=a; Path=/elsewhere"'),
        "path": Site("ProxyPass / http://127.0.0.1:{port:setting}/ upgrade=websocket\n"
                     f"ProxyPassReverse / http://127.0.0.1:{{port:setting}}/\n{HOST}# here\n"),
        "samesite": Site(good + 'Header add Set-Cookie "a=b; SameSite=None"'),
        "domain": Site(good + 'Header add Set-Cookie "a=b; Domain=example.org"'),
        "cached": Site(good + CACHE),
        "expired": Site(page(folder, "stale", stale, "^/amounts$") + good),
        "mixed": Site(page(folder, "mixed", EMBEDDING.format(app="http://127.0.0.1:1/amounts"), "^/shop$") + good, pem),
        "shop": Site(page(folder, "shop", EMBEDDING.format(app="/amounts"), "^/shop$") + good, pem),
        "no-cors": Site(proxied(bokeh_server) + "Header unset Access-Control-Allow-Origin\n<Location />\n"
                                                "<LimitExcept GET>\nRequire all denied\n</LimitExcept>\n</Location>"),
        "swallowed": Site(page(folder, "any", "<html>one page for all</html>", "/ws$") + good),
        "ws-404": Site('ProxyPassMatch "/ws$" "!"\nRedirectMatch 404 "/ws$"\n' + good),
        "ws-426": Site('ProxyPassMatch "/ws$" "!"\nRedirectMatch 426 "/ws$"\n' + good),
        "ws-403": Site('ProxyPassMatch "/ws$" "!"\nRedirectMatch 403 "/ws$"\n' + good),
        "ws-503": Site('ProxyPass "/amounts/ws" "ws://127.0.0.1:1/"\n' + good),
        "503": Site("ProxyPass / http://127.0.0.1:1/"),
        "404": Site("Redirect 404 /"),
        "loop": Site("RedirectMatch 302 .* /again"),
        "login": Site(page(folder, "login", LOGIN, "^/login$") + 'RedirectMatch 302 "^/amounts" /login'),
        "basic": Site('RedirectMatch 401 .*'),
        "to-http": Site("RedirectMatch 302 .* http://127.0.0.1:{port:wstunnel}/amounts", pem),
        "plain": Site(good),
        "redirects": Site("Redirect permanent / https://127.0.0.1:{port:healthy}/"),
    }


@pytest.fixture(scope="module")
def running(sites: dict[str, Site]) -> Iterator[Running]:
    with apache(sites) as running:
        yield running


PATHS = {"mixed": "/shop", "shop": "/shop", "stripped": "/my/"}
BROKEN = {
    **FAULTS,
    "stock-no-upgrade": {"websocket.no-upgrade": "problem", "resources.uncompressed": "warning"},
    "samesite": {"cookies.samesite": "problem"},
    "ws-503": {"websocket.bad-gateway": "problem"},
    "503": {"page.unavailable": "problem"},
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_found(name: str, running: Running, options: DoctorOptions) -> None:
    report = examined(running.url(name, PATHS.get(name, "/amounts")), options)
    found = {finding: severity for finding, severity in severities(report).items()
             if finding != "resources.uncompressed" or "resources.uncompressed" in BROKEN[name]}
    assert found == BROKEN[name]
    assert report.status == ("problem" in BROKEN[name].values())
    assert report.sightings[0].kind.label == "Apache"


@pytest.mark.parametrize("name", ["healthy", "wstunnel", "shop"])
def test_what_is_healthy_is_left_alone(name: str, running: Running, options: DoctorOptions) -> None:
    report = examined(running.url(name, PATHS.get(name, "/amounts")), options)
    assert severities(report) == {}
    assert report.status == 0


def test_an_idle_websocket_that_is_cut(running: Running, options: DoctorOptions) -> None:
    report = examined(running.url("idle", "/amounts"), replace(options, idle_s=30))
    assert severities(report) == {"idle.cut": "problem"}
    assert lines_for(report, "idle.cut", "Apache") == ["ProxyTimeout 3600"]


def test_plain_http_beside_https(running: Running, options: DoctorOptions) -> None:
    ports = running.ports
    missing = examined(running.url("healthy", "/amounts"), replace(options, http_port=ports["plain"]))
    assert severities(missing) == {"redirect.missing": "warning"}
    assert "<VirtualHost *:80>" in lines_for(missing, "redirect.missing", "Apache")
    there = examined(running.url("healthy", "/amounts"), replace(options, http_port=ports["redirects"]))
    assert severities(there) == {}
    assert "redirect.ok" in there.ids()


def test_embedding_from_another_site(running: Running, options: DoctorOptions) -> None:
    report = examined(running.url("no-cors", "/amounts"), replace(options, embedded_from="http://www.example.org"))
    assert severities(report) == {"embedding.cors": "problem", "embedding.preflight": "problem",
                                  "websocket.origin": "problem", "resources.uncompressed": "warning"}
    lines = lines_for(report, "embedding.cors", "Apache")
    assert "Header always set Access-Control-Allow-Origin http://www.example.org" in lines


MENDED = [
    ("no-upgrade", "websocket.no-upgrade"), ("stock-no-upgrade", "websocket.no-upgrade"),
    ("uncompressed", "resources.uncompressed"), ("headers", "headers.too-large"), ("idle", "idle.cut"),
    ("path", "cookies.path"), ("cached", "page.cached"), ("no-static", "resources.missing"),
    ("origin", "websocket.origin"), ("types", "resources.type"), ("subprotocol", "websocket.subprotocol"),
]


def test_the_lines_mend_it(running: Running, sites: dict[str, Site], options: DoctorOptions, bokeh_server: Server,
                           hotshoe_server: Server) -> None:
    def before(name: str) -> DoctorOptions:
        server = bokeh_server if name in ("stock-no-upgrade", "uncompressed", "origin") else hotshoe_server
        return replace(options, upstream=f"127.0.0.1:{server.port}")

    assert_lines_mend("Apache", apache, running, sites, MENDED, put_in, before)


def put_in(site: Site, lines: list[str]) -> Site:
    """The site with these lines in their place; directives that can stand only once are replaced."""
    body = site.body
    for line in lines:
        body = body.replace(line.removeprefix("# remove: "), "")
        words = line.split()
        name = "ProxyPass " + words[1].strip('"') if words[0] == "ProxyPass" else words[0]
        if words[0] != "#":
            kept = [each for each in body.split("\n") if not each.startswith(f"{name} ")]
            body = "\n".join(kept)
    if lines[0].startswith("AddType"):  # what has set the type goes
        body = body.replace("Header set Content-Type text/plain", "")
    text = "\n".join(lines)
    return replace(site, body=body.replace("# here", text) if "# here" in body else f"{text}\n{body}")


def test_the_lines_keep_a_prefix(running: Running, options: DoctorOptions, app: Path) -> None:
    lost = examined(running.url("stripped", "/my/"), options)
    flags = lines_for(lost, "page.redirect-lost-prefix", "bokeh serve")[0].split()
    with served(app, *flags, program="bokeh serve") as server:
        asked = replace(options, upstream=f"127.0.0.1:{server.port}")
        lines = lines_for(examined(running.url("stripped", "/my/"), asked), "page.redirect-lost-prefix", "Apache")
        with apache({"kept": Site("\n".join([*lines, HOST]))}) as after:
            assert examined(after.url("kept", "/my/"), options).status == 0


def test_several_backends(pair_of_servers: tuple[Server, Server, Server], options: DoctorOptions) -> None:
    one, two, three = (f"http://127.0.0.1:{server.port}" for server in pair_of_servers)

    def site(name: str, first: str, second: str) -> Site:
        members = f"BalancerMember {first} route=1 upgrade=websocket\nBalancerMember {second} route=2 upgrade=websocket"
        return Site(f'<Proxy "balancer://{name}">\n{members}\n</Proxy>\nProxyPass / balancer://{name}/\n{HOST}')

    with apache({"same-key": site("a", one, two), "other-key": site("b", one, three)}) as running:
        again = examined(running.url("same-key", "/amounts"), options)
        assert severities(again) == {"backends.no-affinity": "warning"}
        lines = lines_for(again, "backends.no-affinity", "Apache")
        refused = severities(examined(running.url("other-key", "/amounts"), options))
        assert set(refused) & {"backends.refused", "websocket.token-refused"}
    text = "\n".join(lines).replace(f"http://{options.upstream}", one).replace("http://127.0.0.1:5007", three)
    with apache({"sticky": Site(f"{text}\n{HOST}")}) as running:
        report = examined(running.url("sticky", "/amounts"), options)
        assert severities(report) == {}
        assert "cookies.ok" in report.ids()


def test_a_cookie_in_a_page_of_another_site(app: Path, options: DoctorOptions, pem: Path) -> None:
    elsewhere = replace(options, embedded_from="https://www.example.org")
    with served(app, "--allow-websocket-origin", "www.example.org") as server:
        site = Site('Header add Set-Cookie "route=a; Path=/; samesite=lax"\n' + proxied(server), pem)
        with apache({"lax": site}) as running:
            report = examined(running.url("lax", "/amounts"), elsewhere)
        assert severities(report) == {"cookies.lax": "warning"}
        lines = "\n".join(lines_for(report, "cookies.lax", "Apache"))
        with apache({"lax": replace(site, body=site.body.replace("# here", lines))}) as running:
            mended = examined(running.url("lax", "/amounts"), elsewhere)
    assert severities(mended) == {}
    assert "cookies.ok" in mended.ids()
