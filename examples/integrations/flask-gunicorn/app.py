"""A Flask site with a Bokeh app in its page, for several processes."""

from flask import Flask, render_template_string

import hotshoe
from hotshoe.integrations.flask import Hotshoe

site = Flask(__name__)
bokeh = Hotshoe(site)
bokeh.add("/wave", "../wave.py")


@site.route("/")
def home():
    return render_template_string("<title>Waves</title><h1>Waves</h1>{{ bokeh_app('/wave?periods=3') }}")


application = hotshoe.wrap(site)
