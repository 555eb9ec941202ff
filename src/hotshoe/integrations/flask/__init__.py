"""Apps in a Flask site, by an extension: ``bokeh = Hotshoe(site)``, ``@bokeh.app("/sliders")``."""

from .extension import Hotshoe

__all__ = ["Hotshoe"]
