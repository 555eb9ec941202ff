"""A real JupyterLab in a folder of its own, which asks nobody on the network, and its notebooks in a browser's tab."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, FrameLocator, Locator, Request, Response
from playwright.sync_api import Error as PlaywrightError
from tests.support.ports import free_port

REMOTE = "hub.test"
"""A name of this machine that does not sound like it."""
START_TIMEOUT_S = 90
TIMEOUT_MS = 60_000
TRIES = 3

_SETTINGS = {
    "@jupyterlab/apputils-extension/notification.jupyterlab-settings": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension/plugin.jupyterlab-settings": {"autosave": False},
}


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab."""

    folder: Path
    port: int
    base: str
    token: str
    log_file: Path

    @property
    def url(self) -> str:
        """Its own address, with a slash at the end."""
        return f"http://127.0.0.1:{self.port}{self.base}"

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def notebook(self, name: str, cells: Sequence[str]) -> str:
        """Writes a notebook of these cells; returns its path below the server's address."""
        import nbformat  # takes 2.5 s, and each worker reads this module

        made = nbformat.v4.new_notebook(  # type: ignore[no-untyped-call]
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells],  # type: ignore[no-untyped-call]
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        )
        nbformat.write(made, self.folder / name)  # type: ignore[no-untyped-call]
        return self.path(name)

    def path(self, name: str) -> str:
        """Where the server has a notebook, below its address."""
        token = f"&token={self.token}" if self.token else ""
        return f"lab/tree/{name}?reset{token}"  # without the notebooks that were open before


@contextmanager
def jupyter_lab(folder: Path, *, base: str = "/", token: str = "", with_proxy: bool = True) -> Iterator[Lab]:
    """JupyterLab at path ``base``, with or without jupyter-server-proxy; an empty token lets everybody in."""
    home, work = folder / "home", folder / "work"
    for made in (home, work):
        made.mkdir(parents=True)
    for name, values in _SETTINGS.items():
        file = home / "settings" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    lab = Lab(work, free_port(), base, token, folder / "log")
    with lab.log_file.open("wb") as log:
        process = subprocess.Popen(_command(lab, with_proxy), env=_environ(home), cwd=work, stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=log)
    try:
        _wait_until_up(lab, process)
        yield lab
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _command(lab: Lab, with_proxy: bool) -> list[str]:
    return [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
        f"--port={lab.port}", f"--ServerApp.base_url={lab.base}", f"--IdentityProvider.token={lab.token}",
        "--ServerApp.password=", f"--ServerApp.root_dir={lab.folder}", "--ServerApp.allow_remote_access=True",
        f"--ServerApp.jpserver_extensions=jupyter_server_proxy={with_proxy}",
        "--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip


def _environ(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "BOKEH", "PYTEST"))}
    own = {"HOME": "", "IPYTHONDIR": "ipython", "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data",
           "JUPYTER_RUNTIME_DIR": "runtime", "JUPYTERLAB_SETTINGS_DIR": "settings",
           "JUPYTERLAB_WORKSPACES_DIR": "workspaces"}
    return {**kept, **{name: str(home / folder) for name, folder in own.items()}}


def _wait_until_up(lab: Lab, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        assert process.poll() is None, lab.log
        assert time.monotonic() < deadline, lab.log
        try:
            urllib.request.urlopen(f"{lab.url}api", timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            return


class NotebookTab:
    """A notebook in JupyterLab in one tab of a browser."""

    def __init__(self, context: BrowserContext) -> None:
        self.page = context.new_page()
        self.page.set_default_timeout(TIMEOUT_MS)
        self.requests: list[Request] = []
        self.page.on("request", lambda request: self.requests.append(request))
        self.sockets: list[str] = []
        self.page.on("websocket", lambda socket: self.sockets.append(socket.url))
        self.problems: list[str] = []
        self.console: list[str] = []
        self.page.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))
        self.page.on("response", lambda response: self._note(response))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))

    @property
    def hosts(self) -> set[str]:
        """All hosts, with their ports, that the page and its frames have asked for something."""
        urls = [*(request.url for request in self.requests), *self.sockets]
        return {parts.netloc for parts in map(urlsplit, urls) if parts.scheme in ("http", "https", "ws", "wss")}

    def _note(self, response: Response) -> None:
        if "/proxy/" in response.url or response.status >= 400:
            self.console.append(f"{response.status} {response.request.method} {response.url}")

    def story(self) -> str:
        """What can be seen now, in the frames too, and what was heard: for whoever has to find out what went wrong."""
        cells = self.page.locator(".jp-Notebook .jp-Cell").all_inner_texts()
        frames = [f"{frame.url}\n{frame.locator('body').inner_text()}" for frame in self.page.frames[1:]]
        return "\n---\n".join([self.page.url, *cells, *frames, *self.console[-60:], *self.sockets])

    def open(self, url: str) -> None:
        """Goes to a notebook and waits for its kernel."""
        self.page.goto(url)
        self.wait_for_kernel()

    def wait_for_kernel(self) -> None:
        self.page.wait_for_function(
            "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'")

    def end_kernel(self) -> None:
        """Ends the kernel, if there is one."""
        self.page.evaluate("() => window.jupyterapp?.shell.currentWidget?.sessionContext?.shutdown()")

    def do(self, command: str) -> None:
        """Runs a command of JupyterLab, without waiting for its end."""
        self.page.evaluate("(command) => { window.jupyterapp.commands.execute(command); }", command)

    def run_all(self) -> None:
        """Runs all cells; returns when they have begun. JupyterLab may drop a command while it is still loading."""
        begun = self.page.locator(".jp-Notebook .jp-InputPrompt").filter(has_text=re.compile(r"\[(\*|\d+)\]"))
        for _ in range(TRIES):
            self.do("notebook:run-all-cells")
            with suppress(PlaywrightError):
                begun.first.wait_for(timeout=TIMEOUT_MS / TRIES)
                return
        raise AssertionError("no cell ran")

    def run_cell(self, number: int) -> None:
        """Runs one cell; leaves the cursor in it."""
        self.page.evaluate("(at) => { jupyterapp.shell.currentWidget.content.activeCellIndex = at; }", number)
        self.do("notebook:run-cell")

    def set_code(self, number: int, code: str) -> None:
        self.page.evaluate(
            "([at, code]) => jupyterapp.shell.currentWidget.content.widgets[at].model.sharedModel.setSource(code)",
            [number, code])

    def cell(self, number: int) -> Locator:
        return self.page.locator(".jp-Notebook .jp-Cell").nth(number)

    def output(self, number: int) -> Locator:
        return self.cell(number).locator(".jp-OutputArea-output")

    def wait_for_text(self, number: int, text: str) -> None:
        """Until the cell's output, outside of frames, says ``text``."""
        self.output(number).filter(has_text=text).first.wait_for()

    def wait_for_height(self, number: int, fits: Callable[[float], bool]) -> float:
        """Until the height of the cell's frame fits; the height."""
        deadline = time.monotonic() + TIMEOUT_MS / 1000
        while True:
            box = self.cell(number).locator(".hotshoe-app iframe").bounding_box()
            if box is not None and fits(box["height"]):
                return box["height"]
            assert time.monotonic() < deadline, box
            self.page.wait_for_timeout(50)

    def save(self) -> None:
        """Saves the notebook; returns when it is saved."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")

    def app(self, number: int) -> FrameLocator:
        """The frame that the cell shows."""
        return self.cell(number).frame_locator(".hotshoe-app iframe")
