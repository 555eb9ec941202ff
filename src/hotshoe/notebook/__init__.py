"""Apps in a notebook: ``show(f)`` runs the app in the kernel and shows it in the cell.

The browser reaches the kernel through the Jupyter server's own port (jupyter-server-proxy), wherever that is.
"""

from .hooks import install, uninstall
from .showing import show

__all__ = ["install", "show", "uninstall"]
