"""Apps whose code needs the main thread, or always the same one, in a server of its own process."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.support.raw_http import get
from tests.support.server_process import serve

pytestmark = pytest.mark.real

FILES = {
    "store_of_one_thread.py": """
import sqlite3
connection = sqlite3.connect(":memory:")
connection.execute("create table t (n)")
""",
    "shop.py": """
import time
import store_of_one_thread
time.sleep(0.05)
store_of_one_thread.connection.execute("insert into t values (1)")
""",
    "alarm.py": """
import signal, threading
signal.signal(signal.SIGALRM, lambda *arguments: None)
assert threading.current_thread() is threading.main_thread()
""",
}
ADD = "from bokeh.io import curdoc\nfrom bokeh.models import Div\ncurdoc().add_root(Div())\n"


def test_each_app_has_the_thread_that_it_needs(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text + ADD if name != "store_of_one_thread.py" else text)
    flags = "--app-thread", "own", "--app-thread", "alarm=loop"
    with serve(tmp_path / "shop.py", tmp_path / "alarm.py", flags=flags) as server, ThreadPoolExecutor(6) as clients:
        (port,) = {int(re.findall(r":(\d+)/", url)[0]) for url in server.urls.values()}
        pages = list(clients.map(lambda path: get(port, path).status, ["/shop"] * 6 + ["/alarm"] * 2))
    assert pages == [200] * 8


def test_the_log_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "alarm.py").write_text(FILES["alarm.py"] + ADD)
    with serve(tmp_path / "alarm.py") as server:
        server.errors_expected = True
        assert get(int(re.findall(r":(\d+)/", server.urls["alarm"])[0]), "/alarm").status == 500
        assert "--app-thread loop" in server.log
