"""What Panel needs of a server: every private name of Panel, and stock's private names that Panel reads.

Panel is never imported here: nothing happens in a process where no app has imported it.
"""

from __future__ import annotations

from .documents import begin_panel, end_panel, finish_panel, forget_panel, is_panel_application
from .pages import PanelPage, localize_styles, panel_file, panel_page
from .stock_session import StockSession, request_class

__all__ = [
    "PanelPage",
    "StockSession",
    "begin_panel",
    "end_panel",
    "finish_panel",
    "forget_panel",
    "is_panel_application",
    "localize_styles",
    "panel_file",
    "panel_page",
    "request_class",
]
