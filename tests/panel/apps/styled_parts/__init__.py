"""Components of a package: each kind that lists files."""

from pathlib import Path

import panel as pn

HERE = Path(__file__).parent


class Widget(pn.custom.AnyWidgetComponent):
    _esm = "export default { render({ el }) { el.innerHTML = '<b class=two>two</b>'; } }"
    _stylesheets = ["css/two.css"]


class Heading(pn.reactive.ReactiveHTML):
    _template = '<b id="heading" class="three">three</b>'
    _stylesheets = [HERE / "css" / "three.css"]
    __css__ = ["css/page.css"]
    __javascript__ = ["script"]


class Other(Heading):
    _template = '<b id="other" class="three">other</b>'


class Bundled(pn.custom.JSComponent):
    _bundle = HERE / "bundled.js"


class Plain:
    """No component."""

    css = "secret.txt"
