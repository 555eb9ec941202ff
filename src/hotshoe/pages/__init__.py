"""Documents as HTML pages, the script that embeds a document in another site's page, and the templates of our pages."""

from .autoload import render_autoload
from .custom_models import model_script
from .page import Page, render_page

__all__ = ["Page", "model_script", "render_autoload", "render_page"]
