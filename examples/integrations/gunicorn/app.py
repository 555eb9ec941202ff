"""An app object, which any ASGI server can run."""

import hotshoe

app = hotshoe.asgi({"/wave": "../wave.py"})
