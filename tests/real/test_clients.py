"""bokeh's own Python client against hotshoe: it pulls, pushes, changes and is told, binary data included."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np
import pytest
from bokeh.client import ClientSession, pull_session, push_session
from bokeh.core.types import ID
from bokeh.document import Document
from bokeh.models import ColumnDataSource
from bokeh.models.widgets import Div, Slider
from tests.support.differential.two_servers import APPS
from tests.support.raw_http import get
from tests.support.server_thread import MakeServer
from tests.support.stock_client import model, wait_until_told
from tests.support.waiting import wait_until

from hotshoe import Server
from hotshoe.tokens import read

pytestmark = [
    pytest.mark.real,
    pytest.mark.filterwarnings("ignore:There is no current event loop:DeprecationWarning"),  # of tornado, in the client
]

WAIT_S = 60.0

Pull = Callable[..., ClientSession]


@pytest.fixture
def server(make_server: MakeServer) -> Server:
    return make_server(sliders=APPS / "sliders.py", empty=_empty)


def _empty(document: Document) -> None:
    pass


@pytest.fixture
def pull(server: Server) -> Iterator[Pull]:
    """Pulls sessions, and closes them in the end."""
    with ExitStack() as stack:

        def make(name: str | None = None, app: str = "sliders") -> ClientSession:
            url = f"http://localhost:{server.port}/{app}"
            return stack.enter_context(pull_session(session_id=None if name is None else ID(name), url=url))

        yield make


def test_pull(pull: Pull) -> None:
    session = pull()
    assert session.document.title == "Sliders of a test"
    assert [root.name for root in session.document.roots][:2] == ["plain", "doubled"]


def test_server_info(pull: Pull) -> None:
    import bokeh

    assert pull().request_server_info()["version_info"]["bokeh"] == bokeh.__version__


def test_a_change_runs_callbacks_whose_changes_come_back(pull: Pull) -> None:
    session = pull()
    model(session, "doubled").value = 21
    wait_until_told(session, lambda: model(session, "echo").text == "42")


def test_two_clients_see_each_other(pull: Pull) -> None:
    one = pull("of-two")
    two = pull("of-two")
    model(one, "plain").value = 33
    one.force_roundtrip()
    wait_until_told(two, lambda: model(two, "plain").value == 33)
    model(two, "doubled").value = 4
    wait_until_told(two, lambda: model(two, "echo").text == "8")
    wait_until_told(one, lambda: model(one, "echo").text == "8")
    assert model(one, "doubled").value == 4


def test_a_client_joins_the_session_of_a_page(server: Server, pull: Pull) -> None:
    pull(read(get(server.port, "/sliders").token).session_id)
    assert server.statistics().sessions["/sliders"] == 1


def test_push(server: Server, pull: Pull) -> None:
    document = Document()
    document.title = "Pushed"
    document.add_root(Slider(name="pushed", start=0, end=9, value=3))
    with push_session(document, session_id=ID("pushed"), url=f"http://localhost:{server.port}/empty") as pushed:
        other = pull("pushed", "empty")
        assert other.document.title == "Pushed"
        model(pushed, "pushed").value = 7
        pushed.force_roundtrip()
        wait_until_told(other, lambda: model(other, "pushed").value == 7)


def test_a_pushed_document_replaces_what_others_see(server: Server, pull: Pull) -> None:
    other = pull("replaced")
    document = Document()
    document.add_root(Div(name="new", text="all is new"))
    with push_session(document, session_id=ID("replaced"), url=f"http://localhost:{server.port}/sliders"):
        wait_until_told(other, lambda: [root.name for root in other.document.roots] == ["new"])


ARRAYS = {
    "small": np.arange(10, dtype=np.float64),
    "over 64 KB": np.arange(20_000, dtype=np.float64),
    "several MB": np.random.default_rng(0).normal(size=700_000),
    "integers": np.arange(-5, 5, dtype=np.int32),
    "bytes": np.arange(256, dtype=np.uint8),
    "two dimensions": np.arange(12, dtype=np.float32).reshape(3, 4),
    "none": np.zeros(0),
}


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS.keys())
def test_arrays_travel_both_ways(pull: Pull, array: np.ndarray[Any, Any]) -> None:
    """One client sets an array, another is told; a third pulls it, and so does a fourth, after the first pull."""
    one, two = pull("arrays"), pull("arrays")
    model(one, "source").data = {"x": array, "y": array}
    one.force_roundtrip()
    wait_until_told(two, lambda: _is(two, array))
    for _ in range(2):
        assert _is(pull("arrays"), array)


def _is(session: ClientSession, array: np.ndarray[Any, Any]) -> bool:
    found = model(session, "source").data["x"]
    if not isinstance(found, np.ndarray):
        return False
    return found.dtype == array.dtype and found.shape == array.shape and bool((found == array).all())


def test_an_array_of_the_app(make_server: MakeServer) -> None:
    array = np.random.default_rng(1).normal(size=500_000)

    def app(document: Document) -> None:
        document.add_root(Div(tags=[ColumnDataSource(name="source", data={"x": array})]))

    server = make_server(app=app)
    with pull_session(url=f"http://localhost:{server.port}/app") as session:
        assert _is(session, array)


@pytest.mark.parametrize("viewers", [1, 2])
def test_replaced_and_streamed_in_one_callback_is_three_points(pull: Pull, viewers: int) -> None:
    sessions = [pull("three") for _ in range(viewers)]
    model(sessions[0], "three").label = "go"
    for session in sessions:
        wait_until_told(session, partial(_has_three_points, session))
        model(session, "doubled").value = 9 + sessions.index(session)
        wait_until_told(session, partial(_says, session, str(2 * (9 + sessions.index(session)))))  # and nothing before
        assert list(model(session, "source").data["x"]) == [10, 20, 30]
    assert list(model(pull("three"), "source").data["x"]) == [10, 20, 30]


def _has_three_points(session: ClientSession) -> bool:
    return len(model(session, "source").data["x"]) >= 3


def _says(session: ClientSession, text: str) -> bool:
    return bool(model(session, "echo").text == text)


def test_many_round_trips_in_a_row(pull: Pull) -> None:
    one, two = pull("many"), pull("many")
    for value in range(50):
        model(one, "plain").value = value
    one.force_roundtrip()
    wait_until_told(two, lambda: model(two, "plain").value == 49)


def test_a_failing_callback_keeps_the_session(pull: Pull) -> None:
    session = pull()
    model(session, "failing").value = 5
    session.force_roundtrip()
    model(session, "doubled").value = 6
    wait_until_told(session, lambda: model(session, "echo").text == "12")


def test_closing_ends_the_connection_not_the_session(server: Server, pull: Pull) -> None:
    with pull_session(session_id=ID("stays"), url=f"http://localhost:{server.port}/sliders") as session:
        model(session, "plain").value = 77
        session.force_roundtrip()
        assert server.statistics().connections == 1
    wait_until(lambda: server.statistics().connections == 0)
    assert model(pull("stays"), "plain").value == 77
