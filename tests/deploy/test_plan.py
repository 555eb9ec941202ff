from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hotshoe.base.errors import ConfigError
from hotshoe.config import Settings
from hotshoe.deploy import DeployOptions, TlsSource, make_plan
from hotshoe.deploy.values import Endpoint


def test_nothing_but_an_app() -> None:
    plan = make_plan(DeployOptions(apps=["sliders.py"]), Settings())
    assert plan.upstreams == (Endpoint("127.0.0.1", 5006),)
    assert plan.tls is TlsSource.NONE
    assert plan.urls == ("http://SERVER/sliders",)
    assert plan.health == "/_hotshoe/health"


def test_a_domain_has_tls() -> None:
    plan = make_plan(DeployOptions(domains=["example.org", "www.example.org", "Example.org"]), Settings(prefix="apps"))
    assert (plan.tls, plan.domains) == (TlsSource.AUTO, ("example.org", "www.example.org"))
    assert (plan.certificate, plan.key) == ("/etc/letsencrypt/live/example.org/fullchain.pem",
                                            "/etc/letsencrypt/live/example.org/privkey.pem")
    assert plan.urls == ("https://example.org/apps/",)
    assert plan.health == "/_hotshoe/health"


@pytest.mark.parametrize(("options", "tls", "key"), [
    (DeployOptions(tls="/c.pem"), TlsSource.FILES, "/c.pem"),
    (DeployOptions(tls="/c.pem", tls_key="/k.pem"), TlsSource.FILES, "/k.pem"),
    (DeployOptions(domains=["a.b"], no_tls=True), TlsSource.NONE, ""),
    (DeployOptions(domains=["10.0.0.5"]), TlsSource.NONE, ""),
    (DeployOptions(domains=["10.0.0.5", "a.b"], tls="/c.pem"), TlsSource.FILES, "/c.pem"),
])
def test_tls(options: DeployOptions, tls: TlsSource, key: str) -> None:
    plan = make_plan(options, Settings())
    assert (plan.tls, plan.key) == (tls, key)


def test_ports_stand_in_addresses() -> None:
    options = DeployOptions(apps=["a/b.ipynb", "c/"], domains=["a.b"], listen="8080", listen_tls="8443")
    assert make_plan(options, Settings()).urls == ("https://a.b:8443/b", "https://a.b:8443/c")
    assert make_plan(replace(options, no_tls=True), Settings()).urls[0] == "http://a.b:8080/b"


def test_a_prefix_that_the_proxy_cuts_off() -> None:
    plan = make_plan(DeployOptions(strip_prefix=True, site="a:b"), Settings(prefix="/p"))
    assert (plan.inner_prefix, plan.health, plan.static_path) == ("", "/_hotshoe/health", "/p/_hotshoe/static")


@pytest.mark.parametrize(("settings", "place"), [
    (Settings(port=80), Endpoint("127.0.0.1", 80)),
    (Settings(address="0.0.0.0", port=80), Endpoint("127.0.0.1", 80)),
    (Settings(address="::1"), Endpoint("::1", 5006)),
    (Settings(unix_socket="/run/a.sock"), Endpoint(socket="/run/a.sock")),
])
def test_upstreams_come_from_the_settings(settings: Settings, place: Endpoint) -> None:
    assert make_plan(DeployOptions(), settings).upstreams == (place,)


def test_static_is_served_from_the_given_folder() -> None:
    assert make_plan(DeployOptions(), Settings()).static_folder is None
    assert make_plan(DeployOptions(static_folder="/c/"), Settings()).static_folder == "/c"


def test_proxies_that_are_trusted() -> None:
    settings = Settings(use_xheaders=True, trusted_proxies=("10.0.0.0/8", "10.1.2.3/32"))
    plan = make_plan(DeployOptions(behind=["10.1.2.3"]), settings)
    assert plan.behind == ("10.1.2.3/32",)
    assert plan.trusted == ("10.0.0.0/8", "10.1.2.3/32")


def test_pings_come_often_enough() -> None:
    assert make_plan(DeployOptions(idle_s=3), Settings(keep_alive_milliseconds=1500)).keep_alive_s == "1.5"


@pytest.mark.parametrize(("options", "settings", "says"), [
    ({"tls": "/c", "no_tls": True}, {}, "--no-tls"),
    ({"tls_key": "/k"}, {}, "--tls-key needs --tls FILE"),
    ({"tls": "auto"}, {}, "--tls auto needs --domain"),
    ({"tls": "auto", "domains": ["10.0.0.5"]}, {}, "for names, not for addresses"),
    ({"domains": ["a.b", "10.0.0.5"]}, {}, "--domain 10.0.0.5: certificates"),
    ({"tls": "c.pem"}, {}, "absolute path"),
    ({"strip_prefix": True}, {}, "--strip-prefix needs"),
    ({"upstreams": ["a:1"]}, {}, "--trusted-proxies ADDRESS"),
    ({"upstreams": ["localhost:1", "127.0.0.1:1"]}, {}, "same process"),
    ({}, {"port": 0}, "--port 0"),
    ({}, {"ssl_certfile": "c.pem"}, "give the certificate to the proxy"),
    ({"idle_s": 30}, {}, "less than twice --keep-alive"),
    ({"idle_s": 100000}, {}, "more than a day"),
    ({}, {"keep_alive_milliseconds": 0}, "--keep-alive 0"),
    ({"replicas": 0}, {}, "--replicas 0"),
    ({"serve_options": [("--log-format", "%(message)s")]}, {}, "hotshoe.toml"),
    ({"apps": ["a b.py"]}, {}, "apps"),
    ({"health": "x"}, {}, "--health"),
    ({}, {"use_xheaders": True, "auth": "header", "auth_header_user": "X|User"}, "--auth-header-user"),
])
def test_what_can_not_be(options: dict[str, Any], settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_plan(DeployOptions(**options), Settings(**settings))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_option_of_text_is_checked() -> None:
    """A new option has to be checked, too: none lets a line break through."""
    for name in ("tls", "tls_key", "site", "listen", "listen_tls", "health", "static_folder", "name", "user", "group",
                 "workdir", "program", "image"):
        known: dict[str, Any] = {"tls": "/c"} if name == "tls_key" else {}
        with pytest.raises(ConfigError):
            make_plan(DeployOptions(**{**known, name: "/a\nb"}), Settings())
    known = {}
    for name in ("apps", "domains", "upstreams", "behind"):
        with pytest.raises(ConfigError):
            make_plan(DeployOptions(**{**known, name: ["a\nb"]}), Settings())
    with pytest.raises(ConfigError):
        make_plan(DeployOptions(serve_options=[("--x", "a\nb")]), Settings())
