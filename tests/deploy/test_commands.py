from __future__ import annotations

import shlex

import pytest
from tests.support.command_line import parse

from hotshoe.config import Settings
from hotshoe.deploy import DeployOptions, make_plan
from hotshoe.deploy.rendering import serve_lines, serve_words, wrap_lines


def test_a_command_for_each_process() -> None:
    options = DeployOptions(apps=["a.py", "b/"], upstreams=["127.0.0.1:1", "[::1]:2", "unix:/run/h.sock", "10.0.0.2:3"],
                    site="shop:make()", serve_options=[("--auth", "basic")])
    lines = serve_lines(make_plan(options, Settings(prefix="p", use_xheaders=True, trusted_proxies=("10.0.0.1",))))
    assert len(lines) == 4
    read = [parse(shlex.split(line)[2:], {}) for line in lines]
    assert {tuple(files) for files, _ in read} == {("a.py", "b/")}
    places = [(settings.address, settings.port, settings.unix_socket) for _, settings in read]
    assert places == [("127.0.0.1", 1, None), ("::1", 2, None), (None, 5006, "/run/h.sock"), (None, 3, None)]
    for _, settings in read:
        assert (settings.wsgi, settings.prefix, settings.use_xheaders) == ("shop:make()", "/p", True)
        assert (settings.trusted_proxies, settings.auth) == (("10.0.0.1",), "basic")


@pytest.mark.parametrize("strip", [True, False])
def test_the_prefix_is_known_by_one_of_both(strip: bool) -> None:
    (line,) = serve_lines(make_plan(DeployOptions(strip_prefix=strip), Settings(prefix="/p")))
    assert ("--prefix /p" in line) is not strip


@pytest.mark.parametrize(("options", "settings", "expected_s"), [
    (DeployOptions(domains=["a.example"]), Settings(), 31536000),
    (DeployOptions(domains=["a.example"]), Settings(prefix="p"), 0),  # what else the name has may be plain http
    (DeployOptions(domains=["a.example"], listen_tls="8443"), Settings(), 0),  # browsers would want https on all ports
    (DeployOptions(domains=["a.example"], no_tls=True), Settings(), 0),
    (DeployOptions(domains=["10.0.0.1"]), Settings(), 0),
    (DeployOptions(tls="/pem"), Settings(), 0),
    (DeployOptions(domains=["a.example"], serve_options=[("--hsts-max-age", "0")]), Settings(), 0),
    (DeployOptions(domains=["a.example"], serve_options=[("--hsts-max-age", "60")]), Settings(hsts_max_age=60), 60),
])
def test_browsers_are_told_to_come_by_https_where_the_name_is_the_apps_own(options: DeployOptions, settings: Settings,
                                                                            expected_s: int) -> None:
    (line,) = serve_lines(make_plan(options, settings))
    assert parse(shlex.split(line)[2:], {})[1].hsts_max_age == expected_s
    assert line.count("--hsts-max-age") == (expected_s > 0 or bool(options.serve_options))


@pytest.mark.parametrize(("options", "settings", "expected"), [
    (DeployOptions(domains=["a.example", "B.example", "a.example"]), Settings(), ("a.example", "b.example")),
    (DeployOptions(domains=["10.0.0.1"]), Settings(), ("10.0.0.1",)),
    (DeployOptions(domains=["a.example"], serve_options=[("--allowed-hosts", ".example")]),
     Settings(allowed_hosts=(".example",)), (".example",)),
    (DeployOptions(domains=["a.example"]), Settings(allowed_hosts=(".example",)), ()),  # from a file
    (DeployOptions(), Settings(), ()),
    (DeployOptions(domains=["inner.example"], behind=["10.0.0.1"]), Settings(), ()),  # visitors use another name
])
def test_the_server_answers_to_the_names_of_the_site(options: DeployOptions, settings: Settings,
                                                     expected: tuple[str, ...]) -> None:
    plan = make_plan(options, settings)
    assert parse(shlex.split(serve_lines(plan)[0])[2:], {})[1].allowed_hosts == expected
    tunnel = serve_words(plan, behind_proxy=False)  # its visitors use the name localhost
    assert tunnel.count("--allowed-hosts") == len(options.serve_options)


def test_a_site_may_bring_its_apps() -> None:
    (line,) = serve_lines(make_plan(DeployOptions(site="project.asgi:application"), Settings()))
    assert line.startswith("hotshoe serve --address ")
    (line,) = serve_lines(make_plan(DeployOptions(), Settings()))
    assert line.startswith("hotshoe serve app.py --address ")


@pytest.mark.parametrize(("options", "settings", "expected"), [
    (DeployOptions(site="shop:app", apps=["dial.py"]), Settings(),
     ["import shop", 'application = hotshoe.wrap(shop.app, {"/dial": "dial.py"}, use_xheaders=True)']),
    (DeployOptions(site="a.b:make()", apps=["x/y.ipynb", "z/"], behind=["10.0.0.1"]),
     Settings(prefix="p", max_sessions=5, port=1, secret_key="of-nobody-else-0123456789-0123456789", log_level="debug"),
     ["import a.b", 'application = hotshoe.wrap(a.b.make(), {"/y": "x/y.ipynb", "/z": "z/"}, use_xheaders=True, '
      "trusted_proxies=('10.0.0.1/32',), prefix='/p', max_sessions=5)"]),
    (DeployOptions(site="shop:app", strip_prefix=True), Settings(prefix="p", auth="basic", users_file="b\u00fc\nc"),
     ["import shop", 'application = hotshoe.wrap(shop.app, settings=hotshoe.Settings('
      "use_xheaders=True, auth='basic', users_file='b\\xfc\\nc'))"]),
])
def test_the_same_in_python(options: DeployOptions, settings: Settings, expected: list[str]) -> None:
    lines = wrap_lines(make_plan(options, settings))
    assert lines == ("import hotshoe", *expected)
    compile("\n".join(lines), "wsgi.py", "exec")


def test_no_python_without_a_site() -> None:
    assert wrap_lines(make_plan(DeployOptions(), Settings())) == ()


def test_without_a_proxy() -> None:
    plan = make_plan(DeployOptions(apps=["a.py"]), Settings())
    assert serve_words(plan, "--port", "1", behind_proxy=False) == ("hotshoe", "serve", "a.py", "--port", "1")
