"""Dev mode in Chromium: pages follow what is saved, show what is broken, and keep what was entered."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support import server_process
from tests.support.browser.tab import Tab
from tests.support.needs import need_module
from tests.support.running_server import Server
from tests.support.server_thread import serve
from tests.support.waiting import wait_until

pytestmark = pytest.mark.real

MAIN = """
from bokeh.io import curdoc
from bokeh.models import Div, Select, Slider, TextInput
import words_of_one

slider = Slider(start=0, end=100, value=10, title="amount")
word = TextInput(title="word", value="first", name="word")
select = Select(title="choice", value="a", options=["a", "b", "c"])
echo = Div(text=words_of_one.say(slider.value))


def change(attr, old, new):
    echo.text = words_of_one.say(new)


slider.on_change("value", change)
for root in (slider, word, select, echo):
    curdoc().add_root(root)
"""
HELPER = "def say(value):\n    return f'value {value}'\n"
TEMPLATE = """{% extends base %}
{% block contents %}<link rel="stylesheet" href="one/static/page.css"><h1>Template one</h1>{{ super() }}{% endblock %}
"""
OTHER = """
from bokeh.io import curdoc
from bokeh.models import Div, Slider
slider = Slider(start=0, end=100, value=10, title="s")
echo = Div(text="other 10")
slider.on_change("value", lambda attr, old, new: echo.update(text=f"other {new}"))
curdoc().add_root(slider)
curdoc().add_root(echo)
"""
FILES = {
    "one/main.py": MAIN, "one/words_of_one.py": HELPER, "one/templates/index.html": TEMPLATE,
    "one/static/page.css": "h1 { color: rgb(1, 2, 3) }", "other.py": OTHER,
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    yield tmp_path
    sys.modules.pop("words_of_one", None)  # the next test has its own


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    need_module("watchfiles")
    with serve(folder / "one", folder / "other.py", flags=("--dev", "--address", "127.0.0.1")) as server:
        server.errors_expected = True
        yield server


@pytest.fixture
def pages(server: Server, new_tab: Callable[[], Tab]) -> Iterator[tuple[Tab, Tab]]:
    """A page of each app. What an error page must do in a browser's console is no problem."""
    one, other = new_tab(), new_tab()
    one.open(server.urls["one"])
    other.open(server.urls["other"])
    other.do("model('Slider').value = 77; window.marked = true")
    other.wait_for_text("other 77")
    one.wait_for_text("value 10")
    yield one, other
    assert other.ask("window.marked"), "the page of the other app was loaded again"
    assert other.ask("model('Slider').value") == 77
    for tab in (one, other):
        tab.page.close()
        tab.problems = [problem for problem in tab.problems if not re.search(r"\b500\b|ERR_ABORTED", problem)]


def save(path: Path, text: str) -> None:
    """As many editors do: a new file in place of the old one."""
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(text)
    draft.replace(path)


def test_a_helper_the_script_a_template_and_a_style_sheet(server: Server, pages: tuple[Tab, Tab], folder: Path) -> None:
    one, _ = pages
    save(folder / "one/words_of_one.py", HELPER.replace("value {", "helper {"))
    one.wait_for_text("helper 10")
    save(folder / "one/main.py", MAIN.replace("value=10", "value=11"))
    one.wait_for_text("helper 11")
    save(folder / "one/templates/index.html", TEMPLATE.replace("Template one", "Template two"))
    one.wait_for_text("Template two")
    (folder / "one/static/page.css").write_text("h1 { color: rgb(4, 5, 6) }")
    one.wait("getComputedStyle(document.querySelector('h1')).color === 'rgb(4, 5, 6)'")
    one.wait_for_text("helper 11")
    lines = re.findall(r"reloaded .*", server.log)
    assert len(lines) == 4
    assert all(re.fullmatch(r"reloaded /one: \S+ changed \(\d+ ms\)", line) for line in lines), lines
    assert [line.split()[2] for line in lines] == ["words_of_one.py", "main.py", "index.html", "page.css"]


def test_what_was_entered_is_kept(pages: tuple[Tab, Tab], folder: Path) -> None:
    one, _ = pages
    one.do("model('Slider').value = 42; named('word').value = 'mine'; model('Select').value = 'c'")
    one.wait_for_text("value 42")
    changed = MAIN.replace("value=10", "value=5").replace('title="word"', 'title="other title"')
    save(folder / "one/main.py", changed.replace('["a", "b", "c"]', '["a", "b"]'))
    one.wait("model('TextInput')?.title === 'other title'")
    one.wait_for_text("value 42")
    assert one.ask("[named('word').value, model('Select').value]") == ["mine", "a"]
    save(folder / "one/words_of_one.py", HELPER.replace("value {", "helper {"))
    one.wait_for_text("helper 42")
    assert one.ask("named('word').value") == "mine"


@pytest.mark.parametrize(("name", "text", "shown"), [
    ("main.py", MAIN + "if:\n", ["SyntaxError", "main.py"]),
    ("main.py", MAIN + "1 / 0\n", ["ZeroDivisionError", "division by zero", "main.py"]),
    ("words_of_one.py", "def say(value):\n    wrong = value\n    raise KeyError('mine')\n",
     ["KeyError", "words_of_one.py", "raise KeyError('mine')"]),
    ("words_of_one.py", "import nothing_like_this\n", ["ModuleNotFoundError", "words_of_one.py"]),
    ("templates/index.html", "{% if %}", ["Expected an expression", "index.html"]),
    ("templates/index.html", "{{ embed(roots.missing) }}", ["index.html"]),
])
def test_an_app_that_breaks_and_is_mended(
    name: str, text: str, shown: list[str], pages: tuple[Tab, Tab], folder: Path
) -> None:
    one, _ = pages
    one.do("model('Slider').value = 42")
    one.wait_for_text("value 42")
    path = folder / "one" / name
    before = path.read_text()
    save(path, text)
    for part in shown:
        one.wait_for_text(part)
    save(path, before)
    one.wait_for_text("value 42")


def test_variables_are_shown_on_demand(pages: tuple[Tab, Tab], folder: Path) -> None:
    one, _ = pages
    save(folder / "one/words_of_one.py", "def say(value):\n    own = [value, '<b>']\n    return own.nothing\n")
    one.wait_for_text("AttributeError")
    own = one.page.locator("dd", has_text="[10, '<b>']")
    assert not own.is_visible()
    one.page.locator("summary", has_text="Variables").first.click()
    own.wait_for()
    assert one.ask("getComputedStyle(document.querySelector('main')).maxWidth") == "1080px", "styles are allowed"


def test_an_app_that_is_broken_at_start(folder: Path, new_tab: Callable[[], Tab]) -> None:
    need_module("watchfiles")
    main = folder / "one/main.py"
    main.write_text(MAIN + "if:\n")
    with server_process.serve(folder / "one", folder / "other.py", flags=("--dev", "--address", "127.0.0.1")) as server:
        server.errors_expected = True
        assert "/one is broken: " in server.log
        tab = new_tab()
        tab.page.goto(server.urls["one"])
        tab.wait_for_text("SyntaxError")
        save(main, MAIN)
        tab.wait_for_text("value 10")
        tab.page.close()
        tab.problems.clear()


def test_hooks_run_again_when_they_change(folder: Path) -> None:
    need_module("watchfiles")
    hooks = folder / "one/app_hooks.py"
    text = "def on_server_loaded(context): print('loaded {0}', flush=True)\n" \
           "def on_server_unloaded(context): print('unloaded {0}', flush=True)\n"
    hooks.write_text(text.format(1))
    with server_process.serve(folder / "one", flags=("--dev",)) as server:
        save(folder / "one/main.py", MAIN + "x = 1\n")
        wait_until(lambda: "main.py changed" in server.log, 20)
        save(hooks, text.format(2))
        wait_until(lambda: "app_hooks.py changed" in server.log, 20)
        assert "Dev mode shows" in server.log, "it listens everywhere"
        wait_until(lambda: server.log.count("loaded 2") == 1, 20)
        assert re.findall(r"^(?:un)?loaded \d", server.log, re.MULTILINE) == ["loaded 1", "unloaded 1", "loaded 2"]
