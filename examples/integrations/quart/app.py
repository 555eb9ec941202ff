"""A Quart site with a Bokeh app in it. Quart can't mount ASGI apps, so hotshoe serves both."""

from quart import Quart

import hotshoe

quart_site = Quart(__name__)


@quart_site.get("/")
async def home():
    return '<h1>Quart</h1><iframe src="/wave" width="640" height="460"></iframe>'


site = hotshoe.wrap(quart_site, {"/wave": "../wave.py"})
