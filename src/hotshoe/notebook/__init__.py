"""Apps in a notebook: ``show(f)`` runs the app in the kernel and shows it in the cell.

The browser reaches the kernel through the port of the Jupyter server (jupyter-server-proxy).
"""

from .showing import install, show, uninstall

__all__ = ["install", "show", "uninstall"]
