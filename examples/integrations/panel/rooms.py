"""A Panel app."""

import panel as pn

width = pn.widgets.IntSlider(name="Width", start=1, end=10, value=3)
depth = pn.widgets.IntSlider(name="Depth", start=1, end=10, value=4)


def area(width, depth):
    return f"## {width * depth} m²"


pn.Column("# A room", width, depth, pn.bind(area, width, depth)).servable(title="Rooms")
