"""``hotshoe info``: versions and folders, for questions and bug reports."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .. import __version__
from .arguments import Parser, local_file, user_file

_ABSENT = "(not installed)"
_PACKAGES = {
    "Bokeh": "bokeh", "Panel": "panel", "uvicorn": "uvicorn", "Starlette": "starlette", "uvloop": "uvloop",
    "Tornado": "tornado", "NumPy": "numpy", "IPython": "IPython",
}
_EXTRAS = {"--dev": "watchfiles", "--mem-log-frequency": "psutil", "--auth basic": "argon2", "--auth oidc": "authlib"}
_PATIENCE_S = 10


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print the table."""
    if make_parser().parse_args(arguments).static:
        print(_static())
        return 0
    rows = list(_rows())
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        print(f"{name:{width}} :  {text}")
    return 0


def make_parser() -> Parser:
    """The parser of ``hotshoe info``."""
    parser = Parser(
        "info", "[--static]",
        description="Print the installed versions and the folders that hotshoe uses.")
    parser.add_argument("--static", action="store_true",
                        help="Print only the folder of BokehJS, for proxies that serve it themselves")
    return parser


def _static() -> Path:
    from bokeh.settings import settings

    return settings.bokehjs_path()


def _rows() -> Iterator[tuple[str, str]]:
    yield "hotshoe version", __version__
    for label, package in _PACKAGES.items():
        yield f"{label} version", _version(package)
    yield "Python version", sys.version.partition("\n")[0]
    yield "node.js version", _node()
    yield "Operating system", platform.platform()
    yield "hotshoe path", str(Path(__file__).parents[1])
    yield "BokehJS static path", str(_static())
    yield "Settings file", _named(local_file())
    yield "bokeh's settings file", _named(user_file())
    for feature, module in _EXTRAS.items():
        yield f"{feature}", "available" if importlib.util.find_spec(module) else f"needs the package {module}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return _ABSENT


def _node() -> str:
    from bokeh.settings import settings

    program = settings.nodejs_path() or shutil.which("nodejs") or shutil.which("node")
    if program is None:
        return _ABSENT
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=_PATIENCE_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return f"{program} does not run: {error}"
    return answer.stdout.strip()


def _named(file: Path | None) -> str:
    return "(none)" if file is None else str(file.absolute())
