"""An app that adds something and then fails."""

from bokeh.io import curdoc
from bokeh.models import Div

curdoc().add_root(Div(text="half of it"))
raise RuntimeError("broken on purpose")
