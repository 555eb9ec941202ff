"""What hotshoe itself shows in a page: that the app computes, and that it has failed."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from bokeh.models.widgets import Div
from playwright.sync_api import Route, expect
from tests.support.browser.tab import Tab
from tests.support.server_thread import ServerThread, serve

from hotshoe.pages.assets import page_script
from hotshoe.sessions import failures

pytestmark = pytest.mark.real

APP = """
import time

from bokeh.io import curdoc
from bokeh.models import Button, Div

doc = curdoc()
div = Div(text="ready")
slow, short, fail, always = (Button(label=label) for label in ("slow", "short", "fail", "always"))


def work():
    for step in range(12):
        time.sleep(0.1)
        div.text = f"step {step}"
    div.text = "worked"


def touch():
    div.text = "touched"


def boom():
    raise ValueError("the secret of the app")


def start_failing():
    always.label = "fails"
    doc.add_periodic_callback(boom, 20)


slow.on_click(work)
short.on_click(touch)
fail.on_click(boom)
always.on_click(start_failing)
for root in (div, slow, short, fail, always):
    doc.add_root(root)
"""

ON = ".hotshoe-busy[data-on]"
CARD = ".hotshoe-failure .card"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    path = tmp_path / "app.py"
    path.write_text(APP)
    return path


def click(tab: Tab, label: str) -> None:
    tab.page.get_by_role("button", name=label, exact=True).click()


def forget_failures(tab: Tab) -> None:
    """BokehJS logs each ERROR as an error of its own."""
    tab.problems[:] = [problem for problem in tab.problems if "Unhandled ERROR reply" not in problem]


@pytest.mark.parametrize("threads", ["4", "0"])
def test_a_long_callback_shows_and_a_short_one_does_not(app: Path, tab: Tab, threads: str) -> None:
    # Without threads the server can't say that it is busy: the page notices that its answer is missing.
    with serve(app, flags=("--threads", threads)) as server:
        assert any(_short_shows_nothing(tab, server.urls["app"]) for _ in range(5))
        click(tab, "slow")
        tab.page.wait_for_selector(ON, state="attached")
        line = tab.page.locator(".hotshoe-busy .line").bounding_box()
        assert line is not None
        assert (line["y"], line["height"]) == (0, 3)
        tab.wait_for_text("worked")
        expect(tab.page.locator(ON)).to_have_count(0)


def _short_shows_nothing(tab: Tab, url: str) -> bool:
    """On a machine that others keep busy, a short callback may be a long one."""
    tab.open(url)
    click(tab, "short")
    tab.wait_for_text("touched")
    time.sleep(0.4)  # an answer that is missing shows after 0.3 s
    return tab.page.locator(".hotshoe-busy").count() == 0


def test_the_sign_can_be_styled_and_keeps_still_for_those_who_want_it(app: Path, tab: Tab) -> None:
    with serve(app) as server:
        tab.page.emulate_media(reduced_motion="reduce")
        tab.open(server.urls["app"])
        tab.page.add_style_tag(content=":root { --hotshoe-busy-height: 7px; --hotshoe-busy-color: rgb(1, 2, 3) }"
                                       ".hotshoe-busy { top: 20px }")
        click(tab, "slow")
        tab.page.wait_for_selector(ON, state="attached")
        line = tab.page.locator(".hotshoe-busy .line")
        box = line.bounding_box()
        assert box is not None
        assert (box["y"], box["height"], box["width"]) == (20, 7, 1100)
        assert line.evaluate("element => getComputedStyle(element).backgroundColor") == "rgb(1, 2, 3)"
        assert line.evaluate("element => element.getAnimations().length") == 0
        tab.wait_for_text("worked")


def test_the_sign_can_be_turned_off(app: Path, tab: Tab) -> None:
    with serve(app, flags=("--no-busy-sign",)) as server:
        tab.open(server.urls["app"])
        click(tab, "slow")
        tab.wait_for_text("worked")
        assert tab.page.locator(".hotshoe-busy").count() == 0


def test_a_failure_is_named_by_its_id_until_it_is_dismissed(
    app: Path, new_tab: Callable[[], Tab], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "NOTICE_EVERY_S", 0.0)  # the page is told of each
    with serve(app) as server:
        server.errors_expected = True
        tab = new_tab()
        tab.open(server.urls["app"])
        click(tab, "fail")
        card = tab.page.locator(CARD)
        card.wait_for()
        assert card.locator("h2").inner_text() == "Something failed in this app."
        error_id = card.locator("code").inner_text()
        assert len(error_id) == 8
        assert f"error {error_id} in" in server.log
        assert "the secret" not in tab.page.content()
        assert tab.page.locator(".hotshoe-failure [role=status]").count() == 1
        click(tab, "fail")
        expect(card).to_contain_text("2 times")
        card.get_by_role("button", name="Dismiss").click()
        expect(card).to_have_count(0)
        click(tab, "fail")
        click(tab, "short")
        tab.wait_for_text("touched")
        assert card.count() == 0
        forget_failures(tab)


def test_a_callback_that_fails_all_the_time_floods_nothing(app: Path, tab: Tab) -> None:
    with serve(app) as server:
        server.errors_expected = True
        counts: list[int] = []

        def note(frame: str | bytes) -> None:
            if isinstance(frame, str) and '"failure"' in frame:
                counts.append(json.loads(frame)["failure"]["count"])

        tab.page.on("websocket", lambda socket: socket.on("framereceived", note))
        tab.open(server.urls["app"])
        click(tab, "always")
        card = tab.page.locator(CARD)
        card.wait_for()
        tab.wait_here(lambda: len(counts) > 2)
        assert all(count > 5 for count in counts[1:3]), "it fails fifty times a second, and says so once"
        assert card.count() == 1
        expect(card).to_contain_text("times")
        click(tab, "short")
        tab.wait_for_text("touched")


def test_in_dev_mode_the_page_shows_the_traceback(app: Path, tab: Tab) -> None:
    with serve(app, flags=("--dev",)) as server:
        server.errors_expected = True
        tab.open(server.urls["app"])
        click(tab, "fail")
        card = tab.page.locator(f"{CARD}.dev")
        card.wait_for()
        assert card.locator("h2").inner_text() == "ValueError: the secret of the app"
        text = card.locator("pre").inner_text()
        assert 'raise ValueError("the secret of the app")' in text
        assert "app.py" in text
        assert "hotshoe" not in text.replace(str(app), "")
        box = card.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["y"] >= 0
        tab.page.keyboard.press("Escape")
        expect(card).to_have_count(0)
        forget_failures(tab)


BLANK = """
from bokeh.io import curdoc
from bokeh.models import Div

doc = curdoc()


def main():
    doc.add_root(Div(text="guarded"))


if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize("dev", [False, True])
def test_an_empty_page_says_so_until_there_is_something(tmp_path: Path, tab: Tab, dev: bool) -> None:
    (tmp_path / "app.py").write_text(BLANK)
    with serve(tmp_path / "app.py", flags=("--dev",) * dev) as server:
        tab.page.goto(server.urls["app"])
        card = tab.page.locator(".hotshoe-blank .card")
        expect(card).to_contain_text("The app has added nothing to it so far.")
        assert ("__main__" in card.inner_text()) == dev
        assert "app /app has added nothing to its document" in server.log
        assert isinstance(server, ServerThread)
        server.server.update_sessions("/app", lambda document: document.add_root(Div(text="at last"))).result()
        tab.wait_for_text("at last")
        expect(card).to_have_count(0)


UNSENDABLE = """
from decimal import Decimal

from bokeh.io import curdoc
from bokeh.models import ColumnDataSource, DataTable

curdoc().add_root(DataTable(source=ColumnDataSource({"price": [Decimal(1)]})))
"""


def test_a_document_that_cannot_be_sent_is_named_in_the_middle_of_its_page(tmp_path: Path, tab: Tab) -> None:
    (tmp_path / "app.py").write_text(UNSENDABLE)
    with serve(tmp_path / "app.py") as server:
        server.errors_expected = True
        response = tab.page.goto(server.urls["app"])
        assert response is not None
        assert response.status == 200
        card = tab.page.locator(CARD)
        expect(card).to_contain_text("Something failed in this app.")
        box = card.bounding_box()
        assert box is not None
        assert abs(box["x"] + box["width"] / 2 - 550) < 2, "it stands in the middle"
        error_id = card.locator("code").inner_text()
        assert f"error {error_id} in sending the document of app /app" in server.log
        assert "UnsendableError: ColumnDataSource.data['price'][0] (id p" in server.log
        tab.problems.clear()


UPLOAD = """
from bokeh.io import curdoc
from bokeh.models import Button, Div, FileInput

div, file, go = Div(text="ready"), FileInput(), Button(label="go")
file.on_change("value", lambda attr, old, new: div.update(text=f"received {len(new)}"))
go.on_click(lambda: div.update(text="still here"))
for root in (div, file, go):
    curdoc().add_root(root)
"""
LIMIT = ("--websocket-max-message-size", "1048576")


def upload(tab: Tab, nbytes: int) -> None:
    tab.page.locator("input[type=file]").set_input_files(
        {"name": "a.bin", "mimeType": "application/octet-stream", "buffer": b"x" * nbytes})


def test_a_file_that_is_too_large_is_refused_by_the_page_which_stays_connected(tmp_path: Path, tab: Tab) -> None:
    (tmp_path / "app.py").write_text(UPLOAD)
    with serve(tmp_path / "app.py", flags=LIMIT) as server:
        sockets: list[object] = []
        tab.page.on("websocket", lambda socket: sockets.append(socket))
        tab.open(server.urls["app"])
        upload(tab, 3 << 20)
        card = tab.page.locator(".hotshoe-too-big .card")
        expect(card).to_contain_text("This upload is too large.")
        expect(card).to_contain_text("It needs 4.0 MB, and the server takes at most 1.0 MB")
        click(tab, "go")
        tab.wait_for_text("still here")
        assert len(sockets) == 1
        line = r"session [0-9a-f]{12}: its page could not send a message of 4194\d\d\d bytes, .* 1048576 bytes\. .*"
        assert re.search(f"app /app, {line}--websocket-max-message-size", server.log)
        card.get_by_role("button", name="Dismiss").click()
        expect(card).to_have_count(0)
        upload(tab, 300_000)
        tab.wait_for_text("received 400000")


STRICT = """
<!doctype html><body><script nonce="N">
window._hotshoe = {base: "/", nonce: "N", loaded: [], components: {}};
window.WebSocket = class extends EventTarget { send() {} };
</script><script nonce="N">PAGE_SCRIPT</script><script nonce="N">
const socket = new WebSocket("ws://h/", ["bokeh", "t"]);
window.tell = (metadata) => {
  for (const data of ['{"num_buffers":0}', JSON.stringify(metadata), '{"events":[]}']) {
    socket.dispatchEvent(new MessageEvent("message", {data}));
  }
};
</script></body>
"""


def test_a_strict_policy_allows_the_signs(tab: Tab) -> None:
    def answer(route: Route) -> None:
        body = STRICT.replace("PAGE_SCRIPT", page_script().body.decode())
        policy = "default-src 'none'; script-src 'nonce-N'; require-trusted-types-for 'script'"
        route.fulfill(body=body, content_type="text/html", headers={"Content-Security-Policy": policy})

    tab.page.route("http://localhost/strict", answer)
    tab.page.goto("http://localhost/strict")
    failure = {"id": "1", "key": "k", "count": 3, "what": "a <b>callback</b>", "text": "<img src=x>",
               "traceback": "Traceback\n  File \"x\"\nKeyError: '<script>'\n"}
    for metadata in ({"busy": True}, {"failure": failure}, {"blank": {"reasons": ["<b>one</b>"]}}):
        tab.page.evaluate(f"tell({json.dumps(metadata)})")
    tab.page.wait_for_selector(ON, state="attached")
    host = tab.page.locator(".hotshoe-busy")
    assert host.evaluate("element => getComputedStyle(element).position") == "fixed"
    card = tab.page.locator(CARD)
    assert card.locator("h2").inner_text() == "<img src=x>"
    assert card.locator("pre").inner_text().strip().endswith("KeyError: '<script>'")
    assert card.locator("img, script, b").count() == 0
    assert "3 times" in card.inner_text()
    blank = tab.page.locator(".hotshoe-blank")
    assert blank.locator("li").inner_text() == "<b>one</b>"
    tab.page.evaluate('tell({"blank": false})')
    expect(blank).to_have_count(0)
