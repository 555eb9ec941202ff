"""Documents as HTML, and the script that embeds one in a foreign page."""

from .autoload import render_autoload
from .page import Page, render_page

__all__ = ["Page", "render_autoload", "render_page"]
