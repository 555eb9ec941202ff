"""Support for Panel: every private name of Panel, and the private names of stock's server that Panel reads.

Nothing here imports Panel, so nothing happens in a process unless an app imports it.
"""

from __future__ import annotations

from .cell_outputs import has_content, is_panel_loaded, show_in_panel
from .panel_access import ask_panel
from .panel_components import component_file, component_source
from .panel_documents import (
    adopt_panel,
    begin_panel,
    end_panel,
    finish_panel,
    forget_panel,
    is_panel_application,
    localize_styles,
    panel_file,
    panel_page,
    with_panel_spinner,
)
from .stock_session import StockSession, request_class

__all__ = ["StockSession", "adopt_panel", "ask_panel", "begin_panel", "component_file", "component_source", "end_panel",
           "finish_panel", "forget_panel", "has_content", "is_panel_application", "is_panel_loaded", "localize_styles",
           "panel_file", "panel_page", "request_class", "show_in_panel", "with_panel_spinner"]
