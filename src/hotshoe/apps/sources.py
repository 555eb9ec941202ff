"""The files that apps come from, and the apps anew when these change: what dev mode watches.

A change is what differs between two looks at the files, so that no event that was missed, or came twice, matters.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from .. import seams
from ..errors import AppError
from .app import App
from .code import MODULE_PREFIX, absolute, compile_python, read
from .directory import load_directory
from .imports import Edges, Reader, importers, own_folders, own_modules, real
from .loading import Target, is_path, load_at, place, titled
from .notebook import code_of

if TYPE_CHECKING:
    from bokeh.document import Document

_SUFFIXES = frozenset({".html", ".css", ".yaml", ".yml", ".jinja", ".jinja2", ".j2", ".js", ".ts"})
_MAINS = ("main.py", "main.ipynb")
_HOOKS = ("app_hooks.py", "server_lifecycle.py")
_MOST_FOLDERS = 2000

Look = Mapping[Path, tuple[int, int] | None]
"""Files, and when they were changed and how large they are; ``None`` for one that is not there."""


@dataclass(frozen=True, slots=True)
class Reload:
    """An app that some files have changed of."""

    url: str
    changed: tuple[Path, ...]
    app: App | None
    """The app as it is now; ``None`` if only static files have changed."""
    error: AppError | None = None
    """What is wrong with it; the app then raises this when it is to fill a document."""


class Source:
    """A script, notebook or directory, and the app that it is."""

    def __init__(self, url: str, target: Any, argv: Sequence[str]) -> None:
        self.url = url
        self.path = absolute(target)
        self.is_folder = self.path.is_dir()
        self.folder = real(self.path if self.is_folder else self.path.parent)
        self.edges: Edges = {}
        self._argv = argv
        self._pending: set[Path] = set()
        self._good: App | None = None
        if not self.path.exists():
            load_at(url, target, argv)  # says so: a name that is wrong is no app that is broken
        self.app, self.error = self._tried()

    @property
    def roots(self) -> list[Path]:
        """The files that its code begins in, whether they are there or not."""
        more = (*_HOOKS, "__init__.py") if self.is_folder else ()
        return [*self.mains, *(self.folder / name for name in more)]

    @property
    def mains(self) -> list[Path]:
        """The files that run once for each session."""
        return [self.folder / name for name in _MAINS] if self.is_folder else [real(self.path)]

    def find_edges(self, reader: Reader) -> None:
        """Read which files its code consists of."""
        self.edges = reader.edges(self.roots, [self.folder, *own_folders()])

    def folders(self) -> Iterator[Path]:
        """Where its files are."""
        yield self.folder
        if self.is_folder:
            yield from _below(self.folder)
        yield from {file.parent for file in self.edges}

    def files(self) -> Iterator[Path]:
        """The files that matter to it."""
        yield from self.edges
        if self.is_folder:
            for folder in (self.folder, *_below(self.folder)):
                yield from _files(folder, None if self.is_static(folder) else _SUFFIXES)

    def is_static(self, file: Path) -> bool:
        """Whether browsers load the file as it is, or those in it."""
        return self.is_folder and file.is_relative_to(self.folder / "static")

    def reload(self, changed: Collection[Path], forget: Callable[[set[Path]], None]) -> Reload:
        """The app after these files have changed; ``forget`` drops the modules of files. Runs its code."""
        code = {file for file in changed if not self.is_static(file)}
        if not code:
            return Reload(self.url, tuple(changed), None)
        self._pending |= code
        stale = importers(self._pending, self.edges)
        try:
            for file in self._pending:
                if file.suffix == ".py" and file.is_file():
                    compile_python(read(file), str(file))
        except AppError as error:
            self.app, self.error = self._broken(error), error
        else:
            forget(stale)
            self.app, self.error = self._tried(stale)
        return Reload(self.url, tuple(changed), self.app, self.error)

    def _tried(self, stale: Collection[Path] = ()) -> tuple[App, AppError | None]:
        try:
            self._good = titled(self._load(stale), self.url, self.path)
        except AppError as error:
            return self._broken(error), error
        self._pending.clear()
        return self._good, None

    def _load(self, stale: Collection[Path]) -> App:
        if not (self.is_folder and self.path.is_dir()):
            return load_at(self.url, self.path, self._argv)
        good = self._good or App(_nothing)
        package = good.package if good.package is not None and good.package.__name__ in sys.modules else None
        same = self._good is not None and package is good.package
        fresh = any(self.folder / name in stale for name in _HOOKS)
        return load_directory(self.path, self._argv, package=package, hooks=good.hooks if same and not fresh else None)

    def _broken(self, error: AppError) -> App:
        return broken(titled(App(_nothing), self.url, self.path) if self._good is None else self._good, error)


class Sources:
    """All apps of a server, loaded from what an operator or a program names.

    Only those that are files can be loaded again. Raises AppError as ``load_all`` does, but not for a file that is
    there and broken: its app raises the error when it is to fill a document. ``reload`` is for one thread at a time.
    """

    def __init__(self, targets: Target | Iterable[Target] | Mapping[str, Target] | None = None, *,
                 argv: Sequence[str] = (), watched: Iterable[str | Path] = ()) -> None:
        self._reader = Reader(lambda file: code_of(read(file)) if file.suffix == ".ipynb" else read(file))
        self._watched = [real(path) for path in watched]
        placed = place(targets)
        self._sources = {url: Source(url, target, argv) for url, target in placed.items() if is_path(target)}
        others = {url: target for url, target in placed.items() if url not in self._sources}
        loaded = {url: load_at(url, target, argv) for url, target in others.items()}
        self.apps = {url: loaded[url] if url in loaded else self._sources[url].app for url in placed}
        self._look: Look = {}
        self.changes()

    @property
    def errors(self) -> dict[str, AppError]:
        """What is wrong with the apps that are broken."""
        return {url: source.error for url, source in self._sources.items() if source.error is not None}

    def folders(self) -> frozenset[Path]:
        """The folders to watch, each without what is below it."""
        found = {folder for source in self._sources.values() for folder in source.folders()}
        found |= {file.parent for file in self._strangers()}
        for path in self._watched:
            found |= {path, *_below(path)} if path.is_dir() else {path.parent}
        return frozenset(folder for folder in found if folder.is_dir())

    def changes(self) -> set[Path]:
        """The files that are no longer as they were when this was last asked."""
        for source in self._sources.values():
            source.find_edges(self._reader)
        before, strangers = self._look, set(self._strangers())
        files = {file for source in self._sources.values() for file in source.files()} | set(self._extras())
        self._look = {file: _stamp(file) for file in files | strangers}
        changed = {file for file, stamp in self._look.items() if before.get(file) != stamp}
        gone = {file for file in before.keys() - self._look.keys() if _stamp(file) is None}
        return (changed - {file for file in strangers if file not in before}) | gone

    def reload(self, changed: Collection[Path]) -> list[Reload]:
        """The apps that these files belong to, loaded again. Runs their code."""
        strangers = set(self._strangers())
        reloads = []
        for url, source in self._sources.items():
            own = {file for file in changed if self._is_part(source, file, strangers)}
            if not own:
                continue
            if own & strangers:  # nobody can tell what loaded it
                own |= source.edges.keys() & set(own_modules().values())
            shown = tuple(sorted(own & set(changed)))
            reload = source.reload(own, self._forget)
            self.apps[url] = source.app
            reloads.append(replace(reload, changed=shown))
        return reloads

    def _is_part(self, source: Source, file: Path, strangers: Collection[Path]) -> bool:
        if file in source.edges or file in strangers or file in source.roots:
            return True
        if any(file == path or path in file.parents for path in self._watched):
            return True
        return source.is_folder and file.suffix != ".py" and file.is_relative_to(source.folder)

    def _extras(self) -> Iterator[Path]:
        for path in self._watched:
            if path.is_dir():
                for folder in (path, *_below(path)):
                    yield from _files(folder)
            else:
                yield path

    def _strangers(self) -> list[Path]:
        """Files of modules that are loaded, but that no app imports by a statement."""
        known = {file for source in self._sources.values() for file in source.edges}
        return [file for file in own_modules().values() if file not in known]

    def _forget(self, stale: set[Path]) -> None:
        # What runs for each session is no module to forget: it goes with its session.
        mains = {file for source in self._sources.values() for file in source.mains}
        forget_modules({
            name for name, file in own_modules().items()
            if file in stale and not (file in mains and name.startswith(MODULE_PREFIX))
        })
        for file in stale:
            # Python takes what it compiled for current if second and size of the source are the same.
            with contextlib.suppress(OSError, NotImplementedError):
                Path(importlib.util.cache_from_source(str(file))).unlink(missing_ok=True)
        importlib.invalidate_caches()


def broken(app: App, error: AppError) -> App:
    """``app``, but what it does when it is to fill a document is to raise the error."""
    def build(document: Document) -> NoReturn:
        raise AppError(str(error)) from error.__cause__

    return replace(app, build=build, hooks=replace(app.hooks, process_request=None, session_created=None))


def forget_modules(names: Collection[str]) -> None:
    """Have these modules, and what is inside the packages among them, imported anew."""
    packages = tuple(f"{name}." for name in names)
    gone = {name for name in list(sys.modules) if name in names or name.startswith(packages)}
    for name in gone:
        module = sys.modules.pop(name, None)
        parent, _, child = name.rpartition(".")
        if getattr(sys.modules.get(parent), child, None) is module is not None:
            delattr(sys.modules[parent], child)
    seams.forget_models(gone)


def _below(folder: Path) -> list[Path]:
    """The folders below a folder, without those that tools keep for themselves."""
    found: list[Path] = []
    for path, names, _ in os.walk(folder):
        here = Path(path)
        names[:] = [name for name in names if not name.startswith((".", "__pycache__", "node_modules"))
                    and not (here / name / "pyvenv.cfg").exists()]
        found += [here / name for name in names]
        if len(found) > _MOST_FOLDERS:
            break
    return found


def _files(folder: Path, suffixes: Collection[str] | None = None) -> list[Path]:
    """The files in a folder, with one of the suffixes if some are given."""
    try:
        with os.scandir(folder) as entries:
            return [
                Path(entry.path) for entry in entries
                if (suffixes is None or os.path.splitext(entry.name)[1] in suffixes) and entry.is_file()  # noqa: PTH122
            ]
    except OSError:
        return []


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _nothing(document: Document) -> None:
    pass
