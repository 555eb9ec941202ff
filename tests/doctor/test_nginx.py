"""A real nginx, broken in each way that people break it, and mended with the lines that the doctor prints."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from tests.support.doctor import FAULTS, assert_lines_mend, examined, lines_for, severities
from tests.support.doctor_servers import served
from tests.support.proxies import Running, Site, nginx
from tests.support.running_server import Server

from hotshoe.doctor import DoctorOptions, Product
from hotshoe.doctor.remedies import remedy
from hotshoe.tokens import mint

pytestmark = pytest.mark.real

UPGRADE = """
proxy_http_version 1.1;
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection "upgrade";
"""
HEALTHY = UPGRADE + "proxy_set_header Host $http_host;"
EMBEDDING = """<!doctype html><html><body><bokeh-app src="{app}"></bokeh-app>
<script src="/amounts/embed.js" async></script></body></html>"""
LOGIN = '<!doctype html><html><form method="post"><input type="password" name="p"></form></html>'
WITH_CDN = """<!doctype html><html><head><script src="https://cdn.bokeh.org:1/bokeh/release/bokeh.min.js"></script></head>
<body><script>const render_items = [{"token":"TOKEN"}]</script></body></html>"""


def location(server: Server, inside: str, path: str = "/") -> str:
    return f"location {path} {{ proxy_pass http://127.0.0.1:{server.port}; {inside}\n# here\n}}"


def at(place: str, inside: str) -> str:
    return f"location {place} {{ {inside} }}"


def page(text: str) -> str:
    """A location that answers with a page of its own."""
    quoted = text.replace("'", "\\'").replace("\n", " ")
    return f"default_type text/html; return 200 '{quoted}';"


@pytest.fixture(scope="module")
def sites(hotshoe_server: Server, bokeh_server: Server, pem: Path) -> dict[str, Site]:
    good = location(hotshoe_server, HEALTHY)
    stock = location(bokeh_server, HEALTHY)
    old = mint("a" * 44, now_s=1_000_000, lifetime_s=300)
    return {
        "healthy": Site(good, pem),
        "healthy-stock": Site(f"gzip on; gzip_proxied any; gzip_types application/javascript text/javascript; {stock}"),
        "no-upgrade": Site(location(hotshoe_server, "proxy_http_version 1.1; proxy_set_header Host $http_host;")),
        "bare": Site(location(hotshoe_server, "")),
        "stock-bare": Site(location(bokeh_server, "")),
        "http-1.0": Site(location(hotshoe_server, "proxy_set_header Host $http_host; "
                                                  "proxy_set_header Upgrade $http_upgrade; "
                                                  "proxy_set_header Connection upgrade;")),
        "origin": Site(location(bokeh_server, UPGRADE)),
        "uncompressed": Site(stock),
        "stripped": Site(at("/my/", f"proxy_pass http://127.0.0.1:{bokeh_server.port}/; {HEALTHY}")),
        "no-static": Site(good + "location /static/ { return 404; }"),
        "types": Site(good + "location /static/ { types {} default_type text/plain; proxy_hide_header Content-Type; "
                             "add_header Content-Type text/plain; "
                             f"proxy_pass http://127.0.0.1:{hotshoe_server.port}; }}"),
        "subprotocol": Site(location(hotshoe_server, HEALTHY + 'proxy_set_header Sec-WebSocket-Protocol "";')),
        "subprotocol-back": Site(location(hotshoe_server, HEALTHY + "proxy_hide_header Sec-WebSocket-Protocol;")),
        "headers": Site("client_header_buffer_size 1k; large_client_header_buffers 4 2k;" + good),
        "idle": Site(location(hotshoe_server, HEALTHY + "proxy_read_timeout 2s;")),
        "setting": Site(location(hotshoe_server, HEALTHY + 'add_header Set-Cookie "route=a; Path=/elsewhere";')),
        "path": Site(at("/", "proxy_pass http://127.0.0.1:{port:setting}; " + HEALTHY + "\n# here\n")),
        "secure-cookie": Site(location(hotshoe_server, HEALTHY + 'add_header Set-Cookie "a=b; SameSite=None";')),
        "domain": Site(location(hotshoe_server, HEALTHY + 'add_header Set-Cookie "a=b; Domain=example.org";')),
        "cached": Site(location(hotshoe_server, HEALTHY + "proxy_cache pages; proxy_cache_valid any 1m; "
                                                          "proxy_ignore_headers Cache-Control Expires Vary;"),
                       outside="proxy_cache_path {folder}/cache keys_zone=pages:1m;"),
        "expired": Site(good + at("= /amounts", page(WITH_CDN.replace("TOKEN", old)))),
        "mixed": Site(good + at("= /shop", page(EMBEDDING.format(app="http://127.0.0.1:1/amounts"))), pem),
        "shop": Site(good + at("= /shop", page(EMBEDDING.format(app="/amounts"))), pem),
        "shop-without-files": Site(good + at("= /shop", page(EMBEDDING.format(app="/amounts")))
                                   + "location /static/ { return 404; }"),
        "foreign": Site(at("/", page(EMBEDDING.format(app="http://127.0.0.1:{port:no-cors}/amounts")))),
        "no-cors": Site(location(bokeh_server, HEALTHY + "proxy_hide_header Access-Control-Allow-Origin; "
                                                         "limit_except GET { deny all; }")),
        "swallowed": Site(good + at("~ /ws$", page("<html>one page for all</html>"))),
        "ws-404": Site(good + "location ~ /ws$ { return 404; }"),
        "ws-426": Site(good + "location ~ /ws$ { return 426; }"),
        "ws-502": Site(good + "location ~ /ws$ { proxy_pass http://127.0.0.1:1; }"),
        "ws-403": Site(good + "location ~ /ws$ { return 403; }"),
        "502": Site("location / { proxy_pass http://127.0.0.1:1; }"),
        "404": Site("location / { return 404; }"),
        "loop": Site("location / { return 302 /again; }"),
        "login": Site(at("/", "return 302 /login;") + at("/login", page(LOGIN))),
        "basic": Site("location / { return 401; }"),
        "to-http": Site("location / { return 302 http://127.0.0.1:{port:healthy-stock}/amounts; }", pem),
        "plain": Site(good),
        "redirects": Site("location / { return 301 https://127.0.0.1:{port:healthy}$request_uri; }"),
    }


@pytest.fixture(scope="module")
def running(sites: dict[str, Site]) -> Iterator[Running]:
    with nginx(sites) as running:
        yield running


PATHS = {"mixed": "/shop", "shop": "/shop", "shop-without-files": "/shop", "foreign": "/page", "stripped": "/my/"}
BROKEN = {
    **FAULTS,
    "bare": {"websocket.no-upgrade": "problem"},
    "stock-bare": {"websocket.no-upgrade": "problem", "resources.uncompressed": "warning"},
    "subprotocol-back": {"websocket.subprotocol": "problem"},
    "secure-cookie": {"cookies.samesite": "problem"},
    "shop-without-files": {"resources.missing": "problem"},
    "foreign": {"resources.uncompressed": "warning", "embedding.cors": "problem", "embedding.preflight": "problem",
                "embedding.no-script": "problem", "websocket.origin": "problem"},
    "ws-502": {"websocket.bad-gateway": "problem"},
    "502": {"page.bad-gateway": "problem"},
}
HEALTHY_ONES = ("healthy", "healthy-stock", "http-1.0", "shop")


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_found(name: str, running: Running, options: DoctorOptions) -> None:
    report = examined(running.url(name, PATHS.get(name, "/amounts")), options)
    assert severities(report) == BROKEN[name]
    assert report.status == ("problem" in BROKEN[name].values())
    assert report.sightings[0].kind.label == "nginx"


@pytest.mark.parametrize("name", HEALTHY_ONES)
def test_what_is_healthy_is_left_alone(name: str, running: Running, options: DoctorOptions) -> None:
    report = examined(running.url(name, PATHS.get(name, "/amounts")), options)
    assert severities(report) == {}
    assert report.status == 0


def test_an_idle_websocket_that_is_cut(running: Running, options: DoctorOptions) -> None:
    report = examined(running.url("idle", "/amounts"), replace(options, idle_s=30))
    assert severities(report) == {"idle.cut": "problem"}
    assert lines_for(report, "idle.cut", "nginx") == ["proxy_read_timeout 3600s;", "proxy_send_timeout 3600s;"]
    assert lines_for(report, "idle.cut", "hotshoe") == ["--keep-alive 1000"]


def test_plain_http_beside_https(running: Running, options: DoctorOptions) -> None:
    ports = running.ports
    missing = examined(running.url("healthy", "/amounts"), replace(options, http_port=ports["plain"]))
    assert severities(missing) == {"redirect.missing": "warning"}
    assert "        return 308 https://$host$request_uri;" in lines_for(missing, "redirect.missing", "nginx")
    there = examined(running.url("healthy", "/amounts"), replace(options, http_port=ports["redirects"]))
    assert severities(there) == {}
    assert "redirect.ok" in there.ids()


def test_a_page_that_leads_from_http_to_https(running: Running, options: DoctorOptions) -> None:
    report = examined(running.url("redirects", "/amounts"), options)
    assert severities(report) == {}
    assert "tls.ok" in report.ids()


def test_a_page_that_leads_to_another_host(running: Running, options: DoctorOptions) -> None:
    url = running.url("redirects", "/amounts", host="localhost")
    trusted = examined(url, options)
    assert severities(trusted) == {}
    assert "tls.ok" in trusted.ids()
    stranger = examined(url, replace(options, cafile=None))
    assert set(severities(stranger)) <= {"tls.unknown-authority", "tls.unknown-root"}
    assert "websocket.ok" in stranger.ids()


def test_embedding_from_another_site(running: Running, options: DoctorOptions) -> None:
    origin = "http://www.example.org"
    report = examined(running.url("healthy-stock", "/amounts"), replace(options, embedded_from=origin))
    assert severities(report) == {"websocket.origin": "problem"}
    assert lines_for(report, "websocket.origin", "bokeh serve") == ["--allow-websocket-origin www.example.org"]
    secure = replace(options, embedded_from="https://www.example.org")
    assert severities(examined(running.url("healthy-stock", "/amounts"), secure)) == {
        "embedding.mixed-content": "problem"}


MENDED = [
    ("no-upgrade", "websocket.no-upgrade"), ("bare", "websocket.no-upgrade"), ("stock-bare", "websocket.no-upgrade"),
    ("uncompressed", "resources.uncompressed"), ("headers", "headers.too-large"), ("idle", "idle.cut"),
    ("subprotocol", "websocket.subprotocol"), ("path", "cookies.path"), ("cached", "page.cached"),
    ("no-static", "resources.missing"), ("origin", "websocket.origin"),
]


def test_the_lines_mend_it(running: Running, sites: dict[str, Site], options: DoctorOptions, bokeh_server: Server,
                           hotshoe_server: Server) -> None:
    def before(name: str) -> DoctorOptions:
        server = bokeh_server if name in ("stock-bare", "uncompressed", "origin") else hotshoe_server
        return replace(options, upstream=f"127.0.0.1:{server.port}")

    assert_lines_mend("nginx", nginx, running, sites, MENDED, put_in, before)


class Echo(BaseHTTPRequestHandler):
    """Answers with the request's headers."""

    def do_GET(self) -> None:
        body = json.dumps([[name.lower(), value] for name, value in self.headers.items()]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Not into the tests' output."""


@pytest.mark.parametrize("finding", ["websocket.no-upgrade", "websocket.origin", "resources.missing"])
def test_the_lines_let_no_visitor_say_who_he_is(finding: str) -> None:
    """A location with lines of its own has none of the server's."""
    claims = {"X-Forwarded-For": "6.6.6.6", "X-Real-IP": "6.6.6.6", "X-Forwarded-Host": "evil.example",
              "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/evil", "Forwarded": "for=6.6.6.6",
              "X-Scheme": "https", "X-Forwarded-Port": "666", "X-Forwarded-Ssl": "on"}
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as upstream:
        thread = threading.Thread(target=upstream.serve_forever)
        thread.start()
        try:
            facts = {"upstream": f"127.0.0.1:{upstream.server_port}", "folder": "/"}
            found = remedy(finding, Product.NGINX, facts)
            assert found is not None
            text = "\n".join(found.lines)
            inside = text if text.startswith("location") else \
                at("/", f"proxy_pass http://127.0.0.1:{upstream.server_port}; {text}\n")
            with nginx({"a": Site(f"proxy_set_header X-Real-IP $remote_addr;\n{inside}")}) as running:
                request = Request(running.url("a"), headers=claims)
                with urlopen(request, timeout=20) as answer:
                    told = dict(json.load(answer))
        finally:
            upstream.shutdown()
            thread.join()
    host = f"127.0.0.1:{running.ports['a']}"
    assert {name: told[name] for name in told if name.startswith("x-") or name in ("forwarded", "host")} == {
        "host": host, "x-real-ip": "127.0.0.1", "x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http",
        "x-forwarded-host": host}


def put_in(site: Site, lines: list[str]) -> Site:
    """The site with these lines: they replace those of the same directives; locations and what belongs in http go
    where they say."""
    text = "\n".join(lines)
    body = site.body
    if lines[0].startswith("location "):
        path = lines[0].split()[1]
        start = body.find(f"location {path} ")
        end = body.index("}", start) + 1
        return replace(site, body=body[:start] + text + body[end:])
    for line in lines:
        words = line.split()
        name = " ".join(words[:2]) if words[0] in ("proxy_set_header", "add_header") else words[0]
        body = without(body, name)
    where = "client_header_buffer_size 1k;" if "large_client" in text else "gzip_" if "gzip" in text else "# here"
    if where == "# here":
        return replace(site, body=body.replace("# here", text))
    return replace(site, body=f"{text}\n{body}")


def without(body: str, directive: str) -> str:
    """The body without a directive."""
    while directive[0] != "#" and (start := body.find(f"{directive} ")) >= 0:
        body = body[:start] + body[body.index(";", start) + 1:]
    return body


def test_the_lines_keep_a_prefix(running: Running, options: DoctorOptions, app: Path) -> None:
    lost = examined(running.url("stripped", "/my/"), options)
    flags = lines_for(lost, "page.redirect-lost-prefix", "bokeh serve")[0].split()
    assert flags == ["--prefix", "/my", "--use-xheaders"]
    with served(app, *flags, program="bokeh serve") as server:
        asked = replace(options, upstream=f"127.0.0.1:{server.port}")
        lines = lines_for(examined(running.url("stripped", "/my/"), asked), "page.redirect-lost-prefix", "nginx")
        with nginx({"kept": Site(at("/my/", "\n".join([*lines, HEALTHY])))}) as after:
            assert examined(after.url("kept", "/my/"), options).status == 0


def test_several_backends(pair_of_servers: tuple[Server, Server, Server], options: DoctorOptions) -> None:
    one, two, three = (f"server 127.0.0.1:{server.port};" for server in pair_of_servers)

    def site(name: str, servers: str) -> Site:
        return Site(f"location / {{ proxy_pass http://{name}; {HEALTHY} }}", outside=f"upstream {name} {{ {servers} }}")

    sticky = "hash $remote_addr consistent;"
    sites = {"same-key": site("a", one + two), "other-key": site("b", one + three),
             "sticky": site("c", sticky + one + three)}
    with nginx(sites) as running:
        again = examined(running.url("same-key", "/amounts"), options)
        assert severities(again) == {"backends.no-affinity": "warning"}
        assert f"    {sticky}" in lines_for(again, "backends.no-affinity", "nginx")
        refused = severities(examined(running.url("other-key", "/amounts"), options))
        assert set(refused) & {"backends.refused", "websocket.token-refused"}
        assert severities(examined(running.url("sticky", "/amounts"), options)) == {}


def test_pings_keep_an_idle_websocket(app: Path, options: DoctorOptions) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(served(app, "--keep-alive", "500"))
        site = Site(location(server, HEALTHY + "proxy_read_timeout 3s;"))
        running = stack.enter_context(nginx({"idle": site}))
        report = examined(running.url("idle", "/amounts"), replace(options, idle_s=6))
    assert severities(report) == {}
    [pings] = [each.seen for each in report.findings if each.id == "idle.ok"]
    assert pings.startswith("The server pings every ")


def test_a_cookie_in_a_page_of_another_site(app: Path, options: DoctorOptions, pem: Path) -> None:
    elsewhere = replace(options, embedded_from="https://www.example.org")
    with served(app, "--allow-websocket-origin", "www.example.org") as server:
        sites = {"setting": Site(location(server, HEALTHY + 'add_header Set-Cookie "route=a; Path=/; SameSite=Lax";')),
                 "lax": Site(at("/", "proxy_pass http://127.0.0.1:{port:setting}; " + HEALTHY + "\n# here\n"), pem)}
        with nginx(sites) as running:
            own = examined(running.url("lax", "/amounts"), options)
            embedded = examined(running.url("lax", "/amounts"), elsewhere)
        assert severities(own) == {}
        assert "cookies.ok" in own.ids()
        assert severities(embedded) == {"cookies.lax": "warning"}
        lines = lines_for(embedded, "cookies.lax", "nginx")
        assert lines == ["proxy_cookie_flags route secure samesite=none;"]
        with nginx({**sites, "lax": put_in(sites["lax"], lines)}) as running:
            mended = examined(running.url("lax", "/amounts"), elsewhere)
    assert severities(mended) == {}
    assert "cookies.ok" in mended.ids()
