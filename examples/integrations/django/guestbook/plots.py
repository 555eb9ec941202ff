"""An app that is a function, and uses Django's ORM."""

from bokeh.layouts import column
from bokeh.models import Button, ColumnDataSource, Div
from bokeh.plotting import figure

from .models import Entry


def entries(doc):
    """How many entries the guest book has."""
    source = ColumnDataSource({"entry": [], "length": []})
    words = Div()
    plot = figure(height=250, width=500, x_axis_label="entry", y_axis_label="letters", y_range=(0, 40))
    plot.vbar(x="entry", top="length", width=0.8, source=source)
    button = Button(label="Leave an entry", button_type="primary")

    def show():
        lengths = [len(entry.text) for entry in Entry.objects.order_by("made")]
        source.data = {"entry": list(range(1, len(lengths) + 1)), "length": lengths}
        words.text = f"The guest book has {len(lengths)} entries."

    def leave():
        Entry.objects.create(text="Hello from a Bokeh app" + "!" * (Entry.objects.count() % 10))
        show()

    button.on_click(leave)
    show()
    doc.add_root(column(words, button, plot))
