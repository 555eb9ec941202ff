"""Components with JavaScript of their own, a table, plain bokeh in Panel; callbacks on Panel's own threads."""

import threading

import pandas as pd
import panel as pn
import param
from bokeh.plotting import figure

pn.extension("tabulator", nthreads=2)


class Counter(pn.custom.JSComponent):
    value = param.Integer(default=0)

    _esm = """
    export function render({model}) {
      const button = document.createElement('button');
      const show = () => { button.innerText = `esm ${model.value}` };
      button.onclick = () => { model.value += 1 };
      model.on('value', show);
      show();
      return button;
    }
    """


class Heading(pn.reactive.ReactiveHTML):
    text = param.String(default="a heading")

    _template = '<h2 id="heading">${text}</h2>'


def retitle():
    plot.title.text = "another title"


def press(event):
    pressed.value = threading.current_thread().name.partition("_")[0]
    heading.text = "another heading"
    table.stream({"a": [4], "b": ["fourth"]}, follow=False)
    pn.state.execute(retitle)


counter = Counter()
heading = Heading()
pressed = pn.widgets.StaticText(name="pressed on", value="-")
button = pn.widgets.Button(name="press")
button.on_click(press)
table = pn.widgets.Tabulator(pd.DataFrame({"a": [1, 2, 3], "b": ["first", "second", "third"]}), show_index=False)
plot = figure(width=200, height=200, title="a title")
plot.line([1, 2, 3], [1, 3, 2])
pn.Column(counter, counter.param.value, heading, button, pressed, table, plot).servable(title="Components")
