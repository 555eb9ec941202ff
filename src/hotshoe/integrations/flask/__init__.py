"""Apps in a Flask site, as an extension: ``bokeh = Hotshoe(site)``, ``@bokeh.app("/sliders")``, ``hotshoe.wrap(site)``.
"""

from .extension import Hotshoe

__all__ = ["Hotshoe"]
