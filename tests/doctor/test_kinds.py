"""Proxies, platforms and servers by their answers."""

from __future__ import annotations

import pytest

from hotshoe.doctor.addresses import Address
from hotshoe.doctor.kinds import Kind, recognise
from hotshoe.doctor.observations import Reply

HERE = Address.typed("https://example.org/")


def reply(*headers: tuple[str, str], status: int = 200, body: str = "") -> Reply:
    return Reply(HERE, status, "", headers, body.encode())


@pytest.mark.parametrize(("headers", "kind"), [
    ([("Server", "nginx/1.22.1")], Kind.NGINX),
    ([("server", "openresty")], Kind.NGINX),
    ([("Server", "Apache/2.4.62 (Debian)")], Kind.APACHE),
    ([("Server", "Caddy")], Kind.CADDY),
    ([("Via", "1.1 Caddy")], Kind.CADDY),
    ([("Set-Cookie", "SERVERID=a; path=/")], Kind.HAPROXY),
    ([("Server", "cloudflare"), ("CF-RAY", "8a-FRA")], Kind.CLOUDFLARE),
    ([("Via", "1.1 0ab.cloudfront.net (CloudFront)")], Kind.CLOUDFRONT),
    ([("Via", "1.1 vegur")], Kind.HEROKU),
    ([("Via", "2.0 heroku-router")], Kind.HEROKU),
    ([("Set-Cookie", "AWSALB=x")], Kind.AWS_ALB),
    ([("Server", "awselb/2.0")], Kind.AWS_ALB),
    ([("Via", "1.1 google")], Kind.GOOGLE),
    ([("Server", "Google Frontend")], Kind.GOOGLE),
    ([("Set-Cookie", "ARRAffinity=x")], Kind.AZURE),
    ([("Server", "Fly/1234 (2024-01-01)")], Kind.FLY),
    ([("rndr-id", "abc")], Kind.RENDER),
    ([("Server", "railway-edge")], Kind.RAILWAY),
    ([("Server", "envoy")], Kind.ENVOY),
    ([("Server", "istio-envoy")], Kind.ENVOY),
    ([("Via", "1.1 varnish")], Kind.VARNISH),
    ([("Server", "Microsoft-IIS/10.0")], Kind.IIS),
    ([("Set-Cookie", "_traefik_backend=x")], Kind.TRAEFIK),
    ([("Set-Cookie", "INGRESSCOOKIE=x")], Kind.INGRESS_NGINX),
    ([("Server", "TornadoServer/6.5")], Kind.BOKEH),
])
def test_headers(headers: list[tuple[str, str]], kind: Kind) -> None:
    assert [sighting.kind for sighting in recognise([reply(*headers)])] == [kind]


@pytest.mark.parametrize(("body", "kind"), [
    ("<html><body><h1>400 Bad request</h1>\nYour browser sent an invalid request.\n</body></html>\n", Kind.HAPROXY),
    ("<h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n", Kind.HAPROXY),
    ("<center><h1>400 Bad Request</h1></center><hr><center>nginx/1.22.1</center>", Kind.NGINX),
    ("<p>Your browser sent a request that this server could not understand.<br /></p>", Kind.APACHE),
    ("<h1>Application is not available</h1>", Kind.OPENSHIFT),
    ("default backend - 404", Kind.INGRESS_NGINX),
    ('<iframe src="//www.herokucdn.com/error-pages/no-such-app.html">', Kind.HEROKU),
])
def test_error_pages(body: str, kind: Kind) -> None:
    assert [sighting.kind for sighting in recognise([reply(status=503, body=body)])] == [kind]
    assert recognise([reply(body=body)]) == (), "a good page may speak of anything"


def test_the_nearest_comes_first() -> None:
    found = recognise([reply(("Server", "nginx")), reply(("CF-RAY", "1"), ("Server", "TornadoServer/6"))])
    assert [sighting.kind for sighting in found] == [Kind.CLOUDFLARE, Kind.NGINX, Kind.BOKEH]
    assert found[1].evidence == "Server: nginx"


def test_heroku_by_its_name() -> None:
    there = Address.typed("https://sales.herokuapp.com/")
    [heroku] = recognise([Reply(there, 200, "", (("Server", "Cowboy"),))])
    assert (heroku.kind, heroku.evidence) == (Kind.HEROKU, "host: sales.herokuapp.com")
    assert recognise([Reply(Address.typed("https://herokuapp.com.example.org/"), 200, "", ())]) == ()


def test_nobody() -> None:
    assert recognise([reply(("Server", "Cowboy"))]) == (), "of Erlang, as RabbitMQ's"
    assert recognise([reply(("Server", "uvicorn"))]) == ()
