"""A Flask site with a Bokeh app in its page, on one port."""

from flask import Flask, render_template_string

import hotshoe
from hotshoe.embed import app_tag

site = Flask(__name__)


@site.route("/")
def home():
    return render_template_string("<title>Waves</title><h1>Waves</h1>{{ wave }}", wave=app_tag("/wave"))


application = hotshoe.wrap(site, {"/wave": "../wave.py"})
