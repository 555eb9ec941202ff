"""Proxies, platforms and servers by their answers."""

from __future__ import annotations

import pytest

from hotshoe.doctor.observations import Exchange
from hotshoe.doctor.products import Product, recognise
from hotshoe.doctor.urls import Url

HERE = Url.typed("https://example.org/")


def reply(*headers: tuple[str, str], status: int = 200, body: str = "") -> Exchange:
    return Exchange(HERE, status, "", headers, body.encode())


@pytest.mark.parametrize(("headers", "kind"), [
    ([("Server", "nginx/1.22.1")], Product.NGINX),
    ([("server", "openresty")], Product.NGINX),
    ([("Server", "Apache/2.4.62 (Debian)")], Product.APACHE),
    ([("Server", "Caddy")], Product.CADDY),
    ([("Via", "1.1 Caddy")], Product.CADDY),
    ([("Set-Cookie", "SERVERID=a; path=/")], Product.HAPROXY),
    ([("Server", "cloudflare"), ("CF-RAY", "8a-FRA")], Product.CLOUDFLARE),
    ([("Via", "1.1 0ab.cloudfront.net (CloudFront)")], Product.CLOUDFRONT),
    ([("Via", "1.1 vegur")], Product.HEROKU),
    ([("Via", "2.0 heroku-router")], Product.HEROKU),
    ([("Set-Cookie", "AWSALB=x")], Product.AWS_ALB),
    ([("Server", "awselb/2.0")], Product.AWS_ALB),
    ([("Via", "1.1 google")], Product.GOOGLE),
    ([("Server", "Google Frontend")], Product.GOOGLE),
    ([("Set-Cookie", "ARRAffinity=x")], Product.AZURE),
    ([("Server", "Fly/1234 (2024-01-01)")], Product.FLY),
    ([("rndr-id", "abc")], Product.RENDER),
    ([("Server", "railway-edge")], Product.RAILWAY),
    ([("Server", "envoy")], Product.ENVOY),
    ([("Server", "istio-envoy")], Product.ENVOY),
    ([("Via", "1.1 varnish")], Product.VARNISH),
    ([("Server", "Microsoft-IIS/10.0")], Product.IIS),
    ([("Set-Cookie", "_traefik_backend=x")], Product.TRAEFIK),
    ([("Set-Cookie", "INGRESSCOOKIE=x")], Product.INGRESS_NGINX),
    ([("Server", "TornadoServer/6.5")], Product.BOKEH),
])
def test_headers(headers: list[tuple[str, str]], kind: Product) -> None:
    assert [sighting.kind for sighting in recognise([reply(*headers)])] == [kind]


@pytest.mark.parametrize(("body", "kind"), [
    ("<html><body><h1>400 Bad request</h1>\nYour browser sent an invalid request.\n</body></html>\n", Product.HAPROXY),
    ("<h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n", Product.HAPROXY),
    ("<center><h1>400 Bad Request</h1></center><hr><center>nginx/1.22.1</center>", Product.NGINX),
    ("<p>Your browser sent a request that this server could not understand.<br /></p>", Product.APACHE),
    ("<h1>Application is not available</h1>", Product.OPENSHIFT),
    ("default backend - 404", Product.INGRESS_NGINX),
    ('<iframe src="//www.herokucdn.com/error-pages/no-such-app.html">', Product.HEROKU),
])
def test_error_pages(body: str, kind: Product) -> None:
    assert [sighting.kind for sighting in recognise([reply(status=503, body=body)])] == [kind]
    assert recognise([reply(body=body)]) == (), "a good page may speak of anything"


def test_the_nearest_comes_first() -> None:
    found = recognise([reply(("Server", "nginx")), reply(("CF-RAY", "1"), ("Server", "TornadoServer/6"))])
    assert [sighting.kind for sighting in found] == [Product.CLOUDFLARE, Product.NGINX, Product.BOKEH]
    assert found[1].evidence == "Server: nginx"


def test_heroku_by_its_name() -> None:
    there = Url.typed("https://sales.herokuapp.com/")
    [heroku] = recognise([Exchange(there, 200, "", (("Server", "Cowboy"),))])
    assert (heroku.kind, heroku.evidence) == (Product.HEROKU, "host: sales.herokuapp.com")
    assert recognise([Exchange(Url.typed("https://herokuapp.com.example.org/"), 200, "", ())]) == ()


def test_nobody() -> None:
    assert recognise([reply(("Server", "Cowboy"))]) == (), "of Erlang, as RabbitMQ's"
    assert recognise([reply(("Server", "uvicorn"))]) == ()
