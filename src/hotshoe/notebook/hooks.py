"""bokeh's own ``show`` of an app, by hotshoe: through the hook that bokeh has for kinds of notebooks."""

from __future__ import annotations

from typing import Any, Final

from bokeh.io.notebook import install_notebook_hook, load_notebook, show_app, show_doc

from .showing import show

KIND: Final = "jupyter"
"""What ``output_notebook()`` takes the notebook for."""


def install() -> None:
    """Have ``bokeh.io.show(f)`` be ``hotshoe.notebook.show(f)``. Plots are shown as before."""
    install_notebook_hook(KIND, load_notebook, show_doc, _show_app, overwrite=True)


def uninstall() -> None:
    """Give apps back to bokeh's own server."""
    install_notebook_hook(KIND, load_notebook, show_doc, show_app, overwrite=True)


def _show_app(app: Any, state: object, notebook_url: object = None, **settings: Any) -> None:
    # The browser finds out where the notebook is, so that `notebook_url` is not needed.
    show(app, **settings)
