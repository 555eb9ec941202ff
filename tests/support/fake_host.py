"""A host that is told what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hotshoe.apps import App
from hotshoe.base.errors import AccessError, RequestError, SessionGone
from hotshoe.base.users import user_name
from hotshoe.hosts.app_files import AppFiles
from hotshoe.hosts.host import (
    AppInfo,
    AppsChanged,
    AsPage,
    FileInfo,
    FileName,
    Listener,
    Opened,
    OpenRequest,
    SessionEnded,
    SessionInfo,
    Statistics,
    View,
)
from hotshoe.pages import model_script
from hotshoe.pages.page import Page
from hotshoe.wire import Close, Incoming, Outgoing, ack


class Pipe:
    """An attachment whose outgoing side is a queue; it keeps what comes in."""

    def __init__(self) -> None:
        self.outgoing: asyncio.Queue[Sequence[Outgoing] | Close] = asyncio.Queue()
        self.outgoing.put_nowait([ack()])
        self.handled: list[Incoming] = []
        self.detached = 0

    async def receive(self) -> Sequence[Outgoing] | Close:
        return await self.outgoing.get()

    async def ready(self) -> None:
        """There is always room."""

    def handle(self, message: Incoming) -> None:
        self.handled.append(message)
        self.outgoing.put_nowait([(b'{"reqid":"%s"}' % message.msgid.encode(), b"{}", message.content)])

    def detach(self) -> None:
        self.detached += 1


@dataclass(frozen=True, slots=True)
class FileApp:
    """An app that has files."""

    url: str
    title: str = "App"
    static_dir: Path | None = None
    thumbnail: Path | None = None
    source: Path | None = None

    @property
    def app(self) -> App:
        return App(lambda document: None, static_dir=self.static_dir, thumbnail=self.thumbnail, source=self.source)

    @property
    def info(self) -> AppInfo:
        thumbnail, source = ("" if path is None else path.name for path in (self.thumbnail, self.source))
        return AppInfo(self.url, self.title, has_static=self.static_dir is not None, thumbnail=thumbnail, source=source)


class ToldHost:
    """Keeps sessions that are nothing but their ids; fails or waits where a test wants it to."""

    def __init__(self, *apps: AppInfo | FileApp) -> None:
        self._with_files = {app.url: app.app for app in apps if isinstance(app, FileApp)}
        self._files = AppFiles()
        self.is_elsewhere = False
        """Whether the front has to read files by way of this host."""
        infos = [app.info if isinstance(app, FileApp) else app for app in apps]
        self.apps: Mapping[str, AppInfo] = {info.url: info for info in infos}
        self.started = self.stopped = 0
        self.live: set[tuple[str, str]] = set()
        self.open_requests: list[OpenRequest] = []
        """Those that might create a session."""
        self.calls: list[OpenRequest] = []
        """All that came by ``open`` or ``attach``."""
        self.pipes: list[Pipe] = []
        self.failures: dict[str, Exception] = {}
        self.payload: Mapping[str, Any] = {}
        self.gate: asyncio.Event | None = None
        """What building a session waits for."""
        self.drawn: asyncio.Event | None = None
        """What rendering a session waits for."""
        self.cancelled = 0
        self.owners: dict[tuple[str, str], str] = {}
        self.components: dict[str, Sequence[str]] = {}
        """The apps that have a component's file, by its name."""
        self.listener: Listener = lambda event: None

    def listen(self, listener: Listener) -> None:
        self.listener = listener

    def change(self, info: AppInfo) -> None:
        """Serve an app in place of another, or a new one."""
        self.apps = {**self.apps, info.url: info}
        self.listener(AppsChanged(self.apps))

    def end(self, app: str, session_id: str) -> None:
        """The session ends by itself."""
        self.live.discard((app, session_id))
        self.listener(SessionEnded(app, session_id))

    async def start(self) -> None:
        await asyncio.sleep(0)
        self.started += 1
        self._fail("start")

    async def stop(self, grace_s: float = 0.0) -> None:
        self.stopped += 1
        self._files.close()
        self._files = AppFiles()

    async def open(self, open_request: OpenRequest) -> Opened:
        await self._open(open_request)
        page = None
        if open_request.view is not None:
            if self.drawn is not None:
                await self.drawn.wait()
            self._fail("page")
            page = Page(self._text(open_request.view), "TOKEN", "NONCE")
        return Opened(self.payload if open_request.payload is None else open_request.payload, page)

    async def attach(self, open_request: OpenRequest) -> Pipe:
        await self._open(open_request)
        self.pipes.append(Pipe())
        return self.pipes[-1]

    async def _open(self, open_request: OpenRequest) -> None:
        self.calls.append(open_request)
        key = open_request.app, open_request.session_id
        if open_request.app not in self.apps:
            raise RequestError(f"no app at {open_request.app}", status=404)
        if open_request.may_create:
            self.open_requests.append(open_request)
            try:
                if self.gate is not None:
                    await self.gate.wait()
                self._fail("open")
            except BaseException as error:
                self.cancelled += isinstance(error, asyncio.CancelledError)
                if key not in self.live:
                    self.listener(SessionEnded(*key))
                raise
            self.live.add(key)
        if key not in self.live:
            raise SessionGone(open_request.session_id)
        if self.owners.get(key) not in (None, user_name(open_request.request.user)):
            raise AccessError("This session belongs to another user")

    @staticmethod
    def _text(view: View) -> str:
        if isinstance(view, AsPage):
            return "<html>TOKEN</html>"
        return f"/* {view.element_id} {view.app_path} {view.absolute_url} {view.resources} TOKEN */"

    async def metadata(self, app: str) -> Any:
        return {"of": app}

    async def serve_app(self, url: str, target: Any) -> None:
        self._fail("serve_app")
        self.change(AppInfo(url, str(target)))

    async def withdraw_app(self, url: str) -> None:
        self.apps = {key: info for key, info in self.apps.items() if key != url}
        self.listener(AppsChanged(self.apps))

    async def file(self, name: FileName) -> FileInfo:
        info = await self._files.describe(self._app(name), name)
        return replace(info, path=None) if self.is_elsewhere else info

    async def component_apps(self, name: str) -> Sequence[str]:
        return self.components.get(name, ())

    async def read_file(self, name: FileName, identity: str, start: int, size: int) -> bytes:
        return await self._files.read(self._app(name), name, identity, start, size)

    def _app(self, name: FileName) -> App:
        return self._with_files.get(name.app, App(lambda document: None))

    async def model_script(self, digest: str) -> str | None:
        return model_script(digest)

    async def statistics(self) -> Statistics:
        return Statistics({}, len(self.pipes), 0)

    async def sessions(self) -> Sequence[SessionInfo]:
        return [SessionInfo(session_id, app, self.owners.get((app, session_id)), 0.0, 0)
                for app, session_id in self.live]

    async def close(self, app: str, session_id: str) -> bool:
        is_live = (app, session_id) in self.live
        self.end(app, session_id)
        return is_live

    async def update(self, app: str, function: Callable[..., Any] | str, *args: Any) -> None:
        """There are no documents."""

    def _fail(self, where: str) -> None:
        if where in self.failures:
            raise self.failures[where]
