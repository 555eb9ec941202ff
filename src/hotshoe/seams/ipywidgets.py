"""Widgets of ipywidgets in documents of bokeh (ipywidgets_bokeh): it registers no target for the comms that its page
opens. So its kernel closes them, and the page removes the widget as soon as it gets that message. And the kernel, which
is one for the process, listens to the document of the first session only.
"""

from __future__ import annotations

import functools
import sys
from types import ModuleType
from typing import Any

from bokeh.io import curdoc

from ..base.import_hooks import when_imported

_TARGET = "jupyter.widget"
_MESSAGE = "ipywidgets_bokeh"


def mend_ipywidgets() -> None:
    """Register the target, and listen in each document, when ipywidgets_bokeh is imported."""
    when_imported("ipywidgets_bokeh.kernel", _register)
    when_imported("ipywidgets_bokeh.widget", _listen)


def _register(module: ModuleType) -> None:
    comms = getattr(module.kernel, "comm_manager", None)  # in a notebook there is another kernel
    if comms is not None and _TARGET not in comms.targets:
        comms.register_target(_TARGET, _attach)


def _attach(comm: Any, message: Any) -> None:
    """Let a widget use the comm that the page has opened for it."""
    widget = sys.modules["ipywidgets.widgets.widget"]._instances.get(comm.comm_id)
    if widget is not None:
        widget.comm = comm


def _listen(module: ModuleType) -> None:
    make = module.IPyWidget.__init__
    receive = getattr(getattr(module.kernel, "session", None), "receive", None)
    if receive is None or hasattr(make, "__wrapped__"):
        return

    @functools.wraps(make)
    def init(*arguments: Any, **options: Any) -> None:
        make(*arguments, **options)
        document = curdoc()
        if receive not in document.callbacks._message_callbacks.get(_MESSAGE, ()):
            document.on_message(_MESSAGE, receive)

    module.IPyWidget.__init__ = init
