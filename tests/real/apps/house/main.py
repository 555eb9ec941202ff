"""A directory app that shows what it knows of its session, as JSON in a Div."""

import json

from bokeh.io import curdoc
from bokeh.models import Div

context = curdoc().session_context
assert context is not None
seen = {
    "id": context.id,
    "arguments": {name: [value.decode() for value in values] for name, values in context.request.arguments.items()},
    "cookies": dict(context.request.cookies),
    "headers": {name: value for name, value in context.request.headers.items() if name.startswith("X-")},
    "payload": {name: context.token_payload[name] for name in ("from_hook",) if name in context.token_payload},
    "payload_has": sorted(context.token_payload),
    "logout_url": context.logout_url,
    "url": context.server_context.application_context.url,
}
curdoc().add_root(Div(name="seen", text=json.dumps(seen)))
