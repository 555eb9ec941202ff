"""A callback that sets twenty properties of twenty models."""

from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import Div, Slider

LABELS = 20

slider = Slider(title="value", value=0.0, start=0.0, end=1.0, step=0.0001)
labels = [Div(text=f"label {number}: 0") for number in range(LABELS)]


def relabel(_attr: str, _old: float, new: float) -> None:
    for number, label in enumerate(labels):
        label.text = f"label {number}: {new}"


slider.on_change("value", relabel)
curdoc().add_root(column(slider, *labels))
curdoc().title = "Twenty properties"
