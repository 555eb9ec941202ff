"""A Flask site with whatever a site does that is not a small page, and apps that greet who has logged in."""

import os
import tempfile
import time
from hashlib import sha256
from pathlib import Path

from bokeh.layouts import column
from bokeh.models import Div, Slider
from flask import Flask, Response, redirect, render_template_string, request, session, url_for
from werkzeug.middleware.proxy_fix import ProxyFix

from hotshoe.integrations.flask import Hotshoe

app = Flask(__name__)
app.secret_key = "k"
bokeh = Hotshoe(app, user=lambda: session.get("user"))
closed = []

if "PROXY_FIX" in os.environ:
    app.wsgi_app = ProxyFix(app.wsgi_app, x_prefix=1, x_host=1)


def only_users(view):
    def guarded():
        return view() if "user" in session else redirect(url_for("login"))

    return guarded


@bokeh.app("/greeting", decorators=[only_users])
def greeting(doc):
    context = doc.session_context
    slider = Slider(start=0, end=9, value=1)
    note = Div(text=f"Hello {context.user.name}, {context.request.session['user']}")
    slider.on_change("value", lambda attr, old, new: note.update(text=f"{context.user.name} has {new}"))
    doc.add_root(column(slider, note))


@bokeh.app("/open")
def everybodys(doc):
    doc.add_root(Div(text="for everybody"))


@app.route("/")
def home():
    return render_template_string(
        "<title>Home</title><link rel='icon' href='data:,'><link rel='stylesheet' href='{{ url_for('static', "
        "filename='site.css') }}'><h1>Home</h1>{{ bokeh_app('/greeting') }}")


@app.route("/login", methods=["GET", "POST"])
def login():
    if request.method == "POST":
        session["user"] = request.form["name"]
        return redirect(url_for("home"))
    return "<title>Log in</title><link rel='icon' href='data:,'><form method=post><input name=name><button>In</button>"


@app.post("/upload")
def upload():
    parts = iter(lambda: request.stream.read(65536), b"")
    digest, size = sha256(), 0
    for part in parts:
        digest.update(part)
        size += len(part)
    return {"size": size, "sha256": digest.hexdigest()}


@app.post("/file")
def file():
    return str(len(request.files["file"].read()))


@app.route("/endless")
def endless():
    who = request.args["who"]

    def parts():
        try:
            for number in range(100_000):
                yield f"data: {number}\n\n"
                time.sleep(0.02)
        finally:
            closed.append(who)

    return Response(parts(), mimetype="text/event-stream")


@app.route("/closed")
def closed_ones():
    return closed


@app.route("/slow")
def slow():
    """Tells that it waits by a file in a folder; a file ``go`` there ends it, or a minute."""
    folder, end = Path(request.args["folder"]), time.monotonic() + 60
    tempfile.mkstemp(prefix="waits-", dir=folder)
    while not (folder / "go").exists() and time.monotonic() < end:
        time.sleep(0.02)
    return "at last"
