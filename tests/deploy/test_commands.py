from __future__ import annotations

import shlex

import pytest

from hotshoe.cli.serve import parse
from hotshoe.config import Settings
from hotshoe.deploy import Wishes, make_plan
from hotshoe.deploy.commands import serve_lines, serve_words, shell_line, wrap_lines


def test_a_command_for_each_process() -> None:
    wishes = Wishes(apps=["a.py", "b/"], upstreams=["127.0.0.1:1", "[::1]:2", "unix:/run/h.sock", "10.0.0.2:3"],
                    site="shop:make()", given=[("--auth", "basic")])
    lines = serve_lines(make_plan(wishes, Settings(prefix="p", use_xheaders=True, trusted_proxies=("10.0.0.1",))))
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
    (line,) = serve_lines(make_plan(Wishes(strip_prefix=strip), Settings(prefix="/p")))
    assert ("--prefix /p" in line) is not strip


def test_a_site_may_bring_its_apps() -> None:
    (line,) = serve_lines(make_plan(Wishes(site="project.asgi:application"), Settings()))
    assert line.startswith("hotshoe serve --address ")
    (line,) = serve_lines(make_plan(Wishes(), Settings()))
    assert line.startswith("hotshoe serve app.py --address ")


@pytest.mark.parametrize(("wishes", "settings", "expected"), [
    (Wishes(site="shop:app", apps=["dial.py"]), Settings(),
     ["import shop", 'application = hotshoe.wrap(shop.app, {"/dial": "dial.py"}, use_xheaders=True)']),
    (Wishes(site="a.b:make()", apps=["x/y.ipynb", "z/"], behind=["10.0.0.1"]),
     Settings(prefix="p", max_sessions=5, port=1, secret_key="of-nobody-else-0123456789-0123456789", log_level="debug"),
     ["import a.b", 'application = hotshoe.wrap(a.b.make(), {"/y": "x/y.ipynb", "/z": "z/"}, use_xheaders=True, '
      "trusted_proxies=('10.0.0.1/32',), prefix='/p', max_sessions=5)"]),
    (Wishes(site="shop:app", strip_prefix=True), Settings(prefix="p", auth="basic", users_file="b\u00fc\nc"),
     ["import shop", 'application = hotshoe.wrap(shop.app, settings=hotshoe.Settings('
      "use_xheaders=True, auth='basic', users_file='b\\xfc\\nc'))"]),
])
def test_the_same_in_python(wishes: Wishes, settings: Settings, expected: list[str]) -> None:
    lines = wrap_lines(make_plan(wishes, settings))
    assert lines == ("import hotshoe", *expected)
    compile("\n".join(lines), "wsgi.py", "exec")


def test_no_python_without_a_site() -> None:
    assert wrap_lines(make_plan(Wishes(), Settings())) == ()


def test_without_a_proxy() -> None:
    plan = make_plan(Wishes(apps=["a.py"]), Settings())
    assert shell_line(serve_words(plan, "--port", "1", behind_proxy=False)) == "hotshoe serve a.py --port 1"
