"""Components whose style sheets and scripts are files: beside the script, and in a package."""

import panel as pn
from styled_parts import Bundled, Heading, Other, Widget

pn.extension()


class Counter(pn.custom.JSComponent):
    _esm = "export function render() { const b = document.createElement('b'); b.className = 'one'; return b; }"
    _stylesheets = ["styled.css"]


pn.Column(Counter(), Widget(), Heading(), Other(), Bundled()).servable(title="Styled")
