"""Apps that their authors guard by Panel's ``authorize_callback``: it is asked, and whatever fails lets nobody in."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from bokeh.document import Document
from tests.support.needs import need_module

from hotshoe import Server
from hotshoe.cli.main import main
from hotshoe.client import ClientError, pull_session
from hotshoe.seams.panel import panel_access

pytestmark = pytest.mark.real

SECRET = "shown to some only"

HEADER = f"""
import panel as pn
from bokeh.io import curdoc
from bokeh.models import Div
curdoc().add_root(Div(text={SECRET!r}))
"""


@pytest.fixture(autouse=True)
def no_global_guard() -> Iterator[None]:
    need_module("panel")
    from panel.config import config

    yield
    config.authorize_callback = None
    panel_access._guarded.clear()
    panel_access._warned.clear()


@contextmanager
def serving(apps: dict[str, Any]) -> Iterator[Server]:
    with Server(apps, port=0, address="127.0.0.1") as server:
        yield server


def page(server: Server, path: str = "/app", **options: Any) -> httpx.Response:
    return httpx.get(server.url(path), timeout=60, **options)


@contextmanager
def script(folder: Path, code: str) -> Iterator[Server]:
    file = folder / "app.py"
    file.write_text(HEADER + code)
    with serving({"/app": file}) as server:
        yield server


def refused(server: Server) -> httpx.Response:
    """The page, after a look at all other ways to the document."""
    element = page(server, "/app/autoload.js", params={"bokeh-autoload-element": "a", "bokeh-app-path": "/app"})
    assert element.status_code in {401, 403}
    assert SECRET not in element.text
    with pytest.raises(ClientError, match=r"does not allow it|sends you to another page"):
        pull_session(url=server.url("/app"))
    answer = page(server)
    assert SECRET not in answer.text
    return answer


def test_an_app_that_allows_its_visitor_is_shown(tmp_path: Path) -> None:
    with script(tmp_path, "pn.config.authorize_callback = lambda user: True") as server:
        answer = page(server)
        assert answer.status_code == 200


@pytest.mark.parametrize("code", [
    "pn.config.authorize_callback = lambda user: False",
    "pn.config.authorize_callback = lambda user: None",
    "pn.extension(authorize_callback=lambda user: False)",
    "pn.config.authorize_callback = lambda user: 1 / 0",
    "pn.config.authorize_callback = lambda: True",
    "pn.config.authorize_callback = lambda user, path, more: True",
    "async def allow(user):\n    return True\npn.config.authorize_callback = allow",
    "pn.config.authorize_callback = lambda user: False\nimport sys\nsys.exit()",
    "import sys\npn.config.authorize_callback = lambda user: sys.exit()",
    "def allow(user):\n    yield True\npn.config.authorize_callback = allow",
    "async def allow(user):\n    yield True\npn.config.authorize_callback = allow",
    "pn.config.authorize_callback = lambda user: ''",
    "import numpy\npn.config.authorize_callback = lambda user: numpy.array([True, True])",
])
def test_a_visitor_who_is_not_allowed_sees_nothing_of_it(tmp_path: Path, code: str) -> None:
    with script(tmp_path, code) as server:
        assert refused(server).status_code == 403


def test_the_function_is_asked_for_the_path_of_the_page(tmp_path: Path) -> None:
    code = "pn.config.authorize_callback = lambda user, path: path != '/app'"
    with script(tmp_path, code) as server:
        assert refused(server).status_code == 403


@pytest.mark.parametrize(("url", "paths", "asked"), [
    ("/app", ["/app", "/app/", "/app//", "/%61pp", "/app/autoload.js?bokeh-autoload-element=a"], "/pre/app"),
    ("/", ["/", "/autoload.js?bokeh-autoload-element=a"], "/pre/"),
])
def test_the_path_is_the_same_however_the_page_is_requested(url: str, paths: list[str], asked: str) -> None:
    from panel.config import config

    seen: list[str] = []

    def note(user: Any, path: str) -> bool:
        seen.append(path)
        return True

    config.authorize_callback = note
    with Server({url: lambda document: None}, port=0, address="127.0.0.1", prefix="/pre") as server:
        for path in paths:
            assert page(server, path).status_code == 200
    assert seen == [asked] * len(paths)


def test_an_app_that_guards_its_first_session_only_is_named_in_the_log(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "guard_of_first.py").write_text(
        "import panel as pn\npn.config.authorize_callback = lambda user: False")
    monkeypatch.delitem(sys.modules, "guard_of_first", raising=False)
    with script(tmp_path, "import guard_of_first") as server, caplog.at_level(logging.WARNING):
        assert [page(server).status_code for _ in range(3)] == [403, 200, 200]
    assert [record.getMessage() for record in caplog.records if "authorize_callback" in record.getMessage()] == [
        "app /app has set authorize_callback in an earlier session, but not in this one, so everybody may see it: set "
        "it in the script itself, as the code of a module runs for the first session only"]


def test_the_function_may_name_another_page(tmp_path: Path) -> None:
    with script(tmp_path, "pn.config.authorize_callback = lambda user: '/elsewhere'") as server:
        answer = refused(server)
        assert (answer.status_code, answer.headers["location"]) == (302, "/elsewhere")


def test_the_place_may_contain_what_the_visitor_has_written() -> None:
    from panel.config import config
    from panel.io.state import state

    config.authorize_callback = lambda user: "/login?next=" + state.session_args["next"][0].decode()
    with serving({"/app": lambda document: None}) as server:
        answer = page(server, params={"next": "a\r\nSet-Cookie: b=c\u20ac"})
    assert answer.status_code == 302
    assert answer.headers["location"] == "/login?next=a%0D%0ASet-Cookie:%20b=c%E2%82%AC"
    assert "set-cookie" not in answer.headers


def test_the_name_of_a_user_is_text_in_such_a_page(tmp_path: Path) -> None:
    (tmp_path / "no.html").write_text("<p>{{ error_msg }}</p>")
    file = tmp_path / "app.py"
    file.write_text(HEADER + f"pn.extension(authorize_callback=lambda user: False, "
                             f"auth_template={str(tmp_path / 'no.html')!r})")
    with Server({"/app": file}, port=0, address="127.0.0.1", auth="header", use_xheaders=True,
                auth_header_user="X-User") as server:
        answer = page(server, headers={"X-User": "<b>ada</b>"})
    assert answer.status_code == 403
    assert answer.text == "<p>&lt;b&gt;ada&lt;/b&gt; is not authorized to access this application.</p>"


def test_an_app_may_have_its_own_page_for_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "no.html").write_text("<p>{{ error }} Ask the owner.</p>")
    code = f"pn.extension(authorize_callback=lambda user: False, auth_template={str(tmp_path / 'no.html')!r})"
    with script(tmp_path, code) as server:
        answer = refused(server)
        assert answer.status_code == 403
        assert answer.text == "<p>User is not authorized. Ask the owner.</p>"


def test_the_author_may_write_the_app_to_a_file(tmp_path: Path) -> None:
    file = tmp_path / "app.py"
    file.write_text(HEADER + "pn.config.authorize_callback = lambda user: False")
    assert main(["html", str(file), "-o", str(tmp_path / "app.html")]) == 0
    assert SECRET in (tmp_path / "app.html").read_text()


def test_a_function_for_all_apps_is_asked_before_any_code_of_the_app_runs() -> None:
    from panel.config import config

    ran: list[str] = []
    asked: list[str] = []

    def allow(user: Any, path: str) -> bool:
        asked.append(path)
        return path == "/open"

    def app(name: str) -> Callable[[Document], None]:
        return lambda document: ran.append(name)

    config.authorize_callback = allow
    with serving({"/open": app("open"), "/closed": app("closed")}) as server:
        assert page(server, "/open").status_code == 200
        assert page(server, "/closed").status_code == 403
    assert ran == ["open"]
    assert asked == ["/open", "/closed"]


def test_the_function_gets_the_user_of_the_server(tmp_path: Path) -> None:
    file = tmp_path / "app.py"
    file.write_text(HEADER + "pn.config.authorize_callback = lambda user: user['username'] == 'ada'")
    with Server({"/app": file}, port=0, address="127.0.0.1", auth="header", use_xheaders=True,
                auth_header_user="X-User") as server:
        assert page(server, headers={"X-User": "ada"}).status_code == 200
        assert page(server, headers={"X-User": "bob"}).status_code == 403
