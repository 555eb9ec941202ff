"""hotshoe: the production server for Bokeh and Panel apps.

The names below are imported when they are first used, so that ``import hotshoe`` is fast.
"""

from typing import TYPE_CHECKING, Any

from hotshoe.base.home import give_home

if TYPE_CHECKING:
    from hotshoe.config import Settings as Settings
    from hotshoe.server.server import Server as Server
    from hotshoe.sessions import FailureInfo as FailureInfo
    from hotshoe.sessions import locked_callback as locked_callback
    from hotshoe.sessions import on_exception as on_exception
    from hotshoe.sessions import pause_when_unwatched as pause_when_unwatched
    from hotshoe.web.mount import asgi as asgi
    from hotshoe.web.mount import wrap as wrap

give_home()

__version__ = "0.1.0"

__all__ = [
    "FailureInfo",
    "Server",
    "Settings",
    "__version__",
    "asgi",
    "locked_callback",
    "on_exception",
    "pause_when_unwatched",
    "wrap",
]

_HOMES = {
    "FailureInfo": "hotshoe.sessions",
    "Server": "hotshoe.server.server",
    "Settings": "hotshoe.config",
    "asgi": "hotshoe.web.mount",
    "locked_callback": "hotshoe.sessions",
    "on_exception": "hotshoe.sessions",
    "pause_when_unwatched": "hotshoe.sessions",
    "wrap": "hotshoe.web.mount",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def load_ipython_extension(shell: object) -> None:
    """``%load_ext hotshoe`` in a notebook: from now on, bokeh's ``show`` of an app uses hotshoe."""
    from hotshoe.notebook import install

    install()


def unload_ipython_extension(shell: object) -> None:
    """``%unload_ext hotshoe``: bokeh's ``show`` of an app uses bokeh's server again."""
    from hotshoe.notebook import uninstall

    uninstall()


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
