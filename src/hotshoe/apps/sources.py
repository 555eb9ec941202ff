"""The files of apps, and loading apps again when these change: for dev mode.

Changes are found by comparing two scans of the files, so missed or repeated events of the file system do no harm.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from .. import seams
from ..base.errors import AppError
from ..base.folders import stamp_of
from ..base.tracebacks import real
from .app import App
from .directory import HOOK_FILES, MAINS, load_directory
from .imports import Edges, Reader, importers, own_folders, own_modules
from .loading import LoadCall, Target, directly, is_path, load_at, place, titled
from .notebook import code_of
from .script import MODULE_PREFIX, absolute, compile_python, read

if TYPE_CHECKING:
    from bokeh.document import Document

_SUFFIXES = frozenset({".html", ".css", ".yaml", ".yml", ".jinja", ".jinja2", ".j2", ".js", ".ts"})
_MAX_FOLDERS = 2000

Scan = Mapping[Path, tuple[int, int, int] | None]
"""Files and their stamps; ``None`` for a file that does not exist."""


@dataclass(frozen=True, slots=True)
class Reload:
    """An app with changed files."""

    url: str
    changed: tuple[Path, ...]
    app: App | None
    """The app after the change; ``None`` if only static files have changed."""
    error: AppError | None = None
    """The error of loading it; the app then raises it from ``build``."""


class Source:
    """A script, notebook or directory, and its app."""

    def __init__(self, url: str, target: Any, argv: Sequence[str], call: LoadCall = directly) -> None:
        self.url = url
        self.path = absolute(target)
        self.is_folder = self.path.is_dir()
        self.folder = real(self.path if self.is_folder else self.path.parent)
        self.edges: Edges = {}
        self._argv = argv
        self._call = call
        self._pending: set[Path] = set()
        self._good: App | None = None
        if not self.path.exists():
            load_at(url, target, argv)  # raises an error: a wrong name is not a broken app
        self.app, self.error = self._try_load()

    @property
    def roots(self) -> list[Path]:
        """The files in which its code starts, whether they exist or not."""
        more = (*HOOK_FILES, "__init__.py") if self.is_folder else ()
        return [*self.mains, *(self.folder / name for name in more)]

    @property
    def mains(self) -> list[Path]:
        """The files that run once for each session."""
        return [self.folder / name for name in MAINS] if self.is_folder else [real(self.path)]

    def find_edges(self, reader: Reader) -> None:
        """Find the files of its code."""
        self.edges = reader.edges(self.roots, [self.folder, *own_folders()])

    def folders(self) -> Iterator[Path]:
        """The folders of its files."""
        yield self.folder
        if self.is_folder:
            yield from _below(self.folder)
        yield from {file.parent for file in self.edges}

    def files(self) -> Iterator[Path]:
        """Its files."""
        yield from self.edges
        if self.is_folder:
            for folder in (self.folder, *_below(self.folder)):
                yield from _files(folder, None if self.is_static(folder) else _SUFFIXES)

    def is_static(self, file: Path) -> bool:
        """Whether the file is, or the folder contains, a static file for browsers."""
        return self.is_folder and file.is_relative_to(self.folder / "static")

    def reload(self, changed: Collection[Path], forget: Callable[[set[Path]], None]) -> Reload:
        """Load the app again after these files have changed; ``forget`` drops the modules of files."""
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
            self.app, self.error = self._failing_app(error), error
        else:
            forget(stale)
            self.app, self.error = self._try_load(stale)
        return Reload(self.url, tuple(changed), self.app, self.error)

    def _try_load(self, stale: Collection[Path] = ()) -> tuple[App, AppError | None]:
        try:
            self._good = titled(self._call(self.url, partial(self._load, stale)), self.url, self.path)
        except AppError as error:
            return self._failing_app(error), error
        self._pending.clear()
        return self._good, None

    def _load(self, stale: Collection[Path]) -> App:
        if not (self.is_folder and self.path.is_dir()):
            return load_at(self.url, self.path, self._argv)
        good = self._good or App(lambda document: None)
        package = good.package if good.package is not None and good.package.__name__ in sys.modules else None
        same = self._good is not None and package is good.package
        fresh = any(self.folder / name in stale for name in HOOK_FILES)
        return load_directory(self.path, self._argv, package=package, hooks=good.hooks if same and not fresh else None)

    def _failing_app(self, error: AppError) -> App:
        return failing_app(self._good or titled(App(lambda document: None), self.url, self.path), error)


class Sources:
    """All apps of a server.

    Only apps in files can be loaded again. Raises AppError as ``load_all`` does, but not for a broken file: the app
    then raises the error from ``build``. Only one thread at a time may call ``reload``.
    """

    def __init__(self, targets: Target | Iterable[Target] | Mapping[str, Target] | None = None, *,
                 argv: Sequence[str] = (), watched: Sequence[str | Path] = (), call: LoadCall = directly) -> None:
        if missing := next((path for path in watched if not Path(path).exists()), None):
            raise AppError(f"{missing}: there is no such file or folder to watch (--dev FILE, --watch)")
        self._reader = Reader(lambda file: code_of(read(file)) if file.suffix == ".ipynb" else read(file))
        self._watched = [real(path) for path in watched]
        self._argv = argv
        self._call = call
        self._sources: dict[str, Source] = {}
        self.apps: dict[str, App] = {}
        for url, target in place(targets).items():
            self.add(url, target)
        self._scan: Scan = {}
        self.changes()

    def add(self, url: str, target: Target) -> App:
        """Load the app at ``url``, in place of an earlier one there, and watch its files from now on."""
        source = Source(url, target, self._argv, self._call) if is_path(target) else None
        load = partial(load_at, url, target, self._argv)
        app = self.apps[url] = self._call(url, load) if source is None else source.app
        others = {key: other for key, other in self._sources.items() if key != url}
        # A new mapping, since another thread may be reading the old one.
        self._sources = others if source is None else {**others, url: source}
        return app

    def remove(self, url: str) -> None:
        """Forget the app at ``url``, and stop watching its files."""
        self.apps.pop(url, None)
        self._sources = {key: other for key, other in self._sources.items() if key != url}

    @property
    def errors(self) -> dict[str, AppError]:
        """The errors of broken apps, by URL."""
        return {url: source.error for url, source in self._sources.items() if source.error is not None}

    def folders(self) -> frozenset[Path]:
        """The folders to watch, without their subfolders."""
        found = {folder for source in self._sources.values() for folder in source.folders()}
        found |= {file.parent for file in self._unclaimed()}
        for path in self._watched:
            found |= {path, *_below(path)} if path.is_dir() else {path.parent}
        return frozenset(folder for folder in found if folder.is_dir())

    def changes(self) -> set[Path]:
        """The files that have changed since the last call."""
        for source in self._sources.values():
            source.find_edges(self._reader)
        before, unclaimed = self._scan, set(self._unclaimed())
        files = {file for source in self._sources.values() for file in source.files()} | set(self._watched_files())
        self._scan = {file: stamp_of(file) for file in files | unclaimed}
        changed = {file for file, stamp in self._scan.items() if before.get(file) != stamp}
        gone = {file for file in before.keys() - self._scan.keys() if stamp_of(file) is None}
        return (changed - {file for file in unclaimed if file not in before}) | gone

    def reload(self, changed: Collection[Path]) -> list[Reload]:
        """Load the apps of these files again, which runs their code."""
        unclaimed = set(self._unclaimed())
        reloads = []
        for url, source in self._sources.items():
            own = {file for file in changed if self._is_part(source, file, unclaimed)}
            if not own:
                continue
            if own & unclaimed:  # the importing file is unknown
                own |= source.edges.keys() & set(own_modules().values())
            shown = tuple(sorted(own & set(changed)))
            reload = source.reload(own, self._forget)
            self.apps[url] = source.app
            reloads.append(replace(reload, changed=shown))
        return reloads

    def _is_part(self, source: Source, file: Path, unclaimed: Collection[Path]) -> bool:
        if file in source.edges or file in unclaimed or file in source.roots:
            return True
        if any(file == path or path in file.parents for path in self._watched):
            return True
        return source.is_folder and file.suffix != ".py" and file.is_relative_to(source.folder)

    def _watched_files(self) -> Iterator[Path]:
        for path in self._watched:
            if path.is_dir():
                for folder in (path, *_below(path)):
                    yield from _files(folder)
            else:
                yield path

    def _unclaimed(self) -> list[Path]:
        """The files of loaded modules that no app imports by a statement."""
        known = {file for source in self._sources.values() for file in source.edges}
        return [file for file in own_modules().values() if file not in known]

    def _forget(self, stale: set[Path]) -> None:
        # The modules of main files are not forgotten: each ends with its session.
        mains = {file for source in self._sources.values() for file in source.mains}
        forget_modules({
            name for name, file in own_modules().items()
            if file in stale and not (file in mains and name.startswith(MODULE_PREFIX))
        })
        for file in stale:
            # Python uses the cached code if the source has the same size and the same time, in seconds.
            with contextlib.suppress(OSError, NotImplementedError):
                Path(importlib.util.cache_from_source(str(file))).unlink(missing_ok=True)
        importlib.invalidate_caches()


def failing_app(app: App, error: AppError) -> App:
    """A copy of ``app`` whose ``build`` raises ``error``."""
    def build(document: Document) -> NoReturn:
        raise AppError(str(error)) from error.__cause__

    return replace(app, build=build, hooks=replace(app.hooks, process_request=None, session_created=None))


def forget_modules(names: Collection[str]) -> None:
    """Let Python import these modules, and all modules of packages among them, again."""
    packages = tuple(f"{name}." for name in names)
    gone = {name for name in list(sys.modules) if name in names or name.startswith(packages)}
    for name in gone:
        module = sys.modules.pop(name, None)
        parent, _, child = name.rpartition(".")
        if getattr(sys.modules.get(parent), child, None) is module is not None:
            delattr(sys.modules[parent], child)
    seams.forget_models(gone)


def _below(folder: Path) -> list[Path]:
    """The folders below a folder, without hidden ones, caches and virtual environments."""
    found: list[Path] = []
    for path, names, _ in os.walk(folder):
        here = Path(path)
        names[:] = [name for name in names if not name.startswith((".", "__pycache__", "node_modules"))
                    and not (here / name / "pyvenv.cfg").exists()]
        found += [here / name for name in names]
        if len(found) > _MAX_FOLDERS:
            break
    return found


def _files(folder: Path, suffixes: Collection[str] | None = None) -> list[Path]:
    """The files in a folder, all or those with one of the suffixes."""
    try:
        with os.scandir(folder) as entries:
            return [
                Path(entry.path) for entry in entries
                if (suffixes is None or os.path.splitext(entry.name)[1] in suffixes) and entry.is_file()  # noqa: PTH122
            ]
    except OSError:
        return []
