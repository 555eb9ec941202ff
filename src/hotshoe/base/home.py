"""A home folder for a process without one: a container whose user has neither ``HOME`` nor a name (OpenShift).

bokeh, Panel, matplotlib and others look for their files below it, and can't be imported without it.
"""

from __future__ import annotations

import logging
import os


def give_home() -> None:
    """Set ``HOME`` to ``/``, as Docker does, if this user has no home folder. Call it before bokeh is imported."""
    if os.path.expanduser("~") == "~" and os.name == "posix":  # noqa: PTH111  (Path.expanduser raises an error)
        os.environ["HOME"] = "/"
        logging.getLogger("hotshoe").warning("user %d has no home folder, so / is taken for it; set HOME to a folder "
                                             "that can be written, and files are kept there", os.getuid())
